"""Fit a head: a folder of feature files and video-level labels in, a head file out."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from vadpipe.annotations.labels import Label, folder_labels, joined_groups, read_labels
from vadpipe.errors import UsageError
from vadpipe.extract.engines.device import choose_device
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder
from vadpipe.files.atomic import check_writable, write_text
from vadpipe.head.bags import Bag
from vadpipe.head.checkpoint import FILE_NAME, LAST_NAME, Calibration, HeadRecord, TrainedHead
from vadpipe.head.settings import HeadSettings
from vadpipe.training.cross_validation import StepMetrics, TrainingResult, train_with_cross_validation

log = logging.getLogger(__name__)

STATE_NAME = "training.state"


@dataclass(frozen=True)
class Fit:
    """Result of :func:`fit`.

    Attributes:
        head: the head file.
        last: the same training at its last step.
        labels: the label of each video that was used, and where it came from.
        unused: feature files whose video is not in the CSV, or without a decoded snippet.
        step: after which ``head`` was taken.
        threshold: what is called abnormal, and how that was found.
        history: every check of the training; the ``auc`` is None if there were too few videos to judge.
    """

    head: Path
    last: Path
    labels: dict[str, Label] = field(repr=False)
    unused: list[str]
    step: int
    threshold: Calibration
    history: list[StepMetrics] = field(repr=False)

    @property
    def auc(self) -> float | None:
        """Video-level ROC-AUC at the picked step, each video scored by a head that had not seen it."""
        return next(check.auc for check in self.history if check.step == self.step)


def fit(
    features: str | os.PathLike[str] = "features",
    *,
    labels: str | os.PathLike[str] | None = None,
    normal: Iterable[str] = (),
    output: str | os.PathLike[str] = "head",
    backbone: str | None = None,
    recipe: Iterable[str] = (),
    settings: HeadSettings | None = None,
    seed: int = 0,
    device: str = "auto",
    on_check: Callable[[StepMetrics], None] | None = None,
) -> Fit:
    """Train a head on feature files and write ``head.safetensors``, settings and metrics.

    For the choice of the step and the threshold see
    :func:`vadpipe.training.cross_validation.train_with_cross_validation`. An interrupted call resumes when
    repeated with the same arguments.

    Args:
        features: folder that ``extract`` wrote.
        labels: CSV or Excel sheet ``video,label[,group]``; without it, labels come from the videos' folders.
        normal: names of folders that are normal, see :mod:`vadpipe.annotations.labels`.
        output: folder for the head.
        backbone: use only the features of this backbone.
        recipe: use only features whose recipe has these values, such as ``stride=8``.
        settings: the method, its switches and numbers; CBCG's defaults without them, and
            :func:`vadpipe.head.methods.settings_of` has those of published methods.
        seed: of the folds, the initial weights and the order of the bags.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        on_check: called at each of the ``settings.checks`` looks at the training.

    Raises:
        FeatureError: if there are no features, or they were not made by one recipe.
        UsageError: if labels are missing or unclear, or only one of the two occurs.
        OutputError: if ``output`` cannot be written.
    """
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed {seed} is out of range", next_step="Use a whole number from 0 to 2**63 - 1.")
    chosen_device = choose_device(device)
    settings, target = settings or HeadSettings(), Path(output)
    by_video = {item.source.video: item for item in FeatureFolder(Path(features)).load(backbone, recipe)}
    videos = list(by_video)
    contents = {video: item.source.sha256 for video, item in by_video.items()}
    known = folder_labels(videos, normal) if labels is None else read_labels(Path(labels), contents)
    known = _join_copies(_leave_out_lost(known, by_video), by_video)
    bags = [bag_of(by_video[video], int(label.abnormal), label.group) for video, label in known.items()]
    _check_both_labels(bags, known)
    check_writable(target)

    learned = train_with_cross_validation(
        bags,
        settings,
        seed=seed,
        device=chosen_device,
        on_check=on_check,
        state=target / STATE_NAME,
    )
    result = Fit(
        head=target / FILE_NAME,
        last=target / LAST_NAME,
        labels=known,
        unused=sorted(by_video.keys() - known.keys()),
        step=learned.step,
        threshold=learned.threshold,
        history=learned.history,
    )
    made_by = by_video[videos[0]].recipe
    for path, network, step, threshold in (
        (result.last, learned.last, settings.steps, learned.last_threshold),
        (result.head, learned.selected, learned.step, learned.threshold),
    ):
        record = HeadRecord(settings=settings, recipe=made_by, calibration=threshold, seed=seed, step=step)
        TrainedHead(network, record).save(path)
    write_text(target / "settings.json", settings.model_dump_json(indent=2) + "\n")
    write_text(target / "metrics.json", json.dumps(_metrics(result, learned, seed), indent=2) + "\n")
    (target / STATE_NAME).unlink(missing_ok=True)
    return result


def _leave_out_lost(labels: dict[str, Label], features: dict[str, Features]) -> dict[str, Label]:
    """Drop videos without a decoded snippet, with a warning."""
    lost = {video for video in labels if features[video].lost.all()}
    for video in sorted(lost):
        log.warning("%s: not used, because none of its snippets could be decoded", video)
    return {video: label for video, label in labels.items() if video not in lost}


def _join_copies(labels: dict[str, Label], features: dict[str, Features]) -> dict[str, Label]:
    """Merge the groups of copies, with a warning: a copy must not validate its original."""
    groups = {video: label.group for video, label in labels.items()}
    joined, copies = joined_groups(groups, {video: features[video].source.sha256 for video in labels})
    for original, video in copies:
        kinds = ["abnormal" if labels[name].abnormal else "normal" for name in (original, video)]
        advice = (
            "they stay in one fold" if kinds[0] == kinds[1] else "correct one label, or remove one of them"
        )
        text = "%s (%s) and %s (%s) are the same video: %s"
        log.warning(text, original, kinds[0], video, kinds[1], advice)
    return {video: replace(label, group=joined[video]) for video, label in labels.items()}


def bag_of(features: Features, label: int, group: str) -> Bag:
    """Return a video's features as a bag; snippets that could not be decoded are left out."""
    values, spans = features.values.transpose(1, 0, 2), features.spans
    # The frames between two edges are held by the same snippets.
    edges = np.unique([0, *spans.ravel(), features.n_frames])
    times_s, spans = features.frame_times_s[edges[:-1]], np.searchsorted(edges, spans)
    if features.lost.any():
        values, spans = values[:, ~features.lost], spans[~features.lost]
    return Bag(features.source.video, values, label, group, times_s, features.end_s, spans)


def _check_both_labels(bags: Sequence[Bag], labels: dict[str, Label]) -> None:
    counts = [sum(bag.label == label for bag in bags) for label in (0, 1)]
    if 0 in counts:
        sources = ", ".join(sorted({label.reason for label in labels.values()})[:6])
        raise UsageError(
            f"training needs normal and abnormal videos, but there are {counts[0]} normal and {counts[1]} "
            f"abnormal ones (by {sources})",
            next_step="Extract videos of both kinds, or correct the labels (--labels, --normal).",
        )


def _metrics(result: Fit, learned: TrainingResult, seed: int) -> dict[str, object]:
    return {
        "seed": seed,
        "step": result.step,
        "calibration": result.threshold.model_dump(),
        "last_calibration": learned.last_threshold.model_dump(),
        "videos": {video: int(label.abnormal) for video, label in sorted(result.labels.items())},
        "unused": result.unused,
        "history": [asdict(check) for check in result.history],
    }
