"""The training loop, on a page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from vadpipe.head.bags import Bag, balanced_batches, collate, squeeze
from vadpipe.head.network import Head
from vadpipe.head.objective import batch_loss
from vadpipe.head.settings import HeadSettings

log = logging.getLogger(__name__)

COLLAPSED = 0.9
"""Cosine of the two centroids above which the clusters tell nothing apart."""


@dataclass(frozen=True)
class Check:
    """A look at the training, every ``check_every`` steps.

    Attributes:
        step: steps done.
        mil, cluster: losses of that step.
        cosine: cos(c_n, c_a) of the memory's clusters; 0 without clustering.
        auc: video-level ROC-AUC on the held-out videos, or None where none are held out.
    """

    step: int
    mil: float
    cluster: float
    cosine: float
    auc: float | None


@dataclass(frozen=True)
class Trained:
    """A trained head and how it got there.

    Attributes:
        head: in evaluation mode, on the CPU, at the selected step.
        selected: the check whose head this is.
        history: every check.
    """

    head: Head
    selected: Check
    history: list[Check] = field(repr=False)


def train(
    bags: Sequence[Bag],
    held_out: Sequence[Bag],
    settings: HeadSettings,
    *,
    seed: int = 0,
    device: torch.device | None = None,
    on_check: Callable[[Check], None] | None = None,
) -> Trained:
    """Train a head on bags with video-level labels.

    The checkpoint with the best video-level AUC on ``held_out`` is selected, the earliest of equals;
    without held-out bags of both labels it is the last.

    Same seed, same machine: the same numbers, bit by bit.

    Args:
        bags: at least one of each label, all with the same crops and feature width.
        held_out: bags of other groups, which only pick the checkpoint.
        settings: switches and numbers.
        seed: of the initial weights, dropout and the order of the bags.
        device: where to train.
        on_check: called at each check.
    """
    device = device or torch.device("cpu")
    squeezed = [replace(bag, values=squeeze(bag.values, settings.segments)) for bag in bags]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        head = Head(*normal_statistics(bags), settings).to(device)
        return _loop(head, squeezed, held_out, np.random.default_rng(seed), device, on_check)


def _loop(
    head: Head,
    bags: Sequence[Bag],
    held_out: Sequence[Bag],
    rng: np.random.Generator,
    device: torch.device,
    on_check: Callable[[Check], None] | None,
) -> Trained:
    settings = head.settings
    optimiser = torch.optim.Adam(
        head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    batches = balanced_batches(bags, settings.batch_bags, rng)
    history: list[Check] = []
    best: tuple[Check, dict[str, Tensor]] | None = None
    for step in range(1, settings.steps + 1):
        warm = step > settings.warmup * settings.steps
        head.train()
        loss = batch_loss(head, collate(next(batches)).to(device), warm=warm)
        optimiser.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(head.parameters(), settings.clip_norm)
        optimiser.step()
        if loss.clusters is not None:
            head.memory.append(loss.clusters)
        if step % settings.check_every and step != settings.steps:
            continue
        check = Check(
            step=step,
            mil=float(loss.mil),
            cluster=float(loss.cluster),
            cosine=float(head.memory.clusters().cosine),
            auc=video_auc(head, held_out, device),
        )
        history.append(check)
        if on_check is not None:
            on_check(check)
        if best is None or check.auc is None or (warm and check.auc > (best[0].auc or 0)):
            best = check, {name: value.detach().clone() for name, value in head.state_dict().items()}
    assert best is not None
    head.load_state_dict(best[1])
    if settings.clustering and best[0].cosine > COLLAPSED:
        log.warning("the normal and the abnormal cluster have collapsed: cosine %.2f", best[0].cosine)
    return Trained(head.eval().cpu(), best[0], history)


def normal_statistics(bags: Sequence[Bag]) -> tuple[Tensor, Tensor]:
    """Return mean and deviation (D,) of the normal snippets; constant channels get deviation 1."""
    rows = np.concatenate([bag.values.reshape(-1, bag.values.shape[-1]) for bag in bags if bag.label == 0])
    std = rows.std(axis=0, dtype=np.float64)
    std[std < 1e-6] = 1.0
    mean = rows.mean(axis=0, dtype=np.float64)
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(std.astype(np.float32))


def video_auc(head: Head, bags: Sequence[Bag], device: torch.device) -> float | None:
    """Return the ROC-AUC of the bags' top-k means, or None where a label is missing."""
    labels = [bag.label for bag in bags]
    if len(set(labels)) < 2:
        return None
    head.eval()
    batch = collate(bags).to(device)
    scores = head.settings.top_k.mean(head.score(batch.features, batch.mask), batch.mask)
    return float(roc_auc_score(labels, scores.cpu().numpy()))
