"""The benchmark of adaptation: each way of standardising features is what its name says."""

from types import SimpleNamespace

import numpy as np
import torch

from support.bags import bag_of_values
from vadpipe.annotations.truth import Truth


def test_features_are_standardised_in_the_ways_that_it_says():
    from adaptation import Target

    rng = np.random.default_rng(0)
    values = {
        name: rng.normal(size=(2, length, 3)).astype(np.float32)
        for name, length in {"a": 3, "b": 5, "c": 9}.items()
    }
    groups = {"a": "x", "b": "x", "c": "y"}
    truths = {name: Truth(name, 9, () if name == "a" else ((0, 4),), group=groups[name]) for name in "abc"}
    videos = SimpleNamespace(
        bags={name: bag_of_values(values[name], int(name != "a")) for name in "abc"},
        samples={name: SimpleNamespace(truth=truth) for name, truth in truths.items()},
    )
    trained = torch.ones(3), torch.full((3,), 2.0)
    found = Target.of(videos, "abc").ways(1, trained)
    rows = {name: values[name].reshape(-1, 3) for name in "abc"}
    together = np.concatenate([*rows.values()])
    expected = {
        "as trained": np.ones(3),
        "**mean of the test videos**": together.mean(0),
        "the same, each video alike": np.mean([rows[name].mean(0) for name in "abc"], axis=0),
        "the same, without the scored recording": rows["c"].mean(0),
        "mean of the normal test videos": rows["a"].mean(0),
        "half way to the mean of the test videos": (together.mean(0) + 1) / 2,
        "mean and deviation of the test videos": together.mean(0),
        "mean of the scored video alone": rows["b"].mean(0),
    }
    assert [*found] == [*expected]
    for way, (mean, std) in found.items():
        np.testing.assert_allclose(mean.numpy(), expected[way], atol=1e-6, err_msg=way)
        deviation = together.std(0) if way == "mean and deviation of the test videos" else np.full(3, 2.0)
        np.testing.assert_allclose(std.numpy(), deviation, rtol=1e-5, err_msg=way)
