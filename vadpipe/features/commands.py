"""The command that makes features of a recipe, for messages that refuse others."""

from __future__ import annotations

from vadpipe.features.recipe import IMPORTED, Recipe
from vadpipe.features.windows import text_of

GIVEN = IMPORTED + "arrays"
"""Backbone of features that were passed as arrays and not read from files."""


def options_of(recipe: Recipe) -> str:
    """Return the options of ``vadpipe extract`` that make features of a recipe, or of ``features import``.

    All that decide are named, defaults too: ``--backbone i3d --view left,right --stride 8 --window 16
    --target-fps 12.5``.
    """
    if recipe.imported:
        options = [f"--backbone {recipe.backbone.removeprefix(IMPORTED)}"]
        options += ["--rows even"] if recipe.even_rows is not None else [f"--stride {recipe.stride_frames}"]
        return " ".join([*options, *[f"--crops {recipe.crops}"] * (recipe.crops in (5, 10))])
    views = f"--crops {recipe.crops}" if recipe.view == "crops" else f"--view {','.join(recipe.views)}"
    if recipe.fps is not None:
        rate = f"--fps {recipe.fps:g}"
    else:
        rate = f"--target-fps {'all' if recipe.target_fps is None else format(recipe.target_fps, 'g')}"
    return (
        f"--backbone {recipe.backbone} {views} --stride {recipe.stride_frames} "
        f"--window {text_of(recipe.windows)} {rate}"
    )


def options_that_differ(recipe: Recipe, other: Recipe) -> str:
    """Return those options of ``vadpipe extract`` by which features of a recipe differ from another's."""
    others = _pairs(options_of(other))
    return " ".join(pair for pair in _pairs(options_of(recipe)) if pair not in others)


def _pairs(options: str) -> list[str]:
    return [f"--{option.strip()}" for option in f" {options}".split(" --")[1:]]


def how_to_make(recipe: Recipe, other: Recipe) -> str:
    """Return the next step for who has features of another recipe than a head expects.

    Args:
        recipe: that the head expects.
        other: of the features that were refused.
    """
    train = "or train a head on the features that you have ('vadpipe fit')."
    if recipe.backbone == GIVEN:
        return f"Pass arrays as those that it was trained on, {train}"
    if recipe.imported:
        return f"Make them with: vadpipe features import FILES {options_of(recipe)}; {train}"
    weights = ""
    if other.backbone == recipe.backbone and other.weights_sha256 != recipe.weights_sha256:
        weights = f" --weights FILE (sha256 {recipe.weights_sha256[:12]}…)"
    if other.backbone == GIVEN:
        step = "An array does not say how it was made: pass feature files, which"
        return f"{step} 'vadpipe extract VIDEOS {options_of(recipe)}' writes, {train}"
    return f"Make them with: vadpipe extract VIDEOS {options_of(recipe)}{weights}; {train}"


def refusal(recipe: Recipe, other: Recipe) -> tuple[str, str] | None:
    """Return the reason and the next step where a head cannot score features, or None where it can.

    Args:
        recipe: that the head expects.
        other: of the features, which may hold only some of its views.
    """
    differences = recipe.differences(other, fewer_views=True)
    if not differences:
        return None
    reason = f"does not fit the head, which expects other features ({'; '.join(differences[:3])})"
    return reason, how_to_make(recipe, other)
