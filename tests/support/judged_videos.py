"""Judged videos, features and a head for the tests of evaluation."""

from dataclasses import replace

import numpy as np
import torch
from hypothesis import strategies as st
from test_features import make_features, make_recipe
from test_threshold import make_calibration

from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.evaluation.truth import Truth
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.checkpoint import HeadRecord, TrainedHead
from vadpipe.head.settings import HeadSettings

FPS = 4


def make_judged(video, scores, anomalies=(), category=None, group=None) -> JudgedVideo:
    """Return a video of four frames a second."""
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


def make_head(threshold=0.5, **recipe) -> TrainedHead:
    """Return a head whose score of a snippet is the logistic function of its first feature."""
    settings = HeadSettings(hidden=2, cluster_dim=2, clustering=False, guided=False, smoothing=0)
    network = Cbcg(torch.zeros(8), torch.ones(8), settings).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network.embedding.conv.weight[:, 0, 1] = torch.tensor([1.0, -1.0])  # what is above 0, and below
        network.classifier.layers[0].weight.copy_(torch.eye(2))
        network.classifier.layers[3].weight.copy_(torch.tensor([[1.0, -1.0]]))
    record = HeadRecord(
        settings=settings,
        recipe=make_recipe(**recipe),
        calibration=make_calibration(threshold),
        seed=3,
        step=7,
    )
    return TrainedHead(network, record)


def write_features(folder, video, scores, n_frames=None, gaps=(), **recipe):
    """Write features that the head gives these scores, one a snippet of 16 frames; return their file."""
    features = make_features(n_frames or 16 * len(scores), video, **recipe)
    features = replace(features, source=features.source.model_copy(update={"gaps": gaps}))
    scores = np.array(scores)
    features.values[:, 0, 0] = np.log(scores / (1 - scores))
    path = folder / f"{video}.safetensors"
    features.save(path)
    return path
