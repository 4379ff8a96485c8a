"""Comparison: heads or curves, and the truth about the frames of test videos, in; paired differences out."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import get_args

import numpy as np

from vadpipe.annotations.truth import Truth
from vadpipe.annotations.truth_sheet import read_truth_with_features
from vadpipe.comparison.candidates import Scored, files_of, recognised, scored
from vadpipe.comparison.curve_distance import apart
from vadpipe.comparison.differences import compared, compared_classes
from vadpipe.comparison.page import write_page
from vadpipe.comparison.pairing import on_common_frames
from vadpipe.comparison.report import candidate_digest, write_record
from vadpipe.comparison.results import Candidate, ComparedVideo, Comparison, Figures, Settings
from vadpipe.curves.events import check_threshold
from vadpipe.errors import UsageError
from vadpipe.evaluation.bootstrap import drawn
from vadpipe.evaluation.breakdown import by_video
from vadpipe.evaluation.earlier_results import check_replaceable, identity_of
from vadpipe.evaluation.frame_scores import Lengths
from vadpipe.evaluation.metrics import JudgedVideo, auc_and_ap, frame_metrics, pooled
from vadpipe.evaluation.reasons import remarks
from vadpipe.evaluation.report import source_digest
from vadpipe.evaluation.scored_videos import OnFailure
from vadpipe.extract.engines.device import choose_device
from vadpipe.files.arguments import NUMBER, PATH, SWITCH, TEXT, WHOLE, Kind, check_arguments
from vadpipe.files.atomic import check_writable
from vadpipe.files.tables_from_memory import Table, given_table
from vadpipe.runs.journal import journal
from vadpipe.runs.recording import recorded

log = logging.getLogger(__name__)

_WRITERS = {"comparison.json": write_record, "comparison.html": write_page}


@recorded("compare")
def compare(
    *candidates: str | os.PathLike[str],
    truth: Table,
    features: str | os.PathLike[str] = "features",
    output: str | os.PathLike[str] | None = "comparison",
    threshold: float | Sequence[float | None] | None = None,
    include_training_videos: bool = False,
    lengths: Lengths = "near",
    assume_fps: float = 25.0,
    bootstrap: int = 1000,
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
    on_failure: OnFailure | None = None,
) -> Comparison:
    """Compare heads, or curves of any origin, over the same test videos.

    Each figure of a candidate is set against that of the first one, with the interval of the difference over
    resamples of the test videos that are the same for both. Only frames that have a score in every
    candidate count. Writes ``comparison.json`` and ``comparison.html``, a page with the curves of all over
    each video; where they lie furthest apart comes first (:mod:`vadpipe.comparison.curve_distance`).

    Args:
        candidates: two or more, each a head file, the folder that ``fit`` wrote, the folder that ``evaluate``
            wrote, a folder of curves (:mod:`vadpipe.comparison.curve_folder`), or ``"included"``. The
            first is what the others are compared with.
        truth: as of :func:`vadpipe.evaluate`.
        features: folder of the features that heads score.
        output: folder for the results; None writes none.
        threshold: what alarms and events are counted at, in [0, 1]: one for all, or one for each. By default
            that of the head, of the evaluation, or of the curves' own files.
        include_training_videos: whether videos that a head was trained on, by their content, are compared
            and not left out for all.
        lengths: as of :func:`vadpipe.evaluate`.
        assume_fps: frame rate of videos of which no candidate knows frame times.
        bootstrap: how many resamples the intervals are made of; 0 for no intervals.
        seed: of the resamples.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        force: whether results of other candidates or another truth in ``output`` are overwritten.
        on_failure: called at once for each file that cannot be used.

    Raises:
        FeatureError: if a candidate cannot be read, or has no curve of a video of the truth.
        UsageError: if there are fewer than two candidates, the truth or an argument is invalid, or ``output``
            holds results of other candidates or another truth.
        InputError: if no video has a curve of every candidate.
        OutputError: if results cannot be written.
    """
    if len(candidates) < 2:
        raise UsageError(
            "a comparison needs two candidates or more",
            next_step="'vadpipe evaluate' is for one head alone.",
        )
    check_arguments(
        **{f"candidate {number}": (candidate, PATH) for number, candidate in enumerate(candidates, 1)},
        features=(features, PATH),
        output=(output, PATH.or_none),
        threshold=(threshold, Kind("a number, or one for each candidate", (Real, list, tuple)).or_none),
        include_training_videos=(include_training_videos, SWITCH),
        assume_fps=(assume_fps, NUMBER),
        bootstrap=(bootstrap, WHOLE),
        seed=(seed, WHOLE),
        device=(device, TEXT),
        force=(force, SWITCH),
    )
    settings = Settings(
        given_table(truth, "truth"),
        Path(features),
        include_training_videos,
        lengths,
        assume_fps,
        bootstrap,
        seed,
    )
    _check(settings)
    known = recognised(candidates, _thresholds(threshold, len(candidates)))
    truths = {item.video: item for item in read_truth_with_features(settings.truth, settings.features)}
    if output is not None:
        _begin_output(Path(output), known, settings, force=force)
        journal().reads("truth", truth)
        journal().reads("features", features)
    chosen_device = choose_device(device)
    first_head = next((each for each in known if each.kind == "head"), None)
    found = [
        scored(each, settings, truths, chosen_device, on_failure, tells_moved=each is first_head)
        for each in known
    ]
    files = [] if output is None else [Path(output) / name for name in _WRITERS]
    result = _result(found, truths, settings, files)
    for remark in result.remarks:
        log.warning(remark)
    for file in result.files:
        _WRITERS[file.name](result, file)
    journal().wrote(result.files)
    journal().counted(len(result.videos), sum(item.n_failed for item in result.left_out.values()))
    return result


def _begin_output(output: Path, known: Sequence[Candidate], settings: Settings, *, force: bool) -> None:
    """Refuse a folder that cannot be written, or holds another comparison; begin its record."""
    check_writable(output)
    inputs = {
        "candidates": [identity_of(str(each.path), candidate_digest(each)) for each in known],
        "truth": identity_of(str(settings.truth), source_digest(settings.truth)),
    }
    check_replaceable(output / "comparison.json", inputs, what="compare", force=force)
    journal().begin(output)
    for each in known:
        journal().reads("candidates", each.path, files_of(each))


def _result(
    found: Sequence[Scored], truths: Mapping[str, Truth], settings: Settings, files: list[Path]
) -> Comparison:
    """Compute all figures of the candidates on the frames that they have in common."""
    judged = on_common_frames(found, truths, settings)
    thresholds = {each.candidate.name: each.candidate.threshold for each in found}
    first = next(iter(judged.values()))
    once = np.ones((1, len(first)), dtype=np.int64)
    weights = np.concatenate([once, drawn(first, settings.bootstrap, settings.seed)])
    figures, differences = compared(judged, thresholds, weights)
    return Comparison(
        candidates=[each.candidate for each in found],
        figures=figures,
        differences=differences,
        classes=compared_classes(judged, weights),
        videos=_videos(judged),
        frames=frame_metrics(first),
        n_groups=len({(video.truth.group, video.truth.group or video.truth.video) for video in first}),
        judged=judged,
        left_out={each.candidate.name: each.left_out for each in found},
        remarks=_remarks(figures, judged, thresholds),
        settings=settings,
        files=files,
    )


def _check(settings: Settings) -> None:
    if settings.lengths not in get_args(Lengths):
        raise UsageError(f"lengths must be 'near' or 'any', not {settings.lengths!r}")
    if settings.bootstrap < 0 or settings.seed < 0:
        raise UsageError(f"bootstrap {settings.bootstrap} or seed {settings.seed} is negative")
    if not 0 < settings.assume_fps < math.inf:
        raise UsageError(f"a frame rate of {settings.assume_fps} is out of range")


def _thresholds(given: float | Sequence[float | None] | None, count: int) -> list[float | None]:
    """Return a threshold for each candidate. Raises UsageError if they are not as many, or out of range."""
    each = [*given] if isinstance(given, Sequence) else [given] * count
    if len(each) != count:
        raise UsageError(
            f"{len(each)} thresholds for {count} candidates",
            next_step="Give one for all, or one for each in their order.",
        )
    for threshold in each:
        check_arguments(threshold=(threshold, NUMBER.or_none))
        if threshold is not None:
            check_threshold(threshold)
    return each


def _remarks(
    figures: Figures, judged: Mapping[str, Sequence[JudgedVideo]], thresholds: Mapping[str, float | None]
) -> list[str]:
    return [
        f"{name}: {remark}"
        for name, threshold in thresholds.items()
        if threshold is not None
        for remark in remarks(figures[name], by_video(judged[name], threshold), threshold)
    ]


def _videos(judged: Mapping[str, Sequence[JudgedVideo]]) -> list[ComparedVideo]:
    """Return the videos, those first whose curves lie furthest apart."""
    found = []
    for distance, *versions in zip(apart([*judged.values()]), *judged.values(), strict=True):
        truth = versions[0].truth
        auc = {name: auc_and_ap(*pooled([own]))[0] for name, own in zip(judged, versions, strict=True)}
        found.append(
            ComparedVideo(
                video=truth.video,
                category=truth.category,
                group=truth.group,
                n_frames=truth.n_frames,
                n_anomalous=int(truth.frames().sum()),
                apart=distance,
                auc=auc,
            )
        )
    return sorted(found, key=lambda item: (-item.apart, item.video))
