"""Files, folders and patterns become a list of videos with names that labels can be read from."""

import os

import pytest

from vadpipe.errors import InputError, UsageError
from vadpipe.extract.video.discovery import find_videos, named_video


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("fight/b.mp4", "fight/a.MP4", "calm/cam 1/c.mkv", "calm/notes.txt", "calm/.hidden.mp4"):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*inputs):
    videos, failures = find_videos(inputs)
    assert not failures
    return [video.name for video in videos]


def test_a_folder_is_searched_through_and_keeps_its_own_name(tree):
    expected = ["videos/calm/cam 1/c.mkv", "videos/fight/a.MP4", "videos/fight/b.mp4"]
    assert names("videos") == names("videos/") == expected


def test_the_current_folder_has_a_name_too(tree):
    os.chdir("videos")
    assert names(".")[0] == "videos/calm/cam 1/c.mkv"


def test_a_named_file_carries_its_folder(tree):
    assert names("videos/fight/b.mp4") == ["fight/b.mp4"]
    assert names(tree / "videos/calm/notes.txt") == ["calm/notes.txt"]


def test_patterns_that_the_shell_left_alone(tree):
    assert names("videos/*/*.mp4") == ["fight/b.mp4"]
    assert names(str(tree / "videos/**/*.mkv")) == ["cam 1/c.mkv"]


def test_a_file_whose_name_looks_like_a_pattern(tree):
    (tree / "take[1].mp4").touch()
    assert names("take[1].mp4") == [f"{tree.name}/take[1].mp4"]


def test_each_video_comes_once(tree):
    assert names("videos/fight/b.mp4", "videos/fight", "videos/fight/../fight/b.mp4") == [
        "fight/b.mp4",
        "fight/a.MP4",
    ]


def test_links_are_followed_and_lend_their_own_names(tree):
    (tree / "store").mkdir()
    (tree / "store/blob.mp4").touch()
    (tree / "set/fight").mkdir(parents=True)
    (tree / "set/fight/a.mp4").symlink_to(tree / "store/blob.mp4")
    (tree / "set/calm").symlink_to(tree / "videos/calm")
    (tree / "set/loop").symlink_to(tree / "set")
    (tree / "set/a link to fight").symlink_to("fight")  # sorts first, but the folder itself counts
    assert names("set") == ["set/fight/a.mp4", "set/calm/cam 1/c.mkv"]
    assert names("set/fight/a.mp4") == ["fight/a.mp4"]


def test_a_link_to_nowhere_is_left_to_be_reported_when_it_is_opened(tree):
    (tree / "set").mkdir()
    (tree / "set/a.mp4").symlink_to("gone")
    assert names("set") == ["set/a.mp4"]


def test_dots_after_a_link_mean_what_the_system_means(tree):
    (tree / "elsewhere/deep").mkdir(parents=True)
    (tree / "elsewhere/b.mp4").touch()
    (tree / "videos/fight/link").symlink_to(tree / "elsewhere/deep")
    assert names("videos/fight/b.mp4", "videos/fight/link/../b.mp4") == ["fight/b.mp4", "elsewhere/b.mp4"]


def test_an_empty_name_does_not_mean_the_current_folder(tree):
    with pytest.raises(UsageError, match="an empty name was given as a video"):
        find_videos([""])


def test_a_name_of_any_length_is_only_a_name(tree):
    assert len(names("x" * 300)) == 1


def test_what_holds_no_video_is_reported_and_the_rest_found(tree):
    (tree / "empty").mkdir()
    videos, failures = find_videos(["empty", "videos/fight/b.mp4", "none/*.mp4"])
    assert [video.name for video in videos] == ["fight/b.mp4"]
    assert [str(failure.error).splitlines()[0] for failure in failures] == [
        "empty: contains no video",
        "none/*.mp4: matches no video",
    ]
    assert ".mkv" in failures[0].error.next_step


def test_a_missing_file_is_left_to_be_reported_when_it_is_opened(tree):
    assert names("gone.mp4") == [f"{tree.name}/gone.mp4"]


def test_a_folder_named_as_a_video_is_searched(tree):
    (tree / "set/x.mp4").mkdir(parents=True)
    (tree / "set/x.mp4/y.mp4").touch()
    assert names("set") == ["set/x.mp4/y.mp4"]
    assert names("set/x.mp4") == names("set/x.mp4/") == ["x.mp4/y.mp4"]


def test_a_name_that_is_no_text_is_written_with_escapes(tree):
    (tree / "set").mkdir()
    (tree / "set" / os.fsdecode(b"b\xff.mp4")).touch()
    (tree / "set" / "b\\xff.mp4").touch()  # its twin is another file
    videos, _ = find_videos(["set"])
    assert [video.name for video in videos] == ["set/b\\xff.mp4"] * 2
    assert len({video.place for video in videos}) == 2


def test_a_place_knows_a_file_however_it_is_named_and_tells_no_path(tree):
    os.chdir("videos")
    places = {
        named_video(name).place
        for name in (
            "fight/b.mp4",
            "./fight/../fight/b.mp4",
            "../videos/fight/b.mp4",
            tree / "videos/fight/b.mp4",
        )
    }
    (place,) = places
    assert set(place) <= set("0123456789abcdef")
    assert named_video("fight/a.MP4").place != place


def test_a_video_that_is_gone_has_no_state(tree):
    video = named_video("videos/fight/b.mp4")
    assert video.state()[0] == 0
    (tree / "videos/fight/b.mp4").unlink()
    with pytest.raises(InputError, match=r"b\.mp4: cannot be read: No such file"):
        video.state()
