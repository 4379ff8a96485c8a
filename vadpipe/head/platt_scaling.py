"""The scale of the scores: how sure a score is, by videos that the head has not seen.

A head grows ever surer of its own training videos, so that its scores crowd at 0 and 1. Platt's scaling
("Probabilistic outputs for support vector machines", 1999) stretches them by a logistic regression of unseen
videos' labels on their scores. It keeps the order of scores that are further than 3e-8 from 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_CLOSEST = 2.0**-25
"""To 0 and 1: half of float32's step below 1, so that a score of 1 is next to the one below it."""


def log_odds(scores: Tensor) -> Tensor:
    """Return ``log(score / (1 - score))``, float64 and finite."""
    return torch.logit(scores.double(), _CLOSEST)


def fit_platt_scaling(odds: Sequence[float], labels: Sequence[int]) -> Tensor:
    """Return slope and offset (2,) float64 on the scale of log odds; (1, 0) where the odds tell nothing.

    Both labels weigh the same, so that a video of score 0.5 is as likely of the one as of the other.

    Args:
        odds: log odds of unseen videos, the mean over the top k segments of each. (Those of a mean score
            would hide how sure single segments are.)
        labels: theirs, 0 and 1, both present.
    """
    # Here, since scoring needs none of it and it takes nearly as long to load as torch does.
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(class_weight="balanced").fit(np.asarray(odds)[:, None], np.asarray(labels))
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    return torch.tensor([slope, offset] if slope > 0 else [1.0, 0.0], dtype=torch.float64)


def apply_platt_scaling(odds: Tensor, scale: Tensor) -> Tensor:
    """Return the scores ``sigmoid(slope * odds + offset)``, in [0, 1].

    Args:
        odds: log odds.
        scale: slope and offset (2,) float64.
    """
    return torch.sigmoid(scale[0] * odds + scale[1])
