"""Videos with scores and truth, and their AUC and AP by slow counts over pairs and thresholds."""

import numpy as np
from hypothesis import strategies as st

from vadpipe.annotations.truth import Truth
from vadpipe.evaluation.metrics import JudgedVideo

FPS = 4


def make_judged(video, scores, anomalies=(), category=None, group=None) -> JudgedVideo:
    """Return a video of four frames per second."""
    scores = np.array(scores, np.float32)
    truth = Truth(video, len(scores), tuple(anomalies), category, group)
    return JudgedVideo(truth, scores, np.arange(len(scores)) / FPS, len(scores) / FPS)


@st.composite
def judged_videos(draw, min_size=1, max_size=6):
    """Draw videos with ties within and between them, frames without a score, classes and groups."""
    videos = []
    for index in range(draw(st.integers(min_size, max_size))):
        grades = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.75, 1.0, np.nan])
        scores = draw(st.lists(grades, min_size=1, max_size=25))
        edges = sorted(draw(st.sets(st.integers(0, len(scores)), max_size=4)))
        anomalies = list(zip(edges[::2], edges[1::2], strict=False))
        category = draw(st.sampled_from([None, "Abuse", "Arson", "Abuse+Arson"]))
        videos.append(
            make_judged(f"{index}.mp4", scores, anomalies, category, draw(st.sampled_from([None, "a", "b"])))
        )
    return videos


def scored_frames(judged):
    """Return the anomalous and the normal frames' scores, the slow way."""
    anomalous, normal = [], []
    for video in judged:
        for frame, score in enumerate(video.scores.tolist()):
            inside = any(start <= frame < stop for start, stop in video.truth.anomalies)
            if score == score:  # a number
                (anomalous if inside else normal).append(score)
    return anomalous, normal


def slow_auc(anomalous, normal):
    """Return the probability that an anomalous frame scores higher than a normal one, or None."""
    if not anomalous or not normal:
        return None
    wins = sum((a > n) + (a == n) / 2 for a in anomalous for n in normal)
    return wins / (len(anomalous) * len(normal))


def slow_ap(anomalous, normal):
    """Return the sum over thresholds of the recall gained times the precision there, or None."""
    if not anomalous or not normal:
        return None
    total, before = 0.0, 0
    for threshold in sorted({*anomalous, *normal}, reverse=True):
        true, false = (sum(score >= threshold for score in kind) for kind in (anomalous, normal))
        total += (true - before) / len(anomalous) * true / (true + false)
        before = true
    return total
