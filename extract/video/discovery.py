"""Discovery of videos: from files, folders, patterns and lists to the videos to read."""

from __future__ import annotations

import glob
import hashlib
import logging
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import InputError, UsageError, VadpipeError, printable
from vadpipe.extract.video.container import SUFFIXES, names_address, no_such_file
from vadpipe.extract.video.image_folder import image_state, is_image_sequence, list_images
from vadpipe.extract.video.lists import names_list, read_list
from vadpipe.features.file import SUFFIX
from vadpipe.features.folder import may_hold_features
from vadpipe.files.arguments import described

_PRODUCT = re.compile(r"\.(annotated\.(mp4|mkv|mov)|preview\.mp4|event-\d{3,}\.(mp4|mkv))$")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Video:
    r"""A video of the input.

    Attributes:
        path: of the file or folder.
        name: its path below the folder that was given, that folder's name included, with ``/``.
            ``vadpipe extract videos/`` gives ``videos/fight/a.mp4``; naming the file alone gives
            ``fight/a.mp4``. Labels come from these folders, and feature files are laid out by them.
            Bytes that are not UTF-8 are written as ``\xff``.
    """

    path: Path
    name: str

    @property
    def stem(self) -> str:
        """The base name of its results: the file's name without suffix, or the name of an image sequence."""
        return self.path.name if os.path.isdir(self.path) else self.path.stem  # noqa: PTH112

    @property
    def footage(self) -> Path:
        """What pictures are read from: itself."""
        return self.path

    @property
    def is_footage_known(self) -> bool:
        """Whether there is something to read pictures from. It may turn out to be missing or broken."""
        return True

    @property
    def place(self) -> str:
        """Digest of the absolute path: identifies a file however it was named, and reveals no path."""
        return hashlib.sha256(os.fsencode(located(self.path))).hexdigest()[:16]

    def state(self) -> tuple[int, int]:
        """Return its size in bytes and the time of its last change in ns.

        Of an image sequence it is the size of all pictures, and a number that changes with any of them.

        Raises:
            InputError: if it no longer exists.
        """
        if os.path.isdir(self.path):  # noqa: PTH112
            return image_state(self.path)
        try:
            stat = self.path.stat()
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=self.path) from error
        return stat.st_size, stat.st_mtime_ns


@dataclass(frozen=True)
class Failure:
    """A video, or something named as one, that could not be used, and why."""

    path: Path
    error: VadpipeError


def named_video(path: str | os.PathLike[str]) -> Video:
    """Return the video of a file that is named explicitly; its name includes its folder's."""
    absolute = located(path)
    return Video(Path(path), text("/".join(absolute.parts[-2:]).lstrip("/")))


def find_videos(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    features: bool = False,
) -> tuple[list[Video], list[Failure]]:
    """Expand files, folders (recursively), patterns and lists, in the order given, each video once.

    A folder of numbered pictures and nothing else is a video, see
    :mod:`vadpipe.extract.video.image_folder`; its pictures are never videos of their own.

    A folder is searched for files with a video's suffix, in sorted order, links followed; hidden ones are
    left out and, with a warning, what ``score`` made (``NAME.annotated.mp4``, ``NAME.event-001.mp4``). A
    file that is named explicitly is taken whatever its name, and may turn out to be missing when it is
    opened. A pattern is one that the shell left unexpanded (``'videos/**/*.mp4'``). A text ``@list.txt``
    names a list of these, and ``-`` one on standard input, see :mod:`vadpipe.extract.video.lists`.

    Args:
        inputs: what was named.
        features: whether a folder without videos is searched for feature files, which are returned with their
            own paths and names.

    Returns:
        The videos, and what was named but cannot be used (an empty folder, a pattern without match).

    Raises:
        UsageError: for an empty name, which would mean the current folder, or an unreadable list.
    """
    videos: dict[Path, Video] = {}
    failures: list[Failure] = []
    if not isinstance(inputs, (str, os.PathLike, Iterable)):
        raise UsageError(f"videos is {described(inputs)}", next_step="Pass a path, or several.")
    # A single name is meant as one, and not as its letters, of which "/" would search the whole disk.
    for path in _listed([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs, failures):
        if names_address(path):
            what = no_such_file(path)
            failures.append(Failure(Path(what.file or path), what))  # without the password
            continue
        unreadable: list[OSError] = []
        found, reason = _expand(path, unreadable, features=features)
        found = _without_products(path, found)
        for error in unreadable:
            reason = f"cannot be searched: {error.strerror}"
            failures.append(Failure(Path(error.filename), InputError(reason, file=error.filename)))
        if not found and not unreadable:
            suffixes = " ".join(sorted(SUFFIXES))
            also = f"feature files ({SUFFIX}), " * features
            hint = f"Looked for {also}folders of numbered pictures and files ending in {suffixes}."
            failures.append(Failure(path, InputError(reason, file=path, next_step=hint)))
        for video in found:
            videos.setdefault(located(video.path), video)
    return list(videos.values()), failures


def _listed(inputs: Iterable[str | os.PathLike[str]], failures: list[Failure]) -> Iterator[Path]:
    """Yield what was given, each list replaced by what it names."""
    for given in inputs:
        if not os.fspath(given):
            raise UsageError("an empty name was given as a video", next_step="Check the shell's variables.")
        if not names_list(given):
            yield Path(given)
            continue
        listed = read_list(os.fspath(given))
        if not listed:
            failures.append(Failure(Path(given), InputError("the list is empty", file=given)))
        yield from listed


def _without_products(path: Path, found: list[Video]) -> list[Video]:
    """Leave out what ``score`` made of the videos of a folder: its own pictures would be scored again."""
    if not os.path.isdir(path):  # noqa: PTH112
        return found
    kept = [video for video in found if not _PRODUCT.search(video.path.name)]
    if len(kept) < len(found):
        example = next(video.path for video in found if _PRODUCT.search(video.path.name))
        log.warning(
            "%s: skipped %d videos written by vadpipe, such as %s; name them explicitly to include them",
            printable(path), len(found) - len(kept), printable(example.name),
        )  # fmt: skip
    return kept


def _expand(path: Path, unreadable: list[OSError], *, features: bool) -> tuple[list[Video], str]:
    """Return the videos that a name stands for, and the error if there are none."""
    what = "video and no feature file" if features else "video"
    if os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises for names that are too long
        return _searched(path, unreadable, features=features), f"contains no {what}"
    if not os.path.lexists(path) and glob.has_magic(str(path)):
        # Path.glob refuses absolute patterns.
        matches = sorted(Path(match) for match in glob.iglob(str(path), recursive=True))  # noqa: PTH207
        found = [
            _searched(match, unreadable, features=features) if match.is_dir() else [named_video(match)]
            for match in matches
        ]
        return [video for videos in found for video in videos], f"matches no {what}"
    return [named_video(path)], ""


def _searched(folder: Path, unreadable: list[OSError], *, features: bool) -> list[Video]:
    """Return the videos below a folder; the feature files where there are none, if these are wanted."""
    videos = list(_in_folder(folder, unreadable))
    if videos or not features:
        return videos
    files = in_folder(folder, [], {SUFFIX})
    return [file for file in files if may_hold_features(file.path)]


def _in_folder(folder: Path, unreadable: list[OSError]) -> Iterator[Video]:
    """Yield the videos below a folder, or the folder itself where it is an image sequence."""
    try:
        list_images(folder)
    except InputError:
        yield from in_folder(folder, unreadable, SUFFIXES, image_sequences=True)
    else:
        # As "." it has no name, and no place beside it.
        yield named_video(folder if folder.name not in ("", "..") else located(folder))
        below = in_folder(folder, unreadable, SUFFIXES, image_sequences=True)
        yield from (video for video in below if located(video.path) != located(folder))


def in_folder(
    folder: Path, unreadable: list[OSError], suffixes: Collection[str], *, image_sequences: bool = False
) -> Iterator[Video]:
    """Yield the files below a folder with one of the suffixes; unreadable folders are noted.

    With ``image_sequences``, folders that are image sequences are yielded as well.
    """
    root = located(folder).name
    entered: set[str] = set()
    for place, folders, files in os.walk(folder, onerror=unreadable.append, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:  # a link that leads back
            folders.clear()
            continue
        entered.add(real)
        # Links last: a folder is found under its own name first.
        folders[:] = sorted(
            (name for name in folders if not name.startswith(".")),
            key=lambda name: (Path(place, name).is_symlink(), name),
        )
        if image_sequences and is_image_sequence(Path(place), files):
            below = Path(place).relative_to(folder).parts
            yield Video(Path(place), text("/".join(part for part in (root, *below) if part)))
            continue
        for name in sorted(files):
            path = Path(place, name)
            if path.suffix.lower() in suffixes and not name.startswith("."):
                below = path.relative_to(folder).parts
                yield Video(path, text("/".join(part for part in (root, *below) if part)))


def located(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path without ``..``.

    Links are left as they are, since a label may lie in a link's name; only where ``..`` follows, they
    have to be resolved to know what it means.
    """
    given = Path(path)
    if ".." not in given.parts:
        return Path(os.path.abspath(given))  # noqa: PTH100
    if given.name == "..":
        return Path(os.path.realpath(given))
    return Path(os.path.realpath(given.parent)) / given.name


def text(name: str) -> str:
    """Return a file's name as valid Unicode text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
