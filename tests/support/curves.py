"""Curves with known events, and curves at random."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from vadpipe.curves.curve import Curve
from vadpipe.curves.events import DEFAULT_RULE, EventRule
from vadpipe.curves.explanation import Explanation, SnippetScore
from vadpipe.extract.video.timeline_reader import read_timeline
from vadpipe.features.views import Place

RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0)


def event_curve(video="videos/clip.mp4", rate=25.0, n_frames=200, threshold=0.5) -> Curve:
    """Return a curve with two events and two frames without a score."""
    scores = np.full(n_frames, 0.1, np.float32)
    scores[20:40] = 0.7
    scores[24:30] = 0.93
    scores[100:101] = 0.6180339
    scores[50:52] = np.nan
    return Curve(video, scores, np.arange(n_frames) / rate, n_frames / rate, threshold)


PLACES = (Place("left", (0.0, 0.0, 0.5625, 1.0)), Place("right", (0.4375, 0.0, 1.0, 1.0)))


def with_places(curve: Curve, places=PLACES, changes=(50,)) -> Curve:
    """Return a curve in which the first place leads, and from each frame of ``changes`` on the next."""
    leading = np.searchsorted(np.sort(changes), np.arange(len(curve)), side="right") % len(places)
    return replace(curve, places=places, leading=leading.astype(np.uint8))


def without_events(video="clip.mp4") -> Curve:
    """Return a curve that never reaches its threshold."""
    return Curve(video, np.full(10, 0.1, np.float32), np.arange(10) / 25, 0.4, 0.5)


def explanations_of(curve: Curve) -> list[Explanation]:
    """Return an explanation of the first event."""
    event = curve.events[0]
    heat = np.linspace(-0.25, 0.75, 9, dtype=np.float32).reshape(3, 3)
    snippets = tuple(
        SnippetScore(start, start + 16, start / 25, (start + 16) / 25, score)
        for start, score in ((16, 0.98), (24, 0.1))
    )
    still = np.zeros((4, 6, 3), np.uint8)
    return [Explanation(event, snippets, heat, (0.0, 1 / 3, 2 / 3, 1.0), still, 24 / 25)]


@st.composite
def curves(draw) -> Curve:
    """Draw a curve of few or many frames: steady or not, with and without events, with and without gaps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_frames = draw(st.integers(1, 300))
    if draw(st.booleans()):
        rate = draw(st.sampled_from(RATES))
        times_s, end_s = np.arange(n_frames) / rate, n_frames / rate
    else:
        edges_s = np.append(0.0, np.cumsum(rng.uniform(0.0, 0.2, n_frames) * (rng.random(n_frames) > 0.05)))
        times_s, end_s = edges_s[:-1], float(edges_s[-1])
    run = draw(st.sampled_from([1, 8, 40]))
    scores = np.repeat(rng.random(n_frames // run + 1, dtype=np.float32), run)[:n_frames]
    if draw(st.booleans()):  # very small scores, which other programs like to write with an exponent
        scores *= np.float32(10.0) ** rng.integers(-12, 1, n_frames).astype(np.float32)
    for start in rng.integers(0, n_frames, draw(st.integers(0, 3))):
        scores[start : start + rng.integers(1, 30)] = np.nan
    rule = EventRule(
        hysteresis=draw(st.sampled_from([0.0, 0.2])),
        merge_gap_s=draw(st.sampled_from([0.0, 0.1, 1.0])),
        min_length_s=draw(st.sampled_from([0.0, 0.3])),
    )
    threshold = draw(st.sampled_from([None, 0.0, 0.3, 0.74, 1.0]))
    curve = Curve("videos/clip.mp4", scores, times_s, end_s, threshold, rule)
    places = draw(st.sampled_from([(), PLACES, (Place("whole"), Place("top-left"), Place("centre"))]))
    return with_places(curve, places, rng.integers(0, n_frames, 20)) if places else curve


def peaks_curve(times_s, end_s, *, peaks=((10, 20, 0.9), (60, 80, 0.7)), threshold=0.5, rule=DEFAULT_RULE):
    """A curve at 0.1 with stretches [start, stop) of a higher score."""
    scores = np.full(len(times_s), 0.1, np.float32)
    for start, stop, score in peaks:
        scores[start:stop] = score
    return Curve("videos/clip.mp4", scores, np.asarray(times_s, float), end_s, threshold, rule)


def explanation_of(event) -> Explanation:
    """Return an explanation with one snippet, whose heat lies in the top right."""
    heat = np.zeros((4, 4), np.float32)
    heat[0, 3] = 0.25
    snippet = SnippetScore(8, 24, 0.32, 0.96, 0.875)
    return Explanation(event, (snippet,), heat, (0.1, 0.0, 0.9, 1.0), np.zeros((90, 120, 3), np.uint8), 0.6)


def slow_spread(scores, spans, n_frames):
    """Ask each frame which snippets speak for it, and take the mean of those that have a score."""
    curve = []
    for frame in range(n_frames):
        heard = [
            score
            for score, (start, stop) in zip(scores, spans, strict=True)
            if start <= frame < stop and score == score
        ]
        curve.append(sum(heard) / len(heard) if heard else math.nan)
    return curve


def peaks_curve_of(video, **options) -> Curve:
    """Return such a curve with the times of a video."""
    timeline = read_timeline(video)
    return peaks_curve(timeline.times_s, timeline.end_s, **options)
