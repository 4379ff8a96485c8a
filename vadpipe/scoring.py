"""Score videos: raw video in, one anomaly score a frame out."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vadpipe.atomic import check_writable, fitting_name
from vadpipe.curve import Curve, spread
from vadpipe.device import choose_device
from vadpipe.errors import UsageError, printable
from vadpipe.extract.container import sniff
from vadpipe.extract.extraction import extract_video, load_network, warn_of_damage
from vadpipe.extract.network import LoadedBackbone
from vadpipe.extract.run import OnProgress, Reporter, run_over
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.videos import Failure, Video, find_videos, located, named_video
from vadpipe.features import Features
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.plot import plot_curve
from vadpipe.weights import SHIPPED_HEAD

log = logging.getLogger(__name__)


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
        chosen = choose_device(device)
        self.head = TrainedHead.load(path, chosen)
        needed = self.head.record.recipe.backbone
        if backbone not in (None, needed):
            raise UsageError(
                f"the head was trained on features of {needed}, not of {backbone}",
                file=path,
                next_step=f"Leave out --backbone, or fit a head on features of {backbone}.",
            )
        self._weights = None if weights is None else Path(weights)
        self._store = None if features is None else FeatureStore(Path(features))
        self._device = chosen
        self._network: LoadedBackbone | None = None

    def score(self, video: str | os.PathLike[str] | Video, report: Reporter | None = None) -> Curve:
        """Return the curve of one video: exactly one score for each frame that a player shows.

        Args:
            video: the video file.
            report: told how far it has been read.

        Raises:
            InputError: where the file is no video or cannot be decoded.
            FeatureError: where its kept features were made by another recipe than the head's.
            WeightsError: where the backbone's weights cannot be had.
        """
        if not isinstance(video, Video):
            video = named_video(video)
        features = self._features_of(video, report)
        scores = self.head.snippet_scores(features)
        return Curve(
            video=video.name,
            scores=spread(scores, features.recipe.stride_frames, features.n_frames),
            times_s=features.frame_times_s,
            end_s=features.end_s,
            threshold=self.head.record.threshold,
        )

    def _features_of(self, video: Video, report: Reporter | None) -> Features:
        sniff(video.path)
        stored = None if self._store is None else self._store.find(video)
        if stored is not None:  # those of another recipe are refused when they are scored
            log.info("%s: features found in %s", printable(video.path), stored.path)
            warn_of_damage(video, stored.header.source)
            return Features.load(stored.path)
        if self._network is None:
            recipe = self.head.record.recipe
            self._network = load_network(
                recipe.backbone, view=recipe.view, weights=self._weights, device=self._device
            )
        name = video.name if self._store is None else self._store.name_for(video)
        features = extract_video(replace(video, name=name), self._network, report)
        warn_of_damage(video, features.source)
        if self._store is not None:
            self._store.write(features)
        return features


def score(
    video: str | os.PathLike[str],
    *,
    head: str | os.PathLike[str] | None = None,
    backbone: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    features: str | os.PathLike[str] | None = None,
    device: str = "auto",
) -> Curve:
    """Score one video and return its curve; see :class:`Scorer` for the arguments and errors.

    Example:
        >>> curve = score("clip.mp4")  # doctest: +SKIP
        >>> curve.to_csv(Path("clip.scores.csv"))  # doctest: +SKIP
    """
    scorer = Scorer(head, backbone=backbone, weights=weights, features=features, device=device)
    return scorer.score(video)


def score_videos(
    inputs: Iterable[str | os.PathLike[str]],
    scorer: Scorer,
    *,
    output: str | os.PathLike[str] | None = None,
    plot: bool = False,
    on_progress: OnProgress | None = None,
    on_scored: Callable[[Scored], None] | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Scoring:
    """Score videos and write ``NAME.scores.csv`` and, on request, ``NAME.png`` for each.

    A video that cannot be read is reported and the rest goes on. Videos that would write the same file
    take more of their names: ``clip.mkv.scores.csv``, or ``cam2/clip.scores.csv``.

    Args:
        inputs: files, folders (searched recursively) and patterns.
        scorer: the head.
        output: folder for the results; beside each video by default.
        plot: whether to draw the curve.
        on_progress: called after each frame that was read.
        on_scored: called at once for each video whose results are written.
        on_failure: called at once for each video that cannot be used.

    Raises:
        UsageError: where even the full names of two videos would give the same results.
        OutputError: where results cannot be written; what was written before stays.
        WeightsError: where the backbone's weights cannot be had.
    """
    videos, unusable = find_videos(inputs)
    stems = _result_stems(videos, None if output is None else Path(output))
    result = Scoring()

    def score_one(video: Video, report: Reporter | None) -> None:
        stem = stems[video]
        check_writable(stem.parent)
        curve = scorer.score(video, report)
        csv = stem.with_name(fitting_name(stem.name, ".scores.csv"))
        curve.to_csv(csv)
        picture = stem.with_name(fitting_name(stem.name, ".png")) if plot else None
        if picture is not None:
            plot_curve(curve, picture, video=video.path)
        result.scored.append(Scored(video.path, curve, csv, picture))
        if on_scored is not None:
            on_scored(result.scored[-1])

    result.failed.extend(
        run_over(videos, unusable, score_one, on_progress=on_progress, on_failure=on_failure)
    )
    return result


def _result_stems(videos: Sequence[Video], output: Path | None) -> dict[Video, Path]:
    """Return the path, without suffix, of each video's results; no two are the same.

    Videos that alone have their name get ``NAME``. Others take their suffix where that is enough, and
    else as many of their folders as it needs.
    """
    namesakes: dict[Path, list[Video]] = {}
    for video in videos:
        folder = located(video.path).parent if output is None else output
        namesakes.setdefault(folder / video.path.stem, []).append(video)
    stems: dict[Video, Path] = {}
    for plain, group in namesakes.items():
        deepest = max(len(located(video.path).parts) for video in group) if output else 1
        forms = [
            {
                video: plain.parent.joinpath(
                    *_folders(video, depth), video.path.name if with_suffix else video.path.stem
                )
                for video in group
            }
            for depth in range(deepest)
            for with_suffix in (False, True)
        ]
        taken = {*stems.values()}
        free = [form for form in forms if len({*form.values()} - taken) == len(group)]
        if not free:
            raise UsageError(
                f"would write the same results as {forms[-1][group[0]].name}.scores.csv of another video",
                file=group[0].path,
                next_step="Score them in two runs with different -o folders.",
            )
        stems |= free[0]
    if output is None:  # shown as the user named them
        return {video: video.path.parent / stem.name for video, stem in stems.items()}
    return stems


def _folders(video: Video, depth: int) -> Sequence[str]:
    parents = located(video.path).parts[1:-1]
    return parents[len(parents) - depth :] if depth else ()
