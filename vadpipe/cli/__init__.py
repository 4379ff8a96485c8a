"""The command line: each command reads its options, calls the function of that name, and reports.

In: arguments. Out: calls of the functions that ``vadpipe`` exports, and exit codes. May import: everything.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from vadpipe.cli import options
from vadpipe.cli.ablate import ablate
from vadpipe.cli.command import command
from vadpipe.cli.compare import compare
from vadpipe.cli.config import config
from vadpipe.cli.datasets import datasets
from vadpipe.cli.doctor import doctor
from vadpipe.cli.evaluate import evaluate
from vadpipe.cli.export import export
from vadpipe.cli.extract import extract
from vadpipe.cli.features import features
from vadpipe.cli.fit import fit
from vadpipe.cli.labels import labels, split
from vadpipe.cli.licenses import licenses
from vadpipe.cli.ray_option import RayCommand
from vadpipe.cli.rerun import rerun
from vadpipe.cli.score import ScoreCommand, score
from vadpipe.cli.weights import weights
from vadpipe.errors import (
    EXIT_CLOSED_PIPE,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    UsageError,
    VadpipeError,
    printable,
)

# Waiting threads that spin take the processor from those that work; torch reads this once, at import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

app = typer.Typer(
    name="vadpipe",
    help="Raw videos in, per-frame anomaly curves out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def vadpipe(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit; with -v, also the environment.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="With --version: show the environment.")
    ] = False,
) -> None:
    """Raw videos in, per-frame anomaly curves out."""
    if version:
        from vadpipe._version import __version__
        from vadpipe.diagnostics.environment import environment_lines

        typer.echo("\n".join(environment_lines()) if verbose else __version__)
        raise typer.Exit
    if verbose:
        raise UsageError("-v comes after the command", next_step="For example: vadpipe score clip.mp4 -v")


app.command(cls=RayCommand)(command(extract))
app.command()(command(fit))
app.command(cls=ScoreCommand)(command(score))
app.command()(command(evaluate))
app.command()(command(compare))
app.command()(command(ablate))
app.command()(command(export))
app.command()(command(split))
app.add_typer(labels)
app.add_typer(features)
app.add_typer(datasets)
app.add_typer(weights)
app.add_typer(config)
app.command()(command(rerun))
app.command()(command(doctor))
app.command()(command(licenses))


def main() -> None:
    """Run the command line; errors become at most three lines and a fixed exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    # Python looks for garbage several times as it ends, among all that torch has made: a third of a second.
    atexit.register(gc.freeze)
    try:
        app()
    except VadpipeError as error:
        options.print_error(error)
        sys.exit(error.exit_code)
    except SystemExit as end:
        # typer makes it 1; a shell expects what a program returns that SIGPIPE ends.
        if isinstance(end.__context__, BrokenPipeError):
            sys.exit(EXIT_CLOSED_PIPE)
        kind = _ENDINGS.get(end.code)
        if kind is not None:
            text = f"{kind}; finished results are kept"
            options.say(text, kind=kind, message=text, exit_code=end.code)
        raise
    except Exception as error:
        reason = f"internal error in vadpipe: {type(error).__name__}: {printable(str(error)[:200])}"
        step = "Please report it, with the traceback that -vv shows."
        options.say(
            f"error: {reason}\n{step}", kind="error", file=None, reason=reason, next_step=step, exit_code=1
        )
        if options.shows_tracebacks():
            raise
        sys.exit(1)


# typer makes the first of Ctrl-C.
_ENDINGS: dict[object, str] = {EXIT_INTERRUPTED: "interrupted", EXIT_TERMINATED: "terminated"}


def _terminate(*_: object) -> NoReturn:
    """End in order, as Ctrl-C does: contexts are left, so that no process and no unfinished file remains."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise SystemExit(EXIT_TERMINATED)
