"""Whether ``fit`` finds on a GPU what it finds on the CPU.

A part of ``gpu_check.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

import vadpipe
from vadpipe.head.settings import HeadSettings
from vadpipe.training.result import Fit

# Each device draws dropout for itself, so it is left out; all else is the same numbers in the same order.
SETTINGS = HeadSettings(
    steps=30, checks=6, folds=2, batch_bags=4, hidden=16, cluster_dim=8, dropout=0.0, feature_dropout=0.0
)
LOSS_ERROR = 1e-3
"""Relative, of the losses at every check."""
WEIGHT_ERROR = 1e-3
"""Relative, of all numbers of the head together."""
AUC_ERROR = 0.01
THRESHOLD_ERROR = 0.01


@dataclass(frozen=True)
class FitCheck:
    """A fit on a device compared with the same fit on the CPU; dropout is left out, which each draws itself.

    Attributes:
        device: which was compared.
        step, cpu_step: at which the head was taken.
        auc, cpu_auc: video-level ROC-AUC of the held-out videos.
        threshold, cpu_threshold: what is called abnormal.
        loss_error: largest relative distance of a loss at a check.
        weight_error: relative distance of the numbers of both heads.
        reason: why they are too far apart; None if they are not.
    """

    device: str
    step: int
    cpu_step: int
    auc: float | None
    cpu_auc: float | None
    threshold: float
    cpu_threshold: float
    loss_error: float
    weight_error: float
    reason: str | None


def check_fit(folder: Path, device: str) -> FitCheck:
    """Fit a small head on generated features, on the CPU and on the device."""
    videos = made_features(n_each=12)
    reference = vadpipe.fit(videos, output=folder / "reference", settings=SETTINGS, device="cpu")
    compared = vadpipe.fit(videos, output=folder / "compared", settings=SETTINGS, device=device)
    return compare_fits(reference, compared, device)


def made_features(*, n_each: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return features (S, D) of normal videos, and of some in which a stretch is shifted."""
    rng = np.random.default_rng(seed)
    videos = {}
    for index in range(n_each):
        for kind in ("normal", "fight"):
            values = rng.normal(size=(int(rng.integers(8, 20)), 32)).astype(np.float32)
            if kind == "fight":
                values[2:5, :6] += 1.5
            videos[f"{kind}/{index}"] = values
    return videos


def compare_fits(cpu: Fit, other: Fit, device: str) -> FitCheck:
    """Compare the figures and the heads of two fits."""
    losses = [np.array([[check.mil, check.cluster] for check in fit.history]) for fit in (cpu, other)]
    scale = np.maximum(np.abs(losses[0]), 1e-3)
    loss_error = float((np.abs(losses[1] - losses[0]) / scale).max())
    numbers = [_numbers(fit.head) for fit in (cpu, other)]
    weight_error = float(np.linalg.norm(numbers[1] - numbers[0]) / np.linalg.norm(numbers[0]))
    thresholds = other.threshold.threshold, cpu.threshold.threshold
    return FitCheck(
        device, other.step, cpu.step, other.auc, cpu.auc, *thresholds, loss_error, weight_error,
        _too_far(cpu, other, loss_error, weight_error),
    )  # fmt: skip


def _too_far(cpu: Fit, other: Fit, loss_error: float, weight_error: float) -> str | None:
    if cpu.step != other.step:
        return f"the head is of step {other.step}, on the CPU of {cpu.step}"
    if not loss_error <= LOSS_ERROR:
        return f"a loss is {loss_error:.1e} away, more than {LOSS_ERROR:.0e}"
    if not weight_error <= WEIGHT_ERROR:
        return f"the heads are {weight_error:.1e} apart, more than {WEIGHT_ERROR:.0e}"
    if cpu.auc is None or other.auc is None or not abs(cpu.auc - other.auc) <= AUC_ERROR:
        return f"the ROC-AUC is {other.auc}, on the CPU {cpu.auc}"
    apart = abs(cpu.threshold.threshold - other.threshold.threshold)
    return None if apart <= THRESHOLD_ERROR else f"the thresholds are {apart:.3f} apart"


def _numbers(head: Path) -> NDArray[np.float64]:
    """Return all numbers of a head, in the order of their names."""
    return np.concatenate([value.ravel() for _, value in sorted(load_file(head).items())]).astype(np.float64)
