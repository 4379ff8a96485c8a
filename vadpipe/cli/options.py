"""Options shared by several commands, and their parsing."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vadpipe.diagnostics.requirements import check_requirements
from vadpipe.errors import EXIT_ALL_FAILED, EXIT_SOME_FAILED, OutputError, UsageError, VadpipeError

if TYPE_CHECKING:
    from vadpipe.cli.terminal import StepLines, StepProgress, VideoLines, VideoProgress
    from vadpipe.extract.cluster_nodes import RayCluster
    from vadpipe.extract.video.discovery import Failure
    from vadpipe.extract.video.limits import Limits
    from vadpipe.extract.video.shards import Shard

Videos = Annotated[
    list[str],
    typer.Argument(
        metavar="VIDEOS...",
        help="Files, folders, patterns or addresses (s3://, gs://, az://, https://); @FILE lists one per "
        "line, - reads the list from standard input.",
    ),
]
Backbone = Annotated[
    str | None, typer.Option(help="Name of the backbone (default: i3d); 'vadpipe weights list' shows all.")
]
Recipe = Annotated[
    list[str] | None,
    typer.Option(
        "--recipe",
        metavar="NAME=VALUE",
        help="Use only features made like this, if the folder holds several kinds: stride=8, window=64, "
        "view=whole, crops=10, ...; repeatable.",
    ),
]
Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Local file with the backbone's published weights.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Never download anything.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda:0.")]
Engine = Annotated[str, typer.Option(help="Inference engine: auto, torch or openvino.")]
Precision = Annotated[str, typer.Option(help="Inference precision: auto, float32 or int8.")]
Decoder = Annotated[str, typer.Option(help="auto, decord, pyav or torchcodec.")]
AssumeFps = Annotated[
    float,
    typer.Option(
        metavar="FPS", help="Frame rate of videos without timestamps: raw streams, image sequences."
    ),
]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=NUMBER",
        help="Raise or lower a limit on the input: side_px, area_px, streams, duration_s, file_bytes, "
        "memory_bytes, stall_s; repeatable.",
    ),
]
ShardText = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="I/N", help="Take only the I-th of N parts of the videos (I from 1 to N)."
    ),
]
Durations = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV", help="CSV video,duration_s, by which --shard balances the parts (default: by hash)."
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[ADDRESS]",
        help="Work on a Ray cluster: HOST:PORT; by default that of RAY_ADDRESS or on this machine, or else "
        "one started for this run (local: always that).",
    ),
]
RayCpus = Annotated[
    float | None,
    typer.Option(
        metavar="N", help="With --ray: CPUs of each worker on nodes without a GPU (default: all of the node)."
    ),
]
Tolerate = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Share of a video's frames that may be lost before it counts as damaged in the exit code.",
    ),
]
Lengths = Annotated[
    Literal["near", "any"],
    typer.Option(help="near rejects videos whose length differs by more than a snippet; any accepts them."),
]


def _number(text: str) -> float:
    """Return the number that an option gives. Raises UsageError if it is not one."""
    try:
        return float(text)
    except ValueError:
        step = "Use a point: " + text.replace(",", ".", 1) if text.count(",") == 1 else "For example 0.5."
        raise UsageError(f"--threshold must be a number, not {text!r}", next_step=step) from None


Threshold = Annotated[
    float | None,
    typer.Option(
        parser=_number,
        metavar="X",
        help="Score from which a frame counts as abnormal, in [0, 1] (default: the head's).",
    ),
]
IncludeTrainingVideos = Annotated[
    bool,
    typer.Option(
        "--include-training-videos",
        help="Evaluate videos that the head was trained on, too (default: leave them out).",
    ),
]
Bootstrap = Annotated[
    int, typer.Option(min=0, help="Bootstrap resamples for the confidence intervals; 0 for none.")
]
Method = Annotated[
    str | None,
    typer.Option(help="cbcg, or a published method for comparison: deepmil, rtfm, ur-dmu, bn-wvad or mgfn."),
]
Preset = Annotated[str, typer.Option(help="Settings to start from: default, baseline, literal or benchmark.")]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FILE", help="Settings of a head, as JSON (fit writes it) or YAML."),
]
Assign = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Override a setting of the head; repeatable."),
]
AdaptTo = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of features of footage from the same cameras: their mean replaces that of the "
        "training set. No labels are needed.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Random seed.")]
Verbose = Annotated[
    int, typer.Option("-v", "--verbose", count=True, help="Verbose output; -vv for tracebacks.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print only warnings and errors.")]
Progress = Annotated[
    Literal["auto", "bar", "plain", "json", "none"],
    typer.Option(
        "--progress",
        help="Progress on standard error: a bar (auto: on a terminal), lines, or JSON lines, log messages "
        "included.",
    ),
]


_as_json = False  # whether everything on standard error is JSON
_as_log = False  # whether events are told too, and each line has its time
_quiet = False


class _JsonLines(logging.Formatter):
    """Log messages as JSON objects, one per line."""

    def format(self, record: logging.LogRecord) -> str:
        return _json_line({"kind": "log", "level": record.levelname.lower(), "message": record.getMessage()})


def _json_line(fields: Mapping[str, object]) -> str:
    """Return an object of JSON on one line, with its time in a log, and without secrets."""
    from vadpipe.runs.masking import masked

    shown = {name: masked(value) if isinstance(value, str) else value for name, value in fields.items()}
    if _as_log:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = {"kind": shown.pop("kind"), "time": now, **shown}
    return json.dumps(shown)


def log_as_json(wanted: bool) -> None:
    """Have the next command tell its events, and all else on standard error, as JSON lines, or not."""
    global _as_log, _as_json
    _as_log = _as_json = wanted


def is_log() -> bool:
    """Return whether events are told as JSON lines, so that no bar may be drawn among them."""
    return _as_log


def tell_event(event: Mapping[str, object]) -> None:
    """Write what happened to a video, where a log is wanted."""
    if _as_log and not _quiet:
        typer.echo(_json_line(event), err=True)


def parse_target_fps(text: str | None) -> float | Literal["all"] | None:
    """Return the frame rate that ``--target-fps`` asks for, a number or ``"all"``."""
    if text is None:
        return None
    if text == "all":
        return "all"
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"--target-fps must be a number or all, not {text!r}", next_step="For example 12.5."
        ) from None


def set_up(verbose: int, quiet: bool, progress: str = "auto") -> None:
    """Set up logging at the requested level, as JSON if requested; then check the installed packages."""
    global _as_json, _quiet
    _as_json, _quiet = _as_log or progress == "json", quiet
    level = logging.WARNING if quiet else [logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)]
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("vadpipe").setLevel(level)
    if _as_json:
        logging.captureWarnings(True)
        for handler in logging.getLogger().handlers:
            if getattr(handler, "stream", None) is sys.stderr:
                handler.setFormatter(_JsonLines())
    check_requirements()


def video_progress(what: str, progress: str, quiet: bool) -> VideoProgress | VideoLines:
    """Return the progress display of a run over videos."""
    from vadpipe.cli.terminal import VideoLines, VideoProgress

    if progress in ("plain", "json") and not quiet:
        return VideoLines(what, lambda line: typer.echo(line, err=True), as_json=progress == "json")
    return VideoProgress(what, quiet=quiet or _as_log or progress not in ("auto", "bar"))


def shard_of(text: str | None, durations: Path | None) -> Shard | None:
    """Return the shard that ``--shard`` and ``--durations`` ask for. Raises UsageError if one is off."""
    from vadpipe.extract.video.shards import Shard

    if text is None and durations is not None:
        raise UsageError("--durations has no effect without --shard", next_step="Add --shard I/N.")
    return None if text is None else Shard.parse(text, durations)


def cluster_of(ray: str | None, cpus: float | None) -> RayCluster | None:
    """Return the cluster that ``--ray`` and ``--ray-cpus`` ask for. Raises UsageError if one is off."""
    from vadpipe.extract.cluster_nodes import RayCluster

    if ray is None and cpus is not None:
        raise UsageError("--ray-cpus has no effect without --ray", next_step="Add --ray.")
    return None if ray is None else RayCluster(ray, cpus)


def step_progress(what: str, progress: str, quiet: bool) -> StepProgress | StepLines:
    """Return the progress display of a fit."""
    from vadpipe.cli.terminal import StepLines, StepProgress

    if progress in ("plain", "json") and not quiet:
        return StepLines(what, lambda line: typer.echo(line, err=True), as_json=progress == "json")
    return StepProgress(what, quiet=quiet or _as_log or progress not in ("auto", "bar"))


def limits_of(assignments: list[str] | None) -> Limits:
    """Return the limits that ``--limit`` asks for. Raises UsageError if one is off."""
    from vadpipe.extract.video.limits import Limits

    return Limits.parse(assignments or ())


def say(text: str, quiet: bool = False, **fields: object) -> None:
    """Tell the user something that is not a result; scripts get the fields, with their ``kind``, as JSON."""
    if not quiet:
        line = _json_line(fields or {"kind": "message", "message": text}) if _as_json else text
        typer.echo(line, err=True)


def say_path(path: Path) -> None:
    """Print a result's path, as bytes: not every name can be encoded for the terminal.

    Raises:
        OutputError: if standard output cannot be written.
    """
    try:
        typer.echo(os.fsencode(path))
    except BrokenPipeError:  # the reader has closed the pipe
        raise
    except OSError as error:
        # Flushing the rest of the buffer would fail again at interpreter exit and change the exit code.
        with suppress(OSError), open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        raise OutputError(f"cannot be written: {error.strerror}", file="standard output") from error


def shows_tracebacks() -> bool:
    """Return whether errors are shown with their tracebacks."""
    return logging.getLogger("vadpipe").level == logging.DEBUG


def print_error(error: VadpipeError) -> None:
    """Print an error as its two lines."""
    if _as_json:
        fields = {"kind": "error", "file": error.file, "reason": error.reason, "next_step": error.next_step}
        typer.echo(_json_line(fields | {"exit_code": error.exit_code}), err=True)
        return
    if shows_tracebacks():
        traceback.print_exception(error)
    typer.echo(f"error: {error}", err=True)


def report(failure: Failure) -> None:
    """Print why a video could not be used."""
    print_error(failure.error)


def exit_for(n_done: int, n_failed: int) -> None:
    """End with the exit code of a run over videos."""
    if n_failed:
        raise typer.Exit(EXIT_SOME_FAILED if n_done else EXIT_ALL_FAILED)
