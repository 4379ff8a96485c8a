"""The command line: each command reads its options, calls the function of that name, and reports."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vadpipe.errors import (
    EXIT_ALL_FAILED,
    EXIT_INTERRUPTED,
    EXIT_SOME_FAILED,
    UsageError,
    VadpipeError,
    printable,
)

if TYPE_CHECKING:
    from vadpipe.extract.videos import Failure
    from vadpipe.head.settings import HeadSettings

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

Videos = Annotated[list[str], typer.Argument(metavar="VIDEOS...", help="Files, folders, patterns.")]
Backbone = Annotated[str | None, typer.Option(help="Name of the backbone: i3d or x3d_s.")]
Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The backbone's published weights in a local file.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda:0.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of everything random.")]
Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more; twice for tracebacks.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say only what went wrong.")]


@app.callback(invoke_without_command=True)
def vadpipe(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Raw videos in, per-frame anomaly curves out."""
    if version:
        from vadpipe import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def extract(
    videos: Videos,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the feature files; features without it.")
    ] = None,
    features: Annotated[Path | None, typer.Option("--features", help="The same as --output.")] = None,
    backbone: Backbone = None,
    view: Annotated[
        str, typer.Option(help="What the backbone sees: the whole frame, or its centre square.")
    ] = "whole",
    weights: Weights = None,
    device: Device = "auto",
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Turn raw videos into one feature file each; what is done already is skipped."""
    _set_up(verbose, quiet)
    if output and features and output != features:
        raise UsageError("--output and --features name two folders", next_step="Leave one of them out.")
    folder = output or features or Path("features")
    from vadpipe.extract.backbone import DEFAULT
    from vadpipe.extract.extraction import extract_features
    from vadpipe.terminal import VideoProgress

    with VideoProgress("extracting", quiet=quiet) as progress:
        result = extract_features(
            videos,
            folder,
            backbone=backbone or DEFAULT,
            view=view,
            weights=weights,
            device=device,
            on_progress=progress,
            on_failure=_report,
        )
    done = len(result.written) + len(result.skipped)
    _say(
        f"{len(result.written)} extracted, {len(result.skipped)} there already, {len(result.failed)} failed: "
        f"{folder}",
        quiet,
    )
    _exit_for(done, len(result.failed))


@app.command()
def fit(
    features: Annotated[Path, typer.Option("--features", help="Folder that extract wrote.")] = Path(
        "features"
    ),
    labels: Annotated[
        Path | None, typer.Option(metavar="CSV", help="video,label[,group]; by folder names without it.")
    ] = None,
    normal: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A folder whose videos are normal; repeatable.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the head.")] = Path("head"),
    backbone: Backbone = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a setting of the head; repeatable."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(metavar="JSON", help="Settings of the head, as fit writes them.")
    ] = None,
    device: Device = "auto",
    seed: Seed = 0,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Train a head on features and video-level labels."""
    _set_up(verbose, quiet)
    from vadpipe.fitting import fit as fit_head
    from vadpipe.terminal import StepProgress, print_fit

    chosen = _settings(settings, assign or [])
    with StepProgress("fitting", total=chosen.steps, quiet=quiet) as progress:
        result = fit_head(
            features,
            labels=labels,
            normal=normal or [],
            output=output,
            backbone=backbone,
            settings=chosen,
            seed=seed,
            device=device,
            on_check=progress,
        )
    if not quiet:
        print_fit(result)
        typer.echo(
            f"Score with it:\n  vadpipe score VIDEO --head {shlex.quote(str(output))} --plot", err=True
        )


@app.command()
def score(
    videos: Videos,
    plot: Annotated[bool, typer.Option("--plot", help="Draw each curve as NAME.png.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for results; beside each video without it.")
    ] = None,
    head: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Head file or folder; the shipped one without it.")
    ] = None,
    features: Annotated[
        Path | None, typer.Option("--features", help="Folder in which to keep features and find them again.")
    ] = None,
    backbone: Backbone = None,
    weights: Weights = None,
    device: Device = "auto",
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Write NAME.scores.csv: one anomaly score for every frame of a video."""
    _set_up(verbose, quiet)
    from vadpipe.scoring import Scored, Scorer, score_videos
    from vadpipe.terminal import VideoProgress

    def tell(scored: Scored) -> None:
        peak = scored.curve.peaks(1)[0]
        _say(
            f"{printable(scored.video)}: {len(scored.curve)} frames, highest score "
            f"{scored.curve.scores[peak]:.2f} at {scored.curve.times_s[peak]:.2f} s",
            quiet,
        )
        for path in filter(None, (scored.csv, scored.plot)):
            typer.echo(os.fsencode(path))  # as bytes: not every name can be encoded for the terminal

    scorer = Scorer(head, backbone=backbone, weights=weights, features=features, device=device)
    with VideoProgress("scoring", quiet=quiet) as progress:
        result = score_videos(
            videos,
            scorer,
            output=output,
            plot=plot,
            on_progress=progress,
            on_scored=tell,
            on_failure=_report,
        )
    _exit_for(len(result.scored), len(result.failed))


def main() -> None:
    """Run the command line; errors become at most three lines and a fixed exit code."""
    try:
        app()
    except VadpipeError as error:
        _print_error(error)
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # typer makes this of Ctrl-C
            typer.echo("interrupted; what was finished is kept", err=True)
        raise
    except Exception as error:
        typer.echo(
            f"error: a fault in vadpipe: {type(error).__name__}: {printable(str(error)[:200])}", err=True
        )
        typer.echo("Please report it with the traceback that -vv shows.", err=True)
        if _show_tracebacks():
            raise
        sys.exit(1)


def _settings(file: Path | None, assignments: list[str]) -> HeadSettings:
    """Merge a settings file and NAME=VALUE pairs. Raises UsageError where one is unknown or out of range."""
    import json

    from pydantic import ValidationError

    from vadpipe.head.settings import HeadSettings

    try:
        values = {} if file is None else json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it holds no names")
    except (OSError, ValueError) as error:
        raise UsageError(f"is not a JSON file of settings: {error}", file=file) from error
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set takes NAME=VALUE, not {assignment!r}")
        values[name.strip()] = value.strip()
    try:
        return HeadSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "settings"
        names = ", ".join(HeadSettings.model_fields)
        hint = f"The settings are: {names}." if first["type"] == "extra_forbidden" else None
        raise UsageError(f"{name}: {first['msg']}", file=file, next_step=hint) from error


def _set_up(verbose: int, quiet: bool) -> None:
    level = logging.WARNING if quiet else [logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)]
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("vadpipe").setLevel(level)


def _show_tracebacks() -> bool:
    return logging.getLogger("vadpipe").level == logging.DEBUG


def _report(failure: Failure) -> None:
    _print_error(failure.error)


def _print_error(error: VadpipeError) -> None:
    if _show_tracebacks():
        traceback.print_exception(error)
    typer.echo(f"error: {error}", err=True)


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        typer.echo(text, err=True)


def _exit_for(n_done: int, n_failed: int) -> None:
    if n_failed:
        raise typer.Exit(EXIT_SOME_FAILED if n_done else EXIT_ALL_FAILED)
