"""Discovery of videos: from files, folders, patterns and lists to the videos to read."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from vadpipe.errors import InputError, UsageError, printable
from vadpipe.extract.video.container import SUFFIXES, names_address, no_such_file
from vadpipe.extract.video.image_folder import is_image_sequence, list_images
from vadpipe.extract.video.lists import names_list, read_list
from vadpipe.extract.video.remote_folder import remote_videos
from vadpipe.extract.video.video import Failure as Failure
from vadpipe.extract.video.video import Video as Video
from vadpipe.extract.video.video import located as located
from vadpipe.extract.video.video import named_video as named_video
from vadpipe.extract.video.video import text as text
from vadpipe.features.file import SUFFIX
from vadpipe.features.folder import may_hold_features
from vadpipe.files.arguments import PATH, check_arguments, described
from vadpipe.remote.address import address_of

_PRODUCT = re.compile(r"\.(annotated\.(mp4|mkv|mov)|preview\.mp4|event-\d{3,}\.(mp4|mkv))$")

log = logging.getLogger(__name__)


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
    videos: dict[Path | str, Video] = {}
    failures: list[Failure] = []
    if not isinstance(inputs, (str, os.PathLike, Iterable)):
        raise UsageError(f"videos is {described(inputs)}", next_step="Pass a path, or several.")
    # A single name is meant as one, and not as its letters, of which "/" would search the whole disk.
    for given in _listed([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs, failures):
        path, address = Path(given), address_of(given)
        if address is not None:
            try:
                for remote in remote_videos(address):
                    videos.setdefault(remote.place, remote)
            except InputError as failed:
                failures.append(Failure(address.path, failed))
            continue
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


def _listed(
    inputs: Iterable[str | os.PathLike[str]], failures: list[Failure]
) -> Iterator[str | os.PathLike[str]]:
    """Yield what was given, each list replaced by what it names."""
    for given in inputs:
        check_arguments(video=(given, PATH))
        if not os.fspath(given):
            raise UsageError("an empty name was given as a video", next_step="Check the shell's variables.")
        if not names_list(given):
            yield given
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
