"""Container detection by a file's first bytes, before any decoder sees the file.

A decoder that follows a playlist can be made to read other files, and a playlist can carry any
name. So only containers whose demuxer reads one file alone are opened, each by that demuxer, and nothing is
concluded from the suffix.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import InputError
from vadpipe.extract.video.signatures import BEGINNINGS, HEAD_BYTES, is_text


@dataclass(frozen=True)
class Family:
    """Containers that one demuxer reads.

    Attributes:
        title: what users call them.
        demuxer: FFmpeg's full name of what opens them, and no other demuxer does.
        suffixes: what their files usually end in.
        timed: whether frames have timestamps. Those of raw streams have none.
        counted: whether frames are known by their place among all, since there are no times of presentation.
        unordered: whether frames carry the times at which they were captured, in the order of the file, even
            where the codec shows them in another.
        may_store_dts: whether files exist whose presentation timestamps are those of decoding.
        continuous: whether the container itself guarantees that time never goes back. Elsewhere it does
            where recordings were joined.
        seekable: whether timestamps after a seek are those of a reading from the start. Where a container
            has them for some frames only, FFmpeg reckons the others from where it began.
        wraps_bits: how many bits a timestamp has in the file, where it starts again at zero after the last.
        measured: whether the container states its length. Elsewhere FFmpeg estimates it, and can be far off.
        plays: whether browsers may play it, as far as the container is concerned.
        media_type: for a browser.
    """

    title: str
    demuxer: str
    suffixes: tuple[str, ...]
    timed: bool = True
    counted: bool = False
    unordered: bool = False
    may_store_dts: bool = False
    continuous: bool = False
    seekable: bool = True
    wraps_bits: int | None = None
    measured: bool = True
    plays: bool = False
    media_type: str = "application/octet-stream"


FAMILIES = {
    "mp4": Family(
        "MP4/MOV", "mov,mp4,m4a,3gp,3g2,mj2", (".mp4", ".m4v", ".mov", ".f4v", ".3gp"),
        continuous=True, plays=True, media_type="video/mp4",
    ),
    "mkv": Family(
        "MKV/WebM", "matroska,webm", (".mkv", ".webm"),
        continuous=True, plays=True, media_type="video/webm",
    ),
    "avi": Family(
        "AVI", "avi", (".avi",),
        counted=True, continuous=True,
    ),
    "ts": Family(
        "MPEG-TS", "mpegts", (".ts", ".mts", ".m2ts"),
        wraps_bits=33, measured=False,
    ),
    "ps": Family(
        "MPEG-PS", "mpeg", (".mpg", ".mpeg", ".m2p", ".vob"),
        seekable=False, wraps_bits=33, measured=False,
    ),
    "flv": Family("FLV", "flv", (".flv",)),
    "asf": Family("ASF/WMV", "asf", (".wmv", ".asf"), continuous=True, may_store_dts=True),
    "ogg": Family("Ogg", "ogg", (".ogv", ".ogm"), plays=True, media_type="video/ogg"),
    "mxf": Family("MXF", "mxf", (".mxf",), continuous=True, may_store_dts=True),
    "dv": Family("DV", "dv", (".dv", ".dif"), continuous=True),
    "dhav": Family("DHAV", "dhav", (".dav",), unordered=True, measured=False),
    "gif": Family("GIF", "gif", (".gif",), continuous=True),
    "y4m": Family("Y4M", "yuv4mpegpipe", (".y4m",), continuous=True),
    "h264": Family("raw H.264", "h264", (".h264", ".264", ".avc"), timed=False, measured=False),
    "hevc": Family("raw HEVC", "hevc", (".h265", ".265", ".hevc"), timed=False, measured=False),
    "images": Family("a folder of numbered pictures", "", (), timed=False),
    "mjpeg": Family("raw MJPEG", "mjpeg", (".mjpeg", ".mjpg"), timed=False, measured=False),
}  # fmt: skip
"""The containers that are opened, by the name that :func:`sniff` gives them."""

SUFFIXES = frozenset(suffix for family in FAMILIES.values() for suffix in family.suffixes)
"""Suffixes that a folder is searched for. A file that is named explicitly may have any suffix."""


def sniff(path: Path) -> str:
    """Return the container's family, a key of :data:`FAMILIES`.

    Raises:
        InputError: if the file is missing, unreadable, empty, or not one of these.
    """
    with open_video(path) as (_, family):
        return family


@contextmanager
def open_video(path: Path) -> Iterator[tuple[int, str]]:
    """Give the descriptor of an open video, and its container family, as :func:`sniff` does.

    An image sequence is an open folder.
    """
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a pipe would wait for ever
            if path.is_char_device() and path.name.startswith("video"):
                raise InputError("is a camera, not a file", file=path, next_step=_RECORD)
            raise InputError("is not a file", file=path, next_step="Name a video file.")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise no_such_file(path) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    try:
        if stat.S_ISDIR(mode):
            yield descriptor, "images"
            return
        try:
            head = os.pread(descriptor, HEAD_BYTES, 0)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=path) from error
        if not head:
            raise InputError("is empty", file=path, next_step="Copy or record the video again.")
        family = _family(head)
        if family is None:
            titles = ", ".join(known.title for known in FAMILIES.values())
            raise InputError(
                f"is not a video: it begins with {_describe(head)}",
                file=path,
                next_step=f"Supported are {titles}; convert others with ffmpeg.",
            )
        yield descriptor, family
    finally:
        os.close(descriptor)


def names_address(path: Path) -> bool:
    """Tell whether a path is an address such as rtsp://camera/1, and no file of that name is there."""
    return _ADDRESS.match(os.fspath(path)) is not None and not os.path.lexists(path)


def no_such_file(path: Path) -> InputError:
    """Return the error for a missing video; it recognises addresses and camera numbers.

    Passwords and query strings of an address are left out.
    """
    if path.name == os.fspath(path) and path.name.isdecimal():
        return InputError("is a camera's number, not a file", file=path, next_step=_RECORD)
    address = _ADDRESS.match(os.fspath(path))
    if address is None:
        return InputError("no such file", file=path, next_step="Check the path.")
    shown = f"{address['scheme']}://{address['rest'].partition('?')[0]}"
    if address["scheme"].lower() in _STREAMS:
        step = "Record it to a file first: ffmpeg -i ADDRESS -c copy -t 60 clip.mp4"
        return InputError("is the address of a stream, not a file", file=shown, next_step=step)
    step = "Download it first, and name the file: curl -L -o clip.mp4 ADDRESS"
    if address["scheme"].lower() == "http":
        step = "Use its https:// address, or download it first: curl -L -o clip.mp4 ADDRESS"
    return InputError("is an address, not a file", file=shown, next_step=step)


# A path has lost one of the slashes. What stands before the last @ is a name and a password.
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]+):/{1,2}(?:[^?]*@)?(?P<rest>[^/].*)", re.IGNORECASE | re.DOTALL
)
_STREAMS = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "mms"})
_RECORD = "Record it to a file first: ffmpeg -f v4l2 -i /dev/video0 -t 60 clip.mp4"


def _family(head: bytes) -> str | None:
    return next((name for name, begins in BEGINNINGS if begins(head)), None)


def _describe(head: bytes) -> str:
    return "text" if is_text(head[:64]) else f"the bytes {head[:4].hex(' ')}"
