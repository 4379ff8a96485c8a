"""``vadpipe fit``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from vadpipe.cli import options


def fit(
    features: Annotated[
        Path, typer.Option("--features", help="Folder of feature files written by extract.")
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
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Train a head on features and video-level labels."""
    options.set_up(verbose, quiet)
    from vadpipe.cli.head_settings import head_settings
    from vadpipe.cli.terminal import StepProgress, print_fit
    from vadpipe.training.fit import fit as fit_head

    chosen = head_settings(preset, settings, assign, method=method)
    with StepProgress("fitting", total=chosen.steps, quiet=quiet) as progress:
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
            on_check=progress,
        )
    if not quiet:
        print_fit(result)
        options.say(f"Score with it:\n  vadpipe score VIDEO --head {shlex.quote(str(output))} --plot")
