"""The training loop."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from vadpipe.errors import UsageError
from vadpipe.head.bags import BalancedBatches, TrainingSet, drawn_views
from vadpipe.head.building import build_head
from vadpipe.head.head import Head
from vadpipe.head.loss import Loss
from vadpipe.head.settings import HeadSettings
from vadpipe.training.automatic_context import with_context_chosen
from vadpipe.training.weight_average import average_of

MOMENTUM = 0.9


@dataclass(frozen=True)
class LossReport:
    """The losses of a training's last step.

    Attributes:
        step: steps done.
        mil, cluster: losses of that step.
        cosine: cos(c_n, c_a) of the memory's clusters; 0 without clustering.
        spread: deviation of the batch's points, the mean over the clustering dimensions; 0 where all
            segments lie in one place.
    """

    step: int
    mil: float
    cluster: float
    cosine: float
    spread: float


@dataclass(frozen=True)
class Start:
    """The numbers of another head that a training begins with, if it does not start from scratch.

    Attributes:
        numbers: of the network, by name; the mean and deviation of its training features among them.
        sha256: of the head file.
    """

    numbers: Mapping[str, Tensor] = field(repr=False)
    sha256: str


class Training:
    """The training of one head on some of the bags; it can stop at any step and resume bit-identically.

    What is random in a step follows from the seed and the step's number alone. So the state is the
    head, the optimiser and the number of steps.

    Args:
        data: bags of both labels.
        rows: those of them that are learned from.
        settings: switches and numbers.
        seed: of the initial weights, dropout and the order of the bags.
        start: numbers that take the place of the initial weights; the scale of the scores starts again.
    """

    def __init__(
        self,
        data: TrainingSet,
        rows: Sequence[int],
        settings: HeadSettings,
        *,
        seed: int = 0,
        start: Start | None = None,
    ) -> None:
        self._data, self._seed = data, seed
        settings = with_context_chosen(settings, data.n_snippets)
        self._batches = BalancedBatches(data, rows, settings.batch_bags, seed)
        self._device = data.device
        self.settings, self.step = settings, 0
        with _own_randomness(self._device):
            torch.manual_seed(seed)
            statistics = data.normal_statistics(rows)
            self._learner = build_head(*statistics, settings, data.n_windows).to(self._device)
        if start is not None:
            self._learner.load_state_dict({**start.numbers, "scale": self._learner.scale})
        self._optimiser = _optimiser(self._learner, settings)
        decay = settings.weight_averaging
        self._average = average_of(self._learner, decay) if decay else None

    @property
    def head(self) -> Head:
        """The head that scores: with averaged weights where the settings ask for them."""
        return self._learner if self._average is None else cast("Head", self._average.module)

    def set_scale(self, scale: Tensor) -> None:
        """Put the scores on a scale (2,), see :mod:`vadpipe.head.platt_scaling`."""
        self._learner.scale.copy_(scale)
        self.head.scale.copy_(scale)

    def advance(self, until: int) -> LossReport:
        """Train up to that step, at least one, and leave the head in evaluation mode.

        Raises:
            UsageError: if the training diverges.
        """
        self._learner.train()
        with _own_randomness(self._device):
            while self.step < until:
                self.step += 1
                loss = self._do_step()
        self._learner.eval()
        self.head.eval()
        if not all(torch.isfinite(numbers).all() for numbers in self._learner.parameters()):
            raise _diverged(self.step)
        cosine, spread = self.head.cluster_cosine, float(loss.spread)
        return LossReport(self.step, float(loss.mil), float(loss.cluster), cosine, spread)

    def _do_step(self) -> Loss:
        settings, step = self.settings, self.step
        torch.manual_seed(_mixed(self._seed, step))  # of the dropout
        rows = self._batches.rows(step)
        views = None
        if settings.view_sampling == "one" and self._data.n_views > 1:
            views = drawn_views(self._data.n_views, len(rows), self._seed, step)
        warm = step > settings.warmup * settings.steps
        try:
            loss = self._learner.loss(self._data.batch(rows, views), warm=warm)
        except FloatingPointError as error:
            raise _diverged(step - 1) from error
        if not torch.isfinite(loss.total):
            raise _diverged(step)
        self._optimiser.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        if settings.clip_norm:
            for parameters in self._learner.clipped_apart:
                torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
        self._optimiser.step()
        self._learner.remember(loss)
        if self._average is not None:
            self._average.update_parameters(self._learner)
        return loss

    def snapshot(self) -> dict[str, Tensor]:
        """Return a copy of the numbers of the head that scores."""
        return _copied(self.head.state_dict())

    def head_of(self, snapshot: dict[str, Tensor]) -> Head:
        """Return a head with these numbers, in evaluation mode on the CPU."""
        head = copy.deepcopy(self.head)
        head.load_state_dict(snapshot)
        return head.eval().cpu()

    def state(self) -> dict[str, Any]:
        """Return all that :meth:`restore` needs."""
        average = {} if self._average is None else _copied(self._average.state_dict())
        return {
            "step": self.step,
            "head": _copied(self._learner.state_dict()),
            "average": average,
            "optimiser": self._optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where that state was taken."""
        self.step = state["step"]
        self._learner.load_state_dict(state["head"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])


def _copied(numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in numbers.items()}


def _diverged(step: int) -> UsageError:
    return UsageError(
        f"the training diverged: values are not finite after step {step}",
        next_step="Lower learning_rate or the loss weights (--set NAME=VALUE).",
    )


def _optimiser(head: Head, settings: HeadSettings) -> torch.optim.Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "sgd":
        return torch.optim.SGD(head.parameters(), lr=rate, weight_decay=decay, momentum=MOMENTUM)
    return torch.optim.Adam(head.parameters(), lr=rate, weight_decay=decay)


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Preserve the state of the global random number generator."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


def _mixed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
