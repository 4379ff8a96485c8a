"""Fit a head: a folder of feature files and video-level labels in, a head file out."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from vadpipe.atomic import check_writable, write_text
from vadpipe.device import choose_device
from vadpipe.errors import FeatureError, UsageError
from vadpipe.extract.store import feature_files
from vadpipe.features import Features
from vadpipe.head.bags import Bag
from vadpipe.head.checkpoint import FILE_NAME, HeadRecord, TrainedHead
from vadpipe.head.settings import HeadSettings
from vadpipe.head.train import Check, Trained, train
from vadpipe.labels import Label, csv_labels, folder_labels
from vadpipe.threshold import calibrate

log = logging.getLogger(__name__)

MIN_GROUPS_TO_HOLD_OUT = 8
"""Where a label has fewer groups than this, none is held out: one or two would judge by luck."""


@dataclass(frozen=True)
class Fit:
    """What :func:`fit` made.

    Attributes:
        head: the head file.
        labels: the label of each video that was used, and where it came from.
        unused: feature files whose video the CSV does not name.
        held_out: videos that only picked the checkpoint and the threshold.
        selected: the check that was picked; its ``auc`` is None where nothing was held out.
        history: every check of the training.
        threshold: score above which a frame is called abnormal.
    """

    head: Path
    labels: dict[str, Label] = field(repr=False)
    unused: list[str]
    held_out: list[str]
    selected: Check
    history: list[Check] = field(repr=False)
    threshold: float


def fit(
    features: str | os.PathLike[str] = "features",
    *,
    labels: str | os.PathLike[str] | None = None,
    normal: Iterable[str] = (),
    output: str | os.PathLike[str] = "head",
    backbone: str | None = None,
    settings: HeadSettings | None = None,
    seed: int = 0,
    device: str = "auto",
    on_check: Callable[[Check], None] | None = None,
) -> Fit:
    """Train a CBCG head on feature files and write ``head.safetensors``, settings and metrics.

    Args:
        features: folder that ``extract`` wrote.
        labels: CSV ``video,label[,group]``; without it, labels come from the videos' folders.
        normal: names of folders that are normal, see :mod:`vadpipe.labels`.
        output: folder for the head.
        backbone: use only the features of this backbone.
        settings: switches and numbers of the method.
        seed: of the split, the initial weights and the order of the bags.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        on_check: called every ``settings.check_every`` steps.

    Raises:
        FeatureError: where there are no features, or they were not made by one recipe.
        UsageError: where labels are missing or unclear, or one of the two is not there.
        OutputError: where ``output`` cannot be written.
    """
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed {seed} is out of range", next_step="Use a whole number from 0 to 2**63 - 1.")
    chosen_device = choose_device(device)
    settings, target = settings or HeadSettings(), Path(output)
    by_video = {item.source.video: item for item in load_features(Path(features), backbone)}
    videos = list(by_video)
    known = folder_labels(videos, normal) if labels is None else csv_labels(Path(labels), videos)
    known = _join_copies(known, by_video)
    bags = [_bag(by_video[video], label) for video, label in known.items()]
    _check_both_labels(bags, known)
    check_writable(target)

    held_out = hold_out(bags, settings.holdout, seed)
    trained, threshold = _learn(bags, held_out, settings, seed, chosen_device, on_check)
    result = Fit(
        head=target / FILE_NAME,
        labels=known,
        unused=sorted(by_video.keys() - known.keys()),
        held_out=sorted(bag.name for bag in held_out),
        selected=trained.selected,
        history=trained.history,
        threshold=threshold,
    )
    recipe = by_video[videos[0]].recipe
    record = HeadRecord(
        settings=settings, recipe=recipe, threshold=threshold, seed=seed, step=trained.selected.step
    )
    TrainedHead(trained.head, record).save(result.head)
    write_text(target / "settings.json", settings.model_dump_json(indent=2) + "\n")
    write_text(target / "metrics.json", json.dumps(_metrics(result, seed), indent=2) + "\n")
    return result


def _learn(
    bags: Sequence[Bag],
    held_out: Sequence[Bag],
    settings: HeadSettings,
    seed: int,
    device: torch.device,
    on_check: Callable[[Check], None] | None,
) -> tuple[Trained, float]:
    """Return the trained head and its threshold: pick a step, judge what is normal, train on all."""
    held_names = {bag.name for bag in held_out}
    rest = [bag for bag in bags if bag.name not in held_names]
    picked = train(rest, held_out, settings, seed=seed, device=device, on_check=on_check)
    threshold = calibrate(picked, bags, held_out, seed=seed, device=device)
    if not (held_out and settings.refit):
        return picked, threshold
    again = train(bags, [], settings, seed=seed, until=picked.selected.step, device=device)
    return replace(picked, head=again.head), threshold


def load_features(folder: Path, backbone: str | None = None) -> list[Features]:
    """Load every feature file below a folder, all of one recipe.

    Raises:
        FeatureError: where there is none, one is broken, two recipes differ, or one video is there
            twice.
    """
    paths = [path for path in feature_files(folder) if path.name != FILE_NAME]
    loaded = [(path, Features.load(path)) for path in paths]
    for path, item in loaded:
        if item.source.partial:
            log.warning("%s: of a damaged video, %s", path, item.source.partial)
    if backbone is not None:
        loaded = [(path, item) for path, item in loaded if item.recipe.backbone == backbone]
    if not loaded:
        kind = "feature file" if backbone is None else f"feature file of {backbone}"
        raise FeatureError(f"holds no {kind}", file=folder, next_step="Run 'vadpipe extract VIDEOS' first.")
    first_path, first = loaded[0]
    for path, item in loaded[1:]:
        differences = first.recipe.differences(item.recipe)
        if differences:
            raise FeatureError(
                f"was made by another recipe than {first_path} ({'; '.join(differences[:3])})",
                file=path,
                next_step="Keep features of different backbones in different folders, or choose one "
                "with --backbone.",
            )
    seen: dict[str, Path] = {}
    for path, item in loaded:
        other = seen.setdefault(item.source.video, path)
        if other != path:
            raise FeatureError(
                f"is about the same video as {other}: {item.source.video}",
                file=path,
                next_step="Delete one of them.",
            )
    return [item for _, item in loaded]


def hold_out(bags: Sequence[Bag], share: float, seed: int) -> list[Bag]:
    """Choose the bags that only pick the checkpoint: that share of the groups of each label.

    Groups stay whole; one with an abnormal video counts as abnormal. Where a label has fewer than
    :data:`MIN_GROUPS_TO_HOLD_OUT` groups nothing is held out, since both labels are needed to judge.
    """
    abnormal = {bag.group for bag in bags if bag.label}
    by_label = [sorted({bag.group for bag in bags} - abnormal), sorted(abnormal)]
    if share == 0 or any(len(groups) < MIN_GROUPS_TO_HOLD_OUT for groups in by_label):
        return []
    rng = np.random.default_rng(seed)
    chosen: set[str] = set()
    for groups in by_label:
        count = min(max(1, round(share * len(groups))), len(groups) - 1)  # something is left to learn from
        chosen |= {groups[index] for index in rng.permutation(len(groups))[:count]}
    return [bag for bag in bags if bag.group in chosen]


def _join_copies(labels: dict[str, Label], features: dict[str, Features]) -> dict[str, Label]:
    """Put videos of the same content into one group, and say so: a copy must not judge its original."""
    first: dict[str, str] = {}
    joined: dict[str, Label] = {}
    for video, label in labels.items():
        original = first.setdefault(features[video].source.sha256, video)
        joined[video] = replace(label, group=joined.get(original, label).group)
        if original != video:
            kinds = ["abnormal" if labels[name].abnormal else "normal" for name in (original, video)]
            log.warning("%s (%s) and %s (%s) are the same video", original, kinds[0], video, kinds[1])
    return joined


def _bag(features: Features, label: Label) -> Bag:
    values = np.ascontiguousarray(features.values[~features.lost].transpose(1, 0, 2))
    return Bag(features.source.video, values, int(label.abnormal), label.group)


def _check_both_labels(bags: Sequence[Bag], labels: dict[str, Label]) -> None:
    counts = [sum(bag.label == label for bag in bags) for label in (0, 1)]
    if 0 in counts:
        sources = ", ".join(sorted({label.reason for label in labels.values()})[:6])
        raise UsageError(
            f"training needs normal and abnormal videos, but there are {counts[0]} normal and "
            f"{counts[1]} abnormal ones (by {sources})",
            next_step="Extract videos of the other kind too, or correct the labels (--labels, --normal).",
        )


def _metrics(result: Fit, seed: int) -> dict[str, object]:
    return {
        "seed": seed,
        "selected": asdict(result.selected),
        "threshold": result.threshold,
        "videos": {video: int(label.abnormal) for video, label in sorted(result.labels.items())},
        "held_out": result.held_out,
        "unused": result.unused,
        "history": [asdict(check) for check in result.history],
    }
