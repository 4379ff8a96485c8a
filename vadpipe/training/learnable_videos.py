"""The videos that a training can learn from: their features in memory, or on disk where there are many."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from vadpipe.features.file import read_header
from vadpipe.features.folder import FeatureFolder, one_recipe
from vadpipe.features.from_memory import GivenFeatures
from vadpipe.features.recipe import Recipe
from vadpipe.head.bags import Bag, TrainingSet
from vadpipe.training.bag_pack import BagPack, Stamp, open_pack, stamps_of
from vadpipe.training.bags_of_features import bag_of
from vadpipe.training.packed_bags import PackedBag, PackedTrainingSet

log = logging.getLogger(__name__)

MANY_FILES = 5_000
"""Feature files beyond which bags stay on disk. Linux lets a process map 65,530 files."""

MUCH_BYTES = 2**30
"""Size of all segments beyond which they do."""

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class LearnableVideo:
    """A video with features.

    Attributes:
        sha256: digest of its content.
        is_lost: whether no snippet could be decoded.
        bag: makes its bag of a label and a group.
    """

    sha256: str
    is_lost: bool
    bag: Callable[[int, str], Bag] = field(repr=False)


@dataclass(frozen=True)
class LearnableVideos:
    """Videos with features of one recipe, by name.

    Attributes:
        recipe: of their features.
        by_name: the videos.
        pack: that holds them; None where they are in memory.
    """

    recipe: Recipe
    by_name: dict[str, LearnableVideo] = field(repr=False)
    pack: BagPack | None = field(default=None, repr=False)


def learnable_videos(
    features: FeatureFolder | GivenFeatures,
    *,
    segments: int,
    backbone: str | None,
    recipe: Iterable[str],
    output: Path,
) -> LearnableVideos:
    """Return the videos of a folder of features, or those that were given.

    Args:
        features: the folder, or features in memory.
        segments: T.
        backbone: only the features of this one.
        recipe: only those whose recipe has these values.
        output: folder of the training, for a pack that cannot lie with the features.

    Raises:
        FeatureError: see :meth:`vadpipe.features.folder.FeatureFolder.load`.
        OutputError: if a pack cannot be written.
    """
    if isinstance(features, FeatureFolder):
        stamps = stamps_of(features)
        if _are_many(features, stamps, segments):
            return _packed(open_pack(features, stamps, segments, output), backbone, recipe)
    loaded = features.load(backbone, recipe)
    by_name = {
        item.source.video: LearnableVideo(item.source.sha256, bool(item.lost.all()), partial(bag_of, item))
        for item in loaded
    }
    return LearnableVideos(loaded[0].recipe, by_name)


def training_set(bags: Sequence[Bag], segments: int, device: torch.device) -> TrainingSet:
    """Return these bags as a training set, in memory or on disk, as they are."""
    packed = [bag for bag in bags if isinstance(bag, PackedBag)]
    return PackedTrainingSet(packed, device) if packed else TrainingSet(bags, segments, device)


def _are_many(folder: FeatureFolder, stamps: Sequence[Stamp], segments: int) -> bool:
    """Return whether bags should stay on disk: there are many, or their segments take much memory."""
    if len(stamps) > MANY_FILES:
        return True
    if sum(n_bytes for _, n_bytes, _ in stamps) <= MUCH_BYTES:
        return False
    first = read_header(folder.path / stamps[0][0]).recipe
    most = first.crops * segments * first.feature_dim * _FLOAT_BYTES
    return sum(min(n_bytes, most) for _, n_bytes, _ in stamps) > MUCH_BYTES


def _packed(pack: BagPack, backbone: str | None, recipe: Iterable[str]) -> LearnableVideos:
    videos = [*pack.videos()]
    for video in videos:
        if video.partial:
            log.warning("%s: the video is damaged, %s", video.path, video.partial)
    chosen = [videos[index] for index in one_recipe(videos, backbone, pack.features, recipe)]
    by_name = {
        item.video: LearnableVideo(item.sha256, item.is_lost, partial(PackedBag, pack, item.row, item.video))
        for item in chosen
    }
    return LearnableVideos(chosen[0].recipe, by_name, pack)
