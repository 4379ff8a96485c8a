"""``vadpipe compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vadpipe.cli import options
from vadpipe.errors import UsageError


def compare(
    candidates: Annotated[
        list[str],
        typer.Argument(
            metavar="A B...",
            help="Two or more: heads (file or folder, or 'included'), folders of curves, or folders written "
            "by evaluate. The first is what the others are compared with.",
        ),
    ],
    truth: Annotated[
        Path,
        typer.Option(metavar="SHEET", help="Sheet of labels with times of the test videos, as of evaluate."),
    ],
    features: Annotated[
        Path, typer.Option("--features", help="Folder of feature files that heads score.")
    ] = Path("features"),
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path(
        "comparison"
    ),
    threshold: Annotated[
        str | None,
        typer.Option(
            metavar="X[,X...]",
            help="Score from which a frame counts as abnormal, in [0, 1]: one for all, or one for each "
            "(default: their own).",
        ),
    ] = None,
    include_training_videos: options.IncludeTrainingVideos = False,
    lengths: options.Lengths = "near",
    assume_fps: Annotated[
        float, typer.Option(metavar="FPS", help="Frame rate of curves without frame times.")
    ] = 25.0,
    bootstrap: options.Bootstrap = 1000,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the results of other candidates or another truth.")
    ] = False,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Compare heads, or curves of any origin, over the same test videos."""
    options.set_up(verbose, quiet)
    from vadpipe.comparison.compare import compare as compare_candidates
    from vadpipe.comparison.table import print_comparison

    result = compare_candidates(
        *candidates,
        truth=truth,
        features=features,
        output=output,
        threshold=_thresholds(threshold),
        include_training_videos=include_training_videos,
        lengths=lengths,
        assume_fps=assume_fps,
        bootstrap=bootstrap,
        seed=seed,
        device=device,
        force=force,
        on_failure=options.report,
    )
    if not quiet:
        print_comparison(result)
    for path in result.files:
        options.say_path(path)
    options.exit_for(len(result.videos), sum(item.n_failed for item in result.left_out.values()))


def _thresholds(text: str | None) -> float | list[float] | None:
    if text is None:
        return None
    try:
        each = [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--threshold must be a number, or one for each candidate, not {text!r}",
            next_step="For example 0.5, or 0.5,0.62.",
        ) from None
    return each if len(each) > 1 else each[0]
