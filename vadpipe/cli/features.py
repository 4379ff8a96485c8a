"""``vadpipe features``: feature files from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vadpipe.cli import options
from vadpipe.errors import UsageError

features = typer.Typer(
    name="features",
    help="Feature files: import what others have published.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@features.callback()
def _group() -> None:
    """Feature files: import what others have published."""  # a group even with one command


@features.command("import")
def import_(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES...", help=".npy, .npz, .txt, .h5 or .pt: files, folders, patterns."),
    ],
    backbone: Annotated[str, typer.Option(metavar="NAME", help="What made them, such as i3d_r50.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the feature files.")] = Path(
        "features"
    ),
    crops: Annotated[str, typer.Option(help="Squares of each snippet: auto, 1, 5 or 10.")] = "auto",
    layout: Annotated[
        str, typer.Option(help="Order of the axes: auto, td, tcd or ctd (T rows, C crops, D numbers).")
    ] = "auto",
    rows: Annotated[
        str, typer.Option(help="stride, or even where the rows are spread over the whole video.")
    ] = "stride",
    stride: Annotated[int, typer.Option(help="Frames from one row's start to the next's.")] = 16,
    frame_counts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Frames of each video: lines NAME@FRAMES, or a CSV.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Nominal frames a second.")] = 30.0,
    feature_dim: Annotated[
        int | None, typer.Option(help="Numbers of a feature; tells where an array is transposed.")
    ] = None,
    array: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which array, where a file has several for a video.")
    ] = None,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Turn published features into one feature file a video.

    fit learns from them as from vadpipe's own. Files NAME__0 to NAME__4 or NAME__9 are the crops of one
    video. HDF5 files (.h5) and dicts of tensors (.pt) may hold many videos, under their names or in a group
    each. What is imported already is skipped.
    """
    options.set_up(verbose, quiet)
    from vadpipe.published.import_features import import_features
    from vadpipe.published.settings import ImportSettings

    if crops != "auto" and not crops.isdecimal():
        raise UsageError(f"--crops takes auto, 1, 5 or 10, not {crops!r}")
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
        f"{len(result.written)} imported, {len(result.skipped)} there already, "
        f"{len(result.failed)} failed: {output}",
        quiet,
    )
    options.exit_for(len(result.written) + len(result.skipped), len(result.failed))
