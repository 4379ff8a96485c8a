"""The results of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vadpipe.evaluation.bootstrap import Interval
from vadpipe.evaluation.breakdown import ClassMetrics, VideoMetrics
from vadpipe.evaluation.confusion import Confusion
from vadpipe.evaluation.frame_scores import Lengths, Mismatch
from vadpipe.evaluation.metrics import FrameMetrics, JudgedVideo
from vadpipe.extract.video.discovery import Failure
from vadpipe.features.from_memory import GivenFeatures
from vadpipe.files.tables_from_memory import GivenTable
from vadpipe.head.record import Calibration, HeldOut

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Settings:
    """The settings of an evaluation.

    Attributes:
        head: the head file.
        features: folder of the feature files, or features in memory.
        views: the requested ones, in the order of :data:`vadpipe.features.views.VIEWS`; None for all
            that the features hold.
        truth: the CSV, or the table in memory.
        threshold: what alarms and events are counted at; None takes the head's own.
        lengths: see :func:`vadpipe.evaluation.frame_scores.judge`.
        bootstrap: how many resamples the intervals are made of.
        seed: of the resamples.
        adapt_to: folder of the features to whose mean the head was adapted; None if it is as trained.
        include_training_videos: whether videos that the head was trained on were evaluated.
    """

    head: Path
    features: Path | GivenFeatures
    views: tuple[str, ...] | None
    truth: Path | GivenTable
    threshold: float | None
    lengths: Lengths
    bootstrap: int
    seed: int
    adapt_to: Path | None = None
    include_training_videos: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure with its interval.

    Attributes:
        value: None if the videos lack what it needs.
        interval: where it lies in 95 % of the resamples; None if none were made.
        reason: why there is no value; None if there is one.
    """

    value: float | None
    interval: Interval | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """Result of :func:`vadpipe.evaluate`.

    Attributes:
        frames: figures over frames, and counts.
        figures: every figure by its name: those of ``frames`` and those of
            :meth:`vadpipe.evaluation.alarms.AlarmCounts.rates`, with intervals.
        classes: figures of each class that the truth names.
        videos: figures of each video.
        judged: the curves and the truth that was compared with them, in the truth's order.
        settings: of the evaluation.
        threshold: what alarms and events were counted at.
        views: what was scored, as :attr:`vadpipe.features.recipe.Recipe.views` names them.
        failed: feature files that could not be used, and why.
        missing: videos of the truth that have no features.
        ambiguous: videos of the truth that fit several feature files or share one, and these.
        mismatches: videos that have another number of frames than the truth says.
        unused: videos that have features, and are not in the truth.
        foreign: feature files that were made by another recipe than the head's.
        trained_on: videos of the truth that the head was trained on, by content; left out unless the settings
            include them. Heads of before their training videos were kept do not know any.
        calibration: how the head's own threshold was found in its training.
        held_out: what cross-validation measured in its training; None of heads of before this was kept.
        remarks: what has to be known before the figures are trusted, such as that no score reaches the
            threshold; each a sentence.
        files: what was written: ``metrics.json``, ``videos.csv``, ``scores.npz``, ``curves.png`` and
            ``videos.png``.
    """

    frames: FrameMetrics
    figures: dict[str, Figure]
    classes: list[ClassMetrics]
    videos: list[VideoMetrics] = field(repr=False)
    judged: list[JudgedVideo] = field(repr=False)
    settings: Settings
    threshold: float
    views: tuple[str, ...]
    failed: list[Failure]
    missing: list[str]
    ambiguous: dict[str, list[str]]
    mismatches: list[Mismatch]
    unused: list[str] = field(repr=False)
    foreign: list[Path] = field(repr=False)
    trained_on: list[str]
    calibration: Calibration
    held_out: HeldOut | None
    remarks: list[str]
    files: list[Path]

    @property
    def frame_confusion(self) -> Confusion:
        """Scored frames at or above the threshold, and below it."""
        return Confusion.total(video.confusion for video in self.videos)

    @property
    def video_confusion(self) -> Confusion:
        """Videos of which any frame, anomalous or not, reaches the threshold, and the others."""
        abnormal = np.array([video.n_anomalous > 0 for video in self.videos])
        return Confusion.of(abnormal, np.array([video.flagged for video in self.videos]))

    def __repr__(self) -> str:
        auc = self.figures["auc"].value
        return (
            f"Evaluation(videos={len(self.judged)}, frames={self.frames.n_frames}, "
            f"auc={'None' if auc is None else format(auc, '.3f')}, threshold={self.threshold:.3f}, "
            f"figures={len(self.figures)}, classes={len(self.classes)})"
        )

    def to_dataframe(self, rows: str = "figures") -> DataFrame:
        """Return figures, videos or classes as a data frame of pandas.

        See :func:`vadpipe.evaluation.notebook.evaluation_frame`.

        Raises:
            UsageError: if pandas is not installed, or ``rows`` are something else.
        """
        from vadpipe.evaluation.notebook import evaluation_frame

        return evaluation_frame(self, rows)

    def _repr_html_(self) -> str:
        from vadpipe.evaluation.notebook import evaluation_html

        return evaluation_html(self)
