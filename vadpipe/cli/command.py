"""What all commands have in common: ``--config``, ``--print-config``, ``--log-json``, and their record."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from vadpipe.cli import options
from vadpipe.cli.config_file import given_options, path_of, section
from vadpipe.cli.mapping_file import read_mapping


def _take_config(context: typer.Context, file: Path | None) -> Path | None:
    """Make what a file says of a command its defaults."""
    if file is not None:
        read = read_mapping(
            file,
            what="options",
            missing="Pass a file of options, JSON, YAML or TOML, as --config.",
            example="what --print-config prints",
        )
        found = section(read, context.find_root().command, path_of(context), file)
        context.default_map = {**(context.default_map or {}), **found}
    return file


_COMMON: dict[str, Any] = {
    "context": typer.Context,
    "config": Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            is_eager=True,
            callback=_take_config,
            help="Options of commands in a file, YAML, JSON or TOML; the command line overrides it.",
        ),
    ],
    "print_config": Annotated[
        bool, typer.Option("--print-config", help="Print all options as such a file, and exit.")
    ],
    "log_json": Annotated[
        bool, typer.Option("--log-json", help="Write events and messages to standard error as JSON lines.")
    ],
}
_DEFAULTS = {"config": None, "print_config": False, "log_json": False}


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options that all have; its runs are recorded as its own."""
    own = inspect.signature(function).parameters.values()
    hints = get_type_hints(function, include_extras=True)
    common = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_DEFAULTS.get(name, inspect.Parameter.empty),
            annotation=annotation,
        )
        for name, annotation in _COMMON.items()
    ]

    @functools.wraps(function)
    def run(
        *,
        context: typer.Context,
        config: Path | None,  # noqa: ARG001  read before, by its callback
        print_config: bool,
        log_json: bool,
        **given: object,
    ) -> None:
        if print_config:
            typer.echo(_config_text(context), nl=False)
            return
        # Here, since help needs none of it.
        from vadpipe.runs.command_line import CommandLine, called_by, command_line
        from vadpipe.runs.plain import plain_arguments

        outer = command_line()  # 'rerun', which says what is repeated
        if outer is None:
            options.log_as_json(log_json)
        line = CommandLine(
            plain_arguments(given_options(context)),
            rerun=None if outer is None else outer.rerun,
            on_event=options.tell_event,
        )
        with called_by(line):
            try:
                function(**given)
            finally:
                if outer is not None:
                    outer.records += line.records

    run.__annotations__ = {**hints, **_COMMON, "return": None}
    keyword = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
        for parameter in own
    ]
    run.__signature__ = inspect.Signature([*keyword, *common], return_annotation=None)  # type: ignore[attr-defined]
    return run


def _config_text(context: typer.Context) -> str:
    """Return the options of a command, all that are not None, as a file that ``--config`` reads."""
    part: dict[str, object] = given_options(context, all_of_them=True)
    for name in reversed(path_of(context)):
        part = {name: part}
    try:
        import yaml
    except ImportError:  # JSON is YAML too
        return json.dumps(part, indent=2) + "\n"
    text: str = yaml.safe_dump(part, sort_keys=False, allow_unicode=True)
    return text
