"""``vadpipe features``: feature files from other sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vadpipe.cli import options
from vadpipe.cli.command import command
from vadpipe.errors import UsageError

features = typer.Typer(
    name="features",
    help="Feature files: import published features.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@features.callback()
def _group() -> None:
    """Feature files: import published features."""  # a group even with one command


@features.command("import")
@command
def import_(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES...", help="Files, folders or patterns: .npy, .npz, .txt, .h5 or .pt."),
    ],
    backbone: Annotated[
        str, typer.Option(metavar="NAME", help="Backbone that produced them, such as i3d_r50.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Output folder for the feature files.")
    ] = Path("features"),
    crops: Annotated[str, typer.Option(help="Crops per snippet: auto, 1, 5 or 10.")] = "auto",
    layout: Annotated[
        str, typer.Option(help="Axis order: auto, td, tcd or ctd (T rows, C crops, D feature dimensions).")
    ] = "auto",
    rows: Annotated[
        str, typer.Option(help="stride, or even if the rows are spread evenly over the whole video.")
    ] = "stride",
    stride: Annotated[int, typer.Option(help="Frames between the starts of consecutive rows.")] = 16,
    frame_counts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Frame count of each video: lines NAME@FRAMES, or a CSV file."),
    ] = None,
    fps: Annotated[float, typer.Option(help="Nominal frame rate.")] = 30.0,
    feature_dim: Annotated[
        int | None, typer.Option(help="Feature dimension; detects transposed arrays.")
    ] = None,
    array: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the array to import, if a file has several per video."),
    ] = None,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Convert published features to one feature file per video.

    fit can train on them as on vadpipe's own. Files NAME__0 to NAME__4 or NAME__9 are the crops of one
    video. HDF5 files (.h5) and dicts of tensors (.pt) may hold many videos, under their names or one group
    each. Files that are already imported are skipped.
    """
    options.set_up(verbose, quiet)
    from vadpipe.published.import_features import import_features
    from vadpipe.published.settings import ImportSettings

    if crops != "auto" and not crops.isdecimal():
        raise UsageError(f"--crops must be auto, 1, 5 or 10, not {crops!r}")
    settings = ImportSettings(
        backbone=backbone,
        crops=None if crops == "auto" else int(crops),
        layout=layout,
        rows=rows,
        stride=stride,
        fps=fps,
        feature_dim=feature_dim,
        array=array,
    )
    result = import_features(
        files, output, settings=settings, frame_counts=frame_counts, on_failure=options.report
    )
    options.say(
        f"{len(result.written)} imported, {len(result.skipped)} already imported, {len(result.failed)} "
        f"failed: {output}",
        quiet,
        kind="summary",
        n_imported=len(result.written),
        n_there=len(result.skipped),
        n_failed=len(result.failed),
        folder=str(output),
    )
    options.exit_for(len(result.written) + len(result.skipped), len(result.failed))
