"""How far a run is: by sizes of files, in the time of the video, with the time left; as text and as JSON."""

import json
from pathlib import Path

import pytest

from vadpipe.cli.terminal import VideoLines
from vadpipe.errors import InputError
from vadpipe.extract.run import run_over
from vadpipe.extract.video.discovery import Video


class Nothing:
    def close(self):
        pass


@pytest.fixture
def videos(tmp_path):
    made = []
    for name, size in (("a.mp4", 100), ("b.mp4", 300), ("gone.mp4", None), ("c.mp4", 600)):
        if size is not None:
            (tmp_path / name).write_bytes(bytes(size))
        made.append(Video(tmp_path / name, f"x/{name}"))
    return made


def reports_of(videos, work, **options):
    told = []
    finish = lambda _, report: work(report)  # noqa: E731
    run_over(videos, lambda video: Nothing(), finish, on_progress=told.append, **options)
    return told


def test_shares_go_by_the_sizes_of_the_files(videos):
    def work(report):
        report(0.0, 8.0)
        report(4.0, 8.0)
        report(9.0, 8.0)  # what a container announces may be less than there is

    told = reports_of(videos, work)
    assert [report.share_of_all for report in told] == pytest.approx(
        [0, 0.05, 0.1, 0.1, 0.25, 0.4, 0.4, 0.4, 0.4, 0.4, 0.7, 1.0]
    )
    assert [(report.index, report.n_videos) for report in told[::3]] == [(0, 4), (1, 4), (2, 4), (3, 4)]


def test_a_further_reading_is_named_and_never_goes_back(videos):
    def work(report):
        report(8.0, 8.0)
        again = report.doing("annotating")
        again(4.0, 8.0)

    told = reports_of(videos[:2], work, n_readings=2)
    assert [report.doing for report in told] == ["", "annotating", "annotating"] * 2
    assert told[2].done_s == 4.0
    shares = [report.share_of_all for report in told]
    # 100 and 300 bytes: once through the first video, once more, half through that; and so on.
    assert shares == pytest.approx([0.125, 0.125, 0.25 * 0.75, 0.625, 0.625, 0.25 + 0.75 * 0.75])


def test_files_without_a_size_count_one_each():
    videos = [Video(Path(f"/nowhere/{name}.mp4"), name) for name in "ab"]
    told = reports_of(videos, lambda report: report(1.0, 2.0))
    assert [report.share_of_all for report in told] == [0.25, 0.75]


def test_a_failed_video_does_not_stop_the_count(videos):
    def work(report):
        if report.start.video.name == "x/b.mp4":
            raise InputError("is broken", file="b.mp4")
        report(1.0, 1.0)

    assert [report.share_of_all for report in reports_of(videos, work)] == pytest.approx([0.1, 0.4, 1.0])


def lines_of(videos, every_s, as_json):
    lines = []
    show = VideoLines("scoring", lines.append, as_json=as_json, every_s=every_s)

    def work(report):
        report(30.0, 120.0)
        report(60.0, 120.0)
        report.doing("annotating")(90.0, 120.0)

    run_over(videos, lambda video: Nothing(), lambda _, report: work(report), on_progress=show)
    return lines


def test_lines_of_json_say_all_of_it(videos):
    first, second, third, last = map(json.loads, lines_of(videos[:1], every_s=0.0, as_json=True))
    left_s = second.pop("left_s")
    assert isinstance(left_s, float)
    assert second == {
        "kind": "progress",
        "doing": "scoring",
        "video": str(videos[0].path),
        "index": 0,
        "n_videos": 1,
        "done_s": 60.0,
        "total_s": 120.0,
        "share_of_all": 0.5,
    }
    assert (first["share_of_all"], third["doing"], last["done_s"]) == (0.25, "annotating", 90.0)


def test_lines_of_text_are_for_people(videos):
    lines = lines_of(videos[:2], every_s=3600.0, as_json=False)
    path = videos[1].path
    assert len(lines) == 4  # one for each new thing, then not before it is time again
    assert lines[0].startswith(f"scoring 1/2 {videos[0].path}: 0:30 of 2:00 (6% of all), about ")
    assert lines[0].endswith(" left")
    assert lines[3].startswith(f"annotating 2/2 {path}: (100% of all)")


def test_names_of_any_bytes_are_one_line(tmp_path):
    video = Video(tmp_path / "two\nlines\udcff.mp4", "x")
    (text,) = lines_of([video], every_s=3600.0, as_json=False)[:1]
    assert "\n" not in text
    (line,) = lines_of([video], every_s=3600.0, as_json=True)[:1]
    assert json.loads(line)["video"] == str(video.path)
