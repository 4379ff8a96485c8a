"""``vadpipe extract``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vadpipe.cli import options
from vadpipe.cli.video_status import print_status
from vadpipe.errors import UsageError, printable

if TYPE_CHECKING:
    from vadpipe.extract.plan import Planned
    from vadpipe.extract.settings import ExtractSettings


def extract(
    videos: options.Videos,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Output folder for the feature files, or its address (default: features).",
        ),
    ] = None,
    features: Annotated[Path | None, typer.Option("--features", help="Same as --output.")] = None,
    backbone: options.Backbone = None,
    view: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Views of the frame that the backbone sees, comma-separated: left,right (default for "
            "i3d), whole (default for others), centre, top-left, top-right, bottom-left, bottom-right; "
            "mirrored: whole-flip, …",
        ),
    ] = None,
    crops: Annotated[int, typer.Option(help="5 or 10: the crops commonly used for published features.")] = 1,
    stride: Annotated[
        int,
        typer.Option(
            help="Frames between the starts of consecutive snippets; 16 means no overlap and half the work."
        ),
    ] = 8,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="FRAMES[,FRAMES]",
            help="Frames that the backbone sees at once: 16, each snippet separately; with i3d also 64, "
            "which adds temporal context; 16,64 for both (default: 16,64 for i3d, 16 for others).",
        ),
    ] = None,
    target_fps: Annotated[
        str | None,
        typer.Option(
            metavar="FPS|all",
            help="Take every k-th frame, for a rate near this; all takes every frame (default: 12.5 for "
            "i3d, all for others).",
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Resample to exactly this many frames per second instead.")
    ] = None,
    assume_fps: options.AssumeFps = 25.0,
    decoder: options.Decoder = "auto",
    engine: options.Engine = "auto",
    precision: options.Precision = "auto",
    device: options.Device = "auto",
    weights: options.Weights = None,
    offline: options.Offline = False,
    limit: options.Limit = None,
    file_format: Annotated[
        str, typer.Option("--format", help="safetensors, or npy to also write plain arrays.")
    ] = "safetensors",
    retry: Annotated[bool, typer.Option("--retry", help="Retry videos that failed before.")] = False,
    tolerate: options.Tolerate = 0.05,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and exit.")] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show which videos are done, failed or missing, and exit.")
    ] = False,
    shard: options.ShardText = None,
    durations: options.Durations = None,
    ray: options.Ray = None,
    ray_cpus: options.RayCpus = None,
    progress: options.Progress = "auto",
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Extract one feature file per video; videos that are already done are skipped."""
    options.set_up(verbose, quiet, progress)
    if output and features and output != features:
        raise UsageError("--output and --features name different folders", next_step="Use only one of them.")
    from vadpipe.extract.backbones.registry import DEFAULT
    from vadpipe.extract.extraction import extract_features
    from vadpipe.extract.plan import plan_extraction
    from vadpipe.extract.settings import ExtractSettings
    from vadpipe.extract.status import extraction_status
    from vadpipe.remote.address import shown

    folder = shown(output or features or Path("features"))
    settings = ExtractSettings(
        backbone=backbone or DEFAULT,
        view=view,
        crops=crops,
        stride=stride,
        window=window,
        target_fps=options.parse_target_fps(target_fps),
        fps=fps,
        assume_fps=assume_fps,
        decoder=decoder,
        engine=engine,
        precision=precision,
        device=device,
        weights=weights,
        offline=offline,
        limits=options.limits_of(limit),
    )
    part = options.shard_of(shard, durations)
    cluster = options.cluster_of(ray, ray_cpus)
    if status:
        print_status(extraction_status(videos, folder, shard=part), folder, quiet)
        return
    _tell_of_head(settings, folder, quiet)
    if dry_run:
        plan = plan_extraction(videos, folder, settings=settings, shard=part, retry=retry, ray=cluster)
        _tell_plan(plan, quiet)
        return
    with options.video_progress("extracting", progress, quiet) as on_progress:
        result = extract_features(
            videos,
            folder,
            settings=settings,
            shard=part,
            retry=retry,
            tolerate=tolerate,
            ray=cluster,
            format=file_format,
            on_progress=on_progress,
            on_failure=options.report,
        )
    done = len(result.written) + len(result.skipped)
    damaged = f", {len(result.damaged)} damaged" if result.damaged else ""
    options.say(
        f"{len(result.written)} extracted, {len(result.skipped)} already done, {len(result.failed)} failed"
        f"{damaged}: {folder}",
        quiet,
        kind="summary",
        n_extracted=len(result.written),
        n_there=len(result.skipped),
        n_failed=len(result.failed),
        n_damaged=len(result.damaged),
        folder=str(folder),
    )
    options.exit_for(done, len(result.failed) + len(result.damaged))


def _tell_of_head(settings: ExtractSettings, folder: Path, quiet: bool) -> None:
    """Say before the work begins where the included head will not take these features, and what does."""
    from vadpipe.features.commands import options_of, options_that_differ
    from vadpipe.head.expected_features import expected_recipe
    from vadpipe.weights import SHIPPED_HEAD

    expected = expected_recipe(SHIPPED_HEAD)
    made = settings.recipe(weights_sha256=expected.weights_sha256, decoder="", engine="")
    if expected.differences(made, fewer_views=True):
        options.say(
            f"note: the included head takes no features of {options_that_differ(made, expected)}, only of "
            f"{options_of(expected)}; train one that does: vadpipe fit --features {shlex.quote(str(folder))}",
            quiet,
            kind="note",
            expected=options_of(expected),
            made=options_of(made),
        )


def _tell_plan(plan: Iterable[Planned], quiet: bool) -> None:
    """Print a line per video (state, path, size or reason, separated by tabs), and the totals."""
    counts = {"extract": 0, "there": 0, "unusable": 0}
    total_s, n_bytes, takes_s = 0.0, 0, 0.0
    timed = True
    for item in plan:
        counts[item.state] += 1
        size = f"{item.n_frames} frames, {item.duration_s:.1f} s, {item.n_snippets} snippets, "
        typer.echo(f"{item.state}\t{printable(item.path)}\t{size if item.n_snippets else ''}{item.why}")
        total_s, n_bytes = total_s + item.duration_s, n_bytes + item.n_bytes
        if item.state == "extract":
            timed = timed and item.takes_s is not None
            takes_s += item.takes_s or 0.0
    time_left = f", about {takes_s:.0f} s of work" if timed and counts["extract"] else ""
    options.say(
        f"{counts['extract']} to extract ({total_s:.0f} s of video, {n_bytes / 1e6:.1f} MB of features"
        f"{time_left}), {counts['there']} already done, {counts['unusable']} unusable",
        quiet,
    )
    options.exit_for(counts["extract"] + counts["there"], counts["unusable"])
