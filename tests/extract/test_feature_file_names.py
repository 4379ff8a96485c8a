"""Whatever a video is called, its features have a name of their own, below the output, that leads back to it."""

import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from support.decoding import forbid_decoding
from support.videos import write_video
from vadpipe.errors import OutputError
from vadpipe.extract.extraction import extract_features
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder
from vadpipe.files.atomic import fitting_name

NAMES = [
    "clip.mp4",
    "Clip.MP4",
    "a/clip.mp4",
    "b/clip.mp4",
    unicodedata.normalize("NFC", "café.mp4"),
    unicodedata.normalize("NFD", "café.mp4"),
    "n" * 250 + "1.mp4",
    "n" * 250 + "2.mp4",
    "two\nlines.mp4",
    "-rf.mp4",
    "--output.mp4",
    "trailing.mp4.",
    "dots...mp4",
    "a..b.mp4",
    " a space before, two  within and one after .mp4",
    'it\'s "quoted" `echo` $(touch pwned).mp4',
    "100%s%.mp4",
    "*[1]?.mp4",
    "back\\slash:a|b;c.mp4",
    "видео 😀.mp4",
    "<script>.mp4",
    "CON.mp4",
    "aux.mp4",
    "NUL.mp4",
    "bad\udcff.mp4",  # a byte that is no UTF-8
    "bad\\xff.mp4",  # and the name that it is written as
    "x.mp4/y.mp4",
    "clip.mp4.safetensors/y.mp4",  # a folder where the features of clip.mp4 should lie
    "name.safetensors.mp4",
    "run.json",
]


def written_as(name):
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@pytest.fixture(scope="module")
def extracted(tmp_path_factory, x3d_weights, cache_folder):
    """All of them named on one command line. The first has one frame, the next two, and so on."""
    folder = tmp_path_factory.mktemp("names")
    for index, name in enumerate(NAMES):
        (folder / "v" / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / "plain.mp4", index + 1, size=(64, 64)).rename(folder / "v" / name)
    command = [sys.executable, "-m", "vadpipe", "extract", "-o", "../features", "--backbone", "x3d_xs"]
    done = subprocess.run(
        [*command, "--weights", x3d_weights, "--", *map(os.fsencode, NAMES)],
        cwd=folder / "v",
        capture_output=True,
        env={**os.environ, "VADPIPE_CACHE": str(cache_folder)},
    )
    return folder, done


def test_every_legal_name_can_be_given_on_the_command_line(extracted):
    folder, done = extracted
    said = f"{len(NAMES)} extracted, 0 already done, 0 failed: ../features"
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode().splitlines()[1:] == [said]  # after the note on the included head
    assert sorted(path.name for path in folder.iterdir()) == ["features", "v"]
    videos = {path.relative_to(folder / "v") for path in (folder / "v").rglob("*") if path.is_file()}
    assert videos == {*map(Path, NAMES)}


def test_each_name_gets_features_of_its_own_that_lead_back_to_it(extracted, tiny, monkeypatch):
    folder, _ = extracted
    monkeypatch.chdir(folder)
    forbid_decoding(monkeypatch)
    result = extract_features(["v", "v/trailing.mp4.", "v/run.json"], "features", settings=tiny())
    assert len({*result.skipped}) == len(NAMES)
    features = {(item := Features.load(path)).n_frames: item.source.video for path in result.skipped}
    expected = {index + 1: f"v/{written_as(name)}" for index, name in enumerate(NAMES)}
    expected[NAMES.index("bad\\xff.mp4") + 1] = f"{folder.name}/v/bad\\xff.mp4"  # taken by the one before
    # Named alone it had no v/ before it, and there the features of clip.mp4 are in its way.
    expected[NAMES.index("clip.mp4.safetensors/y.mp4") + 1] = "clip.mp4.safetensors/y.mp4"
    assert features == expected
    assert len(FeatureFolder(folder / "features").load()) == len(NAMES)


def test_a_folder_whose_name_grows_too_long_is_shortened(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, last in enumerate((b"\xfe", b"\xff")):  # four characters each, once written
        video = write_video(tmp_path / "plain.mp4", number + 1)
        folder = Path(os.fsdecode(b"v/" + b"\xff" * 200 + last))
        folder.mkdir(parents=True)
        video.rename(folder / "a.mp4")
    result = extract_features(["v"], "features", settings=tiny())
    features = [Features.load(path) for path in result.written]
    assert [item.source.video for item in features] == [
        "v/" + "\\xff" * 200 + last + "/a.mp4" for last in ("\\xfe", "\\xff")
    ]
    assert len(extract_features(["v"], "features", settings=tiny()).skipped) == 2


@pytest.fixture
def extract(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *inputs, **options: extract_features(inputs, "features", settings=tiny(), **options)


def test_two_videos_of_one_name_do_not_collide(extract, tmp_path):
    write_video(tmp_path / "one/videos/a.mp4", 16)
    write_video(tmp_path / "two/videos/a.mp4", 33)
    result = extract("one/videos", "two/videos")
    features = [Features.load(path) for path in result.written]
    assert [item.n_frames for item in features] == [16, 33]
    assert [item.source.video for item in features] == ["videos/a.mp4", "two/videos/a.mp4"]
    record = json.loads((tmp_path / "features/run.json").read_text())
    assert [video["video"] for video in record["videos"]] == ["two/videos/a.mp4", "videos/a.mp4"]
    assert extract("two/videos", "one/videos").skipped == result.written[::-1]
    assert len(FeatureFolder(tmp_path / "features").load()) == 2  # and a head can be fitted on both


@pytest.mark.parametrize("first", ["clip.mp4", "clip.mp4.safetensors/y.mp4"])
def test_a_folder_may_be_named_as_the_features_of_a_video(extract, tmp_path, first):
    names = []
    for name in sorted(("clip.mp4", "clip.mp4.safetensors/y.mp4"), key=first.__ne__):
        write_video(tmp_path / "v" / name, 16)
        names += [Features.load(path).source.video for path in extract("v").written]
    assert names[0] == f"v/{first}"
    assert names[1].startswith(f"{tmp_path.name}/v/clip.mp4")
    assert len(extract("v").skipped) == 2


def test_the_same_content_in_two_class_folders_is_two_videos(extract, tmp_path):
    write_video(tmp_path / "videos/fight/a.mp4", 16)
    (tmp_path / "videos/calm").mkdir()
    shutil.copy2("videos/fight/a.mp4", "videos/calm/a.mp4")
    assert len(extract("videos").written) == 2


def test_a_video_is_known_however_it_is_named(extract, tmp_path):
    write_video(tmp_path / "videos/fight/a.mp4", 16)
    first = extract("videos").written
    for name in ("videos/fight", "videos/fight/a.mp4", tmp_path / "videos" / "fight" / "a.mp4"):
        assert extract(name).skipped == first


def test_a_video_takes_the_longer_name_when_it_is_found_from_further_up(extract, tmp_path):
    write_video(tmp_path / "videos/normal/cam1/a.mp4", 16)
    extract("videos/normal/cam1/a.mp4")
    (path,) = extract("videos").skipped
    assert path.as_posix() == "features/videos/normal/cam1/a.mp4.safetensors"
    assert Features.load(path).source.video == "videos/normal/cam1/a.mp4"
    assert len(FeatureFolder(tmp_path / "features").load()) == 1


def test_features_that_were_renamed_by_hand_are_not_overwritten(extract, tmp_path):
    write_video(tmp_path / "v/a.mp4", 16)
    extract("v")
    shutil.copy("features/v/a.mp4.safetensors", "features/v/b.mp4.safetensors")
    write_video(tmp_path / "v/b.mp4", 20)
    (path,) = extract("v").written
    assert Features.load(path).n_frames == 20
    assert Features.load(tmp_path / "features/v/b.mp4.safetensors").n_frames == 16


def test_names_with_dots_stay_inside_the_output(extract, tmp_path, monkeypatch):
    write_video(tmp_path / "w/clips/x.mp4", 16)
    write_video(tmp_path / "clips/x.mp4", 33)
    monkeypatch.chdir(tmp_path / "w")
    result = extract("clips", "../clips")
    assert [path.as_posix() for path in result.written] == [
        "features/clips/x.mp4.safetensors",
        f"features/{tmp_path.name}/clips/x.mp4.safetensors",
    ]
    assert extract("../w/clips", "../clips/x.mp4").skipped == result.written


@pytest.mark.parametrize("link", ["features/v", "features/.locks"])
@pytest.mark.parametrize("video", ["v/a.mp4", "v/deep/er/a.mp4"])
def test_a_link_that_leads_out_of_the_output_is_refused_before_the_work(
    extract, tmp_path, monkeypatch, video, link
):
    write_video(tmp_path / video, 16)
    for folder in ("outside", "features"):
        (tmp_path / folder).mkdir()
    (tmp_path / link).symlink_to(tmp_path / "outside")
    forbid_decoding(monkeypatch)
    with pytest.raises(OutputError, match="would be written outside of features, through a link") as caught:
        extract("v")
    assert (caught.value.exit_code, caught.value.next_step[:15]) == (6, "Remove the link")
    assert [*(tmp_path / "outside").iterdir()] == []


def test_a_failure_is_not_written_through_a_link_either(extract, tmp_path):
    path = write_video(tmp_path / "v/a.mp4", 16)
    os.truncate(path, path.stat().st_size // 2)
    (tmp_path / "outside").mkdir()
    (tmp_path / "features").mkdir()
    (tmp_path / "features/v").symlink_to(tmp_path / "outside")
    with pytest.raises(OutputError, match="through a link"):
        extract("v")
    assert [*(tmp_path / "outside").iterdir()] == []


def test_a_link_in_circles_is_refused(extract, tmp_path):
    write_video(tmp_path / "v/a.mp4", 16)
    (tmp_path / "features").mkdir()
    (tmp_path / "features/v").symlink_to("v")
    with pytest.raises(OutputError, match=r"a\.mp4\.safetensors: "):
        extract("v")


def test_links_that_stay_inside_and_a_linked_output_are_fine(extract, tmp_path):
    write_video(tmp_path / "v/a.mp4", 16)
    (tmp_path / "disk/kept").mkdir(parents=True)
    (tmp_path / "features").symlink_to("disk")
    (tmp_path / "disk/v").symlink_to("kept")
    extract("v", format="npy")
    assert sorted(path.name for path in (tmp_path / "disk/kept").iterdir()) == [
        "a.mp4.npy",
        "a.mp4.safetensors",
    ]


def test_a_file_that_a_link_names_is_left_alone(extract, tmp_path):
    write_video(tmp_path / "v/a.mp4", 16)
    (tmp_path / "outside.txt").write_text("mine")
    (tmp_path / "features/v").mkdir(parents=True)
    for name in ("features/v/a.mp4.safetensors", "features/v/a.mp4.npy", "features/run.json"):
        (tmp_path / name).symlink_to(tmp_path / "outside.txt")
    assert len(extract("v", format="npy").written) == 1
    assert (tmp_path / "outside.txt").read_text() == "mine"
    assert len(FeatureFolder(tmp_path / "features").load()) == 1


@pytest.mark.parametrize("stem", ["short", "n" * 251, "я" * 200, "\\xff" * 255])
def test_a_shortened_name_is_legal_and_marked(stem):
    name = fitting_name(stem, ".mp4.safetensors")
    assert len(os.fsencode(name)) <= 255
    assert ("~" in name) == (len(os.fsencode(stem)) > 200)
