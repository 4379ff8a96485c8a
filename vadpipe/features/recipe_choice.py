"""Choosing between features of several recipes in one folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from vadpipe.errors import UsageError
from vadpipe.features.recipe import Recipe

_SHOWN = 12  # digits of a digest
_UNITS = ("_frames", "_px")


def parse_choice(assignments: Iterable[str]) -> dict[str, str]:
    """Return the fields of a recipe and their wanted values, of texts such as ``stride=8``.

    Raises:
        UsageError: if a text is not an assignment, or a recipe has no such field.
    """
    names = {_short_name(field): field for field in Recipe.model_fields}
    choice: dict[str, str] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        field = names.get(_short_name(name.strip().replace("-", "_")))
        if not equals or field is None:
            near = get_close_matches(name.strip(), names, n=1)
            raise UsageError(
                f"--recipe {text!r} is not one of {', '.join(names)} with a value",
                next_step=f"Did you mean {near[0]}={value}?" if near and equals else "For example: stride=8",
            )
        choice[field] = value.strip()
    return choice


def fits(recipe: Recipe, choice: dict[str, str]) -> bool:
    """Return whether a recipe has all wanted values; of a digest, the first digits suffice."""
    return all(
        _text(recipe, field) == (value[:_SHOWN] if field == "weights_sha256" else value)
        for field, value in choice.items()
    )


def values(recipe: Recipe, choice: dict[str, str]) -> str:
    """Return which values a recipe has of the fields that were asked for, as they are asked for."""
    return ", ".join(f"{_short_name(field)}={_text(recipe, field)}" for field in choice)


def summary(recipes: Sequence[Recipe]) -> tuple[str, str] | None:
    """Return how many features of each recipe there are, and the options that select the most frequent one.

    Returns:
        Texts such as ``"12 with stride=8; 3 with stride=16"`` and ``"--recipe stride=8"``; None if all
        recipes agree.
    """
    kinds: list[tuple[Recipe, int]] = []
    for recipe, n_same in Counter(recipes).items():
        for index, (known, count) in enumerate(kinds):
            if not known.differences(recipe):
                kinds[index] = (known, count + n_same)
                break
        else:
            kinds.append((recipe, n_same))
    if len(kinds) < 2:
        return None
    kinds.sort(key=lambda kind: -kind[1])
    first = kinds[0][0]
    differing = [
        field
        for field in Recipe.model_fields
        if any(line.startswith(f"{field}: ") for kind, _ in kinds[1:] for line in first.differences(kind))
    ]
    shown = _telling([kind for kind, _ in kinds], differing)
    said = [
        f"{count} with {', '.join(f'{_short_name(field)}={_text(kind, field)}' for field in shown)}"
        for kind, count in kinds
    ]
    options = " ".join(f"--recipe {_short_name(field)}={_text(first, field)}" for field in shown)
    return "; ".join(said), options


def _telling(kinds: Sequence[Recipe], differing: Sequence[str]) -> list[str]:
    """Return few fields that suffice to tell all of these recipes apart."""
    shown: list[str] = []
    n_told = 1
    for field in differing:
        n_now = len({tuple(_text(kind, name) for name in [*shown, field]) for kind in kinds})
        if n_now > n_told:
            shown.append(field)
            n_told = n_now
    return shown


def _short_name(field: str) -> str:
    for unit in _UNITS:
        field = field.removesuffix(unit)
    return field


def _text(recipe: Recipe, field: str) -> str:
    value = getattr(recipe, field)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ("," if field == "window_frames" else "/").join(f"{part:g}" for part in value)
    if value is None:
        return "none"
    return str(value)[:_SHOWN] if field == "weights_sha256" else str(value)
