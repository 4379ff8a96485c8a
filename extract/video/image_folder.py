"""Image sequences: a folder of numbered pictures is a video named after the folder.

ShanghaiTech, UCSD and Avenue are published in this form. Nothing here decodes a picture: which files belong
to a sequence follows from their names alone.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from vadpipe.errors import InputError
from vadpipe.extract.video.container import SUFFIXES

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
"""Suffixes of the pictures of a sequence."""

_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)
_OF_FILE_BROWSERS = frozenset({"thumbs.db", "desktop.ini"})
_MASKS = "_gt"  # UCSD keeps the anomalous pixels of Test001 beside it, as pictures in Test001_gt
_NAMED_HOLES = 3
_LARGEST_BYTES = 1 << 30


def is_image_sequence(folder: Path, files: Iterable[str]) -> bool:
    """Return whether a folder that holds these files is a video: numbered pictures and nothing else.

    Args:
        folder: where it is; that it is a folder is known.
        files: names of all files that lie directly in it.
    """
    return _why_not(folder, files) is None


def list_images(folder: Path | str) -> list[str]:
    """Return the names of a sequence's pictures in the order of their numbers.

    Raises:
        InputError: if the folder cannot be searched, or is not an image sequence.
    """
    path = Path(folder)
    try:
        with os.scandir(path) as entries:
            files = [entry.name for entry in entries if not entry.is_dir()]
    except OSError as error:
        raise InputError(f"cannot be searched: {error.strerror}", file=path) from error
    reason = _why_not(path, files)
    if reason is not None:
        step = "An image sequence is a folder of numbered pictures of one type and nothing else."
        raise InputError(f"is not an image sequence: {reason}", file=path, next_step=step)
    return sorted(_shown(files), key=lambda name: (_number(name), name))


def image_state(folder: Path) -> tuple[int, int]:
    """Return the size of all pictures in bytes, and a number that changes with their names, sizes and times.

    Raises:
        InputError: as :func:`list_images` does.
    """
    n_bytes, digest = 0, hashlib.sha256()
    for name in list_images(folder):
        try:
            found = (folder / name).stat()
        except OSError:  # becomes a gap
            digest.update(os.fsencode(name) + b"\0")
            continue
        n_bytes += found.st_size
        digest.update(os.fsencode(name) + f"\0{found.st_size} {found.st_mtime_ns}\0".encode())
    return n_bytes, int.from_bytes(digest.digest()[:7])


def image_digest(folder: Path) -> str:
    """Return the sha256 of all pictures, each by its name and bytes, 64 hexadecimal digits.

    Raises:
        InputError: as :func:`list_images` does.
    """
    digest = hashlib.sha256()
    for name in list_images(folder):
        try:
            content = open_image(folder, name)
        except OSError:  # becomes a gap
            content = b""
        digest.update(os.fsencode(name) + b"\0" + len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def open_image(folder: Path | str, name: str) -> bytes:
    """Return the bytes of a picture. Raises OSError if it cannot be read, or is not a file of up to 1 GiB."""
    descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # noqa: PTH118
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_BYTES:
            raise OSError(f"{name} is not a picture")
        return file.read()


def missing_numbers(names: list[str]) -> str | None:
    """Return a description of the numbers that a sequence skips, or None if they are evenly spaced.

    Every fifth picture of a video, for example, is evenly spaced too.
    """
    numbers = [_number(name) for name in names]
    steps = [second - first for first, second in itertools.pairwise(numbers)]
    usual = max(set(steps), key=lambda step: (steps.count(step), -step)) if steps else 0
    holes = [
        f"between {names[at]} and {names[at + 1]}" for at, step in enumerate(steps) if step not in (0, usual)
    ]
    if not holes:
        return None
    more = len(holes) - _NAMED_HOLES
    return ", ".join(holes[:_NAMED_HOLES]) + (f" and at {more} more places" if more > 0 else "")


def _why_not(folder: Path, files: Iterable[str]) -> str | None:
    """Return why a folder is not an image sequence, or None if it is."""
    names = _shown(files)
    suffixes = {os.path.splitext(name)[1].lower() for name in names}  # noqa: PTH122
    if suffixes & SUFFIXES:
        return "it contains a video"
    if not suffixes & IMAGE_SUFFIXES:
        return "it contains no pictures"
    if len(suffixes) > 1:
        return f"it contains files of several types ({' '.join(sorted(suffixes)[:4])})"
    if len(names) < 2:
        return "it contains a single picture"
    begin = {match[1] if (match := _NUMBERED.fullmatch(Path(name).stem)) else None for name in names}
    if None in begin:
        return "its pictures are not numbered"
    if len(begin) > 1:
        return "its pictures are named differently"
    if folder.name.endswith(_MASKS) and folder.with_name(folder.name.removesuffix(_MASKS)).is_dir():
        return "it contains the masks of a neighbouring folder"
    return None


def _shown(files: Iterable[str]) -> list[str]:
    return [name for name in files if not name.startswith(".") and name.lower() not in _OF_FILE_BROWSERS]


def _number(name: str) -> int:
    match = _NUMBERED.fullmatch(Path(name).stem)
    return int(match[2]) if match else -1
