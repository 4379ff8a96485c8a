"""The scorer: a head and the backbone that it needs, each loaded once."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from numbers import Number
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from vadpipe.curves.curve import Curve, leading_places, snippets_to_frames
from vadpipe.curves.events import DEFAULT_RULE, EventRule, check_threshold
from vadpipe.curves.explanation import Explanation
from vadpipe.errors import FeatureError, UsageError, WeightsError, printable
from vadpipe.exported.card import is_exported
from vadpipe.extract.extraction import warn_of_damage
from vadpipe.extract.extractor import Extractor, Opened
from vadpipe.extract.run import Reporter
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.video.discovery import Video
from vadpipe.extract.video.limits import Limits
from vadpipe.features.commands import options_of
from vadpipe.features.file import Features
from vadpipe.features.from_memory import GivenArray, GivenFeatures, given_to_features
from vadpipe.features.recipe import Recipe
from vadpipe.features.views import are_named
from vadpipe.files.arguments import NUMBER, PATH, TEXT, Kind, check_arguments, described
from vadpipe.head.scoring_head import join_views
from vadpipe.remote.address import address_of, shown
from vadpipe.scoring.explain import explain
from vadpipe.scoring.heads import adapted_head, exported_model, file_of, trained_head
from vadpipe.scoring.inputs import FeatureFile, named_input
from vadpipe.scoring.view_places import view_places
from vadpipe.weights import SHIPPED_HEAD

log = logging.getLogger(__name__)


class Scorer:
    """A head and the backbone it needs, loaded once for any number of videos. It pickles to its arguments.

    Features are scored as well as videos: files that ``extract`` or ``features import`` wrote, and arrays.
    Decoder and backbone are built for the first video, so a head of imported features needs none.

    Args:
        head: a head file or the folder that ``fit`` wrote; or the folder of an exported model, see
            :func:`vadpipe.export_model`, whose backbone is used too; the shipped head by default.
        backbone: refuse any other; the head decides where it is None.
        view: only these of the views that the head was trained on, see :data:`vadpipe.features.views.VIEWS`;
            all of them where it is None. The head says whether a score is their maximum or their mean.
        features: folder in which features are kept and found again; None keeps none.
        threshold: score that a frame must reach to be called abnormal, in [0, 1]; the head's own by default.
        rule: what makes an event of the frames that reach it.
        adapt_to: folder of features of footage of the same cameras, to whose mean the head is adapted, see
            :mod:`vadpipe.head.adaptation`; None leaves it as it was trained.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        options: ``weights``, ``offline``, ``decoder``, ``engine``, ``precision``, ``limits`` and
            ``assume_fps`` as in :class:`vadpipe.ExtractSettings`; what makes features comparable is the
            head's to say. An exported model runs by the engine ``"openvino"`` or ``"onnxruntime"``.

    Raises:
        FeatureError: if the head cannot be read, or ``adapt_to`` holds no features or
            some that do not fit.
        UsageError: if ``backbone`` is not the head's, the head does not know a view, an option is off, or
            the device is not there; if a head of its method, or an exported one, cannot be adapted.
    """

    def __init__(
        self,
        head: str | os.PathLike[str] | None = None,
        *,
        backbone: str | None = None,
        view: str | Iterable[str] | None = None,
        features: str | os.PathLike[str] | None = None,
        threshold: float | None = None,
        rule: EventRule = DEFAULT_RULE,
        adapt_to: str | os.PathLike[str] | None = None,
        device: str = "auto",
        **options: object,
    ) -> None:
        check_arguments(
            head=(head, PATH.or_none),
            backbone=(backbone, TEXT.or_none),
            features=(features, PATH.or_none),
            threshold=(threshold, NUMBER.or_none),
            rule=(rule, Kind("a vadpipe.EventRule", (EventRule,))),
            adapt_to=(adapt_to, PATH.or_none),
            device=(device, TEXT),
        )
        if threshold is not None:
            check_threshold(threshold)
        if address_of(features) is not None:
            raise UsageError(
                "features are kept in local folders only",
                file=shown(str(features)),
                next_step="Pass a local folder as --features, which may be mounted from elsewhere.",
            )
        self._arguments: dict[str, Any] = {
            "head": head, "backbone": backbone, "view": view, "features": features, "threshold": threshold,
            "rule": rule, "adapt_to": adapt_to, "device": device, **options,
        }  # fmt: skip
        self.device = device
        path = SHIPPED_HEAD if head is None else Path(head)
        self.inputs = {"head": file_of(path), "adapt_to": adapt_to}
        self._model = exported_model(path, device, adapt_to, options) if is_exported(path) else None
        self.head = trained_head(path, device) if self._model is None else self._model.head
        recipe = self.head.record.recipe
        self.threshold = self.head.record.threshold if threshold is None else threshold
        self.rule = rule
        if backbone not in (None, recipe.backbone):
            raise UsageError(
                f"the head was trained on features of {recipe.backbone}, not of {backbone}",
                file=path,
                next_step=f"Omit --backbone, or fit a head on features of {backbone}.",
            )
        known = {"weights", "offline", "decoder", "engine", "precision", "limits", "assume_fps"}
        foreign = options.keys() - known
        if foreign:
            raise UsageError(
                f"unknown scoring option {sorted(foreign)[0]!r}", next_step=f"Known are {_listed(known)}."
            )
        self._settings = _settings(recipe, view, path, device=device, **options)
        if self._settings is not None:
            self.head.check_views(self._settings.views, path)
            log.info("views: %s, of %s", ", ".join(self._settings.views), ", ".join(recipe.views))
            self._settings.check_here()
        if adapt_to is not None:
            self.head = adapted_head(self.head, Path(adapt_to), path)
        self._store = None if features is None else FeatureStore(Path(features))

    def __reduce__(self) -> tuple[partial[Scorer], tuple[()]]:
        return self.anew, ()

    @property
    def anew(self) -> partial[Scorer]:
        """Makes another one of the same arguments, in another process, say."""
        return partial(Scorer, **self._arguments)

    def score(self, video: str | os.PathLike[str] | GivenArray) -> Curve:
        """Return the curve of one video: exactly one score for each frame that a player shows.

        Args:
            video: a video or a feature file; or features: :class:`vadpipe.Features`, or an array, (S, D) or
                (C, S, D), see :mod:`vadpipe.features.from_memory`.

        Raises:
            InputError: if the file is not a video or cannot be decoded.
            FeatureError: if features were made by another recipe than the head's, or cannot be read.
            UsageError: if the head was trained on imported features, and this is a video; if it is none of
                these.
            WeightsError: if the backbone's weights are not available.
        """
        if video is None or isinstance(video, (Number, bytes)):
            raise UsageError(
                f"video is {described(video)}",
                next_step="Pass a path, vadpipe.Features, or an array, (S, D) or (C, S, D), as video.",
            )
        if not isinstance(video, (str, os.PathLike)):
            name = video.source.video if isinstance(video, Features) else "array"
            features = given_to_features(name, video, self.head.record.recipe)
            return self.curve(self._asked_of(features, features.source.video))
        begun = self.begin(named_input(video))
        try:
            return self.curve(self.features(begun))
        finally:
            begun.close()
            begun.video.release()

    def explain(
        self, video: str | os.PathLike[str], *, threshold: float | None = None, n_events: int = 5
    ) -> tuple[Curve, list[Explanation]]:
        """Return the curve of one video and what drove its highest events; see :mod:`.explaining`.

        Args:
            video: the file, or its feature file.
            threshold: instead of the scorer's.
            n_events: at most this many events are explained.

        Raises:
            InputError, FeatureError, UsageError, WeightsError: as :meth:`score` does; InputError also if the
                video of a feature file is not found.
        """
        named = named_input(video)
        begun = self.begin(named)
        try:
            features = self.features(begun)
            begun.close()
            curve = self.curve(features)
            if threshold is not None:
                curve = curve.at(threshold)
            named.fetch(self.limits)
            return curve, explain(self, features, curve, named.footage, n_events=n_events)
        finally:
            begun.close()
            named.release()

    def begin(self, video: Video) -> PendingScore:
        """Find the features of a video, or start decoding it."""
        if isinstance(video, FeatureFile):
            return PendingScore(video, video.path)
        extractor = self._extractor  # a head of imported features has none, whatever the file is
        video.check()
        stored = None if self._store is None else self._store.find(video)
        if stored is not None:  # those of another recipe are refused when they are scored
            log.info("%s: features found in %s", printable(video.path), stored.path)
            return PendingScore(video, stored.path)
        self._check_weights()
        return PendingScore(video, extractor.open(video))

    def _check_weights(self) -> None:
        """Raise WeightsError where the head was trained on features of other weights than those at hand."""
        recipe = self.head.record.recipe
        if self._extractor.weights_sha256 != recipe.weights_sha256:
            raise WeightsError(
                f"the head was trained with other weights of {recipe.backbone} "
                f"(sha256 {recipe.weights_sha256[:12]}…) than these ({self._extractor.weights_sha256[:12]}…)",
                next_step="Pass the weights file that its features were made with as --weights FILE.",
            )

    def features(self, begun: PendingScore, report: Reporter | None = None) -> Features:
        """Return the features of a video that was begun, and keep them where that is wanted."""
        if isinstance(begun.source, Path):
            features = self._asked_of(Features.load(begun.source), begun.source)
        else:
            features = self._extractor.features(begun.source, report)
            if self._store is not None:
                self._store.write(features, begun.video)
        warn_of_damage(begun.video, features.source)
        return features

    def _asked_of(self, features: Features, path: Path | str) -> Features:
        """Return the requested views of kept features; another recipe is detected later.

        Raises:
            FeatureError: if they lack one.
        """
        held = features.recipe.views
        if self._settings is None or held == self._settings.views or not are_named(held):
            return features
        asked = self._settings.views
        missing = [view for view in asked if view not in held]
        if missing:
            known = [view for view in held if view in self.head.record.recipe.views]
            hint = f"Score with --view {','.join(known)}, or pass" if known else "Pass"
            raise FeatureError(
                f"contains no features of the view {missing[0]}, only of {', '.join(held)}",
                file=path,
                next_step=f"{hint} features made with: vadpipe extract VIDEOS "
                f"{options_of(self.head.record.recipe.of_views(asked))}.",
            )
        return features.of_views(asked)

    def curve(self, features: Features) -> Curve:
        """Return the curve of a video's features. Raises FeatureError if they do not fit the head."""
        shown = view_places(self.head, features)
        if shown is None:
            return self._curve(features, self.head.snippet_scores(features))
        by_view = self.head.view_scores(features)  # the head runs once, for scores and places
        leading = leading_places(shown.scores(by_view), features.spans, features.n_frames)
        return replace(self._curve(features, join_views(by_view)), places=shown.places, leading=leading)

    def _curve(self, features: Features, scores: NDArray[np.float32]) -> Curve:
        return Curve(
            video=features.source.video,
            scores=snippets_to_frames(scores, features.spans, features.n_frames),
            times_s=features.frame_times_s,
            end_s=features.end_s,
            threshold=self.threshold,
            rule=self.rule,
        )

    @property
    def settings(self) -> ExtractSettings:
        """How videos become features.

        Raises:
            UsageError: if the head was trained on imported features, which no setting makes from a video.
        """
        return self._settings or ExtractSettings.of_recipe(self.head.record.recipe)

    @property
    def resolved(self) -> dict[str, object]:
        """How it scores: threshold, events, and how videos become features."""
        return {"threshold": self.threshold, "rule": self.rule, "settings": self._settings}

    @property
    def limits(self) -> Limits:
        """What a video may ask of the machine."""
        return Limits() if self._settings is None else self._settings.limits

    @cached_property
    def _extractor(self) -> Extractor:
        """What turns videos into features."""
        return Extractor(self.settings) if self._model is None else self._model.extractor(self.settings)

    def run_backbone(self, views: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the features (V, P, D) of clips (T, H, W, 3) uint8 RGB, by the backbone that scores videos.

        P are the positions in time of each, see :func:`vadpipe.extract.pooling.positions`.

        Raises:
            WeightsError: if its weights are not available, or are not those that the head was trained with.
        """
        from vadpipe.extract.engines.overlap import run_engine
        from vadpipe.extract.pooling import positions

        self._check_weights()
        return np.stack([positions(output) for output in run_engine(self._extractor.engine, views)])


@dataclass(frozen=True)
class PendingScore:
    """A video whose features are in a file, or that is being decoded."""

    video: Video
    source: Path | Opened

    def close(self) -> None:
        """Stop decoding."""
        if isinstance(self.source, Opened):
            self.source.close()


def _settings(
    recipe: Recipe, view: str | Iterable[str] | None, head: Path, **options: object
) -> ExtractSettings | None:
    """Return how videos become features for a head; None where it was trained on imported features."""
    if not recipe.imported:
        return ExtractSettings.of_recipe(recipe, view, **options)
    if view is not None:
        raise UsageError(
            "was trained on imported features, whose views have no names",
            file=head,
            next_step="Omit --view.",
        )
    return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


@overload
def score(
    video: Mapping[str, GivenArray], *, head: str | os.PathLike[str] | None = None, **options: object
) -> dict[str, Curve]: ...


@overload
def score(
    video: str | os.PathLike[str] | GivenArray,
    *,
    head: str | os.PathLike[str] | None = None,
    **options: object,
) -> Curve: ...


def score(
    video: str | os.PathLike[str] | GivenArray | Mapping[str, GivenArray],
    *,
    head: str | os.PathLike[str] | None = None,
    **options: object,
) -> Curve | dict[str, Curve]:
    """Score one video, or its features, and return its curve; see :class:`Scorer` for options and errors.

    Of a dictionary of the features of several videos, arrays or :class:`vadpipe.Features`, it returns the
    curve of each.

    Example:
        >>> curve = score("clip.mp4")  # doctest: +SKIP
        >>> curve.to_csv(Path("clip.scores.csv"))  # doctest: +SKIP
    """
    scorer = Scorer(head, **options)  # type: ignore[arg-type]
    if not isinstance(video, Mapping):
        return scorer.score(video)
    given = GivenFeatures(video, scorer.head.record.recipe)
    return {name: scorer.score(given.at(Path(name))) for name in video}
