"""A folder of numbered pictures is a video: its frames in the order of the numbers, at an assumed rate."""

import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.decoding import counters, decode
from support.recordings import N_PICTURES, pictures
from support.videos import counter_frame, read_counter, write_video
from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.stills import read_stills
from vadpipe.extract.video.discovery import find_videos, named_video
from vadpipe.extract.video.image_folder import image_digest, image_state, list_images, missing_numbers
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.timeline_reader import read_timeline


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".bmp", ".tif"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_picture_is_a_frame(tmp_path, suffix, mode):
    folder = pictures(tmp_path / "01_0014", suffix=suffix, mode=mode)
    timeline, frames = decode(folder)
    assert counters(frames) == [frame.number for frame in frames] == list(range(N_PICTURES))
    np.testing.assert_allclose(timeline.times_s, np.arange(N_PICTURES) / 25)
    assert timeline.end_s == pytest.approx(N_PICTURES / 25)
    assert (timeline.width_px, timeline.height_px) == (160, 120)
    assert not timeline.timed
    expected = np.asarray(Image.fromarray(counter_frame(7, 160, 120)).convert(mode).convert("RGB"))
    assert np.abs(frames[7].pixels.astype(int) - expected).mean() < 2


@pytest.mark.parametrize(("mode", "suffix"), [("P", ".png"), ("RGBA", ".png"), ("CMYK", ".jpg")])
def test_pictures_of_any_kind_of_pixel(tmp_path, mode, suffix):
    folder = pictures(tmp_path / "a", 3, suffix=suffix, mode=mode)
    assert counters(decode(folder)[1]) == [0, 1, 2]


def test_pictures_of_sixteen_bits_are_shown_in_eight(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    for number in range(3):
        grey = counter_frame(number, 160, 120)[:, :, 0].astype(np.uint16) << 8
        Image.fromarray(grey).save(folder / f"{number}.png")
    _, frames = decode(folder)
    assert counters(frames) == [0, 1, 2]
    assert (frames[2].pixels[:, :, 0] == counter_frame(2, 160, 120)[:, :, 0]).all()


def test_fractions_are_no_picture(tmp_path):
    folder = pictures(tmp_path / "a", 4, suffix=".tif")
    Image.fromarray(np.full((120, 160), 0.5, np.float32)).save(folder / "002.tif")
    assert counters(decode(folder)[1]) == [0, 1, 3]


@pytest.mark.parametrize("name", ["{}", "frame_{}", "cam 2-{:05d}", "img.{:04d}"])
def test_the_order_is_that_of_the_numbers(tmp_path, name):
    folder = pictures(tmp_path / "a", 12, name=name, first=5)
    names = list_images(folder)
    assert names == [f"{name.format(number)}.png" for number in range(5, 17)]
    assert counters(decode(folder)[1]) == list(range(12))


def test_the_rate_is_the_one_that_is_assumed(tmp_path):
    folder = pictures(tmp_path / "a")
    timeline, frames = decode(folder, assume_fps=10.0)
    assert len(frames) == N_PICTURES
    np.testing.assert_allclose(timeline.times_s, np.arange(N_PICTURES) / 10)
    stills = read_stills(folder, [1.55, 0.0, 2.5], 120, assume_fps=10.0)
    assert [None if still is None else read_counter(still) for still in stills] == [15, 0, None]


def broken(folder, name, content):
    (folder / name).write_bytes(content)


BROKEN = {
    "text": b"this is not a picture\n" * 20,
    "nothing": b"",
    "half a picture": None,
    "another kind of picture": b"GIF89a" + bytes(200),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif"])
def test_a_picture_that_cannot_be_read_is_a_gap(tmp_path, content, suffix):
    folder = pictures(tmp_path / "a", suffix=suffix)
    victim = folder / f"007{suffix}"
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2] if content is None else content)
    timeline, frames = decode(folder)
    keep = [number for number in range(N_PICTURES) if number != 7]
    assert [frame.number for frame in frames] == counters(frames) == keep
    assert len(timeline.times_s) == timeline.n_announced == N_PICTURES
    assert read_stills(folder, [7 / 25], 120) == [None]


def test_a_pipe_among_pictures_is_a_gap_and_not_waited_for(tmp_path):
    folder = pictures(tmp_path / "a", 5)
    (folder / "002.png").unlink()
    os.mkfifo(folder / "002.png")
    assert counters(decode(folder)[1]) == [0, 1, 3, 4]


def test_pictures_that_differ_in_size_are_no_video(tmp_path):
    folder = pictures(tmp_path / "a", 5)
    pictures(folder, 1, first=5, size=(320, 240))
    reason = r"a: contains pictures of different sizes: 000\.png has 160 x 120 px, 005\.png has 320 x 240"
    with pytest.raises(InputError, match=reason) as caught:
        decode(folder)
    assert "of one size" in caught.value.next_step


def test_a_picture_that_claims_to_be_huge_is_refused_by_its_header(tmp_path):
    folder = pictures(tmp_path / "a", 3)
    content = bytearray((folder / "001.png").read_bytes())
    content[16:24] = (50_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (folder / "001.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a: has a side of 50,000 px, above the limit of 16,384"):
        decode(folder)


def test_the_limits_hold_for_all_pictures_together(tmp_path):
    folder = pictures(tmp_path / "a")
    n_bytes = image_state(folder)[0]
    assert n_bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert len(decode(folder, limits=Limits(file_bytes=n_bytes))[1]) == N_PICTURES
    with pytest.raises(InputError, match="has a size of"):
        decode(folder, limits=Limits(file_bytes=n_bytes - 1))
    with pytest.raises(InputError, match="has a length of"):
        decode(folder, limits=Limits(duration_s=0.7))


def test_pictures_of_which_none_can_be_read(tmp_path):
    folder = pictures(tmp_path / "a", 3)
    for path in folder.iterdir():
        path.write_text("nothing")
    with pytest.raises(DecodeError, match="a: has no readable picture"):
        decode(folder)


def test_decord_hands_them_on(tmp_path):
    with pytest.raises(
        DecodeError, match="decord cannot be restricted to the demuxer of a folder of numbered pictures"
    ):
        decode(pictures(tmp_path / "a", 3), "decord")


def found_in(*inputs):
    videos, failures = find_videos(inputs)
    return [video.name for video in videos], [(str(each.path), each.error.reason) for each in failures]


def test_folders_of_pictures_are_found_among_videos(tmp_path):
    pictures(tmp_path / "set/testing/01_0014", 3, suffix=".jpg")
    pictures(tmp_path / "set/testing/01_0015", 3, suffix=".jpg")
    write_video(tmp_path / "set/training/01_001.mp4", 3)
    names, failures = found_in(tmp_path / "set")
    assert names == ["set/testing/01_0014", "set/testing/01_0015", "set/training/01_001.mp4"]
    assert failures == []
    assert found_in(tmp_path / "set/testing/01_0014") == (["testing/01_0014"], [])
    assert found_in(str(tmp_path / "set/testing/*"))[0] == ["testing/01_0014", "testing/01_0015"]


def test_videos_below_a_sequence_are_found_too(tmp_path):
    folder = pictures(tmp_path / "seq", 3)
    write_video(folder / "clips/a.mp4", 3)
    assert found_in(folder)[0] == [f"{tmp_path.name}/seq", "seq/clips/a.mp4"]
    assert found_in(tmp_path)[0] == [f"{tmp_path.name}/seq", f"{tmp_path.name}/seq/clips/a.mp4"]


def test_the_current_folder_may_be_one(tmp_path, monkeypatch):
    folder = pictures(tmp_path / "walk/01", 3)
    monkeypatch.chdir(folder)
    (video,), _ = find_videos(["."])
    assert (video.name, video.path, video.stem) == ("walk/01", folder, "01")


NOT_ONE = {
    "our own plots beside their videos": (
        ["001.png", "002.png", "001.mp4", "002.mp4"],
        "it contains a video",
    ),
    "our own plots in a folder of results": (
        ["1.png", "2.png", "1.scores.csv"],
        "it contains files of several types",
    ),
    "pictures of two kinds": (["1.png", "2.jpg"], "it contains files of several types"),
    "a single picture": (["1.png"], "it contains a single picture"),
    "no numbers": (["one.png", "two.png"], "its pictures are not numbered"),
    "names that differ": (["a1.png", "b2.png"], "its pictures are named differently"),
    "no pictures": (["1.txt", "2.txt"], "it contains no pictures"),
    "nothing": ([], "it contains no pictures"),
}


@pytest.mark.parametrize(("files", "reason"), NOT_ONE.values(), ids=NOT_ONE)
def test_what_is_not_an_image_sequence(tmp_path, files, reason):
    folder = tmp_path / "a"
    folder.mkdir()
    for name in files:
        (folder / name).write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        list_images(folder)
    assert caught.value.reason.startswith(f"is not an image sequence: {reason}")
    names, failures = found_in(folder)
    assert names == [f"a/{name}" for name in sorted(files) if name.endswith(".mp4")]
    assert bool(names) != bool(failures)
    with pytest.raises(InputError, match="is not an image sequence"):
        named_video(folder).state()


def test_what_file_browsers_leave_does_not_count(tmp_path):
    folder = pictures(tmp_path / "a", 3)
    for name in (".DS_Store", "._000.png", "Thumbs.db", "desktop.ini"):
        (folder / name).write_bytes(b"x")
    assert list_images(folder) == ["000.png", "001.png", "002.png"]


def test_the_masks_of_ucsd_are_no_videos(tmp_path):
    pictures(tmp_path / "Test/Test001", 3, suffix=".tif")
    pictures(tmp_path / "Test/Test001_gt", 3, suffix=".bmp")
    pictures(tmp_path / "Test/Alone_gt", 3, suffix=".bmp")
    assert found_in(tmp_path / "Test")[0] == ["Test/Alone_gt", "Test/Test001"]


def test_missing_numbers_are_named():
    assert missing_numbers(["1.png"]) is None
    assert missing_numbers([f"{n:03d}.png" for n in range(20)]) is None
    assert missing_numbers([f"{n}.png" for n in range(0, 100, 5)]) is None
    assert missing_numbers(["1.png", "2.png", "5.png", "6.png"]) == "between 2.png and 5.png"
    names = [f"{n}.png" for n in range(60) if n % 10]
    assert missing_numbers(names).endswith("between 29.png and 31.png and at 2 more places")


def test_a_sequence_is_known_by_its_pictures(tmp_path):
    folder = pictures(tmp_path / "a", 5)
    digest, state = image_digest(folder), image_state(folder)
    copied = Path(shutil.copytree(folder, tmp_path / "b"))
    assert (image_digest(copied), image_state(copied)) == (digest, state)
    (copied / "004.png").rename(copied / "005.png")
    assert image_digest(copied) != digest
    assert image_state(copied)[1] != state[1]
    os.utime(folder / "002.png", ns=(0, 10**18))
    assert image_state(folder)[1] != state[1]
    (folder / "004.png").unlink()
    assert image_state(folder)[0] < state[0]


def test_a_timeline_needs_no_process_of_its_own(tmp_path):
    timeline = read_timeline(pictures(tmp_path / "a", 3), assume_fps=5)
    assert timeline.times_s.tolist() == [0.0, 0.2, 0.4]
