"""``vadpipe score``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperOption

from vadpipe.cli import options
from vadpipe.cli.ray_option import RayCommand
from vadpipe.cli.video_status import print_status
from vadpipe.errors import printable

if TYPE_CHECKING:
    from vadpipe.scoring.run import ScoredVideo, Scoring


class ScoreCommand(RayCommand):
    """Names the formats in its help when that is asked for: to know them, all that writes them is loaded."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401  whose context it is depends on typer's version
        """Return the help."""
        from vadpipe.output.formats import FORMATS

        for parameter in self.params:
            if isinstance(parameter, TyperOption) and parameter.name == "formats":
                parameter.help = f"Comma-separated: {', '.join(FORMATS)}; or all."
        return super().get_help(ctx)


def score(
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEOS...",
            help="Videos or feature files, folders, patterns or addresses (s3://, gs://, az://, https://); "
            "@FILE lists one per line, - reads the list from standard input.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Output folder, or its address (default: next to each video or feature file).",
        ),
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", help="Comma-separated names.")  # which, says ScoreCommand
    ] = "csv",
    plot: Annotated[bool, typer.Option("--plot", help="Plot each curve as NAME.png.")] = False,
    plot_format: Annotated[Literal["png", "svg"], typer.Option(help="Image format of the plot.")] = "png",
    report: Annotated[
        bool, typer.Option("--report", help="Write NAME.report.html, a page with the video and its curve.")
    ] = False,
    embed: Annotated[
        bool | None,
        typer.Option("--embed/--no-embed", help="Embed the video in the report (default: up to 20 MB)."),
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the video with its curve below the picture, to a file or a folder."
        ),
    ] = None,
    clips: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a clip of each event to this folder.")
    ] = None,
    pad: Annotated[
        float, typer.Option(metavar="S", help="Seconds of video before and after the event in each clip.")
    ] = 2.0,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Explain events: which snippets and which part of the picture drove them."
        ),
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Ground truth CSV, as for 'evaluate', to show beside the scores."),
    ] = None,
    head: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Head file or folder (default: the included head).")
    ] = None,
    adapt_to: options.AdaptTo = None,
    features: Annotated[
        Path | None, typer.Option("--features", help="Folder in which to keep features for reuse.")
    ] = None,
    threshold: options.Threshold = None,
    hysteresis: Annotated[
        float,
        typer.Option(
            help="An event continues until scores fall below the threshold by more than this "
            "share of it, 0 to 1."
        ),
    ] = 0.5,
    merge_gap: Annotated[
        float, typer.Option(metavar="S", help="Merge events less than this many seconds apart.")
    ] = 1.0,
    min_length: Annotated[
        float, typer.Option(metavar="S", help="Drop events shorter than this many seconds.")
    ] = 0.0,
    backbone: options.Backbone = None,
    view: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Use only these views, comma-separated (default: all that the head was trained on).",
        ),
    ] = None,
    weights: options.Weights = None,
    assume_fps: options.AssumeFps = 25.0,
    decoder: options.Decoder = "auto",
    engine: options.Engine = "auto",
    precision: options.Precision = "auto",
    device: options.Device = "auto",
    offline: options.Offline = False,
    limit: options.Limit = None,
    tolerate: options.Tolerate = 0.05,
    ray: options.Ray = None,
    ray_cpus: options.RayCpus = None,
    status: Annotated[
        bool, typer.Option("--status", help="Show which videos are done, failed or missing, and exit.")
    ] = False,
    shard: options.ShardText = None,
    durations: options.Durations = None,
    progress: options.Progress = "auto",
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Write one anomaly score for every frame of a video, its events, and any further outputs requested."""
    options.set_up(verbose, quiet, progress)
    from vadpipe.curves.events import EventRule
    from vadpipe.output.formats import parse_formats
    from vadpipe.remote.address import shown
    from vadpipe.scoring.outputs import Outputs
    from vadpipe.scoring.run import score_videos
    from vadpipe.scoring.scorer import Scorer
    from vadpipe.scoring.status import scoring_status

    outputs = Outputs(
        formats=parse_formats(formats),
        plot=plot_format if plot else None,
        report=report,
        embed=embed,
        annotate=annotate,
        clips=clips,
        pad_s=pad,
        explain=explain,
    )
    part = options.shard_of(shard, durations)
    if status:
        folder = None if output is None else shown(output)
        print_status(scoring_status(videos, output, outputs=outputs, shard=part), folder, quiet)
        return
    scorer = Scorer(
        head,
        backbone=backbone,
        view=view,
        features=features,
        threshold=threshold,
        rule=EventRule(hysteresis, merge_gap, min_length),
        adapt_to=adapt_to,
        device=device,
        weights=weights,
        offline=offline,
        decoder=decoder,
        engine=engine,
        precision=precision,
        limits=options.limits_of(limit),
        assume_fps=assume_fps,
    )
    cluster = options.cluster_of(ray, ray_cpus)
    with options.video_progress("scoring", progress, quiet) as on_progress:
        result = score_videos(
            videos,
            scorer,
            output=output,
            outputs=outputs,
            truth=truth,
            shard=part,
            tolerate=tolerate,
            ray=cluster,
            on_progress=on_progress,
            on_scored=lambda scored: _tell(scored, quiet),
            on_failure=options.report,
        )
    _sum_up(result, quiet)
    damaged = sum(scored.damaged for scored in result.scored)
    options.exit_for(len(result.scored), len(result.failed) + damaged)


def _tell(scored: ScoredVideo, quiet: bool) -> None:
    """Print the findings of a video, and the files that were written for it."""
    from vadpipe.output.number_text import short_score

    curve = scored.curve
    peaks = curve.peaks(1)
    highest = "none with a score"
    place = None
    for peak in peaks:
        place = curve.place_at(peak)
        where = "" if place is None else f" ({place.name})"
        highest = f"highest score {curve.scores[peak]:.2f} at {curve.times_s[peak]:.2f} s{where}"
    n_events = len(curve.events)
    events = f"{n_events} event{'' if n_events == 1 else 's'} above {curve.threshold:.2f}"
    options.say(
        f"{printable(scored.video)}: {len(curve)} frames, {highest}, {events}",
        quiet,
        kind="scored",
        video=str(scored.video),
        n_frames=len(curve),
        length_s=round(curve.end_s, 6),
        peak=short_score(curve.scores[peaks[0]]) if peaks else None,
        peak_s=round(float(curve.times_s[peaks[0]]), 6) if peaks else None,
        place=None if place is None else place.name,
        n_events=n_events,
        damaged=scored.damaged,
        files=[str(path) for path in scored.files],
    )
    for path in scored.files:
        options.say_path(path)


def _sum_up(result: Scoring, quiet: bool) -> None:
    """Print the totals of a run over several videos."""
    if result.index is not None:
        options.say_path(result.index)
    n_scored, n_failed = len(result.scored), len(result.failed)
    if n_scored + n_failed < 2:
        return
    counts = [len(scored.curve.events) for scored in result.scored]
    n_with, n_damaged = sum(map(bool, counts)), sum(scored.damaged for scored in result.scored)
    damaged = f", {n_damaged} damaged" if n_damaged else ""
    options.say(
        f"{n_scored} scored, {n_failed} failed{damaged}: {sum(counts)} events in {n_with} videos",
        quiet,
        kind="summary",
        n_scored=n_scored,
        n_failed=n_failed,
        n_damaged=n_damaged,
        n_events=sum(counts),
        n_with_events=n_with,
    )
