"""Know a video by its first bytes, before any decoder sees the file.

A decoder that follows a playlist can be made to read other files, and a playlist can carry any
name. So only four container families are opened, and nothing is concluded from the suffix.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vadpipe.errors import InputError

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts"})
"""What a folder is searched for. A file that is named outright may have any suffix."""

_MP4_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_TS_PACKET_BYTES = 188
_HEAD_BYTES = 4 + 3 * 192


def sniff(path: Path) -> str:
    """Return the container family: ``"mp4"``, ``"mkv"``, ``"avi"`` or ``"ts"``.

    Raises:
        InputError: where the file is missing, unreadable, empty, or none of these.
    """
    with open_video(path) as (_, family):
        return family


@contextmanager
def open_video(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """Open a file for reading and tell its container family, as :func:`sniff` does."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise InputError("is not a file", file=path, next_step="Name a video file.")
        file = path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise InputError("no such file", file=path, next_step="Check the path.") from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    with file:
        try:
            head = file.read(_HEAD_BYTES)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=path) from error
        if not head:
            raise InputError("is empty", file=path, next_step="Copy or record the video again.")
        family = _family(head)
        if family is None:
            raise InputError(
                f"is not a video: it begins with {_describe(head)}",
                file=path,
                next_step="Videos are MP4/MOV, MKV/WebM, AVI or MPEG-TS; convert others with ffmpeg.",
            )
        yield file, family


def _family(head: bytes) -> str | None:
    # A box that begins with text may be a playlist too, and to another demuxer is nothing else.
    if head[4:8] in _MP4_BOXES and not _is_text(head[8:72]):
        return "mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "mkv"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    # A sync byte starts every packet; M2TS puts a four-byte time code before each.
    for first, packet in ((0, _TS_PACKET_BYTES), (4, _TS_PACKET_BYTES + 4)):
        syncs = head[first::packet]
        if len(syncs) >= 2 and set(syncs[:3]) == {0x47}:
            return "ts"
    return None


def _describe(head: bytes) -> str:
    return "text" if _is_text(head[:64]) else f"the bytes {head[:4].hex(' ')}"


def _is_text(data: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data)
