"""The first bytes of each container, to the byte; from the formats' own specifications."""

import os
from pathlib import Path

import pytest

from support.videos import write_video
from vadpipe.errors import InputError
from vadpipe.extract.video.container import FAMILIES, open_video, sniff
from vadpipe.extract.video.signatures import HEAD_BYTES, is_text

_BOX = (16).to_bytes(4, "big")


def taken_for(folder, content):
    """Return the family of a file with these bytes, None if it is no video."""
    (folder / "unknown").write_bytes(content)
    try:
        return sniff(folder / "unknown")
    except InputError:
        return None


@pytest.mark.parametrize(
    ("content", "family"),
    [
        (_BOX + b"ftyp" + bytes(8), "mp4"),
        (_BOX + b"ftyp" + b"#" * 63 + b"\0", "mp4"),
        (_BOX + b"ftyp" + b"#" * 64 + b"\0", None),
        (_BOX + b"moof" + bytes(8), None),
        (b"\x1a\x45\xdf\xa3", "mkv"),
        (b"\x1a\x45\xdf", None),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"RIFX\0\0\0\0AVI LIST", None),
        (b"\0\0\1\xba", "ps"),
        (b"\0\0\1\xbb", None),
        (b"IMKH" + bytes(36) + b"\0\0\1\xba", "ps"),
        (b"IMKH" + bytes(35) + b"\0\0\1\xba", None),
        (b"IMKH" + bytes(37) + b"\0\0\1\xba", None),
        (b"IMKX" + bytes(36) + b"\0\0\1\xba", None),
        (b"FLV\x01\x05\0\0\0\x09", "flv"),
        (b"FLV\x04\x05\0\0\0\x09", "flv"),
        (b"FLV\x05\x05\0\0\0\x09", None),
        (b"FLV\x01\x05\x01\0\0\x09", None),
        (b"FLV\x01\0", None),
        (b"FLX\x01\x05\0\0\0\x09", None),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "asf"),
        (b"OggS\0", "ogg"),
        (b"OggS\1", None),
        (bytes.fromhex("060e2b34020501010d0102010102"), "mxf"),
        (b"\x1f\x07\0\x3f", "dv"),
        (b"\x1f\x07\0\xbf", "dv"),
        (b"\x1f\x07\0\x3e", None),
        (b"\x1f\x07\0\x7f", None),
        (b"\x1f\x07\0", None),
        (b"\x1e\x07\0\x3f", None),
        (b"DHAV", "dhav"),
        (b"GIF89a", "gif"),
        (b"GIF88a", None),
        (b"YUV4MPEG2 W1", "y4m"),
        (b"\0\0\1\x67\x42", "h264"),
        (b"\0\0\0\1\x67\x42", "h264"),
        (b"\0\0\0\0\1\x67\x42", None),
        (b"\0\0\1\x68\xce", None),
        (b"\0\0\1\x40\x01\x0c", "hevc"),
        (b"\0\0\0\1\x40\x01\x0c", "hevc"),
        (b"\0\0\1\x40\x00\x0c", None),
        (b"\xff\xd8\xff\xe0", "mjpeg"),
    ],
)
def test_a_container_is_known_by_its_first_bytes(tmp_path, content, family):
    assert taken_for(tmp_path, content) == family


def packets(n_packets, step, *, before=0):
    """Return packets of a transport stream with a payload of zeros, each after ``before`` bytes of zeros."""
    packet = bytes(before) + b"\x47\x40\x11\x10" + bytes(184)
    return n_packets * (packet + bytes(step - len(packet)))


@pytest.mark.parametrize(("step", "before"), [(188, 0), (192, 4)])
def test_a_transport_stream_is_known_by_its_first_packets(tmp_path, step, before):
    whole = packets(4, step, before=before)
    assert taken_for(tmp_path, whole) == "ts"
    for n_packets in (2, 3):  # of a short file
        assert taken_for(tmp_path, whole[: n_packets * step]) == "ts"
    assert taken_for(tmp_path, whole[: step + before + 1]) == "ts"
    assert taken_for(tmp_path, whole[: step + before]) is None
    for lost in range(4):
        damaged = bytearray(whole)
        damaged[lost * step + before] = 0x48
        assert taken_for(tmp_path, bytes(damaged)) == ("ts" if lost == 3 else None)


@pytest.mark.parametrize("step", [188, 192, 204])
@pytest.mark.parametrize("cut", [1, 100])
def test_one_that_begins_within_a_packet_needs_five(tmp_path, step, cut):
    whole = packets(7, step)[cut:]
    enough = step - cut + 4 * step + 4  # up to the byte that says what the fifth one holds
    assert taken_for(tmp_path, whole[:enough]) == "ts"
    assert taken_for(tmp_path, whole[: enough - 1]) is None
    last = bytearray(whole)
    last[enough - 4] = 0x48
    assert taken_for(tmp_path, bytes(last[:enough])) is None
    for holds, family in ((0x10, "ts"), (0x20, "ts"), (0x30, "ts"), (0x00, None), (0x4F, None)):
        last[enough - 4 : enough] = b"\x47\0\0" + bytes([holds])
        assert taken_for(tmp_path, bytes(last[:enough])) == family


@pytest.mark.parametrize("code", [b"\0\0\1", b"\0\0\0\1"])
def test_hevc_that_begins_with_any_picture_needs_three_units(tmp_path, code):
    unit = code + b"\x02\x01" + b"\x55" * 20
    skipped = code + b"\0\1" + b"\x55" * 20  # a picture that icons begin like
    assert taken_for(tmp_path, skipped + 2 * unit) == "hevc"
    assert taken_for(tmp_path, skipped + unit) is None
    assert taken_for(tmp_path, skipped + unit + code + b"\x03\x01" + b"\x55" * 20) is None
    assert taken_for(tmp_path, skipped + unit + code + b"\x02") is None
    assert taken_for(tmp_path, skipped + unit + code + b"\x02\x01") == "hevc"
    assert taken_for(tmp_path, b"\x55" + skipped + 2 * unit) is None
    assert taken_for(tmp_path, skipped + 2 * unit + b"\0\0\x02") is None


def test_no_more_than_the_beginning_is_looked_at(tmp_path):
    unit = b"\0\0\1\x02\x01" + b"\x55" * 20
    begun = b"\0\0\1\0\1" + b"\x55" * 20 + unit
    for at, family in ((HEAD_BYTES - 5, "hevc"), (HEAD_BYTES, None)):
        assert taken_for(tmp_path, begun + b"\x55" * (at - len(begun)) + unit) == family
    assert HEAD_BYTES == 262_144


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", True),
        (b" ~\t\r\n", True),
        (b"a\x1f", False),
        (b"a\x7f", False),
        (b"\x0b", False),
        (b"\xe9", False),
    ],
)
def test_text_is_printable_ascii(data, text):
    assert is_text(data) is text


def test_the_descriptor_is_closed_again(tmp_path):
    video = write_video(tmp_path / "a.mp4", 3)
    with open_video(video) as (descriptor, family):
        assert family == "mp4"
        with open(descriptor, "rb", closefd=False) as file:
            assert file.read() == video.read_bytes()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    (tmp_path / "text").write_text("no video")
    before = len(list_of_descriptors())
    for name in ("text", "none"):
        with pytest.raises(InputError):
            sniff(tmp_path / name)
    assert len(list_of_descriptors()) == before


def list_of_descriptors():
    return sorted(Path("/proc/self/fd").iterdir())


def test_what_is_known_of_each_family():
    """Of each only what differs from the rest."""
    known = {
        flag: {name for name, family in FAMILIES.items() if getattr(family, flag) != usual}
        for flag, usual in {
            "timed": True, "counted": False, "unordered": False, "may_store_dts": False, "continuous": False,
            "seekable": True, "wraps_bits": None, "measured": True, "plays": False,
            "media_type": "application/octet-stream",
        }.items()
    }  # fmt: skip
    raw = {"h264", "hevc", "mjpeg"}
    assert known == {
        "timed": raw | {"images"},
        "counted": {"avi"},
        "unordered": {"dhav"},
        "may_store_dts": {"asf", "mxf"},
        "continuous": {"mp4", "mkv", "avi", "asf", "mxf", "dv", "gif", "y4m"},
        "seekable": {"ps"},
        "wraps_bits": {"ts", "ps"},
        "measured": raw | {"ts", "ps", "dhav"},
        "plays": {"mp4", "mkv", "ogg"},
        "media_type": {"mp4", "mkv", "ogg"},
    }
    assert {FAMILIES[name].wraps_bits for name in ("ts", "ps")} == {33}  # ISO 13818-1
