"""Score videos: raw video in, one anomaly score a frame out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vadpipe.curve import Curve, spread
from vadpipe.device import choose_device
from vadpipe.errors import FeatureError, InputError, UsageError
from vadpipe.extract.container import sniff
from vadpipe.extract.extraction import (
    OnProgress,
    extract_video,
    feature_path,
    is_current,
    load_network,
)
from vadpipe.extract.network import LoadedBackbone
from vadpipe.extract.videos import Failure, Video, find_videos
from vadpipe.features import Features
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.plot import plot_curve
from vadpipe.weights import SHIPPED_HEAD


@dataclass(frozen=True)
class Scored:
    """A scored video and the files that were written for it.

    Attributes:
        video: the video file.
        curve: one score a frame.
        csv: ``NAME.scores.csv``.
        plot: ``NAME.png``, or None where none was asked for.
    """

    video: Path
    curve: Curve
    csv: Path
    plot: Path | None


@dataclass(frozen=True)
class Scoring:
    """What :func:`score_videos` did, in the order of the input."""

    scored: list[Scored] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


class Scorer:
    """A head and the backbone it needs, loaded once for any number of videos.

    Args:
        head: a head file or the folder that ``fit`` wrote; the shipped head by default.
        backbone: refuse any other; the head decides where it is None.
        weights: the backbone's published weights in a local file, instead of a download.
        features: folder in which features are kept and found again; None keeps none.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.

    Raises:
        FeatureError: where the head cannot be read.
        UsageError: where ``backbone`` is not the head's, or the device is not there.
    """

    def __init__(
        self,
        head: str | os.PathLike[str] | None = None,
        *,
        backbone: str | None = None,
        weights: str | os.PathLike[str] | None = None,
        features: str | os.PathLike[str] | None = None,
        device: str = "auto",
    ) -> None:
        path = SHIPPED_HEAD if head is None else Path(head)
        self.head = TrainedHead.load(path, choose_device(device))
        needed = self.head.record.recipe.backbone
        if backbone not in (None, needed):
            raise UsageError(
                f"the head was trained on features of {needed}, not of {backbone}",
                file=path,
                next_step=f"Leave out --backbone, or fit a head on features of {backbone}.",
            )
        self._weights = None if weights is None else Path(weights)
        self._features = None if features is None else Path(features)
        self._device = device
        self._network: LoadedBackbone | None = None

    def score(self, video: str | os.PathLike[str] | Video, on_progress: OnProgress | None = None) -> Curve:
        """Return the curve of one video: exactly one score for each frame that a player shows.

        Raises:
            InputError: where the file is no video or cannot be decoded.
            WeightsError: where the backbone's weights cannot be had.
        """
        if not isinstance(video, Video):
            path = Path(video)
            video = Video(path, f"{path.resolve().parent.name}/{path.name}")
        features = self._features_of(video, on_progress)
        scores = self.head.snippet_scores(features)
        return Curve(
            video=features.source.video,
            scores=spread(scores, features.recipe.stride_frames, features.n_frames),
            times_s=features.frame_times_s,
            end_s=features.end_s,
            threshold=self.head.record.threshold,
        )

    def _features_of(self, video: Video, on_progress: OnProgress | None) -> Features:
        sniff(video.path)
        stored = None if self._features is None else feature_path(self._features, video)
        if stored is not None and is_current(stored, video, self.head.record.recipe):
            return Features.load(stored)
        if self._network is None:
            recipe = self.head.record.recipe
            self._network = load_network(
                recipe.backbone, view=recipe.view, weights=self._weights, device=self._device
            )
        features = extract_video(video, self._network, on_progress)
        if stored is not None:
            features.save(stored)
        return features


def score(
    video: str | os.PathLike[str],
    *,
    head: str | os.PathLike[str] | None = None,
    backbone: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    features: str | os.PathLike[str] | None = None,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> Curve:
    """Score one video and return its curve; see :class:`Scorer` for the arguments and errors.

    Example:
        >>> curve = score("clip.mp4")  # doctest: +SKIP
        >>> curve.to_csv(Path("clip.scores.csv"))  # doctest: +SKIP
    """
    scorer = Scorer(head, backbone=backbone, weights=weights, features=features, device=device)
    return scorer.score(video, on_progress)


def score_videos(
    inputs: Iterable[str | os.PathLike[str]],
    scorer: Scorer,
    *,
    output: str | os.PathLike[str] | None = None,
    plot: bool = False,
    on_progress: OnProgress | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Scoring:
    """Score videos and write ``NAME.scores.csv`` and, on request, ``NAME.png`` for each.

    A video that cannot be read is reported and the rest goes on.

    Args:
        inputs: files, folders (searched recursively) and patterns.
        scorer: the head.
        output: folder for the results; beside each video by default.
        plot: whether to draw the curve.
        on_progress: called after each snippet.
        on_failure: called at once for each video that cannot be used.

    Raises:
        UsageError: where two videos would write the same file.
        OutputError: where results cannot be written.
        WeightsError: where the backbone's weights cannot be had.
    """
    videos, unusable = find_videos(inputs)
    targets = _targets(videos, None if output is None else Path(output))
    result = Scoring()

    def fail(failure: Failure) -> None:
        result.failed.append(failure)
        if on_failure is not None:
            on_failure(failure)

    for failure in unusable:
        fail(failure)
    for video, stem in zip(videos, targets, strict=True):
        try:
            curve = scorer.score(video, on_progress)
            csv = stem.with_name(f"{stem.name}.scores.csv")
            curve.to_csv(csv)
            picture = stem.with_name(f"{stem.name}.png") if plot else None
            if picture is not None:
                plot_curve(curve, picture, video=video.path)
            result.scored.append(Scored(video.path, curve, csv, picture))
        except (InputError, FeatureError) as error:
            fail(Failure(video.path, error))
    return result


def _targets(videos: list[Video], output: Path | None) -> list[Path]:
    """Return the path without suffix of each video's results."""
    owners: dict[Path, Path] = {}
    for video in videos:
        target = (output or video.path.parent) / video.path.stem
        other = owners.setdefault(target, video.path)
        if other != video.path:
            raise UsageError(
                f"would write the same {target.name}.scores.csv as {other}",
                file=video.path,
                next_step="Score them in two runs with different -o folders.",
            )
    return list(owners)
