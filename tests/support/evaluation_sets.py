"""A small set of test videos with features, a head and the truth, as ``vadpipe evaluate`` looks for them."""

import numpy as np

from support.logistic_head import make_head, write_scored_features
from vadpipe.annotations.truth import Truth, write_truth

VIDEOS = {
    "test/Abuse/Abuse028_x264.mp4": ([0.1, 0.9, 0.7, 0.3], Truth("Abuse028_x264", 64, ((16, 40),), "Abuse")),
    "test/Arson/Arson011_x264.mp4": ([0.6, 0.2, 0.4], Truth("Arson011_x264", 47, ((0, 20),), "Arson")),
    "test/normal/Normal_Videos_003_x264.mp4": ([0.1, 0.55, 0.2], Truth("Normal003", 48, ())),
    "test/normal/other$1$.mp4": ([0.3, 0.1], Truth("other$1$", 32, ())),
}
FILES = ["metrics.json", "videos.csv", "scores.npz", "curves.png", "videos.png"]


def write_test_set(folder):
    """Write ``features``, ``head`` and ``truth.csv``, the names that the command looks for."""
    for video, (scores, _) in VIDEOS.items():
        write_scored_features(folder / "features", video, scores)
    make_head().save(folder / "head" / "head.safetensors")
    write_truth(folder / "truth.csv", [truth for _, truth in VIDEOS.values()])


def expected_frames():
    """Return the marks and the scores of all frames that count, (frames,) each."""
    scores = [np.repeat(scores, 16)[: truth.n_frames] for scores, truth in VIDEOS.values()]
    marks = [truth.frames() for _, truth in VIDEOS.values()]
    return np.concatenate(marks), np.concatenate(scores)
