"""Pairing: the same frames of the same videos for every candidate."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from vadpipe.annotations.truth import Truth
from vadpipe.comparison.candidates import Scored
from vadpipe.comparison.results import Settings
from vadpipe.errors import InputError
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.evaluation.score_file import FrameScores
from vadpipe.extract.video.names import tell

log = logging.getLogger(__name__)


def on_common_frames(
    found: Sequence[Scored], truths: Mapping[str, Truth], settings: Settings
) -> dict[str, list[JudgedVideo]]:
    """Return the videos that every candidate has a curve of, by candidate, each with the same frames.

    Raises:
        InputError: if there is none.
    """
    left_out: set[str] = set()
    for each in found:
        name, seen = each.candidate.name, each.left_out.trained_on
        if settings.include_training_videos:
            tell(log, f"{name} was trained on videos of the truth", seen)
        else:
            why = f"because {name} was trained on them (--include-training-videos compares them)"
            tell(log, f"left out for all, {why}", seen)
            left_out.update(seen)
    judged: dict[str, list[JudgedVideo]] = {each.candidate.name: [] for each in found}
    untimed, unscored = [], []
    for video, truth in truths.items():
        curves = [each.curves[video] for each in found if video in each.curves]
        if video in left_out or len(curves) < len(found):
            continue
        both = paired(truth, curves, settings.assume_fps)
        if np.isnan(both[0].scores).all():
            unscored.append(video)
            continue
        if all(curve.times_s is None for curve in curves):
            untimed.append(video)
        for videos, item in zip(judged.values(), both, strict=True):
            videos.append(item)
    tell(log, "videos without a frame that all candidates have a score for", unscored)
    tell(log, f"videos taken to have {settings.assume_fps:g} frames per second (--assume-fps)", untimed)
    if not next(iter(judged.values())):
        raise InputError(
            f"none of its {len(truths)} videos has a curve of every candidate"
            + (f"; {len(left_out)} are left out because a head was trained on them" if left_out else ""),
            file=settings.truth,
            next_step="Compare on videos that no head has seen, or pass --include-training-videos."
            if left_out
            else None,
        )
    return judged


def paired(truth: Truth, curves: Sequence[FrameScores], assume_fps: float) -> list[JudgedVideo]:
    """Return a video as each of its curves scores it, with the same frames and times in all.

    The frames are those that the truth and every curve have, from the first on; one without a score in one
    of them has none in any.

    Args:
        truth: about the video.
        curves: of the video.
        assume_fps: frame rate where none of them knows frame times.
    """
    truth = truth.first(min(truth.n_frames, *(len(curve.scores) for curve in curves)))
    n_frames = truth.n_frames
    scores = np.stack([curve.scores[:n_frames] for curve in curves])
    scores[:, np.isnan(scores).any(axis=0)] = np.nan
    edges_s = np.arange(n_frames + 1) / assume_fps
    for curve in reversed(curves):
        if curve.times_s is not None and curve.end_s is not None:
            edges_s = np.append(curve.times_s, curve.end_s)[: n_frames + 1]
    return [JudgedVideo(truth, own, edges_s[:-1], float(edges_s[-1])) for own in scores]
