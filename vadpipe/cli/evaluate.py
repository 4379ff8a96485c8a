"""``vadpipe evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vadpipe.cli import options


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
        Path | None, typer.Option(metavar="FILE", help="Head file or folder (default: the included head).")
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
    threshold: Annotated[
        float | None, typer.Option(help="Score from which a frame counts as abnormal (default: the head's).")
    ] = None,
    lengths: options.Lengths = "near",
    bootstrap: options.Bootstrap = 1000,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Evaluate a head against frame-level ground truth."""
    options.set_up(verbose, quiet)
    from vadpipe.evaluation.evaluate import evaluate as evaluate_head
    from vadpipe.evaluation.table import print_evaluation

    result = evaluate_head(
        features,
        truth=truth,
        head=head,
        view=view,
        output=output,
        threshold=threshold,
        adapt_to=adapt_to,
        lengths=lengths,
        bootstrap=bootstrap,
        seed=seed,
        device=device,
        on_failure=options.report,
    )
    if not quiet:
        print_evaluation(result)
    for path in result.files:
        options.say_path(path)
    options.exit_for(len(result.judged), len(result.failed) + len(result.missing) + len(result.ambiguous))
