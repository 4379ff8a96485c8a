"""``vadpipe fit``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vadpipe.cli import options

if TYPE_CHECKING:
    from vadpipe.training.history import FitProgress


def fit(
    features: Annotated[
        Path, typer.Option("--features", help="Folder of feature files written by extract, or its address.")
    ] = Path("features"),
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="SHEET", help="CSV or .xlsx: video,label[,group] (default: labels from folder names)."
        ),
    ] = None,
    normal: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name of a folder whose videos are normal; repeatable."),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder for the head.")] = Path(
        "head"
    ),
    backbone: options.Backbone = None,
    recipe: options.Recipe = None,
    method: options.Method = None,
    preset: options.Preset = "default",
    settings: options.SettingsFile = None,
    assign: options.Assign = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, metavar="K", help="Train K heads, the seeds from --seed on, and report the spread."
        ),
    ] = 1,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Write one head that averages those of --seeds.")
    ] = False,
    from_head: Annotated[
        str | None,
        typer.Option(
            metavar="HEAD|included", help="Fine-tune this head: a file, folder or the included one."
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for event files of TensorBoard.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the results of another training.")
    ] = False,
    progress: options.Progress = "auto",
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Train a head on features and video-level labels."""
    options.set_up(verbose, quiet, progress)
    from vadpipe.cli.fit_table import print_fit
    from vadpipe.cli.head_settings import head_settings
    from vadpipe.cli.terminal import resumed
    from vadpipe.training.fine_tuning import BaseHead
    from vadpipe.training.fit import fit as fit_head

    start = None if from_head is None else BaseHead.load(from_head).record.settings
    chosen = head_settings(preset, settings, assign, method=method, start=start)
    with options.step_progress("fitting", progress, quiet) as show:

        def on_progress(report: FitProgress) -> None:
            message = resumed(report)
            if message is not None:
                options.say(message, quiet)
            show(report)

        result = fit_head(
            features,
            labels=labels,
            normal=normal or [],
            output=output,
            backbone=backbone,
            recipe=recipe or (),
            settings=chosen,
            seed=seed,
            device=device,
            seeds=seeds,
            ensemble=ensemble,
            from_head=from_head,
            force=force,
            tensorboard=tensorboard,
            on_progress=on_progress,
        )
    if not result.trained:
        options.say(
            f"{output}: was trained before on equal features and labels, with equal settings; not run again",
            quiet,
        )
    if not quiet:
        print_fit(result)
        options.say(
            f"Score with it:\n  vadpipe score VIDEO --head {shlex.quote(str(output))} --plot",
            kind="summary",
            head=str(result.head),
            trained=result.trained,
            auc=result.held_out.auc,
            auc_low=result.held_out.auc_low,
            auc_high=result.held_out.auc_high,
            threshold=result.threshold.threshold,
        )
