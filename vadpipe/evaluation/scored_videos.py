"""Scored test videos, from a folder of features and a list of truths."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vadpipe.annotations.matching import match_videos, tell_copies
from vadpipe.annotations.truth_sheet import read_annotations
from vadpipe.errors import FeatureError, InputError, printable
from vadpipe.evaluation.frame_scores import Mismatch, judge
from vadpipe.evaluation.metrics import JudgedVideo
from vadpipe.evaluation.results import Settings
from vadpipe.extract.video.discovery import Failure
from vadpipe.extract.video.names import tell
from vadpipe.features.file import Recipe
from vadpipe.features.folder import FeatureFolder, file_of_each_video
from vadpipe.head.checkpoint import TrainedHead

log = logging.getLogger(__name__)

OnFailure = Callable[[Failure], None]

_NAMED = 3


@dataclass(frozen=True)
class Collected:
    """The test videos that can be evaluated, and the problems with the others.

    The fields are those of :class:`vadpipe.evaluation.results.Evaluation`.
    """

    judged: list[JudgedVideo]
    views: tuple[str, ...]
    failed: list[Failure]
    missing: list[str]
    ambiguous: dict[str, list[str]]
    mismatches: list[Mismatch]
    unused: list[str]
    foreign: list[Path]


def collect(settings: Settings, head: TrainedHead, on_failure: OnFailure | None = None) -> Collected:
    """Score every video that the truth names and that has features; one file is in memory at a time.

    Raises:
        UsageError: if the truth cannot be read.
        FeatureError: if no features fit the head, or a video occurs twice.
        InputError: if no video of the truth could be judged.
    """
    failed: list[Failure] = []

    def fail(file: Path, error: FeatureError) -> None:
        failed.append(Failure(file, error))
        if on_failure is not None:
            on_failure(failed[-1])

    truths = {item.video: item for item in read_annotations(settings.truth, settings.features)}
    found = _by_video(settings.features, head.record.recipe, settings.views, fail)
    files = found.files
    matched = match_videos(truths, found.contents)
    tell_copies(matched.found, found.contents)
    matched.tell(log)
    judged: list[JudgedVideo] = []
    mismatches: list[Mismatch] = []
    for name, video in matched.found.items():
        try:
            item, mismatch = judge(files[video], head, truths[name], settings.lengths, settings.views)
        except FeatureError as error:
            fail(files[video], error)
            continue
        log.info("%s: %d frames compared", name, item.truth.n_frames)
        judged.append(item)
        mismatches.extend([mismatch] if mismatch else [])
    if not judged:
        raise InputError(
            f"none of its {len(truths)} videos could be evaluated",
            file=settings.truth,
            next_step="Extract these videos, or pass the folder of their features as --features."
            if len(matched.missing) == len(truths)
            else None,
        )
    tell(log, "videos whose length differs from the truth", [mismatch.video for mismatch in mismatches])
    return Collected(
        judged=judged,
        views=found.views,
        failed=failed,
        missing=matched.missing,
        ambiguous=matched.ambiguous,
        mismatches=mismatches,
        unused=matched.superfluous,
        foreign=found.foreign,
    )


@dataclass(frozen=True)
class _Found:
    """The feature file of each video that can be scored, the views of all of these, and the other files.

    Attributes:
        contents: digest of the content of each video.
    """

    files: dict[str, Path]
    contents: dict[str, str]
    views: tuple[str, ...]
    foreign: list[Path]


def _by_video(
    folder: Path,
    recipe: Recipe,
    asked: tuple[str, ...] | None,
    fail: Callable[[Path, FeatureError], None],
) -> _Found:
    """Find the features that the head can score in a folder.

    They may hold only some of the head's views, but all the same: as many as any file has. If views are
    requested, they are those that hold all of these; of a video that has several, the one with these alone.
    """
    fitting: dict[tuple[str, ...], list[tuple[str, Path]]] = {}
    contents: dict[Path, str] = {}
    foreign: list[Path] = []
    differences: list[str] = []
    for path, header in FeatureFolder(folder).headers(fail):
        others = _differences(recipe, header.recipe, asked)
        if others:
            foreign.append(path)
            differences = differences or others
            continue
        contents[path] = header.source.sha256
        fitting.setdefault(header.recipe.views, []).append((header.source.video, path))
    views = asked or max(fitting, key=lambda held: (len(held), len(fitting[held])), default=recipe.views)
    chosen = fitting.pop(views, [])
    exact = {video for video, _ in chosen}
    for held, found in fitting.items():
        passed = [item for item in found if asked is None or item[0] in exact]
        chosen += [item for item in found if item not in passed]
        foreign += [path for _, path in passed]
        differences = differences or ([_differing_views(views, held)] if passed else [])
    files = file_of_each_video((video, path, contents[path]) for video, path in chosen)
    if not files:
        raise _none_fits(folder, asked, differences[:_NAMED])
    if asked is not None:
        log.info("views: %s, of %s", ", ".join(asked), ", ".join(recipe.views))
    elif views != recipe.views:
        what = "%s: contains only some of the views that the head was trained on: %s, of %s"
        log.warning(what, printable(folder), ", ".join(views), ", ".join(recipe.views))
    tell(log, f"feature files of another recipe ({'; '.join(differences[:_NAMED])})", list(map(str, foreign)))
    return _Found(files, {video: contents[path] for video, path in files.items()}, views, foreign)


def _differences(recipe: Recipe, other: Recipe, asked: tuple[str, ...] | None) -> list[str]:
    """Return why a head of a recipe cannot score the requested views of other features."""
    differences = recipe.differences(other, fewer_views=True)
    if asked is not None and not {*asked} <= {*other.views}:
        differences.append(_differing_views(asked, other.views))
    return differences


def _differing_views(wanted: Sequence[str], held: Sequence[str]) -> str:
    return f"view: {','.join(wanted)} / {','.join(held)}"


def _none_fits(folder: Path, asked: tuple[str, ...] | None, differences: list[str]) -> FeatureError:
    what = "the head" if asked is None else "the head and --view"
    return FeatureError(
        f"contains no feature file that fits {what} ({'; '.join(differences)})"
        if differences
        else "contains no feature file",
        file=folder,
        next_step="Run 'vadpipe extract VIDEOS' with the head's backbone, or pass another folder as "
        "--features.",
    )
