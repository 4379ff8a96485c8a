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
from vadpipe.features.commands import how_to_make
from vadpipe.features.folder import FeatureFolder, file_of_each_video
from vadpipe.features.from_memory import GivenFeatures, folder_of
from vadpipe.features.recipe import Recipe
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.record import HeadRecord

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
    trained_on: list[str]


def collect(
    settings: Settings,
    head: TrainedHead,
    on_failure: OnFailure | None = None,
    *,
    tells_moved: bool = True,
) -> Collected:
    """Score every video that the truth names and that has features; one file is in memory at a time.

    Args:
        settings: of the evaluation.
        head: which scores them.
        on_failure: called at once for each feature file that cannot be used.
        tells_moved: whether a warning names videos that lie in another folder than the truth says.

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

    truths = {item.video: item for item in read_annotations(settings.truth, _on_disk(settings.features))}
    folder = folder_of(settings.features, head.record.recipe)
    found = _by_video(folder, head.record, settings.views, fail)
    files = found.files
    matched = match_videos(truths, found.contents)
    tell_copies(matched.found, found.contents)
    matched.tell(log, moved=tells_moved)
    trained_on = [name for name, video in matched.found.items() if found.seen[video]]
    left_out = set() if settings.include_training_videos else set(trained_on)
    judged: list[JudgedVideo] = []
    mismatches: list[Mismatch] = []
    for name, video in matched.found.items():
        if name in left_out:
            continue
        try:
            item, mismatch = judge(
                folder.at(files[video]), head, truths[name], settings.lengths, settings.views
            )
        except FeatureError as error:
            fail(files[video], error)
            continue
        log.info("%s: %d frames compared", name, item.truth.n_frames)
        judged.append(item)
        mismatches.extend([mismatch] if mismatch else [])
    if not judged:
        raise _none_evaluated(settings, len(truths), len(matched.missing), sorted(left_out))
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
        trained_on=trained_on,
    )


def _none_evaluated(settings: Settings, n_truths: int, n_missing: int, left_out: Sequence[str]) -> InputError:
    step, seen = None, ""
    if n_missing == n_truths:
        step = "Extract these videos, or pass the folder of their features as --features."
    if left_out:
        more = ", …" if len(left_out) > _NAMED else ""
        seen = f"; the head was trained on {len(left_out)} of them ({', '.join(left_out[:_NAMED])}{more})"
        step = "Evaluate on videos that the head has not seen, or pass --include-training-videos."
    return InputError(
        f"none of its {n_truths} videos could be evaluated{seen}", file=settings.truth, next_step=step
    )


@dataclass(frozen=True)
class _Found:
    """The feature file of each video that can be scored, the views of all of these, and the other files.

    Attributes:
        seen: for each of these videos, whether the head was trained on its content.
        contents: digest of the content of each video.
    """

    files: dict[str, Path]
    seen: dict[str, bool]
    contents: dict[str, str]
    views: tuple[str, ...]
    foreign: list[Path]


def _by_video(
    folder: FeatureFolder | GivenFeatures,
    record: HeadRecord,
    asked: tuple[str, ...] | None,
    fail: Callable[[Path, FeatureError], None],
) -> _Found:
    """Find the features that the head can score in a folder.

    They may hold only some of the head's views, but all the same: as many as any file has. If views are
    requested, they are those that hold all of these; of a video that has several, the one with these alone.
    """
    recipe = record.recipe
    fitting: dict[tuple[str, ...], list[tuple[str, Path]]] = {}
    seen: dict[Path, bool] = {}
    contents: dict[Path, str] = {}
    foreign: list[Path] = []
    differences: list[str] = []
    differing = recipe
    for path, header in folder.headers(fail):
        others = _differences(recipe, header.recipe, asked)
        if others:
            foreign.append(path)
            differing, differences = (differing, differences) if differences else (header.recipe, others)
            continue
        contents[path] = header.source.sha256
        fitting.setdefault(header.recipe.views, []).append((header.source.video, path))
        seen[path] = record.was_trained_on(header.source.sha256)
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
        wanted = recipe if asked is None else recipe.of_views(asked)
        step = how_to_make(wanted, differing) if differences else "Run 'vadpipe extract VIDEOS' first."
        raise _none_fits(folder, asked, differences[:_NAMED], step)
    if asked is not None:
        log.info("views: %s, of %s", ", ".join(asked), ", ".join(recipe.views))
    elif views != recipe.views:
        what = "%s: contains only some of the views that the head was trained on: %s, of %s"
        log.warning(what, printable(folder), ", ".join(views), ", ".join(recipe.views))
    tell(log, f"feature files of another recipe ({'; '.join(differences[:_NAMED])})", list(map(str, foreign)))
    return _Found(
        files,
        {video: seen[path] for video, path in files.items()},
        {video: contents[path] for video, path in files.items()},
        views,
        foreign,
    )


def _on_disk(features: Path | GivenFeatures) -> Path | None:
    return features if isinstance(features, Path) else None


def _differences(recipe: Recipe, other: Recipe, asked: tuple[str, ...] | None) -> list[str]:
    """Return why a head of a recipe cannot score the requested views of other features."""
    differences = recipe.differences(other, fewer_views=True)
    if asked is not None and not {*asked} <= {*other.views}:
        differences.append(_differing_views(asked, other.views))
    return differences


def _differing_views(wanted: Sequence[str], held: Sequence[str]) -> str:
    return f"view: {','.join(wanted)} / {','.join(held)}"


def _none_fits(
    folder: FeatureFolder | GivenFeatures, asked: tuple[str, ...] | None, differences: list[str], step: str
) -> FeatureError:
    what = "the head" if asked is None else "the head and --view"
    return FeatureError(
        f"contains no feature file that fits {what} ({'; '.join(differences)})"
        if differences
        else "contains no feature file",
        file=folder,
        next_step=f"{step} Another folder is passed as --features.",
    )
