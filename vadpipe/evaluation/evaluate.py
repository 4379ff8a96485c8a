"""Evaluation of a head: features of test videos and the truth about their frames in, figures out."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import get_args

from vadpipe.curves.events import check_threshold
from vadpipe.errors import UsageError
from vadpipe.evaluation import score_file
from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import intervals
from vadpipe.evaluation.breakdown import by_class, by_video
from vadpipe.evaluation.earlier_results import check_replaceable, identity_of
from vadpipe.evaluation.frame_scores import Lengths
from vadpipe.evaluation.metrics import frame_metrics
from vadpipe.evaluation.plots import plot_curves, plot_videos
from vadpipe.evaluation.reasons import reason, remarks
from vadpipe.evaluation.report import source_digest, write_metrics
from vadpipe.evaluation.results import Evaluation, Figure, Settings
from vadpipe.evaluation.scored_videos import Collected, OnFailure, collect
from vadpipe.evaluation.video_table import write_videos
from vadpipe.extract.engines.device import choose_device
from vadpipe.extract.video.names import tell
from vadpipe.features.from_memory import Given, given_features
from vadpipe.features.views import parse_views
from vadpipe.files.arguments import NUMBER, PATH, SWITCH, TEXT, WHOLE, check_arguments
from vadpipe.files.atomic import check_writable
from vadpipe.files.tables_from_memory import Table, given_table
from vadpipe.head.adaptation import adapted
from vadpipe.head.checkpoint import FILE_NAME, TrainedHead
from vadpipe.head.record import HeadRecord
from vadpipe.runs.journal import journal
from vadpipe.runs.recording import recorded
from vadpipe.weights import SHIPPED_HEAD

log = logging.getLogger(__name__)

_TRAINED_ON = {
    True: "the head was trained on videos of the truth",
    False: "left out, because the head was trained on them (--include-training-videos evaluates them)",
}

_WRITERS = {
    "metrics.json": write_metrics,
    "videos.csv": write_videos,
    score_file.NAME: lambda result, path: score_file.write_scores(result.judged, path),
    "curves.png": plot_curves,
    "videos.png": plot_videos,
}


@recorded("evaluate")
def evaluate(
    features: Given = "features",
    *,
    truth: Table,
    head: str | os.PathLike[str] | None = None,
    view: str | Iterable[str] | None = None,
    output: str | os.PathLike[str] | None = "evaluation",
    threshold: float | None = None,
    adapt_to: str | os.PathLike[str] | None = None,
    include_training_videos: bool = False,
    lengths: Lengths = "near",
    bootstrap: int = 1000,
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
    on_failure: OnFailure | None = None,
) -> Evaluation:
    """Score the features of test videos and compare each frame with the truth.

    Writes ``metrics.json``, ``videos.csv`` (a line per video), ``scores.npz`` (the curves), ``curves.png``
    (ROC and precision-recall) and ``videos.png`` (curves of single videos). One feature file is in memory at
    a time. Names in the truth find their features by the rule of
    :mod:`vadpipe.extract.video.names`.

    Args:
        features: folder that ``extract`` wrote; files of another recipe than the head's are passed over. Or a
            dictionary of the features of each video by its name: arrays, (S, D) or (C, S, D), see
            :mod:`vadpipe.features.from_memory`, or :class:`vadpipe.Features`.
        truth: sheet ``video,anomalies[,frames][,class][,group]``, or one row per event, see
            :func:`vadpipe.annotations.truth_sheet.read_annotations`; or a data frame of pandas with these
            columns.
        head: a head file or the folder that ``fit`` wrote; the shipped head by default.
        view: only these of the views that the features hold, see :data:`vadpipe.features.views.VIEWS`; all of
            them where it is None. Features that lack one of them are passed over.
        output: folder for the results; None writes none.
        threshold: what alarms and events are counted at, in [0, 1]; the head's own by default.
        adapt_to: folder of features to whose mean the head is adapted, see :mod:`vadpipe.head.adaptation`;
            it may be ``features``.
        include_training_videos: whether videos that the head was trained on, by their content, are evaluated
            and not left out.
        lengths: ``"near"`` refuses videos whose length differs from the truth's by more than a snippet,
            ``"any"`` compares the frames that both have.
        bootstrap: how many resamples of the videos, or of the truth's groups, the intervals are made of; 0
            for no intervals.
        seed: of the resamples.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        force: whether results of another head or truth in ``output`` are overwritten.
        on_failure: called at once for each feature file that cannot be used.

    Raises:
        FeatureError: if the head cannot be read, no features fit it, a video occurs twice, or
            ``adapt_to`` holds no features or some that do not fit.
        UsageError: if the truth or an argument is invalid, the head was not trained on a view, one of its
            method cannot be adapted, or ``output`` holds results of another head or truth.
        InputError: if no video of the truth could be evaluated.
        OutputError: if results cannot be written.
    """
    check_arguments(
        head=(head, PATH.or_none),
        output=(output, PATH.or_none),
        threshold=(threshold, NUMBER.or_none),
        adapt_to=(adapt_to, PATH.or_none),
        include_training_videos=(include_training_videos, SWITCH),
        bootstrap=(bootstrap, WHOLE),
        seed=(seed, WHOLE),
        device=(device, TEXT),
        force=(force, SWITCH),
    )
    path = SHIPPED_HEAD if head is None else Path(head)
    path = path / FILE_NAME if path.is_dir() else path
    views = None if view is None else parse_views(view)
    footage = None if adapt_to is None else Path(adapt_to)
    given, table = given_features(features), given_table(truth, "truth")
    settings = Settings(
        path, given, views, table, threshold, lengths, bootstrap, seed, footage, include_training_videos
    )
    _check(settings)
    trained = TrainedHead.load(path, choose_device(device))
    if footage is not None:
        trained = adapted(trained, footage, path)
    if views is not None:
        trained.check_views(views, path)
    files = [] if output is None else [Path(output) / name for name in _WRITERS]
    if output is not None:
        check_writable(Path(output))
        _check_replaceable(settings, Path(output), force=force)
        journal().begin(Path(output))
    journal().made_by(trained.record.recipe)
    for role, source in (("head", path), ("truth", truth), ("features", features), ("adapt_to", adapt_to)):
        journal().reads(role, source)
    collected = collect(settings, trained, on_failure)
    tell(log, _TRAINED_ON[include_training_videos], collected.trained_on)
    result = _result(collected, trained.record, settings, files)
    for remark in result.remarks:
        log.warning(remark)
    for file in result.files:
        _WRITERS[file.name](result, file)
    journal().wrote(result.files)
    n_failed = len(result.failed) + len(result.missing) + len(result.ambiguous)
    journal().counted(len(result.judged), n_failed, len(result.trained_on) * (not include_training_videos))
    return result


def _result(collected: Collected, record: HeadRecord, settings: Settings, files: list[Path]) -> Evaluation:
    """Compute all figures of the videos that were scored."""
    judged = collected.judged
    threshold = record.threshold if settings.threshold is None else settings.threshold
    frames, counts = frame_metrics(judged), tally(judged, threshold)
    spans = intervals(judged, counts, resamples=settings.bootstrap, seed=settings.seed)
    figures = {
        name: Figure(value, spans.get(name), reason(name, frames) if value is None else None)
        for name, value in (frames.figures | counts.totals()).items()
    }
    videos = by_video(judged, threshold)
    return Evaluation(
        settings=settings,
        threshold=threshold,
        frames=frames,
        figures=figures,
        classes=by_class(judged),
        videos=videos,
        calibration=record.calibration,
        held_out=record.held_out,
        remarks=remarks(figures, videos, threshold),
        files=files,
        **vars(collected),
    )


def _check_replaceable(settings: Settings, output: Path, *, force: bool) -> None:
    with suppress(FileNotFoundError):  # of the truth, which is refused when it is read
        inputs = {
            name: identity_of(str(file), source_digest(file))
            for name, file in (("head", settings.head), ("truth", settings.truth))
        }
        check_replaceable(output / "metrics.json", inputs, what="evaluate", force=force)


def _check(settings: Settings) -> None:
    if settings.threshold is not None:
        check_threshold(settings.threshold)
    if settings.lengths not in get_args(Lengths):
        raise UsageError(f"lengths must be 'near' or 'any', not {settings.lengths!r}")
    if settings.bootstrap < 0 or settings.seed < 0:
        raise UsageError(f"bootstrap {settings.bootstrap} or seed {settings.seed} is negative")
