"""Frame scores of one test video, compared with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.truth import Truth
from vadpipe.curves.curve import snippets_to_frames
from vadpipe.errors import FeatureError
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.features.file import Features
from vadpipe.features.sampling import SNIPPET_FRAMES
from vadpipe.head.checkpoint import TrainedHead

Lengths = Literal["near", "any"]

TOLERATED_FRAMES = SNIPPET_FRAMES
"""By how many frames a list and a video may differ: published lists often omit an incomplete last snippet."""


@dataclass(frozen=True)
class Mismatch:
    """A video that has another number of frames than the truth says.

    Attributes:
        video: as the truth spells it.
        n_truth, n_shown: how many frames the truth and the curve have; the first of them, as many as both
            have, were compared.
        n_anomalous_lost: how many anomalous frames of the truth were not compared.
    """

    video: str
    n_truth: int
    n_shown: int
    n_anomalous_lost: int


def judge(
    source: Path | Features,
    head: TrainedHead,
    annotation: Annotation,
    lengths: Lengths,
    views: Sequence[str] | None = None,
) -> tuple[JudgedVideo, Mismatch | None]:
    """Score a feature file and compare it with the truth, reporting a difference in length.

    The frames that both have are compared, from the first on.

    Args:
        source: the feature file, or the features.
        head: what scores it.
        annotation: the truth about the same video.
        lengths: ``"near"`` refuses a difference of more than :data:`TOLERATED_FRAMES`, since the truth may
            then be about another cut of the video; ``"any"`` takes it.
        views: of those that the file holds, in any order; all of them where it is None.

    Raises:
        FeatureError: if the file cannot be read or does not fit the head, no frame of it has a score, the
            lengths differ by too much, or no anomalous frame of an abnormal video would be left.
    """
    features = source if isinstance(source, Features) else Features.load(source)
    path = features.source.video if isinstance(source, Features) else source
    if views is not None and tuple(views) != features.recipe.views:
        features = features.of_views(views)
    stated = annotation.truth(features.frame_times_s, features.end_s)
    truth, mismatch = aligned(stated, features.n_frames, lengths, path)
    n_frames = truth.n_frames
    scores = snippets_to_frames(head.snippet_scores(features), features.spans, features.n_frames)[:n_frames]
    if np.isnan(scores).all():
        raise FeatureError("has no score for any frame: its video could not be decoded", file=path)
    end_s = float(np.append(features.frame_times_s, features.end_s)[n_frames])
    return JudgedVideo(truth, scores, features.frame_times_s[:n_frames], end_s), mismatch


def aligned(truth: Truth, n_shown: int, lengths: Lengths, file: Path | str) -> tuple[Truth, Mismatch | None]:
    """Return the truth of the frames that it and a video of ``n_shown`` frames both have.

    Raises:
        FeatureError: as :func:`judge` says; it names ``file``.
    """
    if n_shown == truth.n_frames:
        return truth, None
    cut = truth.first(min(n_shown, truth.n_frames))
    n_lost = sum(stop - start for start, stop in truth.anomalies) - int(cut.frames().sum())
    mismatch = Mismatch(truth.video, truth.n_frames, n_shown, n_lost)
    _check(mismatch, file, lengths, is_left=cut.abnormal or not truth.abnormal)
    return cut, mismatch


def _check(mismatch: Mismatch, path: Path | str, lengths: Lengths, *, is_left: bool) -> None:
    differing = f"has {mismatch.n_shown} frames, but the truth says {mismatch.n_truth}"
    if not is_left:
        raise FeatureError(f"{differing}, and all anomalous ones lie beyond its end", file=path)
    if lengths == "near" and abs(mismatch.n_shown - mismatch.n_truth) > TOLERATED_FRAMES:
        raise FeatureError(
            differing,
            file=path,
            next_step="Use the version of the video that the truth describes, or pass --lengths any to "
            "compare the frames that both have.",
        )
