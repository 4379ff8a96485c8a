"""What is compared: recognised by its files, and its curves of the test videos."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from vadpipe.annotations.truth import Truth
from vadpipe.comparison.curve_folder import CurveFolder
from vadpipe.comparison.results import Candidate, Kind, LeftOut, Settings
from vadpipe.errors import FeatureError, UsageError
from vadpipe.evaluation import results as evaluation
from vadpipe.evaluation import score_file
from vadpipe.evaluation.frame_scores import Mismatch, aligned
from vadpipe.evaluation.score_file import FrameScores
from vadpipe.evaluation.scored_videos import OnFailure, collect
from vadpipe.extract.video.discovery import Failure
from vadpipe.extract.video.names import match, tell
from vadpipe.head.checkpoint import FILE_NAME, TrainedHead
from vadpipe.weights import SHIPPED_HEAD

INCLUDED = "included"
"""Names the included head, where no file has this name."""

_METRICS = "metrics.json"

log = logging.getLogger(__name__)

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Scored:
    """A candidate and its curves.

    Attributes:
        candidate: what it is.
        curves: of the truth's videos that it has one of, by the truth's name.
        left_out: the others, and those it was trained on.
    """

    candidate: Candidate
    curves: Mapping[str, FrameScores] = field(repr=False)
    left_out: LeftOut


def recognised(paths: Sequence[StrPath], thresholds: Sequence[float | None]) -> list[Candidate]:
    """Return what the paths are, with names that tell them apart.

    Args:
        paths: of each candidate; :data:`INCLUDED` is the included head.
        thresholds: what the user wants each one's alarms counted at; None takes its own, later.

    Raises:
        UsageError: if one does not exist, is nothing that can be compared, or occurs twice.
    """
    found = [_recognised(path) for path in paths]
    return [
        Candidate(name, path, kind, threshold, None if threshold is None else "user")
        for name, (path, kind), threshold in zip(_names(found), found, thresholds, strict=True)
    ]


def files_of(candidate: Candidate) -> list[Path] | None:
    """Return the files of a candidate that is a folder; None of a head, which is one file.

    Raises:
        FeatureError: if a folder of curves holds none.
    """
    if candidate.kind == "head":
        return None
    if candidate.kind == "evaluation":
        return [candidate.path / name for name in (score_file.NAME, _METRICS)]
    return CurveFolder(candidate.path).files_read()


def scored(
    candidate: Candidate,
    settings: Settings,
    truths: Mapping[str, Truth],
    device: torch.device,
    on_failure: OnFailure | None = None,
    *,
    tells_moved: bool = True,
) -> Scored:
    """Return a candidate's curves of the videos of the truth, and its own threshold where none was given.

    With ``tells_moved``, a warning names videos whose features lie in another folder than the truth says.

    Raises:
        FeatureError: if it, or what belongs to it, cannot be read, or no curve is named like a video.
        UsageError, InputError: if a head cannot score any video, see :func:`vadpipe.evaluate`.
    """
    if candidate.kind == "head":
        return _of_head(candidate, settings, device, on_failure, tells_moved=tells_moved)
    if candidate.kind == "evaluation":
        return _of_evaluation(candidate, settings, truths, on_failure)
    folder = CurveFolder(candidate.path)
    curves, left_out = _matched(candidate, settings, truths, folder.files, folder.read, on_failure)
    return Scored(_with_own(candidate, folder.threshold), curves, left_out)


def _recognised(path: StrPath) -> tuple[Path, Kind]:
    given = Path(path)
    if given.is_dir():
        if (given / FILE_NAME).is_file():
            return given / FILE_NAME, "head"
        if (given / score_file.NAME).is_file():
            return given, "evaluation"
        if (given / _METRICS).is_file():
            raise UsageError(
                f"contains no {score_file.NAME}, as results of 'vadpipe evaluate' do",
                file=given,
                next_step="Evaluate again, or pass the head itself.",
            )
        return given, "curves"
    if given.is_file():
        if given.name == score_file.NAME:
            return given.parent, "evaluation"
        return given, "head"
    if str(path) == INCLUDED:
        return SHIPPED_HEAD, "head"
    raise UsageError(
        "no such file or folder",
        file=given,
        next_step="Pass a head, a folder of curves, results of 'vadpipe evaluate', or the word "
        f"{INCLUDED} for the included head.",
    )


def _names(found: Sequence[tuple[Path, Kind]]) -> list[str]:
    """Return the shortest ends of the paths that differ. Raises UsageError if two paths do not."""
    parts = []
    for path, kind in found:
        whole = Path(os.path.abspath(path))  # noqa: PTH100 - a link keeps its name
        if path == SHIPPED_HEAD:
            whole = Path(f"{INCLUDED} head")
        elif kind == "head":
            whole = whole.parent if whole.name == FILE_NAME else whole.with_suffix("")
        parts.append(whole.parts)
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(own[-depth:]) for own in parts]
        if len({*names}) == len(names):
            return names
    twice = next(path for index, (path, _) in enumerate(found) if parts[index] in parts[:index])
    raise UsageError("is given twice", file=twice, next_step="Pass each candidate once.")


def _of_head(
    candidate: Candidate,
    settings: Settings,
    device: torch.device,
    on_failure: OnFailure | None,
    *,
    tells_moved: bool,
) -> Scored:
    head = TrainedHead.load(candidate.path, device)
    log.info("%s: scoring %s", candidate.name, settings.features)
    # Which videos are left out is decided for all candidates alike.
    own = evaluation.Settings(
        candidate.path, settings.features, None, settings.truth, None, settings.lengths, 0, settings.seed,
        include_training_videos=True,
    )  # fmt: skip
    found = collect(own, head, on_failure, tells_moved=tells_moved)
    curves = {
        video.truth.video: FrameScores(video.truth.video, video.scores, video.times_s, video.end_s)
        for video in found.judged
    }
    left_out = LeftOut(found.missing, found.ambiguous, found.failed, found.mismatches, found.trained_on)
    return Scored(_with_own(candidate, head.record.threshold), curves, left_out)


def _of_evaluation(
    candidate: Candidate, settings: Settings, truths: Mapping[str, Truth], on_failure: OnFailure | None
) -> Scored:
    file, metrics = candidate.path / score_file.NAME, candidate.path / _METRICS
    held = {curve.video: curve for curve in score_file.read_scores(file)}
    try:
        record = json.loads(metrics.read_text(encoding="utf-8"))
        threshold, trained_on = float(record["settings"]["threshold"]), [*record["trained_on"]["videos"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FeatureError(
            "cannot be read, or is not of 'vadpipe evaluate'", file=metrics, next_step="Evaluate again."
        ) from error
    files = dict.fromkeys(held, file)
    curves, left_out = _matched(
        candidate, settings, truths, files, lambda name, _: held[name], on_failure, trained_on
    )
    return Scored(_with_own(candidate, threshold), curves, left_out)


def _matched(
    candidate: Candidate,
    settings: Settings,
    truths: Mapping[str, Truth],
    files: Mapping[str, Path],
    read: Callable[[str, Truth], FrameScores],
    on_failure: OnFailure | None,
    trained_on: Sequence[str] = (),
) -> tuple[dict[str, FrameScores], LeftOut]:
    """Read the curves that the truth names.

    Args:
        candidate: whose they are.
        settings: of the comparison.
        truths: by name.
        files: the file of each curve, by the curve's name.
        read: returns the curve of a name, and says by FeatureError that it does not fit the truth.
        on_failure: called for each curve that cannot be used.
        trained_on: videos that its scores were learned from.
    """
    found = match(truths, files)
    seen = [*match(truths, trained_on).found]
    missing = [name for name in found.missing if name not in seen]
    several = [*found.ambiguous]
    tell(log, f"{candidate.name}: videos of the truth without a curve", missing)
    tell(log, f"{candidate.name}: videos of the truth with several curves, or that share one", several)
    curves: dict[str, FrameScores] = {}
    failed: list[Failure] = []
    mismatches: list[Mismatch] = []
    for name, video in found.found.items():
        try:
            curve = read(video, truths[name])
            _, mismatch = aligned(truths[name], len(curve.scores), settings.lengths, files[video])
        except FeatureError as error:
            failed.append(Failure(files[video], error))
            if on_failure is not None:
                on_failure(failed[-1])
            continue
        curves[name] = curve
        mismatches.extend([mismatch] if mismatch else [])
    if not found.found:
        raise FeatureError(
            f"no curve is named like a video of the truth: it has {next(iter(files))!r}, say, and the truth "
            f"{next(iter(truths))!r}",
            file=candidate.path,
            next_step="Name each curve like its video, with or without suffix and folders.",
        )
    return curves, LeftOut(missing, found.ambiguous, failed, mismatches, seen)


def _with_own(candidate: Candidate, threshold: float | None) -> Candidate:
    """Return a candidate with its own threshold where the user gave none."""
    if candidate.threshold is not None or threshold is None:
        return candidate
    return replace(candidate, threshold=threshold, threshold_from=candidate.kind)
