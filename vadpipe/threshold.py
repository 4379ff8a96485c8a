"""The threshold: a score that normal snippets of videos which the head has not seen rarely exceed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from vadpipe.head.bags import Bag
from vadpipe.head.network import Head
from vadpipe.head.train import Trained, train

N_FOLDS = 3


def calibrate(
    trained: Trained, bags: Sequence[Bag], held_out: Sequence[Bag], *, seed: int, device: torch.device
) -> float:
    """Return the ``normal_quantile`` of unseen normal snippets' scores.

    The held-out normal videos are unseen. Where nothing was held out, heads trained in the same way on
    two thirds of the groups score the last third; a head's scores of its own training videos would be
    far too low. Only where even that leaves a label without a video are those taken.

    Args:
        trained: the head that the held-out bags picked.
        bags: all training bags, held-out ones included.
        held_out: bags that it was not trained on.
        seed: of the split and the training.
        device: where to train.
    """
    unseen = [bag for bag in held_out if not bag.label]
    if unseen:
        scores = list(snippet_scores(trained.head, unseen))
    else:
        scores = _scores_across_folds(trained, bags, seed, device) or list(
            snippet_scores(trained.head, [bag for bag in bags if not bag.label])
        )
    return float(np.quantile(np.concatenate(scores), trained.head.settings.normal_quantile))


def snippet_scores(head: Head, bags: Iterable[Bag]) -> Iterable[NDArray[np.float32]]:
    """Yield the scores of each bag's snippets, (S,) float32."""
    for bag in bags:
        yield head.score(torch.from_numpy(bag.values)[None])[0].numpy()


def _scores_across_folds(
    trained: Trained, bags: Sequence[Bag], seed: int, device: torch.device
) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    fold_of: dict[str, int] = {}
    for label in (1, 0):  # each label by itself, so that what is left always has both
        groups = sorted({bag.group for bag in bags if bag.label == label} - fold_of.keys())
        fold_of |= {groups[index]: at % N_FOLDS for at, index in enumerate(rng.permutation(len(groups)))}
    scores: list[NDArray[np.float32]] = []
    for fold in range(N_FOLDS):
        rest = [bag for bag in bags if fold_of[bag.group] != fold]
        unseen = [bag for bag in bags if fold_of[bag.group] == fold and not bag.label]
        if unseen and {bag.label for bag in rest} == {0, 1}:
            until = trained.selected.step
            head = train(rest, [], trained.head.settings, seed=seed, until=until, device=device).head
            scores += snippet_scores(head, unseen)
    return scores
