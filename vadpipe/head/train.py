"""The training loop, on a page."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from vadpipe.head.bags import Bag, Batch, balanced_batches, collate, squeeze
from vadpipe.head.network import Head
from vadpipe.head.objective import Loss, batch_loss
from vadpipe.head.settings import HeadSettings

log = logging.getLogger(__name__)

COLLAPSED = 0.9
"""Cosine of the two centroids above which the clusters tell nothing apart."""

WINDOW = 5
"""Checks over which the held-out AUC is averaged before one is picked."""


@dataclass(frozen=True)
class Check:
    """A look at the training, every ``check_every`` steps.

    Attributes:
        step: steps done.
        mil, cluster: losses of that step.
        cosine: cos(c_n, c_a) of the memory's clusters; 0 without clustering.
        spread: deviation of the batch's points, the mean over the clustering dimensions; 0 where all
            segments lie in one place.
        auc: video-level ROC-AUC on the held-out videos, or None where none are held out.
    """

    step: int
    mil: float
    cluster: float
    cosine: float
    spread: float
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
    until: int | None = None,
    device: torch.device | None = None,
    on_check: Callable[[Check], None] | None = None,
) -> Trained:
    """Train a head on bags with video-level labels.

    The held-out bags pick the checkpoint, see :class:`_Selection`; without held-out bags of both
    labels it is the last. Same seed, same machine: the same numbers, bit by bit.

    Args:
        bags: at least one of each label, all with the same crops and feature width.
        held_out: bags of other groups, which only pick the checkpoint.
        settings: switches and numbers.
        seed: of the initial weights, dropout and the order of the bags.
        until: stop after this step of the schedule; the whole of it by default.
        device: where to train.
        on_check: called at each check.
    """
    device = device or torch.device("cpu")
    squeezed = [replace(bag, values=squeeze(bag.values, settings.segments)) for bag in bags]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        head = Head(*normal_statistics(bags), settings).to(device)
        optimiser = torch.optim.Adam(
            head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        batches = balanced_batches(squeezed, settings.batch_bags, np.random.default_rng(seed))
        selection, history = _Selection(), []
        last = until or settings.steps
        for step in range(1, last + 1):
            loss = _step(head, optimiser, collate(next(batches)).to(device), step)
            if step % settings.check_every and step != last:
                continue
            cosine = float(head.memory.clusters().cosine)
            auc = video_auc(head, held_out, device)
            check = Check(step, float(loss.mil), float(loss.cluster), cosine, float(loss.spread), auc)
            history.append(check)
            selection.see(check, head)
            if on_check is not None:
                on_check(check)
        selected = selection.restore(head)
    if settings.clustering and selected.cosine > COLLAPSED:
        log.warning(
            "the normal and the abnormal cluster are not apart at step %d: cosine %.2f",
            selected.step,
            selected.cosine,
        )
    return Trained(head.eval().cpu(), selected, history)


def _step(head: Head, optimiser: torch.optim.Optimizer, batch: Batch, step: int) -> Loss:
    settings = head.settings
    head.train()
    loss = batch_loss(head, batch, warm=step > settings.warmup * settings.steps)
    optimiser.zero_grad()
    loss.total.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(head.parameters(), settings.clip_norm)
    optimiser.step()
    if loss.clusters is not None:
        head.memory.append(loss.clusters)
    return loss


class _Selection:
    """The checkpoint in the middle of the best stretch of :data:`WINDOW` checks.

    One check's AUC over a few held-out videos takes few values and jumps; the single best check is
    mostly luck, the best stretch is not. Of equal stretches the earliest counts; without AUCs it is
    the last check.
    """

    def __init__(self) -> None:
        self._recent: deque[tuple[Check, dict[str, Tensor]]] = deque(maxlen=WINDOW)
        self._best: tuple[Check, dict[str, Tensor]] | None = None
        self._best_auc = -1.0

    def see(self, check: Check, head: Head) -> None:
        state = {name: value.detach().clone() for name, value in head.state_dict().items()}
        self._recent.append((check, state))
        aucs = [seen.auc for seen, _ in self._recent if seen.auc is not None]
        if not aucs:
            self._best = check, state
        elif len(aucs) < WINDOW:  # so far, the middle of what there is
            self._best = self._recent[len(aucs) // 2]
        elif sum(aucs) / WINDOW > self._best_auc:
            self._best_auc = sum(aucs) / WINDOW
            self._best = self._recent[WINDOW // 2]

    def restore(self, head: Head) -> Check:
        assert self._best is not None
        check, state = self._best
        head.load_state_dict(state)
        return check


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
    scores = []
    for bag in bags:  # one at a time: padding all to the longest could need more memory than there is
        batch = collate([bag]).to(device)
        scores.append(float(head.settings.top_k.mean(head.score(batch.features, batch.mask), batch.mask)))
    return float(roc_auc_score(labels, scores))
