"""A test video of the benchmarks: its truth and which frames each snippet speaks for."""

import numpy as np

from vadpipe.ablation.data import Sample
from vadpipe.annotations.truth import Truth


def sample(name, marks, group):
    n_frames = len(marks)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marks, [0]])))
    truth = Truth(name, n_frames, tuple(map(tuple, edges.reshape(-1, 2).tolist())), group=group)
    starts = np.arange(0, n_frames, 16)
    spans = np.stack([starts, np.minimum(starts + 16, n_frames)], axis=1)
    times_s = np.arange(n_frames) / 25
    return Sample(truth, name, spans, n_frames, np.zeros(len(spans), bool), times_s, n_frames / 25, name)
