"""``vadpipe ablate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vadpipe.cli import options
from vadpipe.errors import printable

if TYPE_CHECKING:
    from vadpipe.ablation.results import FailedRun


def ablate(
    truth: Annotated[
        Path, typer.Option(metavar="CSV", help="video,frames,anomalies[,class][,group] of each video.")
    ],
    features: Annotated[
        Path, typer.Option("--features", help="Folder of feature files written by extract.")
    ] = Path("features"),
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path(
        "ablation"
    ),
    folds: Annotated[int, typer.Option(min=2, help="Cross-validation folds; each is the test set once.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Training runs per row and fold.")] = 5,
    partitions: Annotated[
        int, typer.Option(min=1, help="Different fold assignments; the seeds cycle through them.")
    ] = 1,
    rows: Annotated[
        list[str] | None, typer.Option("--rows", metavar="NAME", help="Run only this row; repeatable.")
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(
            "--row", metavar="'NAME: SETTING=VALUE ...'", help="Define a row of your own; repeatable."
        ),
    ] = None,
    preset: options.Preset = "default",
    settings: options.SettingsFile = None,
    assign: options.Assign = None,
    backbone: options.Backbone = None,
    recipe: options.Recipe = None,
    lengths: options.Lengths = "near",
    bootstrap: options.Bootstrap = 1000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Parallel training runs (default: one per CPU core).")
    ] = None,
    device: options.Device = "auto",
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Train and test variants of the method on labelled videos, and report paired differences."""
    options.set_up(verbose, quiet)
    from vadpipe.ablation.ablate import ablate as ablate_head
    from vadpipe.ablation.rows import parse_row
    from vadpipe.ablation.terminal_table import print_ablation
    from vadpipe.cli.head_settings import head_settings
    from vadpipe.cli.terminal import RunProgress

    with RunProgress("ablating", quiet=quiet or options.is_log()) as progress:
        result = ablate_head(
            features,
            truth=truth,
            output=output,
            folds=folds,
            seeds=seeds,
            partitions=partitions,
            rows=rows,
            own_rows=[parse_row(text) for text in row or []],
            settings=head_settings(preset, settings, assign, ablating=True),
            backbone=backbone,
            recipe=recipe or (),
            lengths=lengths,
            bootstrap=bootstrap,
            workers=workers,
            device=device,
            on_progress=progress,
            on_failure=_report,
        )
    n_new = len(result.measured) - result.n_kept
    options.say(
        f"{n_new} runs completed, {result.n_kept} already done, {len(result.failed)} failed",
        quiet,
        kind="summary",
        n_runs=n_new,
        n_there=result.n_kept,
        n_failed=len(result.failed),
    )
    if not quiet and result.measured:
        print_ablation(result)
    for path in result.files:
        options.say_path(path)
    options.exit_for(
        len(result.measured),
        len(result.failed) + len(result.data.missing) + len(result.data.ambiguous),
    )


def _report(failure: FailedRun) -> None:
    """Print why a run failed, in two lines at most."""
    job = printable(str(failure.job))
    options.say(
        f"error: {job}: {failure.error}",
        kind="error",
        file=job,
        reason=failure.error.reason,
        next_step=failure.error.next_step,
        exit_code=failure.error.exit_code,
    )
