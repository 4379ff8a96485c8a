"""``vadpipe rerun``."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vadpipe.cli import options
from vadpipe.errors import EXIT_SOME_FAILED, UsageError, printable

if TYPE_CHECKING:
    from vadpipe.runs.record import RunRecord

_SHOWN = 3
_REPEATED = ("extract", "fit", "score", "evaluate", "compare", "ablate", "features import")
"""Commands that leave records."""


def rerun(
    record: Annotated[Path, typer.Argument(metavar="run.json", help="Record that a command wrote.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write the results there (default: where they were, as the command would)."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Run it even if inputs, weights or versions have changed.")
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let it write outside its folder, and connect to what it names.")
    ] = False,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Run a recorded command again, and compare the results byte by byte.

    It runs in the folder that it was started in. Inputs and versions are checked first. Without --trust, it
    writes to OUTPUT or the folder of the record alone, and connects to nothing that the record names.
    """
    options.set_up(verbose, quiet)
    from vadpipe.cli.recorded_inputs import differences, is_part_of_unknown
    from vadpipe.cli.recorded_reach import moved_options
    from vadpipe.runs.command_line import CommandLine, called_by
    from vadpipe.runs.record import RerunRecord, read_record

    known = read_record(record)
    if known.command not in _REPEATED:
        raise UsageError(f"is of a command that leaves no records: {printable(known.command)}", file=record)
    if known.arguments is None:
        raise UsageError(
            "is of a call from Python, which no command line repeats",
            file=record,
            next_step=f"Call it again with the arguments in it, under 'resolved': {known.command}.",
        )
    if is_part_of_unknown(known):
        raise UsageError(
            "is of one shard of a list on standard input, and the videos of the others are not recorded",
            file=record,
            next_step="Run the command itself again, with the same list.",
        )
    folder = record.absolute().parent
    target = None if output is None else output.absolute()
    _change_to(folder / known.started_in, record)
    if not trust:
        _check_reach(known, folder, record, moved=target is not None)
    different = differences(known)
    if different and not force:
        more = f"; and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        raise UsageError(
            f"cannot be repeated, because {'; '.join(different[:_SHOWN])}{more}",
            file=record,
            next_step="Restore them, or pass --force; the new record will say what differed.",
        )
    for difference in different:
        options.say(f"note: {difference}", quiet, kind="note", difference=difference)
    moved = {} if target is None else moved_options(known, target)
    digest = hashlib.sha256((folder / record.name).read_bytes()).hexdigest()
    line = CommandLine({}, rerun=RerunRecord(of=digest, forced=tuple(different)))
    with called_by(line):
        code = _run(known, {**moved, **_loudness(verbose, quiet)})
    places = {Path(str(known.arguments[name])).absolute(): path for name, path in moved.items()
              if name in known.arguments}  # fmt: skip
    if line.records:
        places.setdefault(folder, line.records[-1].absolute().parent)
    elif target is not None:
        places.setdefault(folder, target)
    _compare(known, folder, places, quiet)
    if code:
        raise typer.Exit(code)


def _change_to(folder: Path, record: Path) -> None:
    try:
        os.chdir(folder)
    except (OSError, ValueError) as error:  # ValueError for a null byte
        raise UsageError(
            f"was started in a folder that cannot be entered: {printable(folder)}",
            file=record,
            next_step="Put the record back beside its results.",
        ) from error


def _check_reach(known: RunRecord, folder: Path, record: Path, *, moved: bool) -> None:
    """Raise UsageError if the command would reach more than the folder of its record."""
    from vadpipe.cli.recorded_reach import reach

    beyond = reach(known, folder, moved=moved)
    if beyond:
        more = f"; and {len(beyond) - _SHOWN} more" if len(beyond) > _SHOWN else ""
        step = "Pass --trust if you know where the record comes from"
        raise UsageError(
            f"{'; '.join(printable(text) for text in beyond[:_SHOWN])}{more}",
            file=record,
            next_step=step + ("." if moved else "; or -o OUTPUT, which is all that it may write to then."),
        )


def _loudness(verbose: int, quiet: bool) -> dict[str, object]:
    return {"verbose": verbose, "quiet": quiet}


def _run(known: RunRecord, instead: dict[str, Any]) -> int:
    """Run the command, and return its exit code."""
    from vadpipe.cli import app
    from vadpipe.cli.config_file import option_names, section
    from vadpipe.cli.recorded_inputs import positionals

    root = typer.main.get_command(app)
    path = known.command.split()
    command: Any = root
    for name in path:
        command = command.commands[name]
    names = option_names(command)
    given = {name: value for name, value in (known.arguments or {}).items() if name in names}
    given |= {name: str(value) if isinstance(value, Path) else value
              for name, value in instead.items() if name in names}  # fmt: skip
    nested: dict[str, object] = given
    for name in reversed(path):
        nested = {name: nested}
    defaults: dict[str, Any] = section(nested, root, path, Path("run.json"))
    for name in reversed(path):
        defaults = {name: defaults}
    arguments = [*path, "--", *positionals(known)]
    code = root.main(args=arguments, prog_name="vadpipe", standalone_mode=False, default_map=defaults)
    return code if isinstance(code, int) else 0


def _compare(known: RunRecord, folder: Path, places: dict[Path, Path], quiet: bool) -> None:
    """Say whether the results are the same bytes. Raises typer.Exit if they are not."""
    from vadpipe.files.digest import file_digest

    changed = []
    for item in known.outputs:
        file = Path(os.path.normpath(folder / item.file))
        file = next(
            (new / file.relative_to(old) for old, new in places.items() if file.is_relative_to(old)), file
        )
        try:
            same = file_digest(file) == item.sha256
        except OSError:
            same = False
        if not same:
            changed.append(item.file)
    n_same = len(known.outputs) - len(changed)
    options.say(
        f"{n_same} of {len(known.outputs)} results are the same bytes"
        + "".join(f"\nnot the same: {printable(name)}" for name in changed),
        quiet and not changed,
        kind="rerun",
        n_same=n_same,
        n_results=len(known.outputs),
        different=changed,
    )
    if changed:
        raise typer.Exit(EXIT_SOME_FAILED)
