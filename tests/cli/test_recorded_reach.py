"""What a recorded command would reach beyond the folder of its record."""

import os

import pytest

from support.videos import write_video
from vadpipe.cli.recorded_reach import moved_options, reach
from vadpipe.errors import UsageError
from vadpipe.runs import record as runs


def record_of(command="score", **arguments):
    return runs.RunRecord(
        command=command, arguments=arguments, started_in="..", resolved={}, versions={}, recipe=None, seed=None,
        outcome="finished", error=None, counts=runs.Counts(), inputs=(), outputs=(), videos=(), warnings=(), rerun=None,
        times=runs.Times(began="2026-01-01T00:00:00Z", took_s=1.0, snippets_per_s=None),
    )  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project: the working directory, with a video, a link to its folder, and a folder of results."""
    write_video(tmp_path / "videos/a.mp4", 2)
    (tmp_path / "results").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "videos")
    (tmp_path / "list.txt").write_text("videos\nhttps://example.invalid/b.mp4\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path.resolve()


BESIDE = {"videos": ["videos"]}


@pytest.mark.parametrize(
    ("command", "arguments", "outside"),
    [
        ("fit", {"output": "results"}, []),
        ("fit", {"output": "results/deep"}, []),
        ("fit", {"output": "../elsewhere"}, ["../elsewhere"]),
        ("fit", {"output": "results/../../elsewhere"}, ["../elsewhere"]),
        ("fit", {"output": "link"}, ["videos"]),
        ("fit", {}, ["head"]),
        ("fit", {"output": None}, ["head"]),
        ("fit", {"output": ""}, ["."]),
        ("extract", {**BESIDE, "features": "other", "output": None}, ["other"]),
        ("features import", {"files": [], "output": None}, ["features"]),
        ("score", {**BESIDE, "output": None}, ["videos"]),
        ("fit", {"output": "results", "tensorboard": "logs"}, ["logs"]),
        ("extract", BESIDE, ["features"]),
        ("extract", {**BESIDE, "features": "other"}, ["other"]),
        ("extract", {**BESIDE, "features": "other", "output": "results"}, []),
        ("evaluate", {"features": "other"}, ["evaluation"]),
        ("compare", {"candidates": []}, ["comparison"]),
        ("ablate", {}, ["ablation"]),
        ("features import", {"files": []}, ["features"]),
        ("score", {**BESIDE, "output": "results"}, []),
        ("score", {**BESIDE, "output": "results", "clips": "clips", "features": "kept", "annotate": "results/a"}, ["clips", "kept"]),
        ("score", BESIDE, ["videos"]),
        ("score", {"videos": ["link"]}, ["videos"]),
        ("score", {"videos": ["videos/*.mp4"]}, ["videos"]),
    ],
)  # fmt: skip
def test_places_outside_the_folder_of_the_record(here, command, arguments, outside):
    record = record_of(command, **arguments)
    expected = sorted(f"writes to {(here / place).resolve()}" for place in outside)
    assert reach(record, here / "results", moved=False) == expected
    assert reach(record, here / "results", moved=True) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"ray": "ray://example.invalid:1"}, "connects to ray://example.invalid:1"),
        ({"ray": "example.invalid:1"}, "connects to the Ray cluster example.invalid:1"),
        ({"output": "s3://bucket/scores"}, "connects to s3://bucket/scores"),
        ({"videos": ["https://example.invalid/a.mp4"]}, "connects to https://example.invalid/a.mp4"),
        ({"videos": ["@list.txt"]}, "connects to https://example.invalid/b.mp4"),
        ({"head": "gs://bucket/head"}, "connects to gs://bucket/head"),
        ({"output": "s3:/bucket/scores"}, "connects to s3:/bucket/scores"),
        ({"videos": ["HTTPS:/example.invalid/a.mp4"]}, "connects to HTTPS:/example.invalid/a.mp4"),
        ({"adapt-to": {"a": ["az:/c/f"]}}, "connects to az:/c/f"),
        ({"ray": "auto"}, "connects to the Ray cluster auto"),  # RAY_ADDRESS may name any
    ],
)
@pytest.mark.parametrize("moved", [False, True])
def test_addresses(here, arguments, text, moved):
    assert reach(record_of(**{**BESIDE, **arguments}), here / "results", moved=moved) == [text]


@pytest.mark.parametrize("ray", ["local", None])
def test_a_cluster_that_is_started_for_the_run_is_its_own(here, ray):
    assert reach(record_of(**BESIDE, ray=ray, output="results"), here / "results", moved=False) == []


@pytest.mark.parametrize("command", ["score", "fit"])
def test_a_link_in_the_folder_that_leads_out_of_it(here, command):
    (here / "results/deep").mkdir()
    for name, target in (("out", here / "videos"), ("inside", here / "results"), ("file", here / "list.txt")):
        (here / "results/deep" / name).symlink_to(target)
    found = reach(record_of(command, **BESIDE, output="results/deep"), here / "results", moved=False)
    assert found == [f"may write through the link results/deep/{name}" for name in ("file", "out")]


def test_links_where_nothing_is_written_do_not_matter(here):
    """As those of a project's environment, or linked videos, beside which results are written."""
    (here / "videos/environment").mkdir()
    (here / "videos/environment/python").symlink_to("/usr/bin/env")
    (here / "videos/b.mp4").symlink_to(here / "list.txt")
    assert reach(record_of(**BESIDE), here / "videos", moved=False) == []


@pytest.mark.parametrize("output", ["a\0b", "loop/x"])
def test_a_place_that_cannot_be(here, output):
    (here / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="names a place that cannot be written to: "):
        reach(record_of("fit", output=output), here / "results", moved=False)


def test_a_list_that_never_ends_is_refused(here):
    os.mkfifo(here / "pipe")
    for name in ("@pipe", "@/dev/zero", "@videos"):
        with pytest.raises(
            UsageError, match=f"{name}: cannot be read as a list of videos: Not a regular file"
        ):
            reach(record_of(videos=[name]), here / "results", moved=True)


def test_arguments_that_are_none_are_refused(here):
    with pytest.raises(UsageError, match="names no list of files"):
        reach(record_of(videos=3), here, moved=False)


def test_all_that_says_where_to_write_is_moved(here):
    record = record_of(**BESIDE, clips="../clips", features="kept", annotate="a/b.mp4", plot=True)
    assert moved_options(record, here / "again") == {
        "output": here / "again",
        "clips": here / "again/clips",
        "features": here / "again/kept",
        "annotate": here / "again/b.mp4",
    }
    for odd in ("..", "a/..", ".", ""):
        moved = moved_options(record_of(**BESIDE, clips=odd, features=None), here / "again")
        assert moved == {"output": here / "again", "clips": here / "again/clips"}
    extract = record_of("extract", **BESIDE, features="kept")
    assert moved_options(extract, here / "again") == {"output": here / "again", "features": here / "again"}
