"""Claim 3: segment scores made more accurate by the clusters.

Source: the abstract of arXiv 2212.08506; the formulation is ours.
"""

from __future__ import annotations

from torch import Tensor


def guided_score(scores: Tensor, p_a: Tensor, mix: float) -> Tensor:
    """Return ``s_g = alpha s + (1 - alpha) p_a``.

    Args:
        scores: s (N, T), of the classifier branch, in [0, 1].
        p_a: (N, T), the clusters' probability of abnormal, in [0, 1].
        mix: alpha.

    Returns:
        (N, T) in [0, 1].
    """
    return mix * scores + (1 - mix) * p_a


def teacher(scores: Tensor, p_a: Tensor | None) -> Tensor:
    """Return what decides which segments of an abnormal bag count as abnormal, without gradient.

    During warm-up (``p_a`` is None) the classifier alone, then the mean of both branches.
    """
    return scores.detach() if p_a is None else (scores.detach() + p_a.detach()) / 2
