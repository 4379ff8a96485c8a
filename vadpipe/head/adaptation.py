"""Adaptation without labels: features are standardised by the mean of the footage that is scored.

A head standardises features by the normal snippets that it learned from, and other places, cameras and
compression have other means. As in AdaBN (Li et al., "Revisiting batch normalization for practical domain
adaptation", arXiv 1603.04779) statistics of the new footage take the place of those of training: here the
mean of each feature. Deviations stay those of training, as do the scale of the scores and the threshold.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vadpipe.errors import FeatureError, UsageError, printable
from vadpipe.features.commands import refusal
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder
from vadpipe.features.recipe import Recipe
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.head import Head
from vadpipe.head.mean_of_heads import MeanOfHeads
from vadpipe.head.methods import CBCG, find_method

log = logging.getLogger(__name__)


def adapted(head: TrainedHead, folder: Path, file: Path) -> TrainedHead:
    """Return a copy of a head that standardises by the mean of all features in a folder.

    Each snippet and view counts the same, as in training: by the normal videos that it was trained on, a head
    is adapted to itself. Snippets that could not be decoded do not count.

    Args:
        head: of a method that standardises features, which only CBCG does.
        folder: feature files of footage of the same cameras, most of it normal. They may hold only some of
            the views that the head was trained on. One file is in memory at a time.
        file: the head's, for the message.

    Raises:
        UsageError: if the head's method takes features as they are.
        FeatureError: if the folder holds no features, or a file that is broken or of another recipe than
            the head's.
    """
    network = copy.deepcopy(head.network)
    if head.record.settings.method != CBCG:
        title = find_method(head.record.settings.method).title
        raise UsageError(
            f"cannot be adapted to footage: {title} does not standardise features",
            file=file,
            next_step="Omit --adapt-to, or train a head with 'vadpipe fit --method cbcg'.",
        )
    _standardise_by(network, torch.from_numpy(_mean(folder, head.record.recipe)))
    return replace(head, network=network)


def _standardise_by(network: Head, mean: Tensor) -> None:
    """Let every network of CBCG in a head standardise by its part of a mean (D,)."""
    if isinstance(network, MeanOfHeads):
        for member, own in zip(network.heads, network.inputs(mean), strict=True):
            _standardise_by(member, own)
    elif isinstance(network, Cbcg):
        network.embedding.mean.copy_(mean)


def _mean(folder: Path, recipe: Recipe) -> NDArray[np.float64]:
    """Return the mean (D,) over all snippets and views of all feature files of a folder."""
    total, n_rows, n_videos = np.zeros(recipe.feature_dim), 0, 0
    for path in FeatureFolder(folder).files():
        features = Features.load(path)
        refused = refusal(recipe, features.recipe)
        if refused is not None:
            reason, next_step = refused
            raise FeatureError(reason, file=path, next_step=next_step)
        kept = features.values[~features.lost]
        total += kept.sum(axis=(0, 1), dtype=np.float64)
        n_rows += kept.shape[0] * kept.shape[1]
        n_videos += 1
    if not n_rows:
        raise FeatureError(
            "has no snippet to adapt to" if n_videos else "has no feature file to adapt to",
            file=folder,
            next_step="Run 'vadpipe extract VIDEOS -o FOLDER' on footage of the same cameras first.",
        )
    log.info("%s: adapted to %d videos, without labels", printable(folder), n_videos)
    return total / n_rows
