"""What users meet at the command line and the API with recordings that carry no times, clocks that jump, folders of
pictures, and names that are none of files.
"""

import csv
import logging

import numpy as np
import pytest

from support.recordings import encode, joined, pictures, stream
from support.videos import write_video
from vadpipe.errors import InputError
from vadpipe.extract.extraction import extract_features
from vadpipe.extract.video.discovery import find_videos
from vadpipe.features.file import Features, read_header


def test_the_assumed_rate_is_kept_and_told_once(tmp_path, tiny, caplog):
    (tmp_path / "v").mkdir()
    for name in "ab":
        encode(tmp_path / f"v/{name}.h264", "libx264", "h264")
    write_video(tmp_path / "v/c.mp4", 32)
    with caplog.at_level(logging.WARNING, "vadpipe"):
        result = extract_features([tmp_path / "v"], tmp_path / "f", settings=tiny(assume_fps=12.5))
    told = [record.message for record in caplog.records if "timestamps" in record.message]
    assert len(told) == 1
    assert told[0].endswith("a.h264: has no timestamps; assuming 12.5 frames per second (--assume-fps)")
    recipes = [read_header(path).recipe for path in result.written]
    assert [recipe.assumed_fps for recipe in recipes] == [12.5, 12.5, None]
    assert recipes[0].differences(recipes[2]) == []  # one head scores both
    features = Features.load(result.written[0])
    np.testing.assert_allclose(features.frame_times_s, np.arange(40) / 12.5)

    again = extract_features([tmp_path / "v"], tmp_path / "f", settings=tiny(assume_fps=12.5))
    assert (len(again.skipped), len(again.written)) == (3, 0)
    other = extract_features([tmp_path / "v"], tmp_path / "f", settings=tiny(assume_fps=25))
    assert [path.name[0] for path in other.written] == ["a", "b"]  # the rate of c is its own
    assert len(other.skipped) == 1


def test_repairs_of_the_clock_are_told_to_those_who_ask(tmp_path, tiny, caplog):
    path = joined(
        tmp_path / "joined.ts", stream(tmp_path / "a", 0, starts_s=50.0), stream(tmp_path / "b", 20)
    )
    with caplog.at_level(logging.INFO, "vadpipe"):
        result = extract_features([path], tmp_path / "f", settings=tiny())
    (told,) = [record for record in caplog.records if "the clock" in record.message]
    assert told.levelno == logging.INFO
    assert "joined.ts: the clock restarts or jumps back at frame 20 (moved by +50." in told.message
    features = Features.load(result.written[0])
    assert len(features.frame_times_s) == 40
    np.testing.assert_allclose(np.diff(features.frame_times_s), 0.04, atol=1e-3)


def test_recordings_that_are_not_read_are_told_to_everyone(tmp_path, tiny, caplog):
    first, other = stream(tmp_path / "a", suffix="mkv"), stream(tmp_path / "b", suffix="mkv", size=(320, 240))
    path = joined(tmp_path / "joined.mkv", first, other)
    with caplog.at_level(logging.WARNING, "vadpipe"):
        result = extract_features([path], tmp_path / "f", settings=tiny())
    (told,) = [record.message for record in caplog.records if "cannot be read" in record.message]
    assert told.endswith(
        f"joined.mkv: 1 of the recordings joined in this file cannot be read, from byte"
        f" {first.stat().st_size} on; split the file to process them"
    )
    assert len(Features.load(result.written[0]).frame_times_s) == 20


def test_a_break_of_an_hour_is_told_to_everyone(tmp_path, tiny, caplog):
    path = joined(
        tmp_path / "joined.ts", stream(tmp_path / "a", 0), stream(tmp_path / "b", 20, starts_s=3600.0)
    )
    with caplog.at_level(logging.WARNING, "vadpipe"):
        extract_features([path], tmp_path / "f", settings=tiny())
    assert any("the clock jumps ahead by 3,599 s at frame 20" in record.message for record in caplog.records)


def test_many_breaks_are_told_in_one_line(tmp_path, tiny, caplog):
    parts = [stream(tmp_path / f"{at}", 0, starts_s=600.0 * at) for at in range(5)]
    path = joined(tmp_path / "motion.ts", *parts)
    with caplog.at_level(logging.INFO, "vadpipe"):
        extract_features([path], tmp_path / "f", settings=tiny())
    told = [(record.levelname, record.message) for record in caplog.records if "the clock" in record.message]
    assert [level for level, _ in told] == ["WARNING", *["INFO"] * 4]
    assert told[0][1].endswith(
        "motion.ts: the clock jumps ahead by a minute or more at 4 places (-v names them)"
    )


def test_a_folder_of_pictures_is_extracted_once(tmp_path, tiny, caplog):
    folder = pictures(tmp_path / "frames/01_0014", 48, suffix=".jpg")
    (folder / "005.jpg").unlink()
    (folder / "010.jpg").write_text("nothing")
    with caplog.at_level(logging.WARNING, "vadpipe"):
        result = extract_features([tmp_path / "frames"], tmp_path / "f", settings=tiny())
    (path,) = result.written
    assert path.relative_to(tmp_path / "f").as_posix() == "frames/01_0014.safetensors"
    source = read_header(path).source
    assert (source.video, source.n_announced, source.n_decoded) == ("frames/01_0014", 47, 46)
    assert source.gaps == ((9, 10),)
    told = " | ".join(record.message for record in caplog.records)
    assert "01_0014: pictures are missing between 004.jpg and 006.jpg" in told
    assert "01_0014: cannot be read as pictures: 010.jpg" in told

    assert len(extract_features([folder], tmp_path / "f", settings=tiny()).skipped) == 1
    pictures(folder, 1, suffix=".jpg", first=5)
    assert len(extract_features([folder], tmp_path / "f", settings=tiny()).written) == 1


def test_a_picture_that_changes_meanwhile_is_noticed(tmp_path, tiny, monkeypatch):
    folder = pictures(tmp_path / "a", suffix=".jpg")
    from vadpipe.extract import extractor

    digest = extractor.content_digest

    def slowly(path):
        pictures(folder, 1, suffix=".jpg", first=20)
        return digest(path)

    monkeypatch.setattr(extractor, "content_digest", slowly)
    result = extract_features([folder], tmp_path / "f", settings=tiny())
    assert [failure.error.reason for failure in result.failed] == ["changed while it was read"]


@pytest.mark.parametrize("options", [[], ["--report", "--no-embed"]])
def test_scores_of_a_folder_lie_beside_it(tmp_path, command_line, x3d_head, x3d_weights, options):
    folder = pictures(tmp_path / "frames/01.0014", 32, suffix=".jpg")
    done = command_line("score", folder, "--head", x3d_head, "--weights", x3d_weights, "--plot", *options)
    assert done.exit_code == 0, done.output
    names = sorted(path.name for path in folder.parent.iterdir() if path.is_file())
    expected = {"01.0014.events.csv", "01.0014.png", "01.0014.run.json", "01.0014.scores.csv"}
    assert {*names} == expected | ({"01.0014.preview.mp4", "01.0014.report.html"} if options else set())
    with (folder.parent / "01.0014.scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(32))
    assert float(rows[-1]["time_s"]) == pytest.approx(31 / 25)
    assert find_videos([folder.parent])[0][0].path == folder  # what was made is no video of its own


ADDRESSES = {
    "rtsp://admin:pass@word@10.0.0.1:554/ch1": (
        "rtsp://10.0.0.1:554/ch1",
        "is the address of a stream",
        "ffmpeg",
    ),
    "http://user@example.org/a.mp4": ("http://example.org/a.mp4", "is an address, not a file", "curl"),
    "http://example.org/a.mp4?user=admin&pwd=pass@word": (
        "http://example.org/a.mp4",
        "is an address, not a file",
        "curl",
    ),
    "rtsp://admin:pass@word/x@10.0.0.1/ch1": ("rtsp://10.0.0.1/ch1", "is the address of a stream", "ffmpeg"),
    "RTMP://live/app": ("RTMP://live/app", "is the address of a stream, not a file", "ffmpeg"),
    "0": ("0", "is a camera's number, not a file", "/dev/video0"),
    "gone.mp4": ("gone.mp4", "no such file", "Check the path"),
    "C:/videos/gone.mp4": ("C:/videos/gone.mp4", "no such file", "Check the path"),
}


@pytest.mark.parametrize(("given", "told"), ADDRESSES.items(), ids=ADDRESSES)
@pytest.mark.parametrize("command", ["score", "extract"])
def test_what_is_no_file_is_called_what_it_is(tmp_path, command_line, monkeypatch, command, given, told):
    monkeypatch.chdir(tmp_path)
    done = command_line(command, given)
    assert done.exit_code == 4
    shown, reason, step = told
    first, second = done.stderr.splitlines()[:2]
    assert first.startswith(f"error: {shown}: {reason}")
    assert step in second
    written = " ".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    for text in (done.output, written):
        assert "pass@word" not in text
        assert "admin" not in text


def test_the_api_calls_them_so_too():
    import vadpipe

    with pytest.raises(InputError, match=r"^rtsp://10\.0\.0\.1/ch1: is the address of a stream") as caught:
        vadpipe.score("rtsp://admin:secret@10.0.0.1/ch1")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_named_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http:").mkdir()
    write_video(tmp_path / "a.mp4", 3).rename(tmp_path / "http:/a.mp4")
    videos, failures = find_videos(["http:/a.mp4", "http://a.mp4"])
    assert (len(videos), failures) == (1, [])
