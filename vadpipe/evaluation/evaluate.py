"""Evaluation of a head: features of test videos and the truth about their frames in, figures out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from vadpipe.errors import UsageError
from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import intervals
from vadpipe.evaluation.breakdown import by_class, by_video
from vadpipe.evaluation.frame_scores import Lengths
from vadpipe.evaluation.metrics import frame_metrics
from vadpipe.evaluation.plots import plot_curves, plot_videos
from vadpipe.evaluation.report import write_metrics
from vadpipe.evaluation.results import Evaluation, Figure, Settings
from vadpipe.evaluation.scored_videos import OnFailure, collect
from vadpipe.extract.engines.device import choose_device
from vadpipe.features.views import parse_views
from vadpipe.files.atomic import check_writable
from vadpipe.head.adaptation import adapted
from vadpipe.head.checkpoint import FILE_NAME, TrainedHead
from vadpipe.weights import SHIPPED_HEAD

_WRITERS = {"metrics.json": write_metrics, "curves.png": plot_curves, "videos.png": plot_videos}


def evaluate(
    features: str | os.PathLike[str] = "features",
    *,
    truth: str | os.PathLike[str],
    head: str | os.PathLike[str] | None = None,
    view: str | Iterable[str] | None = None,
    output: str | os.PathLike[str] | None = "evaluation",
    threshold: float | None = None,
    adapt_to: str | os.PathLike[str] | None = None,
    lengths: Lengths = "near",
    bootstrap: int = 1000,
    seed: int = 0,
    device: str = "auto",
    on_failure: OnFailure | None = None,
) -> Evaluation:
    """Score the features of test videos and compare each frame with the truth.

    Writes ``metrics.json``, ``curves.png`` (ROC and precision-recall) and ``videos.png`` (curves of single
    videos). One feature file is in memory at a time. Names in the truth find their features by the rule of
    :mod:`vadpipe.extract.video.names`.

    Args:
        features: folder that ``extract`` wrote; files of another recipe than the head's are passed over.
        truth: sheet ``video,anomalies[,frames][,class][,group]``, or one row per event, see
            :func:`vadpipe.annotations.truth_sheet.read_annotations`.
        head: a head file or the folder that ``fit`` wrote; the shipped head by default.
        view: only these of the views that the features hold, see :data:`vadpipe.features.views.VIEWS`; all of
            them where it is None. Features that lack one of them are passed over.
        output: folder for the results; None writes none.
        threshold: what alarms and events are counted at; the head's own by default.
        adapt_to: folder of features to whose mean the head is adapted, see :mod:`vadpipe.head.adaptation`;
            it may be ``features``.
        lengths: ``"near"`` refuses videos whose length differs from the truth's by more than a snippet,
            ``"any"`` compares the frames that both have.
        bootstrap: how many resamples of the videos, or of the truth's groups, the intervals are made of; 0
            for no intervals.
        seed: of the resamples.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        on_failure: called at once for each feature file that cannot be used.

    Raises:
        FeatureError: if the head cannot be read, no features fit it, a video occurs twice, or
            ``adapt_to`` holds no features or some that do not fit.
        UsageError: if the truth or an argument is invalid, the head was not trained on a view, or one of its
            method cannot be adapted.
        InputError: if no video of the truth could be evaluated.
        OutputError: if results cannot be written.
    """
    path = SHIPPED_HEAD if head is None else Path(head)
    path = path / FILE_NAME if path.is_dir() else path
    views = None if view is None else parse_views(view)
    footage = None if adapt_to is None else Path(adapt_to)
    settings = Settings(
        path, Path(features), views, Path(truth), threshold, lengths, bootstrap, seed, footage
    )
    _check(settings)
    trained = TrainedHead.load(path, choose_device(device))
    if footage is not None:
        trained = adapted(trained, footage, path)
    if views is not None:
        trained.check_views(views, path)
    if output is not None:
        check_writable(Path(output))
    collected = collect(settings, trained, on_failure)
    judged = collected.judged
    threshold = trained.record.threshold if threshold is None else threshold
    frames, counts = frame_metrics(judged), tally(judged, threshold)
    spans = intervals(judged, counts, resamples=bootstrap, seed=seed)
    values = frames.figures | counts.totals()
    result = Evaluation(
        settings=settings,
        threshold=threshold,
        frames=frames,
        figures={name: Figure(value, spans.get(name)) for name, value in values.items()},
        classes=by_class(judged),
        videos=by_video(judged, threshold),
        files=[] if output is None else [Path(output) / name for name in _WRITERS],
        **vars(collected),
    )
    for file in result.files:
        _WRITERS[file.name](result, file)
    return result


def _check(settings: Settings) -> None:
    if settings.threshold is not None and not math.isfinite(settings.threshold):
        raise UsageError(f"threshold {settings.threshold} is not a number", next_step="Scores lie in [0, 1].")
    if settings.lengths not in get_args(Lengths):
        raise UsageError(f"lengths must be 'near' or 'any', not {settings.lengths!r}")
    if settings.bootstrap < 0 or settings.seed < 0:
        raise UsageError(f"bootstrap {settings.bootstrap} or seed {settings.seed} is negative")
