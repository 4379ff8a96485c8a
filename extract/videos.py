"""From what the user names (files, folders, patterns) to the list of videos to read."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import InputError, VadpipeError
from vadpipe.extract.container import SUFFIXES


@dataclass(frozen=True)
class Video:
    """A video that was asked for.

    Attributes:
        path: where it is.
        name: its path below the folder that was given, that folder's name included, with ``/``.
            ``vadpipe extract videos/`` gives ``videos/fight/a.mp4``; naming the file alone gives
            ``fight/a.mp4``. Labels come from these folders, and feature files are laid out by them.
    """

    path: Path
    name: str

    @property
    def place(self) -> str:
        """Digest of the absolute path: tells two videos of one name apart, and reveals no path."""
        return hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:16]


@dataclass(frozen=True)
class Failure:
    """A video, or something named as one, that could not be used, and why."""

    path: Path
    error: VadpipeError


def find_videos(inputs: Iterable[str | os.PathLike[str]]) -> tuple[list[Video], list[Failure]]:
    """Expand files, folders (recursively) and patterns, in the order given, each video once.

    A folder is searched for files with a video's suffix, in sorted order, hidden ones left out; a
    file that is named outright is taken whatever its name, and may turn out to be missing when it
    is opened. A pattern is one that the shell left unexpanded (``'videos/**/*.mp4'``).

    Returns:
        The videos, and what was named but holds none (an empty folder, a pattern without match).
    """
    videos: dict[Path, Video] = {}
    failures: list[Failure] = []
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            found = list(_in_folder(path))
            reason = "holds no video"
        elif not os.path.lexists(path) and glob.has_magic(str(path)):
            # Path.glob refuses absolute patterns.
            matches = sorted(Path(match) for match in glob.iglob(str(path), recursive=True))  # noqa: PTH207
            found = [video for match in matches for video in _expand_match(match)]
            reason = "matches no video"
        else:
            found, reason = [_named(path)], ""
        if not found:
            suffixes = " ".join(sorted(SUFFIXES))
            error = InputError(reason, file=path, next_step=f"Looked for files ending in {suffixes}.")
            failures.append(Failure(path, error))
        for video in found:
            videos.setdefault(video.path.resolve(), video)
    return list(videos.values()), failures


def _expand_match(path: Path) -> Iterable[Video]:
    return _in_folder(path) if path.is_dir() else [_named(path)]


def _in_folder(folder: Path) -> Iterable[Video]:
    root = folder.resolve().name
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in below.parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield Video(path, "/".join(part for part in (root, *below.parts) if part))


def _named(path: Path) -> Video:
    parent = path.resolve().parent.name
    return Video(path, f"{parent}/{path.name}" if parent else path.name)
