"""A folder of feature files."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from vadpipe.errors import FeatureError
from vadpipe.features.commands import GIVEN
from vadpipe.features.file import SUFFIX, FeatureHeader, Features, read_header
from vadpipe.features.recipe import Recipe
from vadpipe.features.recipe_choice import fits, parse_choice, summary, values

log = logging.getLogger(__name__)

PART = ".part-"
"""Stands before eight random characters and the suffix in the name of a file that is still being written."""

HEAD_NAMES = ("head.safetensors", "last.safetensors")
"""Files that ``fit`` writes; they may lie among feature files, but are not feature files."""

_SEPARATOR = os.sep

_IS_PART = re.compile(re.escape(PART) + r"[0-9a-z_]{8}" + re.escape(SUFFIX)).fullmatch


def may_hold_features(path: Path) -> bool:
    """Return whether a name may be a feature file's: with its suffix, not a head's, not a part of one."""
    return path.suffix == SUFFIX and path.name not in HEAD_NAMES and not _IS_PART(path.name)


@dataclass(frozen=True)
class FeatureFolder:
    """The feature files below a folder; heads and files that are still being written are passed over.

    Attributes:
        path: the folder; one that does not exist holds no files.
    """

    path: Path

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def files(self) -> Iterator[Path]:
        """Yield the files that may hold features, sorted by path."""
        # Not by rglob, whose matching and sorting of paths takes several times as long.
        found = [
            (*place.split(_SEPARATOR), name)
            for place, _, names in os.walk(self.path)
            for name in names
            if name.endswith(SUFFIX)
        ]
        for parts in sorted(found):
            path = Path(_SEPARATOR.join(parts))
            if may_hold_features(path) and path.is_file():
                yield path

    def headers(
        self, on_broken: Callable[[Path, FeatureError], None]
    ) -> Iterator[tuple[Path, FeatureHeader]]:
        """Yield each file with its header; ``on_broken`` is called with those that cannot be read."""
        for path in self.files():
            try:
                yield path, read_header(path)
            except FeatureError as error:
                on_broken(path, error)

    def load(self, backbone: str | None = None, recipe: Iterable[str] = ()) -> list[Features]:
        """Load every file, all of one recipe, with values that stay on disk until they are used.

        Args:
            backbone: only the features of this one.
            recipe: only those whose recipe has these values, such as ``stride=8``.

        Raises:
            FeatureError: if there are no files, one is broken, two recipes differ, or two different videos
                have one name. Of two files of one video the first is loaded, with a warning.
            UsageError: if ``recipe`` names something that a recipe does not have.
        """
        loaded = [(path, Features.load(path, mapped=True)) for path in self.files()]
        for path, features in loaded:
            if features.source.partial:
                log.warning("%s: the video is damaged, %s", path, features.source.partial)
        return of_one_recipe(loaded, backbone, self.path, recipe)

    def at(self, path: Path) -> Path:
        """Return where the features of a file are: the file."""
        return path


def of_one_recipe(
    loaded: Sequence[tuple[Path, Features]],
    backbone: str | None,
    folder: str | os.PathLike[str],
    recipe: Iterable[str] = (),
) -> list[Features]:
    """Return features, of one backbone where one is asked for, that were all made by one recipe.

    Args:
        loaded: with the file of each.
        backbone: only the features of this one.
        folder: what messages call all of them.
        recipe: only those whose recipe has these values, such as ``stride=8``.

    Raises:
        FeatureError: if there are none, two recipes differ, or two different videos have one name.
        UsageError: if ``recipe`` names something that a recipe does not have.
    """
    described = [
        _Loaded(path, features.source.video, features.source.sha256, features.recipe)
        for path, features in loaded
    ]
    return [loaded[index][1] for index in one_recipe(described, backbone, folder, recipe)]


class Described(Protocol):
    """What a choice between features depends on."""

    @property
    def path(self) -> Path:
        """Of the feature file, or the name of features in memory."""
        ...

    @property
    def video(self) -> str:
        """The name of the video."""
        ...

    @property
    def sha256(self) -> str:
        """The digest of its content."""
        ...

    @property
    def recipe(self) -> Recipe:
        """How the features were made."""
        ...


class _Loaded(NamedTuple):
    """Features in memory, described."""

    path: Path
    video: str
    sha256: str
    recipe: Recipe


def one_recipe(
    described: Sequence[Described],
    backbone: str | None,
    folder: str | os.PathLike[str],
    recipe: Iterable[str] = (),
) -> list[int]:
    """Return which of the features :func:`of_one_recipe` returns, by their places."""
    kept = [index for index, item in enumerate(described) if backbone in (None, item.recipe.backbone)]
    if not kept:
        kind = "feature file" if backbone is None else f"feature file of {backbone}"
        step = "Run 'vadpipe extract VIDEOS' first."
        raise FeatureError(f"contains no {kind}", file=folder, next_step=step)
    chosen = _chosen([(index, described[index].recipe) for index in kept], folder, [*recipe])
    if len({described[index].video for index in chosen}) == len(chosen):
        return chosen
    files = file_of_each_video(
        (described[index].video, described[index].path, described[index].sha256) for index in chosen
    )
    return [index for index in chosen if files[described[index].video] == described[index].path]


def _chosen(
    found: Sequence[tuple[int, Recipe]], folder: str | os.PathLike[str], recipe: list[str]
) -> list[int]:
    """Return what was asked for. Raises FeatureError if that is nothing, or of several recipes."""
    choice = parse_choice(recipe)
    chosen = [item for item in found if fits(item[1], choice)]
    several = summary([own for _, own in chosen or found])
    if chosen and several is None:
        return [index for index, _ in chosen]
    if several is None:
        there = values(found[0][1], choice)
        raise FeatureError(
            f"contains no features with {', '.join(recipe)}; all have {there}",
            file=folder,
            next_step="Leave out --recipe.",
        )
    kinds, options = several
    if not chosen:
        raise FeatureError(
            f"contains no features with {', '.join(recipe)}; there are {kinds}",
            file=folder,
            next_step=f"Select some with {options}.",
        )
    step = f"Select one, for example with {options}, or keep them in separate folders."
    if all(own.backbone == GIVEN for _, own in chosen):
        step = "Pass arrays of one kind: (S, D) or (C, S, D), with the same C and D for all videos."
    raise FeatureError(f"contains features of several recipes: {kinds}", file=folder, next_step=step)


def file_of_each_video(found: Iterable[tuple[str, Path, str]]) -> dict[str, Path]:
    """Return the feature file of each video; of two files of one content the first, with a warning.

    Args:
        found: the name of each video, its feature file, and the digest of the video's content.

    Raises:
        FeatureError: if a name has two files of different contents.
    """
    files: dict[str, tuple[Path, str]] = {}
    for video, path, content in found:
        first, its_content = files.setdefault(video, (path, content))
        if content != its_content:
            raise FeatureError(
                f"is about another video than {first}, and both are called {video}",
                file=path,
                next_step="Extract them from a folder above both, so that their names differ, or delete one.",
            )
        if first != path:
            log.warning("%s: not used, because %s holds features of the same video", path, first)
    return {video: path for video, (path, _) in files.items()}
