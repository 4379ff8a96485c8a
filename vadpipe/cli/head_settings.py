"""Head settings from the training options of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from vadpipe.cli.mapping_file import read_mapping
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
    start: HeadSettings | None = None,
    ablating: bool = False,
) -> HeadSettings:
    """Return a preset or a method's settings, changed by a settings file and then by NAME=VALUE pairs.

    Without a method, that of the settings file or else CBCG is used. Ablations are of CBCG. A head that is
    fine-tuned has settings of its own, ``start``, which take the place of the method's.

    Raises UsageError if one is unknown, out of range or not used by the method, or if two of them name
    different methods.
    """
    read = _settings_in(file)
    given = _assigned(assignments)
    if start is not None:
        if method not in (None, start.method):
            raise UsageError(
                f"--from-head is a head of {find_method(start.method).title}, but --method is {method}",
                next_step="Omit --method or --from-head.",
            )
        method = start.method
    changes = find_preset(preset).changes
    started = _method_changes(method, preset, file, read, given, ablating=ablating)
    if start is not None:
        started = start.model_dump()
    values: dict[str, object] = {**started, **changes, **read, **given}
    try:
        return HeadSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        reason, next_step = refusal(first)
        without = {name: value for name, value in values.items() if name not in given}
        blamed = file if first["loc"] in _refused(without) else None
        raise UsageError(reason, file=blamed, next_step=next_step) from error


def _refused(values: dict[str, object]) -> list[tuple[int | str, ...]]:
    """Return the names of the invalid settings; an empty one if they contradict each other."""
    try:
        HeadSettings.model_validate(values)
    except ValidationError as error:
        return [mistake["loc"] for mistake in error.errors()]
    return []


def _settings_in(file: Path | None) -> dict[str, object]:
    """Return the contents of a settings file; empty without one."""
    if file is None:
        return {}
    return read_mapping(
        file,
        what="settings",
        missing="Pass a file of settings, JSON, YAML or TOML, as --settings.",
        example="the settings.json that fit writes",
    )


def _assigned(assignments: list[str] | None) -> dict[str, str]:
    """Return the settings of NAME=VALUE pairs."""
    values: dict[str, str] = {}
    for assignment in assignments or ():
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(
                f"--set must be NAME=VALUE, not {assignment!r}", next_step="For example --set steps=400."
            )
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
    """Return the published settings of the chosen method. Raises UsageError if options conflict."""
    of_file = _method_of(file, read)
    if method is not None and of_file not in (None, find_method(method).name):
        raise UsageError(
            f"holds settings of the method {of_file}, but --method is {method}",
            file=file,
            next_step="Omit --method or --settings.",
        )
    meant = method or of_file or CBCG
    title = find_method(meant).title
    if ablating and meant != CBCG:
        raise UsageError(
            f"holds settings of the method {meant}, but the rows are variants of {find_method(CBCG).title}",
            file=file,
            next_step=f"Omit --settings, and define a row: --row '{title}: method={meant}'.",
        )
    other = given.get("method", meant)
    if other != meant and method is not None:
        raise UsageError(
            f"--method is {method}, but --set says method={other}",
            next_step=f"Omit --set method={other}.",
        )
    if other != meant:
        row = f"Omit it, and define a row: --row '{find_method(other).title}: method={other}'."
        blocking = ["--settings"] * (of_file not in (None, other))
        blocking += ["--preset"] * (preset != "default" and other != CBCG)
        without = f"Omit {' and '.join(blocking)}, and use" if blocking else "Use"
        raise UsageError(
            f"--set method={other} would keep the settings of {title}",
            next_step=row if ablating else f"{without} --method {other}.",
        )
    if meant != CBCG and preset != "default":
        raise UsageError(
            f"the preset {preset} is for {find_method(CBCG).title}, not {title}",
            next_step="Omit --preset; each method uses its published settings.",
        )
    check_read(meant, given)
    return find_method(meant).changes


def _method_of(file: Path | None, read: Mapping[str, object]) -> str | None:
    """Return the method that a settings file is for; None if it does not say.

    Raises UsageError for an unknown method.
    """
    named = read.get("method")
    if named is None:
        return CBCG if any(name in CBCG_ONLY for name in read) else None
    names = [method.name for method in METHODS]
    if named not in names:
        raise UsageError(
            f"unknown method {named!r}", file=file, next_step=f"Choose one of: {', '.join(names)}."
        )
    return str(named)
