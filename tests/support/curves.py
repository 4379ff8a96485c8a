"""Curves for the tests of what is written of them: at random, and of videos with hostile names."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from vadpipe.curves.curve import Curve
from vadpipe.curves.events import EventRule
from vadpipe.curves.explanation import Explanation, SnippetScore
from vadpipe.features.views import Place

RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0)

NO_TEXT = "bytes that are no text"

HOSTILE = {
    "quotes, markup, a line break": "a\"b'<>&,;\nc.mp4",
    "cue syntax": "00:00:01.000 --> 00:00:02.000.mp4",
    "brackets and braces": "[ 1, 2 ] {}$%@#\\.mp4",
    "control characters": "a\x07\x1b\x7f\x85\u2028b\r.mp4",
    "accents and ideographs": "Café Größe 監視カメラ.mp4",
    "right to left": "מצלמה \u202eabc كاميرا.mp4",
    "beyond the basic plane": "😀🏴‍☠️.mp4",
    "as long as names get": "監" * 83 + "__.mp4",
    "a dash first": "-o --version.mp4",
    "a formula": "=SUM(A1:A9).mp4",
    "a character that no file's name has": "a\x00.mp4",
    NO_TEXT: "a\udcff\udc80.mp4",
    "no suffix": "clip",
    "a hidden file": ".clip",
    "dots": "cam.2026.11.24.mp4",
    "nothing but spaces": "   .mp4",
    "an edit list's own words": "* FROM CLIP NAME: x.mp4",
}

FILES = {kind: name for kind, name in HOSTILE.items() if "\x00" not in name}


def event_curve(video="videos/clip.mp4", rate=25.0, n_frames=200, threshold=0.5) -> Curve:
    """Return a curve with two events and two frames without a score."""
    scores = np.full(n_frames, 0.1, np.float32)
    scores[20:40] = 0.7
    scores[24:30] = 0.93
    scores[100:101] = 0.6180339
    scores[50:52] = np.nan
    return Curve(video, scores, np.arange(n_frames) / rate, n_frames / rate, threshold)


PLACES = (Place("left", (0.0, 0.0, 0.5625, 1.0)), Place("right", (0.4375, 0.0, 1.0, 1.0)))


def placed(curve: Curve, places=PLACES, changes=(50,)) -> Curve:
    """Return a curve in which the first place leads, and from each frame of ``changes`` on the next."""
    leading = np.searchsorted(np.sort(changes), np.arange(len(curve)), side="right") % len(places)
    return replace(curve, places=places, leading=leading.astype(np.uint8))


def without_events(video="clip.mp4") -> Curve:
    """Return a curve that never reaches its threshold."""
    return Curve(video, np.full(10, 0.1, np.float32), np.arange(10) / 25, 0.4, 0.5)


def explained(curve: Curve) -> list[Explanation]:
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
    return placed(curve, places, rng.integers(0, n_frames, 20)) if places else curve
