"""Discovery of published features: from the user's inputs to videos.

A file holds the features of one video, those of one of its crops, or (HDF5, ``torch.save``) those of many.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import FeatureError, UsageError, printable
from vadpipe.extract.video.discovery import Failure, Video, in_folder, located, named_video
from vadpipe.features.views import CROPS
from vadpipe.published.arrays import SUFFIXES
from vadpipe.published.containers import Containers
from vadpipe.published.hdf5_process import Listing
from vadpipe.published.members import spelled, videos_in
from vadpipe.published.videos import Part, Published

_CROP = re.compile(r"(?P<name>.+)__(?P<number>[0-9])", re.DOTALL)


@dataclass(frozen=True)
class _Found:
    """An array that was found.

    Attributes:
        place: the absolute path of its file; of one in a file that holds many, as if that were a folder.
        name: the end of that path which names it.
        part: where to read it.
    """

    place: Path
    name: str
    part: Part


def find_published(
    inputs: Iterable[str | os.PathLike[str]],
    containers: Containers,
    *,
    array: str | None = None,
    join: bool = True,
    leave_out: Path | None = None,
) -> tuple[list[Published], list[Failure]]:
    """Expand files, folders (recursively) and patterns, in the order given, each file once.

    A folder is searched for :data:`vadpipe.published.arrays.SUFFIXES`, in sorted order, hidden files left
    out, links followed; a file that is named explicitly is taken whatever its name. Files ``NAME__0`` to
    ``NAME__4``, or to ``NAME__9``, are the crops of one video, as XD-Violence and UR-DMU publish them. A file
    that holds the features of several videos is like a folder of theirs, named without its suffix; see
    :mod:`vadpipe.published.members`.

    Args:
        inputs: what the user names.
        containers: what reads files that hold several videos.
        array: which arrays of such files to take.
        join: whether files with a crop's number belong together; without it each file is a video.
        leave_out: a file that is not a feature file, such as a list beside them.

    Returns:
        The videos, and what was named but cannot be used: an empty folder, an incomplete set of crops, two
        files about one video, a link in a file.

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
            reason = "contains no features" if path.is_dir() else "matches no file"
            failures.append(_failure(path, reason, f"Looked for files ending in {' '.join(SUFFIXES)}."))
        for file in found:
            files.setdefault(located(file.path), file)
    if leave_out is not None:
        files.pop(located(leave_out), None)
    arrays: list[_Found] = []
    for absolute, file in files.items():
        try:
            listing = containers.listing(file.path)
            if listing is None:
                arrays.append(_Found(absolute, file.name, Part(file.path)))
                continue
            failures += _left_out(listing, file.path)
            arrays += _within(file, absolute, listing, array, containers)
        except FeatureError as error:
            failures.append(Failure(file.path, error))
    videos, contradictions = _joined(arrays, join)
    return videos, failures + contradictions


def _within(
    file: Video, absolute: Path, listing: Listing, array: str | None, containers: Containers
) -> list[_Found]:
    """Return the arrays of a file that holds many, which is a folder of theirs but for its suffix."""
    folder, name = absolute.with_name(_bare(absolute.name)), _bare(file.name)
    if not listing.arrays and listing.left_out:
        return []  # that these are left out is told
    return [
        _Found(folder.joinpath(*video), "/".join([name, *video]), Part(file.path, address, video, containers))
        for video, address in videos_in(listing.arrays, array, file.path)
    ]


def _left_out(listing: Listing, path: Path) -> list[Failure]:
    """Return the contents of a file that are not read, once per reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for address, reason, step in listing.left_out:
        reasons.setdefault((reason, step), []).append(spelled(address))
    return [
        _failure(
            f"{path}/{names[0]}",
            reason + (f" (and so are {len(names) - 1} more)" if len(names) > 1 else ""),
            step,
        )
        for (reason, step), names in reasons.items()
    ]


def _joined(arrays: Iterable[_Found], join: bool) -> tuple[list[Published], list[Failure]]:
    """Return the videos that arrays are about, and the sets of arrays that make none."""
    sets: dict[Path, list[tuple[int | None, str, Part]]] = {}
    for found in arrays:
        name, crop = _parted(found.name, join)
        common = found.place.with_name(_parted(found.place.name, join)[0])
        sets.setdefault(common, []).append((crop, name, found.part))
    videos: list[Published] = []
    failures: list[Failure] = []
    for common, members in sets.items():
        members.sort(key=lambda member: -1 if member[0] is None else member[0])
        crops = [crop for crop, _, _ in members]
        parts = tuple(part for _, _, part in members)
        failure = _contradiction(crops, [part.label for part in parts])
        if failure is None:
            videos.append(Published(common, members[0][1], parts))
        else:
            failures.append(failure)
    return videos, failures


def _failure(path: str | os.PathLike[str], reason: str, next_step: str | None = None) -> Failure:
    return Failure(Path(path), FeatureError(reason, file=path, next_step=next_step))


def _parted(name: str, join: bool) -> tuple[str, int | None]:
    """Return a name without the suffix of an array and a crop's number, and that number."""
    bare = _bare(name)
    match = _CROP.fullmatch(bare) if join else None
    return (match["name"], int(match["number"])) if match else (bare, None)


def _bare(name: str) -> str:
    """Return a name without the suffix of an array."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and name.lower().rpartition("/")[2] != suffix:
            return name[: -len(suffix)]
    return name


def _contradiction(crops: list[int | None], labels: list[str]) -> Failure | None:
    """Return why the files of one video cannot be used, or None."""
    if crops == [None]:
        return None
    numbers = [crop for crop in crops if crop is not None]
    if len({*numbers}) != len(crops):
        named = ", ".join(_last(label) for label in labels[1:4])
        return _failure(labels[0], f"is about the same video as {named}", "Import only one of them.")
    expected = next(count for count in CROPS[1:] if numbers[-1] < count)
    missing = sorted({*range(expected)} - {*numbers})
    if not missing:
        return None
    absent = f"number {missing[0]} is" if len(missing) == 1 else f"numbers {', '.join(map(str, missing))} are"
    return _failure(
        labels[0],
        f"is one of {expected} crops by its name, but {absent} missing "
        f"(found: {', '.join(map(_last, labels))})",
        "Add it; or, if each file is a separate video, pass --crops 1 or --layout tcd.",
    )


def _last(label: str) -> str:
    return printable(label.rpartition("/")[2])


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
