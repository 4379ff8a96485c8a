"""The scale of the scores: Platt's, against scikit-learn's own calibration and a slow search."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from vadpipe.head.platt_scaling import apply_platt_scaling, fit_platt_scaling, log_odds


def sure_scores(n=200, seed=0):
    """Scores of videos, far surer than they are right, and the videos' labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    odds = 8 * rng.normal(labels - 0.5, 1.0)
    return (1 / (1 + np.exp(-odds))).tolist(), labels.tolist()


def odds_of(scores):
    return log_odds(torch.tensor(scores, dtype=torch.float64)).tolist()


def test_it_is_the_penalised_logistic_regression_of_the_log_odds():
    scores, labels = sure_scores()
    odds = np.log(np.array(scores) / (1 - np.array(scores)))
    weight = np.where(
        labels, len(labels) / (2 * sum(labels)), len(labels) / (2 * (len(labels) - sum(labels)))
    )

    def loss(x):
        margin = np.where(labels, 1, -1) * (x[0] * odds + x[1])
        return (weight * np.logaddexp(0, -margin)).sum() + x[0] ** 2 / 2

    expected = minimize(loss, [1.0, 0.0], tol=1e-10).x
    np.testing.assert_allclose(fit_platt_scaling(odds.tolist(), labels), expected, atol=1e-3)


def test_what_was_too_sure_is_less_so_and_every_order_stays():
    scores, labels = sure_scores()
    scaled = apply_platt_scaling(
        torch.tensor(odds_of(scores)), fit_platt_scaling(odds_of(scores), labels)
    ).numpy()
    assert roc_auc_score(labels, scaled) == pytest.approx(roc_auc_score(labels, scores), abs=1e-3)

    def cost(p):
        p = np.clip(p, 1e-9, 1 - 1e-9)
        return -np.mean(np.where(labels, np.log(p), np.log(1 - p)))

    assert cost(scaled) < 0.7 * cost(np.array(scores))


@pytest.mark.parametrize("slope", [0.3, 1.0, 5.0])
def test_each_score_by_the_formula(slope):
    scores = torch.tensor([[0.0, 1e-7, 0.25, 0.5, 0.999, 1.0]])
    scale = torch.tensor([slope, -0.5], dtype=torch.float64)
    result = apply_platt_scaling(log_odds(scores), scale)
    for before, after in zip(scores[0].tolist(), result[0].tolist(), strict=True):
        p = min(max(before, 2**-25), 1 - 2**-25)
        expected = 1 / (1 + math.exp(-(slope * math.log(p / (1 - p)) - 0.5)))
        assert after == pytest.approx(expected, abs=1e-6)
    assert (result.diff() >= 0).all()


def test_scores_that_rank_the_wrong_way_round_are_left_alone():
    scores, labels = sure_scores()
    assert fit_platt_scaling(odds_of(scores), [1 - label for label in labels]).tolist() == [1.0, 0.0]


def test_perfect_scores_give_finite_numbers():
    scale = fit_platt_scaling(odds_of([0.0, 0.0, 1.0, 1.0]), [0, 0, 1, 1])
    assert torch.isfinite(scale).all()
    assert scale[0] > 0


def test_odds_that_tell_nothing_are_left_alone():
    """Their slope is 0 to the last bit, and would make all scores the same."""
    assert fit_platt_scaling([0.0] * 4, [0, 1, 0, 1]).tolist() == [1.0, 0.0]
