"""``vadpipe evaluate``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from vadpipe.cli import options
from vadpipe.errors import UsageError


def evaluate(
    truth: Annotated[
        Path,
        typer.Option(
            metavar="SHEET",
            help="CSV, .xlsx or gt.npy: video,anomalies[,class][,group], or one row per event.",
        ),
    ],
    features: Annotated[
        Path,
        typer.Option("--features", help="Folder of feature files of the test videos, written by extract."),
    ] = Path("features"),
    head: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Head file or folder (default: the included head)."),
    ] = None,
    adapt_to: options.AdaptTo = None,
    view: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Use only these views, comma-separated (default: all in the features).",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path(
        "evaluation"
    ),
    threshold: options.Threshold = None,
    shown: Annotated[
        Literal["table", "csv"],
        typer.Option("--format", help="What to print: tables, or a CSV line per video (as videos.csv)."),
    ] = "table",
    include_training_videos: options.IncludeTrainingVideos = False,
    lengths: options.Lengths = "near",
    bootstrap: options.Bootstrap = 1000,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the results of another head or truth.")
    ] = False,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Evaluate a head against frame-level ground truth."""
    options.set_up(verbose, quiet)
    from vadpipe.evaluation.evaluate import evaluate as evaluate_head
    from vadpipe.evaluation.table import print_evaluation
    from vadpipe.evaluation.video_table import csv_text

    if head is not None and len(head) > 1:
        heads = shlex.join(map(str, head))
        files = shlex.join(["--truth", str(truth), "--features", str(features)])
        raise UsageError(
            f"--head is given {len(head)} times, but one head is evaluated at a time",
            next_step=f"Compare them with: vadpipe compare {heads} {files}",
        )

    result = evaluate_head(
        features,
        truth=truth,
        head=head[0] if head else None,
        view=view,
        output=output,
        threshold=threshold,
        adapt_to=adapt_to,
        include_training_videos=include_training_videos,
        lengths=lengths,
        bootstrap=bootstrap,
        seed=seed,
        device=device,
        force=force,
        on_failure=options.report,
    )
    if shown == "csv":  # and nothing else, so that it can be piped
        typer.echo(csv_text(result), nl=False)
    else:
        if not quiet:
            print_evaluation(result)
        for path in result.files:
            options.say_path(path)
    options.exit_for(len(result.judged), len(result.failed) + len(result.missing) + len(result.ambiguous))
