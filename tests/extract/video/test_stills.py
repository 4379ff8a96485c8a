"""Single frames for pictures: the one that is on the screen at that time, or none."""

import numpy as np
import pytest

from support.decoding import player
from support.faulty_decoders import faulty_talker
from support.video_edits import cut_inside, cut_without_reencoding, flip_bytes
from support.videos import read_counter, textured_frame, write_video
from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.stills import read_stills
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import StillRequest, stills_in_order
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.stills import read_stills as decode_stills
from vadpipe.extract.video.timeline_reader import read_timeline

VIDEOS = {
    "mp4": ("a.mp4", {"options": {"g": "12", "bf": "3"}}),
    "mp4 of one group": ("a.mp4", {"options": {"g": "250", "bf": "0"}}),
    "mkv": ("a.mkv", {}),
    "webm": ("a.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    "avi": ("a.avi", {"codec": "mpeg4"}),
    "avi with b-frames": ("a.avi", {"options": {"bf": "2"}}),
    "ts": ("a.ts", {"options": {"g": "12", "bf": "2"}}),
    "ts of one group": ("a.ts", {"options": {"g": "250", "bf": "3"}}),
    "variable rate": ("a.mkv", {"times": [i * (i + 20) for i in range(60)]}),
    "delayed start": ("a.mp4", {"times": [700 + 40 * i for i in range(60)]}),
}


@pytest.mark.parametrize(("name", "options"), VIDEOS.values(), ids=VIDEOS)
def test_a_still_is_the_frame_shown_at_its_time(tmp_path, name, options):
    path = write_video(tmp_path / name, 60, **options)
    times_s = read_timeline(path).times_s
    asked = [0, 1, 17, 30, 45, 59]
    stills = read_stills(path, [times_s[number] for number in asked], short_side_px=120)
    assert [read_counter(still) for still in stills] == asked
    assert {still.shape for still in stills} == {(120, 160, 3)}
    whole = player(path)[1]
    differences = [
        np.abs(still.astype(int) - whole[number]).mean() for still, number in zip(stills, asked, strict=True)
    ]
    assert max(differences) < 0.5


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.ts"])
def test_between_two_frames_the_first_is_still_shown(tmp_path, name):
    path = write_video(tmp_path / name, 20, codec="mpeg4" if name == "a.avi" else "libx264")
    stills = read_stills(path, [0.0, 0.039, 0.041, 0.41, 0.799])
    assert [read_counter(still) for still in stills] == [0, 0, 1, 10, 19]


def test_the_way_to_a_still_shows_signs_of_life(tmp_path):
    path = write_video(tmp_path / "a.avi", 60, options={"bf": "2"})
    timeline, signs = read_timeline(path), []
    stills = stills_in_order([StillRequest((2.0,), Size(120, square=False))])
    ((index, pixels),) = decode_stills(path, timeline, stills, Limits(), lambda: signs.append(1))
    assert (index, read_counter(pixels)) == (0, 50)
    assert len(signs) > 50  # it is counted from the start


def test_stills_come_in_the_order_asked_and_as_often(tmp_path):
    path = write_video(tmp_path / "a.mp4", 40)
    stills = read_stills(path, [1.2, 0.0, 0.4, 0.4])
    assert [read_counter(still) for still in stills] == [30, 0, 10, 10]
    assert stills[0].shape == (180, 240, 3)


def test_hidden_frames_are_not_counted(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", 60, options={"g": "250", "bf": "3"})
    cut_without_reencoding(whole, tmp_path / "cut.mp4", 0.8)
    stills = read_stills(tmp_path / "cut.mp4", [0.0, 0.4, 1.56])
    assert [read_counter(still) for still in stills] == [20, 30, 59]


def test_more_stills_than_frames(tmp_path):
    path = write_video(tmp_path / "a.mp4", 1)
    assert [read_counter(still) for still in read_stills(path, [0.0] * 5)] == [0] * 5


def test_no_stills_are_none(tmp_path):
    assert read_stills(write_video(tmp_path / "a.mp4", 5), []) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.ts"])
def test_what_lies_behind_the_end_is_none(tmp_path, name):
    path = write_video(tmp_path / name, 20, codec="mpeg4" if name == "a.avi" else "libx264")
    first, behind = read_stills(path, [0.2, 100.0])
    assert read_counter(first) == 5
    assert behind is None


def test_what_cannot_be_read_is_none_and_the_rest_is_there(tmp_path):
    path = write_video(
        tmp_path / "a.mp4", 60, options={"g": "10"}, container_options={"movflags": "faststart"}
    )
    cut_inside(path, 40)
    stills = read_stills(path, [0.0, 0.4, 2.3])
    assert [None if still is None else read_counter(still) for still in stills] == [0, 10, None]


def test_stills_beside_a_damaged_stretch_are_there(tmp_path):
    path = write_video(tmp_path / "a.mp4", 60, options={"g": "12", "bf": "0"}, frame=textured_frame)
    flip_bytes(path, [26], seed=1, n_bytes=6)
    stills = read_stills(path, [0.4, 1.12, 1.6])  # the one between is what a player would show
    assert [read_counter(stills[0]), read_counter(stills[2])] == [10, 40]


def test_a_file_that_is_no_video_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"a\.mp4: is not a video"):
        read_stills(tmp_path / "a.mp4", [0.0])
    path = write_video(tmp_path / "b.mp4", 5)
    faulty_talker(monkeypatch, tmp_path, "os.abort()")
    with pytest.raises(DecodeError, match=r"b\.mp4: the decoder pyav crashed \(SIGABRT\)"):
        read_stills(path, [0.0])
