"""The videos of an ablation: features to train on, and truth to compare with."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.labels import joined_groups
from vadpipe.annotations.matching import match_videos
from vadpipe.annotations.truth import Truth
from vadpipe.annotations.truth_sheet import read_annotations
from vadpipe.curves.curve import snippets_to_frames
from vadpipe.errors import FeatureError, InputError
from vadpipe.evaluation.frame_scores import Lengths, aligned
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder
from vadpipe.features.recipe import Recipe
from vadpipe.head.bags import Bag
from vadpipe.training.fit import bag_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """A video without its features, which would be too much to keep twice.

    Attributes:
        truth: about the N frames that are compared; it always has a group.
        source: the video's name in its feature file.
        spans: (S, 2) int64, the frames that each snippet speaks for.
        n_shown: how many frames the curve has, N or more.
        lost: (S,) bool, snippets that could not be decoded and have no score.
        times_s: (N,) float64, presentation time of each frame that is compared.
        end_s: when the last of these ends.
        digest: sha256 of the features and of all the above.
    """

    truth: Truth
    source: str
    spans: NDArray[np.int64] = field(repr=False)
    n_shown: int
    lost: NDArray[np.bool_] = field(repr=False)
    times_s: NDArray[np.float64] = field(repr=False)
    end_s: float
    digest: str = field(repr=False)

    def judged(self, scores: NDArray[np.float32]) -> JudgedVideo:
        """Return its curve beside the truth; scores are of the snippets that are not lost, in order."""
        of_all = np.full(len(self.spans), np.nan, dtype=np.float32)
        of_all[~self.lost] = scores
        curve = snippets_to_frames(of_all, self.spans, self.n_shown)
        return JudgedVideo(self.truth, curve[: self.truth.n_frames], self.times_s, self.end_s)


@dataclass(frozen=True)
class Data:
    """The videos that both the truth and the features know.

    Attributes:
        features: the folder.
        backbone: whose features were taken, or None if there was only one.
        choice: what was asked of their recipe, such as ``stride=8``.
        recipe: how the features were made.
        samples: by the truth's name, in its order.
        missing: videos of the truth that have no features.
        ambiguous: videos of the truth that fit several feature files or share one.
        unused: videos that have features, and are not in the truth.
    """

    features: Path
    backbone: str | None
    choice: tuple[str, ...]
    recipe: Recipe
    samples: dict[str, Sample] = field(repr=False)
    missing: list[str] = field(repr=False)
    ambiguous: list[str] = field(repr=False)
    unused: list[str] = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """sha256 of everything that a result depends on: features, labels, groups and truth."""
        parts = [f"{name} {sample.digest}\n" for name, sample in self.samples.items()]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    @property
    def truths(self) -> list[Truth]:
        """The truth of each video."""
        return [sample.truth for sample in self.samples.values()]

    def bags(self) -> dict[str, Bag]:
        """Load the features of all videos, as bags with video-level labels, by the truth's names.

        Raises:
            FeatureError: if they have changed since.
        """
        there = {
            item.source.video: item for item in FeatureFolder(self.features).load(self.backbone, self.choice)
        }
        bags: dict[str, Bag] = {}
        for name, sample in self.samples.items():
            features = there.get(sample.source)
            if features is None or _digest(features, sample.truth) != sample.digest:
                raise FeatureError(
                    "has changed since the ablation started", file=sample.source, next_step="Start it again."
                )
            bags[name] = bag_of(features, int(sample.truth.abnormal), sample.truth.group or name)
        return bags


def load_data(
    features: Path,
    truth: Path,
    *,
    backbone: str | None = None,
    choice: Sequence[str] = (),
    lengths: Lengths = "near",
) -> Data:
    """Find the features of each video of a truth; copies of a video bring their groups together.

    Args:
        features: folder that ``extract`` wrote.
        truth: see :func:`vadpipe.annotations.truth_sheet.read_annotations`.
        backbone: use only the features of this backbone.
        choice: use only features whose recipe has these values, such as ``stride=8``.
        lengths: ``"near"`` refuses videos whose number of frames differs from the truth's by more than a
            snippet, ``"any"`` compares the frames that both have.

    Raises:
        UsageError: if the truth cannot be read.
        FeatureError: if features are missing, broken, of several recipes or cannot be scored, or lengths
            differ by too much.
        InputError: if no video of the truth has features.
    """
    truths = {item.video: item for item in read_annotations(truth, features)}
    by_video = {item.source.video: item for item in FeatureFolder(features).load(backbone, choice)}
    matched = match_videos(truths, {video: item.source.sha256 for video, item in by_video.items()})
    matched.tell(log)
    if not matched.found:
        raise InputError(
            "has no video with features",
            file=truth,
            next_step="Extract these videos, or pass the folder of their features as --features.",
        )
    found = {name: by_video[video] for name, video in matched.found.items()}
    groups = _joined_groups({name: truths[name] for name in found}, found)
    samples = {
        name: _sample(item, replace(truths[name], group=groups[name]), lengths)
        for name, item in found.items()
    }
    recipe = next(iter(found.values())).recipe
    return Data(
        features,
        backbone,
        tuple(choice),
        recipe,
        samples,
        matched.missing,
        list(matched.ambiguous),
        matched.superfluous,
    )


def _sample(features: Features, annotation: Annotation, lengths: Lengths) -> Sample:
    stated = annotation.truth(features.frame_times_s, features.end_s)
    cut, _ = aligned(stated, features.n_frames, lengths, features.source.video)
    n_frames = cut.n_frames
    if features.lost.all():
        raise FeatureError("has no decoded snippet", file=features.source.video)
    return Sample(
        truth=cut,
        source=features.source.video,
        spans=features.spans,
        n_shown=features.n_frames,
        lost=features.lost,
        times_s=features.frame_times_s[:n_frames].copy(),
        end_s=float(np.append(features.frame_times_s, features.end_s)[n_frames]),
        digest=_digest(features, cut),
    )


def _digest(features: Features, truth: Truth) -> str:
    digest = hashlib.sha256(repr((truth, features.end_s, features.source.gaps, features.recipe)).encode())
    for array in (features.values, features.frame_times_s):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _joined_groups(truths: dict[str, Annotation], found: dict[str, Features]) -> dict[str, str]:
    """Return the group of each video; groups that hold copies of one video are one."""
    groups = {name: truth.group or name for name, truth in truths.items()}
    joined, copies = joined_groups(groups, {name: item.source.sha256 for name, item in found.items()})
    for original, name in copies:
        if groups[original] != groups[name]:
            log.warning("%s and %s are the same video: their groups become one", original, name)
    return joined
