"""Test videos that are compared: the scores of their snippets, the truth, and curves."""

import numpy as np

from vadpipe.annotations.truth import Truth
from vadpipe.curves.curve import Curve

SCORES = {
    "Abuse028_x264.mp4": [0.1, 0.9, 0.7, 0.3],
    "Arson011_x264.mp4": [0.6, 0.2, 0.4],
    "calm.mp4": [0.1, 0.55, 0.2],
    "other$1$.mp4": [0.3, 0.1],
}
TRUTHS = [
    Truth("Abuse028_x264", 64, ((16, 40),), "Abuse"),
    Truth("Arson011_x264", 48, ((0, 20),), "Arson"),
    Truth("calm", 48, ()),
    Truth("other$1$", 32, ()),
]


def curve_of(video, scores, threshold=None):
    """Return a curve of 25 frames per second."""
    return Curve(
        video, np.array(scores, np.float32), np.arange(len(scores)) / 25, len(scores) / 25, threshold
    )
