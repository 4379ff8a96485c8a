"""A file is known by its bytes, whatever its name."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from support.recordings import encode
from support.videos import write_video
from vadpipe.errors import InputError
from vadpipe.extract.video.container import SUFFIXES, names_address, sniff


def begins(folder, content):
    """Return what a file with these bytes is taken for, None if it is no video."""
    (folder / "unknown").write_bytes(content or b"-")
    try:
        return sniff(folder / "unknown")
    except InputError:
        return None


@pytest.mark.parametrize(
    ("suffix", "family"),
    [("mp4", "mp4"), ("mov", "mp4"), ("mkv", "mkv"), ("avi", "avi"), ("ts", "ts"), ("webm", "mkv")],
)
def test_containers_are_known_by_content(tmp_path, suffix, family):
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    video = write_video(tmp_path / f"a.{suffix}", 3, codec=codec)
    assert sniff(video.rename(tmp_path / "no suffix at all")) == family


@pytest.mark.parametrize("first", ["ftyp", "free", "skip", "wide", "mdat", "moov", "pnot"])
def test_any_usual_box_may_begin_an_mp4(tmp_path, first):
    path = tmp_path / "a.mp4"
    path.write_bytes((16).to_bytes(4, "big") + first.encode() + bytes(8) + b"\0\0\0\x08free")
    assert sniff(path) == "mp4"


def test_text_is_no_video_whatever_its_name(tmp_path):
    for suffix in SUFFIXES:
        path = tmp_path / f"clip{suffix}"
        path.write_text("This is a text file named as a video.\n")
        with pytest.raises(
            InputError, match=rf"clip\{suffix}: is not a video: it begins with text"
        ) as caught:
            sniff(path)
        assert "convert others with ffmpeg" in caught.value.next_step


def test_other_bytes_are_shown(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(InputError, match="it begins with the bytes 89 50 4e 47"):
        sniff(path)


def packets_of_text(text, at, step):
    """Return a text with a G wherever a transport stream has its sync byte."""
    text = (text * 40)[:2000]
    return "".join("G" if n % step == at else letter for n, letter in enumerate(text)).encode()


def icon(path, **options):
    Image.effect_noise((64, 64), 50).save(path, "ICO", sizes=[(16, 16), (32, 32)], **options)
    return path.read_bytes()


def test_what_only_looks_like_a_cut_recording_is_none(tmp_path):
    for_sure = np.random.default_rng(0)
    for step in (188, 192, 204):
        for at in (1, 90, 187):
            yes = bytearray(for_sure.bytes(2000))
            yes[at::step] = b"G" * len(yes[at::step])
            yes[at + 3 :: step] = b"\x10" * len(yes[at + 3 :: step])
            assert begins(tmp_path, bytes(yes)) == "ts"
            assert begins(tmp_path, bytes(yes[: at + 4 * step])) is None  # four packets
            yes[at + 2 * step + 3] = 0x0F  # a packet that holds nothing
            assert begins(tmp_path, bytes(yes)) is None
            for text in ("#EXTM3U\n#EXTINF:4,\n/etc/passwd\n", "Größe wird überprüft, "):
                assert begins(tmp_path, packets_of_text(text, at, step)) is None
    for code in (b"\0\0\1", b"\0\0\0\1"):
        for unit in (b"\0\1", b"\4\2", b"\x0c\1", b"\x10\1", b"\x12\1"):
            assert begins(tmp_path, code + unit + for_sure.bytes(5000)) is None
            assert begins(tmp_path, 3 * (code + unit + for_sure.bytes(50)) + bytes(50)) is None
            assert begins(tmp_path, 3 * (code + unit + for_sure.bytes(50)) + b"\0\0\2") is None
            assert begins(tmp_path, code + unit + b"#EXTM3U\n/etc/passwd\n" * 40) is None
            assert begins(tmp_path, bytes(9) + code + unit) is None
    assert begins(tmp_path, icon(tmp_path / "png.ico")) is None
    assert begins(tmp_path, icon(tmp_path / "bmp.ico", bitmap_format="bmp")) is None


@given(st.binary(min_size=0, max_size=3000), st.sampled_from([b"", b"\0\0\1\0\1", b"\0\0\1\x10\1"]))
def test_random_bytes_are_no_cut_recording(tmp_path_factory, data, front):
    assert begins(tmp_path_factory.getbasetemp(), front + data) in (None, "mjpeg", "h264", "hevc", "gif")


@pytest.mark.parametrize(("codec", "muxer"), [("mpeg2video", "mpeg2video"), ("mpeg4", "m4v")])
def test_raw_streams_of_other_codecs_are_no_hevc(tmp_path, codec, muxer):
    content = encode(tmp_path / "a", codec, muxer, g="5").read_bytes()
    for at in [found.start() for found in re.finditer(b"\0\0\x01", content)][:60]:
        assert begins(tmp_path, content[at:]) != "hevc"


def test_raw_h264_is_told_from_hevc_wherever_it_begins(tmp_path):
    content = encode(
        tmp_path / "a", "libx264", "h264", bf="2", g="5", **{"x264-params": "aud=1"}
    ).read_bytes()
    found = {begins(tmp_path, content[at.start() :]) for at in re.finditer(b"\0\0\x01[^\x68\x28]", content)}
    assert found == {"h264"}


def test_missing_empty_and_unreadable_are_told_apart(tmp_path):
    with pytest.raises(InputError, match=r"gone\.mp4: no such file"):
        sniff(tmp_path / "gone.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError, match=r"empty\.mp4: is empty"):
        sniff(tmp_path / "empty.mp4")
    assert sniff(tmp_path) == "images"  # whether it really is a sequence shows when it is read
    os.mkfifo(tmp_path / "pipe.mp4")  # opening it would wait for a writer
    with pytest.raises(InputError, match=r"pipe\.mp4: is not a file"):
        sniff(tmp_path / "pipe.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    with pytest.raises(InputError, match=r"loop\.mp4: cannot be read: Too many levels"):
        sniff(tmp_path / "loop.mp4")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("0", "is a camera's number, not a file"),
        ("12", "is a camera's number, not a file"),
        ("v/0", "v/0: no such file"),
        ("0.mp4", r"0\.mp4: no such file"),
        ("rtsp://user:secret@host/1?token=secret", r"^rtsp://host/1: is the address of a stream, not a file"),
        ("RTSP:/host/1", r"^RTSP://host/1: is the address of a stream"),
        ("https://host/a.mp4", r"^https://host/a\.mp4: is an address, not a file"),
    ],
)
def test_what_is_no_path_of_a_file_is_called_what_it_is(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        sniff(Path(name))
    assert "secret" not in str(caught.value)


def test_a_camera_is_no_file(tmp_path):
    (tmp_path / "video0").symlink_to(os.devnull)
    with pytest.raises(InputError, match="video0: is a camera, not a file") as caught:
        sniff(tmp_path / "video0")
    assert caught.value.next_step.startswith("Record it to a file first: ffmpeg -f v4l2")
    (tmp_path / "zero").symlink_to(os.devnull)
    with pytest.raises(InputError, match="zero: is not a file"):
        sniff(tmp_path / "zero")


def test_a_name_like_an_address_is_one_where_no_such_file_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names_address(Path("http:/a.mp4"))
    assert not names_address(Path("a.mp4"))
    (tmp_path / "http:").mkdir()
    (tmp_path / "http:/a.mp4").touch()
    assert not names_address(Path("http:/a.mp4"))
