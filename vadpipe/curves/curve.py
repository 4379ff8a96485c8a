"""The anomaly curve of a video: one score per frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadpipe.curves.events import DEFAULT_RULE, Event, EventRule, find_events
from vadpipe.curves.writer_registry import writer
from vadpipe.errors import FeatureError
from vadpipe.features.ranges import runs_of_true
from vadpipe.features.sampling import mean_interval_s
from vadpipe.features.views import Place
from vadpipe.files.arguments import NUMBER, check_arguments, path_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vadpipe.curves.explanation import Explanation


StrPath = str | os.PathLike[str]


def snippets_to_frames(
    scores: NDArray[np.float32], spans: NDArray[np.int64], n_frames: int
) -> NDArray[np.float32]:
    """Give each frame the score of its snippet, or the mean where several speak for it: (S,) to (N,).

    Args:
        scores: one a snippet; NaN where it has none, which counts for nothing beside another. Of several in
            a row, (S, P), each is spread separately: (N, P).
        spans: (S, 2) int64, the frames [start, stop) that each speaks for.
        n_frames: N.

    Returns:
        (N,) float32; NaN for a frame that no scored snippet speaks for.

    Raises:
        FeatureError: if the scores are not one for each snippet, or no snippet reaches the last frame.
    """
    if len(scores) != len(spans) or spans[-1, 1] != n_frames:
        raise FeatureError(f"{len(scores)} scores of {len(spans)} snippets cannot cover {n_frames} frames")
    totals = np.zeros((n_frames, *scores.shape[1:]))
    counts = np.zeros((n_frames, *[1] * (scores.ndim - 1)))
    scored = np.isfinite(scores).reshape(len(scores), -1).all(axis=1)
    for score, (start, stop) in zip(scores[scored].astype(np.float64), spans[scored].tolist(), strict=True):
        totals[start:stop] += score
        counts[start:stop] += 1
    mean = np.full_like(totals, np.nan)
    np.divide(totals, counts, out=mean, where=counts > 0)
    return mean.astype(np.float32)


def leading_places(scores: NDArray[np.float32], spans: NDArray[np.int64], n_frames: int) -> NDArray[np.uint8]:
    """Return which place's own score is the highest at each frame, (N,) uint8; of equal ones the first.

    Args:
        scores: (S, P) of each snippet in each place; NaN where a snippet has none.
        spans: (S, 2) int64, the frames [start, stop) that each speaks for.
        n_frames: N.

    Returns:
        Indices of places; 0 for a frame without a score.

    Raises:
        FeatureError: as :func:`snippets_to_frames` does.
    """
    of_frames = np.nan_to_num(snippets_to_frames(scores, spans, n_frames), nan=-1.0)
    leading: NDArray[np.uint8] = of_frames.argmax(axis=1).astype(np.uint8)
    return leading


@dataclass(frozen=True)
class Curve:
    """How anomalous each frame of a video is.

    Every ``to_*`` method writes one file, whole or not at all, and raises OutputError where it cannot be
    written and UsageError for anything but a path; :mod:`vadpipe.output` says what each holds. All hold the
    same scores.

    Attributes:
        video: its name.
        scores: (N,) float32 in [0, 1], exactly one for each frame that a player shows; NaN where a damaged
            file left no snippet to score.
        times_s: (N,) float64, presentation time of each frame.
        end_s: when the last frame ends.
        threshold: score that a frame must reach to be called abnormal, or None.
        rule: what makes an event of frames that reach the threshold.
        places: the parts of the picture that were scored separately, if several were.
        leading: (N,) uint8, which of these has the highest score of its own at each frame; 0 where the frame
            has no score. Empty without places.

    Raises:
        FeatureError: if ``leading`` does not give each frame one of the places.
    """

    video: str
    scores: NDArray[np.float32] = field(repr=False)
    times_s: NDArray[np.float64] = field(repr=False)
    end_s: float
    threshold: float | None = None
    rule: EventRule = DEFAULT_RULE
    places: tuple[Place, ...] = ()
    leading: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8), repr=False)

    def __post_init__(self) -> None:
        check_arguments(threshold=(self.threshold, NUMBER.or_none))
        if self.threshold is not None:  # one of NumPy's own numbers could not be written everywhere
            object.__setattr__(self, "threshold", float(self.threshold))
        if len(self.leading) != (len(self) if self.places else 0) or (self.leading >= len(self.places)).any():
            raise FeatureError(
                f"leading does not assign one of {len(self.places)} places to each of {len(self)} frames",
                file=self.video,
            )

    def __len__(self) -> int:
        """Return N."""
        return len(self.scores)

    def __repr__(self) -> str:
        threshold = "None" if self.threshold is None else f"{self.threshold:.3f}"
        places = f", places={len(self.places)}" if self.places else ""
        return (
            f"Curve({self.video!r}, scores={self.scores.shape}, times_s={self.times_s.shape}, "
            f"end_s={self.end_s:.2f}, threshold={threshold}, events={len(self.events)}{places})"
        )

    def _repr_html_(self) -> str:
        html: str = writer("html")(self)
        return html

    @cached_property
    def events(self) -> list[Event]:
        """The stretches that are called abnormal, in time order; none without a threshold."""
        if self.threshold is None:
            return []
        return find_events(self.scores, self.times_s, self.end_s, self.threshold, self.rule)

    def place(self, event: Event) -> Place | None:
        """Return where an event of this curve is: the place that has the highest score at its peak.

        None if the head did not score several parts of the picture separately.
        """
        return self.place_at(event.peak_frame)

    def place_at(self, frame: int) -> Place | None:
        """Return the place that has the highest score at a frame; None without places or a score."""
        if not self.places or np.isnan(self.scores[frame]):
            return None
        return self.places[int(self.leading[frame])]

    @property
    def unscored(self) -> list[tuple[int, int]]:
        """Ranges [start, stop) of frames without a score."""
        return [(start, stop) for start, stop in runs_of_true(np.isnan(self.scores)).tolist()]

    @property
    def frame_rate(self) -> float:
        """Frames per second: 1 over the mean interval between frames; 25 where no time passes."""
        interval_s = mean_interval_s(np.diff(self.times_s, append=self.end_s))
        return 25.0 if interval_s is None else 1 / interval_s

    def at(self, threshold: float, rule: EventRule | None = None) -> Curve:
        """Return the same curve with another threshold, and another rule where one is given."""
        return replace(self, threshold=threshold, rule=rule or self.rule)

    def peaks(self, count: int = 3, apart_s: float | None = None) -> list[int]:
        """Return the frames of the highest stretches, the highest first.

        Each is the middle of the run of frames that share its score, since a snippet's frames have
        one score and its middle shows most of it.

        Args:
            count: at most this many.
            apart_s: minimum distance between two peaks; a tenth of the video by default.
        """
        return self._extremes(-self.scores, count, apart_s)

    def calm(self) -> int | None:
        """Return the middle of the lowest stretch, or None if no frame has a score."""
        return next(iter(self._extremes(self.scores, 1, None)), None)

    def _extremes(self, costs: NDArray[np.float32], count: int, apart_s: float | None) -> list[int]:
        apart_s = self.end_s / 10 if apart_s is None else apart_s
        edges = np.flatnonzero(np.diff(np.nan_to_num(self.scores, nan=-1.0))) + 1
        starts, stops = np.append(0, edges), np.append(edges, len(self))
        found: list[int] = []
        for run in np.argsort(costs[starts], kind="stable"):
            if np.isnan(costs[starts[run]]):  # these come last
                break
            middle = int(starts[run] + stops[run] - 1) // 2
            if all(abs(self.times_s[middle] - self.times_s[other]) >= apart_s for other in found):
                found.append(middle)
            if len(found) == count:
                break
        return found

    def to_csv(self, path: StrPath) -> None:
        """Write ``frame,time_s,score`` of each frame; see :func:`vadpipe.output.csv_and_npy.write_scores`."""
        writer("scores")(self, path_of("path", path))

    def to_events_csv(self, path: StrPath) -> None:
        """Write a line an event; see :func:`vadpipe.output.csv_and_npy.write_events`."""
        writer("events")(self, path_of("path", path))

    def to_npy(self, path: StrPath) -> None:
        """Write the scores as an array; see :func:`vadpipe.output.csv_and_npy.write_score_array`."""
        writer("score_array")(self, path_of("path", path))

    def to_json(self, path: StrPath, explanations: Sequence[Explanation] = ()) -> None:
        """Write all of it, versioned; see :func:`vadpipe.output.json_document.write_document`."""
        writer("json")(self, path_of("path", path), explanations)

    @classmethod
    def from_json(cls, path: StrPath) -> Curve:
        """Return the curve that :meth:`to_json` wrote, with times to the microsecond.

        Raises:
            FeatureError: if the file cannot be read, or is not such a document.
        """
        curve: Curve = writer("from_json")(path_of("path", path))
        return curve

    def to_dataframe(self, rows: str = "frames") -> DataFrame:
        """Return frames or events as a data frame; see :func:`vadpipe.output.data_frames.curve_frame`.

        Raises:
            UsageError: if pandas is not installed, or ``rows`` are something else.
        """
        return writer("data_frame")(self, rows)

    def to_srt(self, path: StrPath) -> None:
        """Write the events as SubRip subtitles; see :mod:`vadpipe.output.subtitles`."""
        writer("srt")(self, path_of("path", path))

    def to_vtt(self, path: StrPath) -> None:
        """Write the events as WebVTT subtitles; see :mod:`vadpipe.output.subtitles`."""
        writer("vtt")(self, path_of("path", path))

    def to_edl(self, path: StrPath) -> None:
        """Write the events as a CMX 3600 edit decision list; see :mod:`vadpipe.output.edl`."""
        writer("edl")(self, path_of("path", path))

    def to_fiftyone(self, path: StrPath) -> None:
        """Write the events as labels for FiftyOne; see :mod:`vadpipe.output.fiftyone`."""
        writer("fiftyone")(self, path_of("path", path))

    def to_label_studio(self, path: StrPath) -> None:
        """Write the events as a task of Label Studio; see :mod:`vadpipe.output.label_studio`."""
        writer("label_studio")(self, path_of("path", path))

    def to_cvat(self, path: StrPath, video: StrPath) -> None:
        """Write the events as tracks for CVAT; see :func:`vadpipe.output.cvat.write_cvat`.

        Raises:
            InputError: if the video, whose size is needed, cannot be read.
        """
        writer("cvat")(self, path_of("path", path), path_of("video", video))

    def plot(self, axes: Axes | None = None, *, truth_s: Sequence[tuple[float, float]] = ()) -> Axes:
        """Draw it onto axes of matplotlib and return these; see :func:`vadpipe.output.plot.draw_curve`."""
        drawn: Axes = writer("axes")(self, axes, truth_s=truth_s)
        return drawn

    def to_picture(self, path: StrPath, video: StrPath | None = None) -> None:
        """Write a PNG, SVG or PDF, with stills of the video; see :func:`vadpipe.output.plot.plot_curve`."""
        writer("picture")(
            self, path_of("path", path), video=None if video is None else path_of("video", video)
        )

    def to_report(self, path: StrPath, video: StrPath, explanations: Sequence[Explanation] = ()) -> None:
        """Write an offline page; see :func:`vadpipe.output.report.page.write_report`."""
        writer("report")(
            self, path_of("path", path), video=path_of("video", video), explanations=explanations
        )

    def to_video(self, path: StrPath, video: StrPath) -> None:
        """Write the video with the curve under it.

        See :func:`vadpipe.output.video_export.annotated.annotate`.

        Raises:
            InputError: if the video cannot be read.
        """
        writer("annotated_video")(self, path_of("video", video), path_of("path", path))

    def to_clips(self, folder: StrPath, video: StrPath, pad_s: float = 2.0) -> list[Path]:
        """Cut each event out and return the files; see :func:`vadpipe.output.video_export.clips.cut_clips`.

        Raises:
            InputError: if the video cannot be read.
        """
        written: list[Path] = writer("clips")(
            self, path_of("video", video), path_of("folder", folder), pad_s=pad_s
        )
        return written
