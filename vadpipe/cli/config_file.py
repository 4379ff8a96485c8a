"""``vadpipe.yaml``: options of commands in a file, checked against the options that there are.

The file has an object for each command, and in it a value for each option, by its long name without dashes.
Everything here works on the tree of commands, so that a new option is known to the file, to its schema and to
``--print-config`` at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from vadpipe.errors import UsageError

NOT_KEPT = frozenset({"config", "print-config", "log-json", "help", "version"})
"""Options that say nothing of the results, and therefore are in no file."""

Command = Any
"""A command, a group or an option: of click, or of the copy of it that newer versions of typer hold."""


def option_names(command: Command) -> dict[str, Command]:
    """Return the options of a command that may be in a file, by their long names without dashes."""
    named = {}
    for parameter in command.params:
        if parameter.param_type_name != "option":
            continue
        name = max(parameter.opts, key=len).removeprefix("--")
        if name not in NOT_KEPT:
            named[name] = parameter
    return named


def path_of(context: Any) -> list[str]:  # noqa: ANN401
    """Return the names of the groups and of the command that a context is of, without the program's."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, context.info_name)
        context = context.parent
    return names


def section(read: Mapping[str, object], root: Command, path: Sequence[str], file: Path) -> dict[str, object]:
    """Return what a file says of one command, in the form that a command's defaults have.

    Args:
        read: the contents of the file.
        root: the tree of commands.
        path: of the command, such as ``["features", "import"]``.
        file: for messages.

    Returns:
        Values by the names of parameters.

    Raises:
        UsageError: if the file has a command or an option that there is not, of any command; or a value that
            no option has.
    """
    return dict(_checked(read, root, (), file)).get(tuple(path), {})


def _checked(
    read: Mapping[str, object], command: Command, path: tuple[str, ...], file: Path
) -> Iterator[tuple[tuple[str, ...], dict[str, object]]]:
    commands = getattr(command, "commands", None)
    if commands is None:
        yield path, _defaults(read, command, path, file)
        return
    for name, part in read.items():
        if name not in commands:
            raise _unknown("command", name, commands, path, file)
        if part is None:  # a heading without anything below it
            continue
        if not isinstance(part, dict):
            raise UsageError(
                f"{' '.join((*path, name))} must be an object of options, not {part!r}",
                file=file,
                next_step="'vadpipe config schema' describes the file.",
            )
        yield from _checked(part, commands[name], (*path, name), file)


def _defaults(
    read: Mapping[str, object], command: Command, path: tuple[str, ...], file: Path
) -> dict[str, object]:
    known, values = option_names(command), {}
    for name, value in read.items():
        if name not in known:
            raise _unknown("option", name, known, path, file)
        if value is not None:
            values[known[name].name] = _as_given(value, known[name], f"{' '.join(path)}: {name}", file)
    return values


def _as_given(value: object, option: Command, where: str, file: Path) -> object:
    """Return a value as the command line would give it, as text, to be checked as that is."""
    pairs = takes_pairs(option)
    if isinstance(value, dict) and pairs:
        return [f"{name}={_text(item)}" for name, item in value.items()]
    many = [*value] if isinstance(value, list) else [value]
    nested = any(isinstance(item, (dict, list)) for item in many)
    if nested or (isinstance(value, list) and not option.multiple):
        what = "a list" if option.multiple else "one value"
        or_pairs = ", or an object of NAME: VALUE" if pairs else ""
        raise UsageError(f"{where} must be {what}{or_pairs}", file=file)
    if option.multiple:
        return [*map(_text, many)]
    return value if isinstance(value, bool) or getattr(option, "count", False) else _text(value)


def takes_pairs(option: Command) -> bool:
    """Return whether an option is repeated with NAME=VALUE, for which a file may have an object."""
    return bool(option.multiple) and (option.metavar or "").startswith("NAME=")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)


def _unknown(
    what: str, name: str, known: Mapping[str, object], path: tuple[str, ...], file: Path
) -> UsageError:
    nearest = get_close_matches(name.lower().replace("_", "-"), known, n=1)
    meant = f": did you mean {nearest[0]!r}?" if nearest else ""
    of = f" of {' '.join(path)}" if path else ""
    return UsageError(
        f"unknown {what} {name!r}{of}{meant}", file=file, next_step=f"Known are: {', '.join(sorted(known))}."
    )


def given_options(context: Any, *, all_of_them: bool = False) -> dict[str, object]:  # noqa: ANN401
    """Return the options and arguments that a command was given, as JSON, by their names.

    Args:
        context: of the command.
        all_of_them: also the options that were not given, with their defaults, and no arguments.
    """
    options = option_names(context.command)
    given: dict[str, object] = {}
    for name, option in options.items():
        source = context.get_parameter_source(option.name)
        value = _plain(context.params.get(option.name))
        if value is not None and (all_of_them or (source is not None and source.name != "DEFAULT")):
            given[name] = value
    for parameter in () if all_of_them else context.command.params:
        if parameter.param_type_name == "argument":
            given[parameter.name] = _plain(context.params.get(parameter.name))
    return given


def _plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [*map(_plain, value)]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
