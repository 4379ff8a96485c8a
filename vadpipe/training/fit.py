"""Fit a head: a folder of feature files and video-level labels in, a head file out."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vadpipe.annotations.label_dictionary import dictionary_labels
from vadpipe.annotations.labels import Label, folder_labels, joined_groups, read_labels
from vadpipe.errors import UsageError
from vadpipe.extract.engines.device import choose_device
from vadpipe.features.from_memory import Given, folder_of, given_features
from vadpipe.files.arguments import PATH, SWITCH, TEXT, WHOLE, check_arguments, names_of
from vadpipe.files.atomic import check_writable
from vadpipe.files.tables_from_memory import GivenTable, Table, given_labels
from vadpipe.head.bags import Bag
from vadpipe.head.methods import given_settings
from vadpipe.head.record import MOST_MEMBERS
from vadpipe.head.settings import HeadSettings
from vadpipe.remote.copies import local_features
from vadpipe.runs.journal import journal
from vadpipe.runs.recording import recorded
from vadpipe.training.automatic_context import with_context_chosen
from vadpipe.training.bags_of_features import bag_of as bag_of
from vadpipe.training.fine_tuning import BaseHead
from vadpipe.training.history import FitProgress, StepMetrics
from vadpipe.training.job import FitJob
from vadpipe.training.learnable_videos import LearnableVideo, learnable_videos, training_set
from vadpipe.training.result import Fit
from vadpipe.training.tensorboard import TensorBoardLog

log = logging.getLogger(__name__)


@recorded("fit")
def fit(
    features: Given = "features",
    *,
    labels: Table | Mapping[str, object] | None = None,
    normal: str | Iterable[str] = (),
    output: str | os.PathLike[str] = "head",
    backbone: str | None = None,
    recipe: Iterable[str] = (),
    settings: HeadSettings | Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "auto",
    seeds: int = 1,
    ensemble: bool = False,
    from_head: str | os.PathLike[str] | None = None,
    force: bool = False,
    tensorboard: str | os.PathLike[str] | None = None,
    on_check: Callable[[StepMetrics], None] | None = None,
    on_progress: Callable[[FitProgress], None] | None = None,
) -> Fit:
    """Train a head on feature files and write it, its settings, its metrics and its history.

    For the choice of the step and the threshold see
    :func:`vadpipe.training.cross_validation.train_with_cross_validation`. An interrupted call resumes when
    repeated with the same arguments, and a finished one is not run again.

    Args:
        features: folder that ``extract`` wrote, or its address; or a dictionary of the features of each video
            by its name: arrays, (S, D) or (C, S, D), see :mod:`vadpipe.features.from_memory`, or
            :class:`vadpipe.Features`.
        labels: CSV or Excel sheet ``video,label[,group]``, a data frame of pandas with these columns, or a
            dictionary of each video's label; without them, labels come from the videos' folders.
        normal: names of folders that are normal, see :mod:`vadpipe.annotations.labels`.
        output: folder for the head.
        backbone: use only the features of this backbone.
        recipe: use only features whose recipe has these values, such as ``stride=8``.
        settings: the method, its switches and numbers; or some of them by name, such as
            ``{"method": "rtfm", "steps": 400}``, the others being those that the method was published with.
            Without them those of ``from_head``, or CBCG's defaults.
        seed: of the folds, the initial weights and the order of the bags.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        seeds: how many heads are trained, with the seeds from ``seed`` on; the first one is written to
            ``output``, and each other one to a folder of its own in it.
        ensemble: write one head that averages all seeds, instead of one for each.
        from_head: head that the training begins with, a file, a folder, or ``"included"``; without one it
            starts from scratch. The heads of the folds begin with it too.
        force: whether results of another training in ``output`` are overwritten.
        tensorboard: folder for event files of TensorBoard.
        on_check: called at each of the ``settings.checks`` looks at the training of a seed.
        on_progress: called at the beginning of each stage of a seed's training and at each of its checks.

    Raises:
        FeatureError: if there are no features, they were not made by one recipe, an array does not have the
            shape, or ``from_head`` cannot be read or expects other features.
        UsageError: if labels are missing or unclear, only one of the two occurs, an argument is invalid,
            ``output`` holds the results of another training, or ``from_head`` is of another method or form.
        OutputError: if ``output`` cannot be written.
    """
    check_arguments(
        output=(output, PATH),
        backbone=(backbone, TEXT.or_none),
        seed=(seed, WHOLE),
        device=(device, TEXT),
        seeds=(seeds, WHOLE),
        ensemble=(ensemble, SWITCH),
        from_head=(from_head, PATH.or_none),
        force=(force, SWITCH),
        tensorboard=(tensorboard, PATH.or_none),
    )
    _check_seeds(seed, seeds, ensemble)
    features = local_features(features)
    normal_folders, wanted = names_of(normal, "normal"), names_of(recipe, "recipe")
    chosen_device = choose_device(device)
    base = None if from_head is None else BaseHead.load(from_head)
    settings = given_settings(settings, None if base is None else base.record.settings)
    target, given = Path(output), given_labels(labels)
    videos = learnable_videos(
        folder_of(given_features(features)),
        segments=settings.segments,
        backbone=backbone,
        recipe=wanted,
        output=target,
    )
    by_video, made_by = videos.by_name, videos.recipe
    known = _labels_of(by_video, given, normal_folders)
    bags = [by_video[video].bag(int(label.abnormal), label.group) for video, label in known.items()]
    _check_both_labels(bags, known)
    check_writable(target)
    data = training_set(bags, settings.segments, chosen_device)
    if base is not None and settings.context == "auto":
        settings = settings.model_copy(update={"context": base.record.settings.context})
    settings = with_context_chosen(settings, data.n_snippets)
    journal().resolve(settings=settings)
    journal().made_by(made_by)
    journal().reads("features", features, known=None if videos.pack is None else videos.pack.files_digest())
    journal().reads("labels", labels)
    journal().reads("from_head", None if base is None else base.file)
    contents = {video: by_video[video].sha256 for video in known}
    if base is not None:
        base.check(settings, made_by)
        base.warn_of_known(contents)
    job = FitJob(
        data=data,
        settings=settings,
        seeds=range(seed, seed + seeds),
        ensemble=ensemble,
        base=base,
        recipe=made_by,
        contents=contents,
    )
    log_to = None if tensorboard is None else TensorBoardLog(Path(tensorboard))
    report = _reporter(on_progress, log_to, on_check)
    try:
        unused = sorted(by_video.keys() - known.keys())
        result = job.run(target, known, unused=unused, force=force, report=report)
        if log_to is not None and not result.trained:
            log_to.write(result.runs)
    finally:
        if log_to is not None:
            log_to.close()
    return result


def _reporter(
    on_progress: Callable[[FitProgress], None] | None,
    log_to: TensorBoardLog | None,
    on_check: Callable[[StepMetrics], None] | None,
) -> Callable[[FitProgress], None]:
    """Return what tells all who want to know of a progress."""

    def report(progress: FitProgress) -> None:
        for tell in (on_progress, log_to):
            if tell is not None:
                tell(progress)
        if on_check is not None and progress.training.check is not None:
            on_check(progress.training.check)

    return report


def _check_seeds(seed: int, seeds: int, ensemble: bool) -> None:
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed {seed} is out of range", next_step="Use a whole number from 0 to 2**63 - 1.")
    if seeds < 1 or seed + seeds > 2**63:
        raise UsageError(f"seeds {seeds} is out of range", next_step="Use a whole number from 1 on.")
    if ensemble and seeds == 1:
        raise UsageError("an ensemble needs several heads", next_step="Train some: --seeds 5 --ensemble.")
    if ensemble and seeds > MOST_MEMBERS:
        raise UsageError(
            f"an ensemble of {seeds} heads is too large", next_step=f"Use at most {MOST_MEMBERS}."
        )


def _labels_of(
    features: dict[str, LearnableVideo],
    given: Path | GivenTable | Mapping[str, str] | None,
    normal: Sequence[str],
) -> dict[str, Label]:
    """Return the labels of the videos that are learned from: given ones, or those of their folders."""
    digests = {video: item.sha256 for video, item in features.items()}
    if given is None:
        known = folder_labels([*features], normal)
    elif isinstance(given, Mapping):
        known = dictionary_labels(given, digests)
    else:
        known = read_labels(given, digests)
    return _join_copies(_leave_out_lost(known, features), features)


def _leave_out_lost(labels: dict[str, Label], features: dict[str, LearnableVideo]) -> dict[str, Label]:
    """Drop videos without a decoded snippet, with a warning."""
    lost = {video for video in labels if features[video].is_lost}
    for video in sorted(lost):
        log.warning("%s: not used, because none of its snippets could be decoded", video)
    return {video: label for video, label in labels.items() if video not in lost}


def _join_copies(labels: dict[str, Label], features: dict[str, LearnableVideo]) -> dict[str, Label]:
    """Merge the groups of copies, with a warning: a copy must not validate its original."""
    groups = {video: label.group for video, label in labels.items()}
    joined, copies = joined_groups(groups, {video: features[video].sha256 for video in labels})
    for original, video in copies:
        kinds = ["abnormal" if labels[name].abnormal else "normal" for name in (original, video)]
        advice = (
            "they stay in one fold" if kinds[0] == kinds[1] else "correct one label, or remove one of them"
        )
        text = "%s (%s) and %s (%s) are the same video: %s"
        log.warning(text, original, kinds[0], video, kinds[1], advice)
    return {video: replace(label, group=joined[video]) for video, label in labels.items()}


def _check_both_labels(bags: Sequence[Bag], labels: dict[str, Label]) -> None:
    counts = [sum(bag.label == label for bag in bags) for label in (0, 1)]
    if 0 in counts:
        sources = ", ".join(sorted({label.reason for label in labels.values()})[:6])
        raise UsageError(
            f"training needs normal and abnormal videos, but there are {counts[0]} normal and {counts[1]} "
            f"abnormal ones (by {sources})",
            next_step="Extract videos of both kinds, or correct the labels (--labels, --normal).",
        )
