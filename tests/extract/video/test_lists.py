"""Lists of videos, from a file and from standard input."""

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vadpipe.errors import UsageError
from vadpipe.extract.video.discovery import find_videos


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    for name in ("fight/a.mp4", "fight/b.mp4", "calm/c.mkv", "calm/d e.mp4"):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*inputs):
    videos, failures = find_videos(inputs)
    assert not failures
    return [video.name for video in videos]


def test_a_list_names_files_folders_and_patterns(tree):
    text = "\ufeffvideos/calm/d e.mp4\r\n\n# not this: videos/calm\nvideos/f*/b.mp4\n   \nvideos/fight\n"
    (tree / "list.txt").write_text(text, encoding="utf-8")
    assert names("@list.txt") == ["calm/d e.mp4", "fight/b.mp4", "fight/a.mp4"]
    assert names("videos/calm/c.mkv", "@list.txt")[:2] == ["calm/c.mkv", "calm/d e.mp4"]
    assert names(f"@{tree}/list.txt") == names("@list.txt")


def test_a_list_on_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"videos/calm\nvideos/fight/a.mp4")))
    assert names("-") == ["calm/c.mkv", "calm/d e.mp4", "fight/a.mp4"]


def test_names_that_are_no_text_stay_what_they_are(tree):
    name = os.fsdecode(b"videos/fight/\xff.mp4")
    Path(name).touch()
    (tree / "list.txt").write_bytes(b"videos/fight/\xff.mp4\n")
    (video,) = find_videos("@list.txt")[0]
    assert os.fspath(video.path) == name


def test_files_that_are_called_like_lists_are_videos(tree):
    (tree / "@clip.mp4").touch()
    assert names("@clip.mp4") == [f"{tree.name}/@clip.mp4"]
    assert names("./@clip.mp4") == names(Path("@clip.mp4")) == names("@clip.mp4")
    (tree / "-").touch()
    assert names("./-") == [f"{tree.name}/-"]


def test_a_list_in_a_list_is_a_name(tree):
    (tree / "list.txt").write_text("@other.txt\n-\n")
    videos, failures = find_videos("@list.txt")
    assert [os.fspath(video.path) for video in videos] == ["@other.txt", "-"]
    assert not failures


def test_lists_that_cannot_be_read(tree):
    with pytest.raises(UsageError, match=r"@gone\.txt: cannot be read .*: No such file.*\n.*\./@gone\.txt\."):
        find_videos("@gone.txt")
    with pytest.raises(UsageError, match=r"@videos: cannot be read as a list of videos: Is a directory"):
        find_videos("@videos")
    (tree / "list.txt").write_bytes(b"\x00\x00\x00 ftypmp42")
    with pytest.raises(UsageError, match=r"@list\.txt: is not a list of videos .*\nA list is a text file"):
        find_videos("@list.txt")


def test_where_there_is_no_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(
        UsageError, match="-: standard input is closed, so no list of videos can be read from it"
    ):
        find_videos("-")


def test_an_empty_list_is_reported(tree):
    (tree / "list.txt").write_text("# nothing yet\n")
    videos, (failure,) = find_videos("@list.txt")
    assert videos == []
    assert str(failure.error) == "@list.txt: the list is empty"
