"""From a folder of features and a list of truths to the test videos that can be judged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import FeatureError, InputError, printable
from vadpipe.evaluation.comparing import Mismatch, judge
from vadpipe.evaluation.metrics import Judged
from vadpipe.evaluation.results import Settings
from vadpipe.extract.store import feature_files
from vadpipe.extract.videos import Failure
from vadpipe.features import Recipe, read_header
from vadpipe.head.checkpoint import FILE_NAME, LAST_NAME, TrainedHead
from vadpipe.names import match, tell
from vadpipe.truth import read_truth

log = logging.getLogger(__name__)

OnFailure = Callable[[Failure], None]

_NAMED = 3


@dataclass(frozen=True)
class Collected:
    """The test videos that can be judged, and what became of the others.

    The fields are those of :class:`vadpipe.evaluation.results.Evaluation`.
    """

    judged: list[Judged]
    failed: list[Failure]
    missing: list[str]
    ambiguous: dict[str, list[str]]
    mismatches: list[Mismatch]
    unused: list[str]
    foreign: list[Path]


def collect(settings: Settings, head: TrainedHead, on_failure: OnFailure | None = None) -> Collected:
    """Score every video that the truth names and that has features; one file is in memory at a time.

    Raises:
        UsageError: where the truth cannot be read.
        FeatureError: where no features fit the head, or a video is there twice.
        InputError: where no video of the truth could be judged.
    """
    failed: list[Failure] = []

    def fail(file: Path, error: FeatureError) -> None:
        failed.append(Failure(file, error))
        if on_failure is not None:
            on_failure(failed[-1])

    truths = {item.video: item for item in read_truth(settings.truth)}
    files, foreign = _by_video(settings.features, head.record.recipe, fail)
    matched = match(truths, files)
    matched.tell(log)
    judged: list[Judged] = []
    mismatches: list[Mismatch] = []
    for name, video in matched.found.items():
        try:
            item, mismatch = judge(files[video], head, truths[name], settings.lengths)
        except FeatureError as error:
            fail(files[video], error)
            continue
        log.info("%s: %d frames compared", name, item.truth.n_frames)
        judged.append(item)
        mismatches.extend([mismatch] if mismatch else [])
    if not judged:
        raise InputError(
            f"names no video that could be evaluated, of {len(truths)}",
            file=settings.truth,
            next_step="Extract these videos, or name the folder of their features with --features."
            if len(matched.missing) == len(truths)
            else None,
        )
    tell(log, "videos of another length than the truth says", [mismatch.video for mismatch in mismatches])
    return Collected(
        judged, failed, matched.missing, matched.ambiguous, mismatches, matched.superfluous, foreign
    )


def _by_video(
    folder: Path, recipe: Recipe, fail: Callable[[Path, FeatureError], None]
) -> tuple[dict[str, Path], list[Path]]:
    """Return the feature file of each video that the head can score, and the files of other recipes.

    They may hold only some of the head's views, but all the same: as many as any file has.
    """
    fitting: dict[tuple[str, ...], list[tuple[str, Path]]] = {}
    foreign: list[Path] = []
    differences: list[str] = []
    for path in feature_files(folder):
        if path.name in (FILE_NAME, LAST_NAME):
            continue
        try:
            header = read_header(path)
        except FeatureError as error:
            fail(path, error)
            continue
        others = recipe.differences(header.recipe, fewer_views=True)
        if others:
            foreign.append(path)
            differences = differences or others
            continue
        fitting.setdefault(header.recipe.views, []).append((header.source.video, path))
    views = max(fitting, key=lambda views: (len(views), len(fitting[views])), default=recipe.views)
    files = _one_a_video(fitting.pop(views, []))
    for other, passed in fitting.items():
        foreign += [path for _, path in passed]
        differences = differences or [f"view: {','.join(views)} / {','.join(other)}"]
    if not files:
        kind = f" that fits the head ({'; '.join(differences[:_NAMED])})" if foreign else ""
        raise FeatureError(
            f"holds no feature file{kind}",
            file=folder,
            next_step="Run 'vadpipe extract VIDEOS' with the head's backbone, or name another folder with "
            "--features.",
        )
    if views != recipe.views:
        what = "%s: holds only some of the views that the head was trained on: %s, of %s"
        log.warning(what, printable(folder), ", ".join(views), ", ".join(recipe.views))
    tell(log, f"feature files of another recipe ({'; '.join(differences[:_NAMED])})", list(map(str, foreign)))
    return files, foreign


def _one_a_video(found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Return the feature file of each video. Raises FeatureError where one has two."""
    files: dict[str, Path] = {}
    for video, path in found:
        first = files.setdefault(video, path)
        if first != path:
            raise FeatureError(
                f"is about the same video as {first}: {video}", file=path, next_step="Delete one of them."
            )
    return files
