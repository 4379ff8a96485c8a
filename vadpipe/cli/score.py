"""``vadpipe score``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vadpipe.cli import options
from vadpipe.errors import printable


def score(
    videos: options.Videos,
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
    threshold: Annotated[
        float | None, typer.Option(help="What is called abnormal, in [0, 1]; the head's own without it.")
    ] = None,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    decoder: options.Decoder = "auto",
    engine: options.Engine = "auto",
    device: options.Device = "auto",
    offline: options.Offline = False,
    limit: options.Limit = None,
    tolerate: options.Tolerate = 0.05,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Write NAME.scores.csv: one anomaly score for every frame of a video."""
    options.set_up(verbose, quiet)
    from vadpipe.scoring import Scored, Scorer, score_videos
    from vadpipe.terminal import VideoProgress

    def tell(scored: Scored) -> None:
        curve = scored.curve
        highest = "none with a score"
        for peak in curve.peaks(1):
            highest = f"highest score {curve.scores[peak]:.2f} at {curve.times_s[peak]:.2f} s"
        options.say(f"{printable(scored.video)}: {len(curve)} frames, {highest}", quiet)
        for path in filter(None, (scored.csv, scored.plot)):
            options.say_path(path)

    scorer = Scorer(
        head,
        backbone=backbone,
        features=features,
        threshold=threshold,
        device=device,
        weights=weights,
        offline=offline,
        decoder=decoder,
        engine=engine,
        limits=options.limits_of(limit),
    )
    with VideoProgress("scoring", quiet=quiet) as progress:
        result = score_videos(
            videos,
            scorer,
            output=output,
            plot=plot,
            tolerate=tolerate,
            on_progress=progress,
            on_scored=tell,
            on_failure=options.report,
        )
    damaged = sum(scored.damaged for scored in result.scored)
    options.exit_for(len(result.scored), len(result.failed) + damaged)
