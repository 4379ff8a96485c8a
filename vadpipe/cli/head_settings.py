"""From the options that say how a head is trained to its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from vadpipe.errors import UsageError
from vadpipe.head.methods import CBCG, CBCG_ONLY, METHODS, check_read, find_method
from vadpipe.head.presets import find_preset
from vadpipe.head.settings import HeadSettings, refusal


def head_settings(
    preset: str,
    file: Path | None,
    assignments: list[str] | None,
    *,
    method: str | None = None,
    ablating: bool = False,
) -> HeadSettings:
    """Return a preset or a method's settings, changed by a settings file and then by NAME=VALUE pairs.

    Without a method it is the file's, or CBCG. An ablation is one of CBCG.

    Raises UsageError where one is unknown, out of range or not read by the method, or two of them name
    different methods.
    """
    read = _settings_in(file)
    given = _assigned(assignments)
    changes = find_preset(preset).changes
    started = _method_changes(method, preset, file, read, given, ablating=ablating)
    values: dict[str, object] = {**changes, **started, **read, **given}
    try:
        return HeadSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        reason, next_step = refusal(first)
        without = {name: value for name, value in values.items() if name not in given}
        blamed = file if first["loc"] in _refused(without) else None
        raise UsageError(reason, file=blamed, next_step=next_step) from error


def _refused(values: dict[str, object]) -> list[tuple[int | str, ...]]:
    """Return the names of the settings that are off; an empty one where they contradict each other."""
    try:
        HeadSettings.model_validate(values)
    except ValidationError as error:
        return [mistake["loc"] for mistake in error.errors()]
    return []


def _settings_in(file: Path | None) -> dict[str, object]:
    """Return what a settings file names; nothing without one."""
    try:
        read = {} if file is None else json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(read, dict):
            raise ValueError("it holds no names")
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"is not a JSON file of settings: {error}", file=file) from error
    return read


def _assigned(assignments: list[str] | None) -> dict[str, str]:
    """Return what NAME=VALUE pairs say."""
    values: dict[str, str] = {}
    for assignment in assignments or ():
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set takes NAME=VALUE, not {assignment!r}")
        values[name.strip()] = value.strip()
    return values


def _method_changes(
    method: str | None,
    preset: str,
    file: Path | None,
    read: Mapping[str, object],
    given: Mapping[str, str],
    *,
    ablating: bool,
) -> Mapping[str, object]:
    """Return the published settings of the method that is meant. Raises UsageError where that is unclear."""
    of_file = _method_of(file, read)
    if method is not None and of_file not in (None, find_method(method).name):
        raise UsageError(
            f"holds settings of the method {of_file}, and --method is {method}",
            file=file,
            next_step="Leave out --method, or --settings.",
        )
    meant = method or of_file or CBCG
    title = find_method(meant).title
    if ablating and meant != CBCG:
        raise UsageError(
            f"holds settings of the method {meant}, and the rows are variants of {find_method(CBCG).title}",
            file=file,
            next_step=f"Leave out --settings, and give it a row: --row '{title}: method={meant}'.",
        )
    other = given.get("method", meant)
    if other != meant and method is not None:
        raise UsageError(
            f"--method is {method}, and --set says method={other}",
            next_step=f"Leave out --set method={other}.",
        )
    if other != meant:
        row = f"Leave it out, and give it a row: --row '{find_method(other).title}: method={other}'."
        blocking = ["--settings"] * (of_file not in (None, other))
        blocking += ["--preset"] * (preset != "default" and other != CBCG)
        without = f"Leave out {' and '.join(blocking)}, and use" if blocking else "Use"
        raise UsageError(
            f"--set method={other} would keep the settings of {title}",
            next_step=row if ablating else f"{without} --method {other}.",
        )
    if meant != CBCG and preset != "default":
        raise UsageError(
            f"the preset {preset} is one of {find_method(CBCG).title}, not of {title}",
            next_step="Leave out --preset; a method has its published settings.",
        )
    check_read(meant, given)
    return find_method(meant).changes


def _method_of(file: Path | None, read: Mapping[str, object]) -> str | None:
    """Return the method of which a settings file holds settings; None where they may be of any.

    Raises UsageError where it names one that there is not.
    """
    named = read.get("method")
    if named is None:
        return CBCG if any(name in CBCG_ONLY for name in read) else None
    names = [method.name for method in METHODS]
    if named not in names:
        raise UsageError(
            f"there is no method {named!r}", file=file, next_step=f"Choose one of: {', '.join(names)}."
        )
    return str(named)
