"""A file is known by its bytes, whatever its name."""

import os

import pytest
from conftest import write_video

from vadpipe.errors import InputError
from vadpipe.extract.decode.container import SUFFIXES, sniff


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
