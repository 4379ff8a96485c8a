"""From what the user names to the videos that published features are about: one file each, or one a crop."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from vadpipe.errors import FeatureError, InputError, UsageError
from vadpipe.extract.crops import CROPS
from vadpipe.extract.videos import Failure, Video, in_folder, located, named_video, text
from vadpipe.published.arrays import SUFFIXES, list_arrays
from vadpipe.published.members import videos_of

_CROP = re.compile(r"(?P<name>.+)__(?P<number>[0-9])", re.DOTALL)


@dataclass(frozen=True)
class Published(Video):
    """The files that hold the published features of one video.

    Attributes:
        path: what they have in common: without the suffix of an array, and without a crop's number. No
            file has to lie there.
        name: as :class:`vadpipe.extract.videos.Video` has it, of that path: ``feats/fight/a.mp4`` of
            ``feats/fight/a.mp4.npy``.
        files: the file of all crops, or one file a crop in the order of their numbers.
        keys: which array of each file it is, where a file may hold many; else None.
    """

    files: tuple[Path, ...]
    keys: tuple[str | None, ...]

    @property
    def place(self) -> str:
        """Digest of the files' absolute paths, and of the keys: knows them, and reveals no path."""
        paths = b"\0".join(os.fsencode(located(path)) for path in self.files)
        inside = "".join(f"\0\0{key}" for key in self.keys if key is not None)
        return hashlib.sha256(paths + os.fsencode(inside)).hexdigest()[:16]

    def state(self) -> tuple[int, int]:
        """Return the files' size together, and their modification time in nanoseconds.

        The time is the mean over the files, so that a change of any of them shows, also to an older one.

        Raises:
            InputError: where one of them is gone.
        """
        try:
            stats = [path.stat() for path in self.files]
        except OSError as error:
            raise InputError(
                f"cannot be read: {error.strerror or error}", file=error.filename or self.path
            ) from error
        return sum(stat.st_size for stat in stats), sum(stat.st_mtime_ns for stat in stats) // len(stats)

    def digest(self) -> str:
        """Return the sha256 of the files' bytes and of the keys, 64 hexadecimal digits.

        Raises:
            InputError: where one of the files cannot be read.
        """
        digest = hashlib.sha256()
        for path, key in zip(self.files, self.keys, strict=True):
            try:
                if key is None:
                    with path.open("rb") as file:
                        while block := file.read(2**20):
                            digest.update(block)
                else:
                    stat = path.stat()
                    digest.update(_content(path, (stat.st_size, stat.st_mtime_ns)))
                    digest.update(os.fsencode(key))
            except OSError as error:
                raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
        return digest.hexdigest()


@lru_cache(maxsize=8)  # all videos of a file have the same content
def _content(path: Path, state: tuple[int, int]) -> bytes:
    """Return the sha256 of a file that has that size and time of change, so that it is read once."""
    del state
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def find_published(
    inputs: Iterable[str | os.PathLike[str]],
    *,
    join: bool = True,
    leave_out: Path | None = None,
    array: str | None = None,
) -> tuple[list[Published], list[Failure]]:
    """Expand files, folders (recursively) and patterns, in the order given, each file once.

    A folder is searched for files with one of :data:`vadpipe.published.arrays.SUFFIXES`, in sorted order,
    hidden ones left out, links followed; a file that is named outright is taken whatever its name. Files
    ``NAME__0`` to ``NAME__4``, or to ``NAME__9``, are the crops of one video, as XD-Violence and UR-DMU
    publish them. An HDF5 or PyTorch file may hold many videos, see
    :func:`vadpipe.published.members.videos_of`.

    Args:
        inputs: what the user names.
        join: whether files with a crop's number belong together; without it each file is a video.
        leave_out: a file that is no feature, such as a list that lies beside them.
        array: which array is the features of a video, where files hold several for each.

    Returns:
        The videos, and what was named but cannot be used: an empty folder, an incomplete set of crops, two
        files about one video.

    Raises:
        UsageError: for an empty name, which would mean the current folder.
    """
    failures: list[Failure] = []
    files: dict[Path, Video] = {}
    for given in inputs:
        if not os.fspath(given):
            raise UsageError("an empty name was given as a file", next_step="Check the shell's variables.")
        path = Path(given)
        unreadable: list[OSError] = []
        found = list(_expand(path, unreadable))
        for trouble in unreadable:
            failures.append(_failure(trouble.filename, f"cannot be searched: {trouble.strerror}"))
        if not found and not unreadable:
            reason = "holds no features" if path.is_dir() else "matches no file"
            failures.append(_failure(path, reason, f"Looked for files ending in {' '.join(SUFFIXES)}."))
        for file in found:
            files.setdefault(located(file.path), file)
    if leave_out is not None:
        files.pop(located(leave_out), None)
    videos, contradictions = _joined(files, join, array)
    return videos, failures + contradictions


class _Part(NamedTuple):
    """An array about a video, or about one crop of it."""

    crop: int | None
    name: str
    path: Path
    key: str | None


def _joined(files: dict[Path, Video], join: bool, array: str | None) -> tuple[list[Published], list[Failure]]:
    """Return the videos that files are about, by their absolute paths, and what makes none."""
    sets: dict[Path, list[_Part]] = {}
    unusable: list[Failure] = []
    for absolute, file in files.items():
        name, crop = _parted(file.name, join)
        common = absolute.with_name(_parted(absolute.name, join)[0])
        try:
            keys = list_arrays(file.path)
            members = [] if keys is None else videos_of(keys, file.path, array)
        except FeatureError as error:
            unusable.append(Failure(file.path, error))
            continue
        if keys is None or (len(members) == 1 and not members[0].video):
            key = None if keys is None else members[0].key
            sets.setdefault(common, []).append(_Part(crop, name, file.path, key))
            continue
        whole = _parted(file.name, join=False)[0]
        for key, video in members:
            inside = f"{whole}/{text(video)}" if video else whole
            part = _Part(None, inside, file.path, key)
            sets.setdefault(absolute / os.fsdecode(os.fsencode(key)), []).append(part)
    videos: list[Published] = []
    for common, parts in sets.items():
        parts.sort(key=lambda part: -1 if part.crop is None else part.crop)
        paths = tuple(part.path for part in parts)
        failure = _contradiction([part.crop for part in parts], paths)
        if failure is None:
            videos.append(Published(common, parts[0].name, paths, tuple(part.key for part in parts)))
        else:
            unusable.append(failure)
    return videos, unusable


def _failure(path: str | os.PathLike[str], reason: str, next_step: str | None = None) -> Failure:
    return Failure(Path(path), FeatureError(reason, file=path, next_step=next_step))


def _parted(name: str, join: bool) -> tuple[str, int | None]:
    """Return a file's name without the suffix of an array and a crop's number, and that number."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and not name.lower().endswith(f"/{suffix}"):
            name = name[: -len(suffix)]
            break
    match = _CROP.fullmatch(name) if join else None
    return (match["name"], int(match["number"])) if match else (name, None)


def _contradiction(crops: list[int | None], paths: tuple[Path, ...]) -> Failure | None:
    """Return what is wrong with the files of one video, or None."""
    if crops == [None]:
        return None
    numbers = [crop for crop in crops if crop is not None]
    if len({*numbers}) != len(crops):
        named = ", ".join(path.name for path in paths[1:4])
        return _failure(paths[0], f"is about the same video as {named}", "Import one of them alone.")
    expected = next(count for count in CROPS[1:] if numbers[-1] < count)
    missing = sorted({*range(expected)} - {*numbers})
    if not missing:
        return None
    absent = ", ".join(map(str, missing))
    return _failure(
        paths[0],
        f"is one of {expected} crops by its name, but of {', '.join(path.name for path in paths)} "
        f"number {absent} is missing",
        "Add it; or, where each file is a video by itself, pass --crops 1 or --layout tcd.",
    )


def _expand(path: Path, unreadable: list[OSError]) -> Iterator[Video]:
    """Yield the files that a name stands for."""
    if os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises for names that are too long
        yield from in_folder(path, unreadable, SUFFIXES)
    elif not os.path.lexists(path) and glob.has_magic(str(path)):
        # Path.glob refuses absolute patterns.
        for match in sorted(glob.iglob(str(path), recursive=True)):  # noqa: PTH207
            within = Path(match).is_dir()
            yield from in_folder(Path(match), unreadable, SUFFIXES) if within else [named_video(match)]
    else:
        yield named_video(path)
