"""Explanation of events by occlusion: covering one part of the picture after another.

Occlusion (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2)
asks nothing of the backbone but features, so it works for every backbone and engine: a patch of all frames of
a snippet is painted in its mean colour, and what the score then loses is put down to the patch. Where
features are made by several windows, only the shortest is shown the painted frames: the longer ones cost four
times as much and more, and have the smaller share of a score.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vadpipe.curves.curve import Curve
from vadpipe.curves.events import Event
from vadpipe.curves.explanation import Explanation, SnippetScore
from vadpipe.errors import DecodeError
from vadpipe.extract.snippet_rows import BackboneRuns
from vadpipe.extract.stills import StillFrames, all_read, read_together
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import StillRequest
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.view_crops import Box, ViewCropper, box_of
from vadpipe.features.file import Features
from vadpipe.features.recipe import Recipe
from vadpipe.features.views import only_whole
from vadpipe.head.scoring_head import ScoringHead


class HeadAndBackbone(Protocol):
    """What scored the video: a :class:`vadpipe.scoring.scorer.Scorer`."""

    head: ScoringHead

    @property
    def limits(self) -> Limits:
        """What a video may ask of the machine."""
        ...

    def run_backbone(self, views: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the features (V, P, D) of clips (T, H, W, 3) uint8 RGB."""
        ...


N_EVENTS = 5
"""How many events of a video are explained, those with the highest peaks."""

N_SNIPPETS = 3
"""How many snippets of each event are listed."""

CELLS = 8
"""Rows and columns of the heat map; a patch covers two by two cells, and moves by one."""

_STILL_PX = 240


def explain(
    scorer: HeadAndBackbone,
    features: Features,
    curve: Curve,
    video: Path,
    *,
    n_events: int = N_EVENTS,
    on_progress: Callable[[float, float], None] | None = None,
) -> list[Explanation]:
    """Return what drove the highest events of a curve, the first event first.

    Each takes 50 runs of the backbone on each view of one snippet, the event's with the highest score; twice
    as many where two windows show it.

    Args:
        scorer: that scored the video.
        features: of the video.
        curve: that :meth:`Scorer.curve` made of them.
        video: the file.
        n_events: at most this many.
        on_progress: called with the time up to which events are explained, and the video's end, in seconds.

    Raises:
        InputError: if the video cannot be read again.
    """
    explaining = Explaining(scorer, features, curve, video, n_events=n_events, on_progress=on_progress)
    reading = read_together(video, explaining.requests, scorer.limits, assume_fps=curve.frame_rate)
    with closing(reading):
        for request, frames in reading:
            explaining.take(request, frames)
    return explaining.found


@dataclass(frozen=True)
class _Question:
    """An event that is to be explained, and what has to be read of the video for it.

    Attributes:
        event: the event.
        snippets: that speak for it, the highest first.
        runs: of the backbone, for the first of them, by the shortest window.
        still: one frame to show, the middle of that snippet.
        shown: the frames that the backbone saw, in order.
    """

    event: Event
    snippets: Sequence[int]
    runs: BackboneRuns
    still: StillRequest
    shown: StillRequest

    @classmethod
    def of(cls, features: Features, scores: NDArray[np.float32], event: Event) -> _Question:
        snippets = _snippets(features, scores, event)
        runs = BackboneRuns.of(features, snippets[0])[0]
        of_snippet = np.unique(runs.frames[runs.covered])
        middle_s = float(features.frame_times_s[of_snippet[len(of_snippet) // 2]])
        times_s = features.frame_times_s[np.unique(runs.frames)].tolist()
        return cls(
            event=event,
            snippets=snippets,
            runs=runs,
            still=StillRequest((middle_s,), Size(_STILL_PX, square=False)),
            shown=StillRequest(tuple(times_s), _size(features.recipe)),
        )

    @property
    def requests(self) -> tuple[StillRequest, StillRequest]:
        return self.still, self.shown


class Explaining:
    """The explanations of a curve's highest events, each made as soon as its frames have been read.

    Args:
        scorer, features, curve, n_events, on_progress: as of :func:`explain`.
        video: what errors name; it is not opened here.

    Attributes:
        requests: what has to be read of the video, see :func:`vadpipe.extract.stills.read_together`.
        found: the explanations so far, the first event first.
    """

    def __init__(
        self,
        scorer: HeadAndBackbone,
        features: Features,
        curve: Curve,
        video: Path,
        *,
        n_events: int = N_EVENTS,
        on_progress: Callable[[float, float], None] | None = None,
    ) -> None:
        self._scorer, self._features, self._video = scorer, features, video
        self._end_s, self._on_progress = curve.end_s, on_progress
        highest = sorted(curve.events, key=lambda event: -event.peak)[:n_events]
        self._scores = scorer.head.snippet_scores(features)
        self._open = deque(
            _Question.of(features, self._scores, event)
            for event in sorted(highest, key=lambda event: event.start)
        )
        self._frames: dict[StillRequest, StillFrames] = {}
        self.requests = [request for question in self._open for request in question.requests]
        self.found: list[Explanation] = []

    @property
    def done(self) -> bool:
        """Whether all events are explained."""
        return not self._open

    def take(self, request: StillRequest, frames: StillFrames) -> None:
        """Explain the events whose frames are complete with these, which are dropped afterwards.

        Raises:
            DecodeError: where one of the frames could not be read.
            WeightsError: where the backbone's weights cannot be had.
        """
        self._frames[request] = frames
        while self._open and all(one in self._frames for one in self._open[0].requests):
            question = self._open[0]
            self.found.append(self._explain(question))
            self._open.popleft()
            if self._on_progress is not None:
                self._on_progress(question.event.end_s, self._end_s)
        wanted = {one for question in self._open for one in question.requests}
        self._frames = {one: read for one, read in self._frames.items() if one in wanted}

    def _explain(self, question: _Question) -> Explanation:
        (still,), runs = self._frames[question.still], question.runs
        (still_s,) = question.still.times_s
        read = all_read(self._video, question.shown, self._frames[question.shown])
        if still is None:
            raise DecodeError(f"has no frame at {still_s:.2f} s that can be read again", file=self._video)
        clips = np.stack(read)[np.searchsorted(np.unique(runs.frames), runs.frames)]
        heat, box = _heat(self._scorer, self._features, question.snippets[0], runs, clips)
        return Explanation(
            event=question.event,
            snippets=tuple(
                _named(self._features, self._scores, snippet) for snippet in question.snippets[:N_SNIPPETS]
            ),
            heat=heat,
            box=box,
            still=still,
            still_s=still_s,
        )


def _snippets(features: Features, scores: NDArray[np.float32], event: Event) -> list[int]:
    """Return the snippets that speak for frames of an event, the highest first."""
    spans = features.spans
    inside = (spans[:, 0] < event.stop) & (spans[:, 1] > event.start) & np.isfinite(scores)
    return sorted(np.flatnonzero(inside).tolist(), key=lambda snippet: -scores[snippet])


def _named(features: Features, scores: NDArray[np.float32], snippet: int) -> SnippetScore:
    start, stop = features.spans[snippet].tolist()
    start_s, end_s = features.snippet_times_s[snippet].tolist()
    return SnippetScore(start, stop, start_s, end_s, float(scores[snippet]))


def _heat(
    scorer: HeadAndBackbone,
    features: Features,
    snippet: int,
    runs: BackboneRuns,
    clips: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    """Return the heat (CELLS, CELLS) of a snippet, and the box that it covers.

    Args:
        scorer: that scored the video.
        features: of the video.
        snippet: which.
        runs: those of the backbone that its row is made of, by the shortest window.
        clips: (R, T, H, W, 3), the frames of these.
    """
    height, width = clips.shape[2:4]
    top, left, bottom, right = _seen(features.recipe.views, height, width, features.recipe.input_px)
    rows = np.linspace(top, bottom, CELLS + 1).round().astype(int)
    columns = np.linspace(left, right, CELLS + 1).round().astype(int)
    cells = [(row, column) for row in range(CELLS - 1) for column in range(CELLS - 1)]
    occluded = [
        (slice(rows[row], rows[row + 2]), slice(columns[column], columns[column + 2]))
        for row, column in cells
    ]
    colour = clips[runs.covered].mean(axis=(0, 1, 2)).round().astype(np.uint8)
    short = runs.row(_outputs(scorer, features.recipe, _occlusions(clips, runs.covered, occluded, colour)))
    rows_if = np.repeat(features.values[snippet : snippet + 1], len(short), axis=0)
    rows_if[..., : short.shape[2]] = short
    seen = scorer.head.scores_if(features, snippet, rows_if)
    fallen, covers = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    for (row, column), score in zip(cells, seen[1:], strict=True):
        fallen[row : row + 2, column : column + 2] += seen[0] - score
        covers[row : row + 2, column : column + 2] += 1
    box = (left / width, top / height, right / width, bottom / height)
    return (fallen / covers).astype(np.float32), box


def _occlusions(
    clips: NDArray[np.uint8],
    covered: NDArray[np.bool_],
    areas: Sequence[tuple[slice, slice]],
    colour: NDArray[np.uint8],
) -> Iterator[NDArray[np.uint8]]:
    """Yield clips (R, T, H, W, 3) as they are, and then with each area painted in the frames of the snippet.

    Args:
        clips: what the runs of a window see.
        covered: (R, T), which of their frames are the snippet's.
        areas: rows and columns of a frame.
        colour: (3,), what they are painted in.
    """
    yield clips
    for area in areas:
        versions = clips.copy()
        for version, own in zip(versions, covered, strict=True):
            version[own, *area] = colour
        yield versions


def _outputs(
    scorer: HeadAndBackbone, recipe: Recipe, versions: Iterable[NDArray[np.uint8]]
) -> NDArray[np.float32]:
    """Return the features (V, R, C, P, D) of V versions of the clips (R, T, H, W, 3) of a window."""
    crop_views, n_runs = ViewCropper(recipe.views, recipe.input_px), 0

    def views() -> Iterator[NDArray[np.uint8]]:
        nonlocal n_runs
        for version in versions:
            n_runs = len(version)
            for clip in version:
                yield from (np.stack(view) for view in zip(*map(crop_views, clip), strict=True))

    outputs = scorer.run_backbone(views())
    return outputs.reshape(-1, n_runs, recipe.crops, *outputs.shape[1:])


def _size(recipe: Recipe) -> Size:
    """Return how large the frames were decoded that features come from.

    Not what is decoded now: kept features may be those of one view among others, scaled from larger frames.
    """
    square = only_whole(recipe.views) and recipe.resize_px == recipe.input_px
    return Size(recipe.resize_px, square=square)


def _seen(views: Sequence[str], height: int, width: int, side_px: int) -> Box:
    """Return the smallest rectangle that holds all that the views show of a frame."""
    tops, lefts, bottoms, rights = zip(*(box_of(view, height, width, side_px) for view in views), strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)
