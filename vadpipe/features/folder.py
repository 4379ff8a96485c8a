"""A folder of feature files."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import FeatureError
from vadpipe.features.commands import GIVEN
from vadpipe.features.file import SUFFIX, FeatureHeader, Features, read_header

log = logging.getLogger(__name__)

PART = ".part-"
"""Stands before eight random characters and the suffix in the name of a file that is still being written."""

HEAD_NAMES = ("head.safetensors", "last.safetensors")
"""Files that ``fit`` writes; they may lie among feature files, but are not feature files."""

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
        for path in sorted(self.path.rglob(f"*{SUFFIX}")) if self.path.is_dir() else []:
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

    def load(self, backbone: str | None = None) -> list[Features]:
        """Load every file, all of one recipe, with values that stay on disk until they are used.

        Args:
            backbone: only the features of this one.

        Raises:
            FeatureError: if there are no files, one is broken, two recipes differ, or a video has two files.
        """
        loaded = [(path, Features.load(path, mapped=True)) for path in self.files()]
        for path, features in loaded:
            if features.source.partial:
                log.warning("%s: the video is damaged, %s", path, features.source.partial)
        return of_one_recipe(loaded, backbone, self.path)

    def at(self, path: Path) -> Path:
        """Return where the features of a file are: the file."""
        return path


def of_one_recipe(
    loaded: Sequence[tuple[Path, Features]], backbone: str | None, folder: str | os.PathLike[str]
) -> list[Features]:
    """Return features, of one backbone where one is asked for, that were all made by one recipe.

    Args:
        loaded: with the file of each.
        backbone: only the features of this one.
        folder: what messages call all of them.

    Raises:
        FeatureError: if there are none, two recipes differ, or a video has two files.
    """
    if backbone is not None:
        loaded = [(path, features) for path, features in loaded if features.recipe.backbone == backbone]
    if not loaded:
        kind = "feature file" if backbone is None else f"feature file of {backbone}"
        step = "Run 'vadpipe extract VIDEOS' first."
        raise FeatureError(f"contains no {kind}", file=folder, next_step=step)
    first_path, first = loaded[0]
    for path, features in loaded[1:]:
        differences = first.recipe.differences(features.recipe)
        if differences:
            step = "Keep features of different backbones in separate folders, or select one with --backbone."
            if first.recipe.backbone == features.recipe.backbone == GIVEN:
                step = "Pass arrays of one kind: (S, D) or (C, S, D), with the same C and D for all videos."
            raise FeatureError(
                f"was made by another recipe than {first_path} ({'; '.join(differences[:3])})",
                file=path,
                next_step=step,
            )
    file_of_each_video((features.source.video, path) for path, features in loaded)
    return [features for _, features in loaded]


def file_of_each_video(found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Return the feature file of each video. Raises FeatureError if a video has two."""
    files: dict[str, Path] = {}
    for video, path in found:
        first = files.setdefault(video, path)
        if first != path:
            raise FeatureError(
                f"is about the same video as {first}: {video}", file=path, next_step="Delete one of them."
            )
    return files
