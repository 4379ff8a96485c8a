"""The results of a comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vadpipe.evaluation.frame_scores import Lengths, Mismatch
from vadpipe.evaluation.metrics import FrameMetrics, JudgedVideo
from vadpipe.evaluation.results import Figure
from vadpipe.extract.video.discovery import Failure
from vadpipe.files.tables_from_memory import GivenTable

if TYPE_CHECKING:
    from pandas import DataFrame

Kind = Literal["head", "evaluation", "curves"]

FRAME_FIGURES = ("auc", "auc_abnormal", "auc_mixed", "ap", "ap_abnormal", "ap_mixed")
CLASS_FIGURES = ("auc", "auc_abnormal", "ap", "ap_abnormal")
"""Figures of each class, as :class:`vadpipe.evaluation.breakdown.ClassMetrics` defines them."""

Figures = dict[str, dict[str, Figure]]
"""By the name of a candidate, and by the name of the figure."""


@dataclass(frozen=True)
class Settings:
    """The settings of a comparison.

    Attributes:
        truth: the sheet, or the table in memory.
        features: folder of the feature files that heads score.
        include_training_videos: whether videos that a head was trained on were compared.
        lengths: see :func:`vadpipe.evaluation.frame_scores.judge`.
        assume_fps: frame rate of curves without times.
        bootstrap: how many resamples the intervals are made of.
        seed: of the resamples.
    """

    truth: Path | GivenTable
    features: Path
    include_training_videos: bool
    lengths: Lengths
    assume_fps: float
    bootstrap: int
    seed: int


@dataclass(frozen=True)
class Candidate:
    """One of what is compared.

    Attributes:
        name: the end of its path, as much as tells it from the others.
        path: a head file, a folder of results of ``evaluate``, or a folder of curves.
        kind: which of these it is.
        threshold: what its alarms and events are counted at; None if none is known.
        threshold_from: ``"user"`` or its kind; None without a threshold.
    """

    name: str
    path: Path
    kind: Kind
    threshold: float | None
    threshold_from: Kind | Literal["user"] | None


@dataclass(frozen=True)
class LeftOut:
    """Videos of the truth that a candidate has no curve of, or was trained on, and files that failed.

    Attributes:
        missing: without a curve, or without features.
        ambiguous: those that fit several curves or share one, and these.
        failed: files that could not be used, and why.
        mismatches: videos that have another number of frames than the truth says; they are compared.
        trained_on: videos that it was trained on, by content; left out unless the settings include them.
    """

    missing: list[str]
    ambiguous: dict[str, list[str]]
    failed: list[Failure]
    mismatches: list[Mismatch]
    trained_on: list[str]

    @property
    def n_failed(self) -> int:
        """How many videos lack a curve that can be compared, and files that failed."""
        return len(self.missing) + len(self.ambiguous) + len(self.failed)


@dataclass(frozen=True)
class ComparedClass:
    """How well each candidate tells the anomalies of one class apart.

    Attributes:
        category: the class.
        n_videos, n_frames, n_anomalous: its abnormal videos, their scored frames, the anomalous of these.
        figures, differences: as those of :class:`Comparison`, but :data:`CLASS_FIGURES`.
    """

    category: str
    n_videos: int
    n_frames: int
    n_anomalous: int
    figures: Figures
    differences: Figures


@dataclass(frozen=True)
class ComparedVideo:
    """How differently the candidates score one video.

    Attributes:
        video, category, group: of the truth.
        n_frames, n_anomalous: frames that were compared, and those that are anomalous.
        apart: how far apart its curves lie, in [0, 1], see :mod:`vadpipe.comparison.curve_distance`.
        auc: of its scored frames, by candidate; None if a kind of frame is missing.
    """

    video: str
    category: str | None
    group: str | None
    n_frames: int
    n_anomalous: int
    apart: float
    auc: dict[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """Result of :func:`vadpipe.compare`.

    All candidates are compared over the same frames: those that have a score in every one.

    Attributes:
        candidates: in their order; the first is what the others are compared with.
        figures: every figure of each candidate, those of :class:`vadpipe.Evaluation`, with intervals.
        differences: of every figure: that of the candidate minus that of the first, with paired intervals.
            The first has none.
        classes: the same of each class that the truth names.
        videos: where the curves differ most comes first.
        frames: what was compared: its counts hold for all, its figures for the first candidate.
        n_groups: how many groups, or videos without one, the resamples were drawn from.
        judged: the curves of each candidate and the truth, in the truth's order.
        left_out: by candidate, what it could not be compared on.
        remarks: what has to be known before a candidate's figures are trusted, see
            :attr:`vadpipe.evaluation.results.Evaluation.remarks`; each a sentence that begins with its name.
        settings: of the comparison.
        files: what was written: ``comparison.json`` and ``comparison.html``.
    """

    candidates: list[Candidate]
    figures: Figures = field(repr=False)
    differences: Figures
    classes: list[ComparedClass]
    videos: list[ComparedVideo] = field(repr=False)
    frames: FrameMetrics
    n_groups: int
    judged: dict[str, list[JudgedVideo]] = field(repr=False)
    left_out: dict[str, LeftOut] = field(repr=False)
    remarks: list[str]
    settings: Settings
    files: list[Path]

    @property
    def reference(self) -> str:
        """The name of the first candidate."""
        return self.candidates[0].name

    def __repr__(self) -> str:
        return (
            f"Comparison(candidates={[candidate.name for candidate in self.candidates]}, "
            f"videos={len(self.videos)}, frames={self.frames.n_frames}, groups={self.n_groups}, "
            f"figures={len(self.figures[self.reference])}, classes={len(self.classes)})"
        )

    def to_dataframe(self, rows: str = "figures") -> DataFrame:
        """Return figures with their differences, or videos, as a data frame of pandas.

        See :func:`vadpipe.comparison.notebook.comparison_frame`.

        Raises:
            UsageError: if pandas is not installed, or ``rows`` are something else.
        """
        from vadpipe.comparison.notebook import comparison_frame

        return comparison_frame(self, rows)

    def _repr_html_(self) -> str:
        from vadpipe.comparison.notebook import comparison_html

        return comparison_html(self)
