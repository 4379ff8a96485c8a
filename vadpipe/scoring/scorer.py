"""Score videos: raw video in, one anomaly score a frame out."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vadpipe.atomic import check_writable, fitting_name
from vadpipe.curve import Curve, spread
from vadpipe.errors import UsageError, WeightsError, printable
from vadpipe.extract.decode.container import sniff
from vadpipe.extract.extraction import TOLERATED_SHARE, warn_of_damage
from vadpipe.extract.extractor import Extractor, Opened
from vadpipe.extract.run import OnFailure, OnProgress, Reporter, run_over
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.videos import Failure, Video, find_videos, located, named_video
from vadpipe.features import Features
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.render.plot import plot_curve
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
        damaged: whether more of the video's frames were lost than is tolerated.
    """

    video: Path
    curve: Curve
    csv: Path
    plot: Path | None
    damaged: bool = False


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
        features: folder in which features are kept and found again; None keeps none.
        threshold: score that a frame must reach to be called abnormal, in [0, 1]; the head's own by default.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        options: ``weights``, ``offline``, ``decoder``, ``engine`` and ``limits`` as in
            :class:`vadpipe.ExtractSettings`; what makes features comparable is the head's to say.

    Raises:
        FeatureError: where the head cannot be read.
        UsageError: where ``backbone`` is not the head's, an option is off, or the device is not there.
    """

    def __init__(
        self,
        head: str | os.PathLike[str] | None = None,
        *,
        backbone: str | None = None,
        features: str | os.PathLike[str] | None = None,
        threshold: float | None = None,
        device: str = "auto",
        **options: object,
    ) -> None:
        from vadpipe.device import choose_device

        if threshold is not None and not 0 <= threshold <= 1:
            raise UsageError(f"threshold {threshold} is out of range", next_step="Scores lie in [0, 1].")
        path = SHIPPED_HEAD if head is None else Path(head)
        self.head = TrainedHead.load(path, choose_device(device))
        recipe = self.head.record.recipe
        self.threshold = self.head.record.threshold if threshold is None else threshold
        if backbone not in (None, recipe.backbone):
            raise UsageError(
                f"the head was trained on features of {recipe.backbone}, not of {backbone}",
                file=path,
                next_step=f"Leave out --backbone, or fit a head on features of {backbone}.",
            )
        foreign = options.keys() - {"weights", "offline", "decoder", "engine", "limits"}
        if foreign:
            raise UsageError(f"scoring has no option {sorted(foreign)[0]!r}")
        self._extractor = Extractor(ExtractSettings.of_recipe(recipe, device=device, **options))
        self._extractor.settings.check_here()
        self._store = None if features is None else FeatureStore(Path(features))

    def score(self, video: str | os.PathLike[str]) -> Curve:
        """Return the curve of one video: exactly one score for each frame that a player shows.

        Raises:
            InputError: where the file is no video or cannot be decoded.
            FeatureError: where its kept features were made by another recipe than the head's.
            WeightsError: where the backbone's weights cannot be had.
        """
        begun = self.begin(named_video(video))
        try:
            return self.curve(self.features(begun))
        finally:
            begun.close()

    def begin(self, video: Video) -> Begun:
        """Find the kept features of a video, or begin to decode it."""
        sniff(video.path)
        stored = None if self._store is None else self._store.find(video)
        if stored is not None:  # those of another recipe are refused when they are scored
            log.info("%s: features found in %s", printable(video.path), stored.path)
            return Begun(video, stored.path)
        self._check_weights()
        return Begun(video, self._extractor.open(video))

    def _check_weights(self) -> None:
        """Raise WeightsError where the head was trained on features of other weights than those at hand."""
        recipe = self.head.record.recipe
        if self._extractor.weights_sha256 != recipe.weights_sha256:
            raise WeightsError(
                f"the head was trained with other weights of {recipe.backbone} "
                f"(sha256 {recipe.weights_sha256[:12]}…) than these ({self._extractor.weights_sha256[:12]}…)",
                next_step="Name the file that its features were made with, by --weights FILE.",
            )

    def features(self, begun: Begun, report: Reporter | None = None) -> Features:
        """Return the features of a video that was begun, and keep them where that is wanted."""
        if isinstance(begun.source, Path):
            features = Features.load(begun.source)
        else:
            features = self._extractor.features(begun.source, report)
            if self._store is not None:
                self._store.write(features, begun.video)
        warn_of_damage(begun.video, features.source)
        return features

    def curve(self, features: Features) -> Curve:
        """Return the curve of a video's features. Raises FeatureError where they do not fit the head."""
        return Curve(
            video=features.source.video,
            scores=spread(self.head.snippet_scores(features), features.spans, features.n_frames),
            times_s=features.frame_times_s,
            end_s=features.end_s,
            threshold=self.threshold,
        )


@dataclass(frozen=True)
class Begun:
    """A video whose features are known to lie in a file, or that is being decoded."""

    video: Video
    source: Path | Opened

    def close(self) -> None:
        """Stop decoding."""
        if isinstance(self.source, Opened):
            self.source.close()


def score(
    video: str | os.PathLike[str],
    *,
    head: str | os.PathLike[str] | None = None,
    **options: object,
) -> Curve:
    """Score one video and return its curve; see :class:`Scorer` for the options and errors.

    Example:
        >>> curve = score("clip.mp4")  # doctest: +SKIP
        >>> curve.to_csv(Path("clip.scores.csv"))  # doctest: +SKIP
    """
    return Scorer(head, **options).score(video)  # type: ignore[arg-type]


def score_videos(
    inputs: Iterable[str | os.PathLike[str]],
    scorer: Scorer,
    *,
    output: str | os.PathLike[str] | None = None,
    plot: bool = False,
    tolerate: float = TOLERATED_SHARE,
    on_progress: OnProgress | None = None,
    on_scored: Callable[[Scored], None] | None = None,
    on_failure: OnFailure | None = None,
) -> Scoring:
    """Score videos and write ``NAME.scores.csv`` and, on request, ``NAME.png`` for each.

    A video that cannot be read is reported and the rest goes on. Videos that would write the same file
    take more of their names: ``clip.mkv.scores.csv``, or ``cam2/clip.scores.csv``.

    Args:
        inputs: files, folders (searched recursively) and patterns.
        scorer: the head.
        output: folder for the results; beside each video by default.
        plot: whether to draw the curve.
        tolerate: share of a video's frames that may be lost before it is called damaged.
        on_progress: called as a video is read.
        on_scored: called at once for each video whose results are written.
        on_failure: called at once for each video that cannot be used.

    Raises:
        UsageError: where even the full names of two videos would give the same results.
        OutputError: where results cannot be written; what was written before stays.
        WeightsError: where the backbone's weights cannot be had.
    """
    videos, unusable = find_videos(inputs)
    for failure in unusable:
        if on_failure is not None:
            on_failure(failure)
    stems = _result_stems(videos, None if output is None else Path(output))
    result = Scoring(failed=list(unusable))

    def begin(video: Video) -> Begun:
        check_writable(stems[video].parent)
        return scorer.begin(video)

    def finish(begun: Begun, report: Reporter | None) -> None:
        video, stem = begun.video, stems[begun.video]
        features = scorer.features(begun, report)
        curve = scorer.curve(features)
        csv = stem.with_name(fitting_name(stem.name, ".scores.csv"))
        curve.to_csv(csv)
        picture = stem.with_name(fitting_name(stem.name, ".png")) if plot else None
        if picture is not None:
            plot_curve(curve, picture, video=video.path)
        damaged = features.source.lost_share > tolerate
        result.scored.append(Scored(video.path, curve, csv, picture, damaged))
        if on_scored is not None:
            on_scored(result.scored[-1])

    result.failed.extend(run_over(videos, begin, finish, on_progress=on_progress, on_failure=on_failure))
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
