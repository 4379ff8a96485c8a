"""File signatures: the bytes with which each container begins.

A file is a video only if its bytes leave no doubt. A recording that was cut out of a stream may begin
anywhere in it; that is believed where more than its first bytes agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable

HEAD_BYTES = 1 << 18
"""How many bytes of a file are examined."""

TS_PACKET_BYTES = 188
TS_STEPS = (188, 192, 204)
"""Bytes from packet to packet of a transport stream: plain, M2TS, and with a code that corrects errors."""

_MP4_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_TS_PACKETS = 5
_HIKVISION_HEAD_BYTES = 40
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_MXF_PARTITION = bytes.fromhex("060e2b34020501010d0102010102")
# Of H.264: parameter sets, access unit delimiters, supplemental information, then slices, with which a
# recording begins that was cut out of another. Of HEVC the same, in two bytes.
_H264_UNITS = re.compile(rb"[\x27\x47\x67\x09\x06\x25\x45\x65\x01\x21\x41\x61]", re.DOTALL)
_HEVC_UNITS = re.compile(rb"[\x40\x42\x44\x46\x4e\x26\x28\x2a\x02][\x01-\x07]", re.DOTALL)
# Every unit of HEVC that has a meaning, of the base layer. Those of H.264 are odd, but for a few.
_ANY_HEVC_UNIT = re.compile(
    rb"[\x00\x02\x04\x06\x08\x0a\x0c\x0e\x10\x12\x20\x22\x24\x26\x28\x2a"
    rb"\x40\x42\x44\x46\x48\x4a\x4c\x4e\x50][\x01-\x07]",
    re.DOTALL,
)
_START_CODE = re.compile(rb"\0\0\x01")
_HEVC_N_UNITS = 3
# Within a unit, an encoder breaks up whatever looks like a start code, and most files of zeros do not.
_NO_UNITS = re.compile(rb"\0\0(?:\x02|\x03[^\0-\x03]|\0[^\x01])", re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x08]")


def is_text(data: bytes) -> bool:
    """Return whether bytes are printable ASCII."""
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data)


def _is_mp4(head: bytes) -> bool:
    # A box that begins with text may be a playlist too, and to another demuxer is nothing else.
    return head[4:8] in _MP4_BOXES and not is_text(head[8:72])


def _is_ts(head: bytes) -> bool:
    # A sync byte starts every packet; M2TS puts a four-byte time code before each.
    for first, packet in ((0, TS_PACKET_BYTES), (4, TS_PACKET_BYTES + 4)):
        syncs = head[first : first + 3 * packet : packet]
        if len(syncs) >= 2 and set(syncs) == {0x47}:
            return True
    return False


def _is_cut_ts(head: bytes) -> bool:
    """Return whether packets of a transport stream follow each other from some byte of the first one on."""
    if not _CONTROL.search(head[: _TS_PACKETS * TS_PACKET_BYTES]):
        return False  # a text, in which G is the sync byte
    return any(_are_packets(head, first, step) for step in TS_STEPS for first in range(step))


def _are_packets(head: bytes, first: int, step: int) -> bool:
    # Each says whether an adaptation field, a payload, or both follow; never neither.
    places = range(first, first + _TS_PACKETS * step, step)
    return all(head[at : at + 1] == b"\x47" and any(b & 0x30 for b in head[at + 3 : at + 4]) for at in places)


def _is_ps(head: bytes) -> bool:
    if head.startswith(b"IMKH"):  # Hikvision's recorders put their own head before the stream
        head = head[_HIKVISION_HEAD_BYTES:]
    return head.startswith(b"\0\0\1\xba")


def _is_dv(head: bytes) -> bool:
    return head.startswith(b"\x1f\x07\0") and len(head) > 3 and head[3] & 0x7F == 0x3F


def _raw(unit: re.Pattern[bytes]) -> Callable[[bytes], bool]:
    def begins(head: bytes) -> bool:
        for start_code in (b"\0\0\0\1", b"\0\0\1"):
            if head.startswith(start_code):
                return unit.match(head, len(start_code)) is not None
        return False

    return begins


def _is_cut_hevc(head: bytes) -> bool:
    """Return whether a file begins with HEVC units only, even if the first is a skipped picture.

    Icons (``00 00 01 00``) begin like such a picture, and so may H.264 (``06``).
    """
    if not head.startswith((b"\0\0\0\1", b"\0\0\1")) or _NO_UNITS.search(head):
        return False
    units = [code.end() for code in _START_CODE.finditer(head, 0, len(head) - 2)]
    return len(units) >= _HEVC_N_UNITS and all(_ANY_HEVC_UNIT.match(head, at) for at in units)


def _magic(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


# In this order: what a time code of M2TS looks like may be a start code, too.
BEGINNINGS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("mp4", _is_mp4),
    ("mkv", _magic(b"\x1a\x45\xdf\xa3")),
    ("avi", lambda head: head.startswith(b"RIFF") and head[8:12] == b"AVI "),
    ("ts", _is_ts),
    ("ps", _is_ps),
    ("flv", lambda head: head.startswith(b"FLV") and head[3:4] <= b"\x04" and head[5:6] == b"\0"),
    ("asf", _magic(_ASF_HEADER)),
    ("ogg", _magic(b"OggS\0")),
    ("mxf", _magic(_MXF_PARTITION)),
    ("dv", _is_dv),
    ("dhav", _magic(b"DHAV", b"DAHUA")),
    ("gif", _magic(b"GIF87a", b"GIF89a")),
    ("y4m", _magic(b"YUV4MPEG2 ")),
    ("hevc", _is_cut_hevc),
    ("h264", _raw(_H264_UNITS)),
    ("hevc", _raw(_HEVC_UNITS)),
    ("mjpeg", _magic(b"\xff\xd8\xff")),
    ("ts", _is_cut_ts),
)
"""The families of containers, each with what tells whether bytes begin one."""
