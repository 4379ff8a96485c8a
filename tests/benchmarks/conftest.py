"""The scripts in ``benchmarks/`` can be imported by name."""

import numpy as np
import pytest

from support.environment import ROOT
from vadpipe.ablation.data import Sample
from vadpipe.annotations.truth import Truth
from vadpipe.head.bags import Bag


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


def _sample(name, marks):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marks, [0]])))
    truth = Truth(name, len(marks), tuple(map(tuple, edges.reshape(-1, 2).tolist())))
    starts = np.arange(0, len(marks), 16)
    spans = np.stack([starts, np.minimum(starts + 16, len(marks))], axis=1)
    times_s = np.arange(len(marks)) / 30
    return Sample(truth, name, spans, len(marks), np.zeros(len(spans), bool), times_s, len(marks) / 30, name)


@pytest.fixture
def videos():
    """What stands for UCF-Crime: 20 videos to learn from, and 8 to be tested, each with 6 snippets."""
    from protocols import Videos

    rng = np.random.default_rng(0)
    samples, bags = {}, {}
    for number in range(8):
        marks = np.zeros(96, int)
        marks[32 : 64 * (number % 2)] = 1
        samples[f"t{number}"] = _sample(f"t{number}", marks)
    for number, name in enumerate([*samples, *(f"v{number}" for number in range(20))]):
        values = rng.random((1, 6, 4), dtype=np.float32)
        bags[name] = Bag(name, values, number % 2, name, np.arange(6.0), 6.0)
    return Videos(samples, bags, {name: name for name in bags})
