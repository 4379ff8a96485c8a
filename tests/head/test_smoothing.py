"""Smoothing is a weighted mean over real neighbours, checked against scipy and a slow loop."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from vadpipe.head.smoothing import smoothed


def slow(scores, mask, deviation):
    reach, out = math.ceil(4 * deviation), scores.copy()
    for row in range(len(scores)):
        for at in range(scores.shape[1]):
            if not mask[row, at]:
                continue
            total = weight = 0.0
            for other in range(max(0, at - reach), min(scores.shape[1], at + reach + 1)):
                w = math.exp(-0.5 * ((other - at) / deviation) ** 2) * mask[row, other]
                total, weight = total + w * scores[row, other], weight + w
            out[row, at] = total / weight
    return out


@pytest.mark.parametrize("deviation", [0.3, 0.7, 2.0])
@pytest.mark.parametrize("length", [1, 2, 17])
def test_it_is_the_weighted_mean_of_real_neighbours(deviation, length):
    rng = np.random.default_rng(length)
    scores = rng.random((3, length)).astype(np.float32)
    mask = rng.random((3, length)) < 0.7
    mask[:, 0] = True
    result = smoothed(torch.from_numpy(scores), torch.from_numpy(mask), deviation).numpy()
    np.testing.assert_allclose(result, slow(scores, mask, deviation), atol=1e-6)
    assert (result >= scores.min() - 1e-6).all()
    assert (result <= scores.max() + 1e-6).all()


def test_in_the_middle_it_is_the_usual_gaussian_filter():
    scores = np.random.default_rng(0).random((1, 60)).astype(np.float32)
    result = smoothed(torch.from_numpy(scores), torch.ones(1, 60, dtype=torch.bool), 1.5).numpy()
    expected = gaussian_filter1d(scores.astype(np.float64), 1.5, axis=1, truncate=4.0)
    np.testing.assert_allclose(result[:, 10:-10], expected[:, 10:-10], atol=1e-6)


def test_without_a_deviation_nothing_changes():
    scores = torch.rand(2, 5)
    assert smoothed(scores, torch.ones(2, 5, dtype=torch.bool), 0.0) is scores
