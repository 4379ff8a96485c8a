"""What a recorded command would reach beyond the folder of its record."""

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
    """A project: the working directory, with a video, and a folder of results with a link out of it."""
    write_video(tmp_path / "videos/a.mp4", 2)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/link").symlink_to(tmp_path / "videos")
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
        ("fit", {"output": "results/link"}, ["videos"]),
        ("fit", {}, ["head"]),
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
        ("score", {"videos": ["results/link"]}, ["videos"]),
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
        ({"ray": "ray://example.invalid:1"}, "asks the address ray://example.invalid:1"),
        ({"ray": "example.invalid:1"}, "connects to the Ray cluster example.invalid:1"),
        ({"output": "s3://bucket/scores"}, "asks the address s3://bucket/scores"),
        ({"videos": ["https://example.invalid/a.mp4"]}, "asks the address https://example.invalid/a.mp4"),
        ({"videos": ["@list.txt"]}, "asks the address https://example.invalid/b.mp4"),
        ({"head": "gs://bucket/head"}, "asks the address gs://bucket/head"),
    ],
)
@pytest.mark.parametrize("moved", [False, True])
def test_addresses(here, arguments, text, moved):
    assert reach(record_of(**{**BESIDE, **arguments}), here / "results", moved=moved) == [text]


@pytest.mark.parametrize("ray", ["auto", "local"])
def test_the_cluster_of_this_machine_is_its_users_own(here, ray):
    assert reach(record_of(**BESIDE, ray=ray, output="results"), here / "results", moved=False) == []


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
    extract = record_of("extract", **BESIDE, features="kept")
    assert moved_options(extract, here / "again") == {"output": here / "again", "features": here / "again"}
