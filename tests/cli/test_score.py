"""``vadpipe score`` as people and scripts call it: lists, what is said where, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import assert_clean_error, run
from support.videos import write_video


@pytest.fixture
def folder(tmp_path):
    for name in ("cam1/a.mp4", "cam1/b.mp4", "cam2/c.mp4"):
        write_video(tmp_path / "videos" / name, 40)
    (tmp_path / "videos/cam2/bad.mp4").write_text("text")
    return tmp_path


@pytest.fixture
def score(x3d_head, x3d_weights):
    return lambda *arguments, cwd, **options: run(
        "score", *arguments, "--head", x3d_head, "--weights", x3d_weights, cwd=cwd, **options
    )


def test_a_list_a_folder_and_a_pattern_in_one_run(score, folder):
    (folder / "list.txt").write_text("# one a line\nvideos/cam1/b.mp4\n\nvideos/cam2\n")
    done = score("videos/cam1/a*.mp4", "@list.txt", "-o", "out", "--progress", "none", cwd=folder)
    assert done.returncode == 3  # one of four is bad
    assert done.stdout.splitlines() == [
        f"out/{name}.{what}.csv" for name in "abc" for what in ("scores", "events")
    ]
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("3 scored, 1 failed: ")
    assert sum(line.startswith("error: videos/cam2/bad.mp4: is not a video") for line in lines) == 1
    assert [line.split(":")[0] for line in lines if " frames, highest score " in line] == [
        "videos/cam1/a.mp4",
        "videos/cam1/b.mp4",
        "videos/cam2/c.mp4",
    ]


def test_views_on_the_command_line(x3d_weights, tmp_path):
    """Views in extract, fit and score; unknown views, or ones that the head lacks, are reported in two lines."""
    for name in ("videos/normal/a.mp4", "videos/fight/b.mp4", "clip.mp4"):
        write_video(tmp_path / name, 20)
    options = ["--weights", x3d_weights]
    done = run("extract", "videos", "--backbone", "x3d_xs", "--view", "centre,whole", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run("fit", "--set", "steps=4", "--set", "batch_bags=2", "-q", cwd=tmp_path).returncode == 0
    scores = {}
    for view in ("whole,centre", "whole"):
        asked = ["--head", "head", "--view", view, *options, "-o", view, "-q"]
        assert run("score", "clip.mp4", *asked, cwd=tmp_path).returncode == 0
        scores[view] = (tmp_path / view / "clip.scores.csv").read_text()
    assert scores["whole"] != scores["whole,centre"]
    assert len(scores["whole"].splitlines()) == 21
    assert_clean_error(
        run("score", "clip.mp4", "--head", "head", "--view", "left", *options, cwd=tmp_path),
        2,
        "error: head: the head was not trained on the view left",
        "Choose from its own views: whole, centre.",
    )
    for arguments, message in (
        (["--view", "hole"], "unknown view 'hole'"),
        (["--view", "left,left"], "the view left is named twice"),
        (["--view", "left", "--crops", "5"], "5 crops are views themselves and conflict with the view left"),
    ):
        assert_clean_error(run("extract", "videos", *arguments, cwd=tmp_path), 2, message)


def test_scoring_loads_nothing_that_only_training_and_pictures_need(x3d_head, x3d_weights, folder):
    """They take longer to load than a short video to score. What trained the head has converted the network."""
    code = (
        "import sys\n"
        "from vadpipe.cli import main\n"
        "try: main()\n"
        "finally: print({'sklearn', 'scipy', 'matplotlib', 'jinja2', 'PIL', 'requests'} & sys.modules.keys())"
    )
    options = ["--head", x3d_head, "--weights", x3d_weights, "--features", "kept", "-q"]
    command = [sys.executable, "-c", code, "score", "videos/cam1/a.mp4", *map(str, options)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_list_on_standard_input(score, folder):
    names = "videos/cam1/a.mp4\nvideos/cam2/c.mp4\n"
    done = score("-", "--format", "npy", "-q", cwd=folder, stdin=names)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"videos/{name}.{what}.npy" for name in ("cam1/a", "cam2/c") for what in ("scores", "times_s")
    ]


def test_json_lines_are_all_that_a_script_hears(score, folder):
    done = score("videos", "-o", "out", "--progress", "json", "--threshold", "0", "--plot", cwd=folder)
    assert done.returncode == 3
    assert "out/a.png" in done.stdout.splitlines()
    said = [json.loads(line) for line in done.stderr.splitlines()]
    kinds = [line["kind"] for line in said]
    assert kinds.count("scored") == 3
    assert kinds[-1] == "summary"
    assert said[-1] == {
        "kind": "summary", "n_scored": 3, "n_failed": 1, "n_damaged": 0, "n_events": 3, "n_with_events": 3,
    }  # fmt: skip
    (error,) = (line for line in said if line["kind"] == "error")
    assert (error["file"], error["exit_code"]) == ("videos/cam2/bad.mp4", 4)
    assert error["reason"].startswith("is not a video")
    scored = next(line for line in said if line["kind"] == "scored")
    assert (scored["video"], scored["n_frames"], scored["length_s"]) == ("videos/cam1/a.mp4", 40, 1.6)
    assert scored["files"] == ["out/a.scores.csv", "out/a.events.csv", "out/a.png"]
    progress = [line for line in said if line["kind"] == "progress"]
    assert {line["video"] for line in progress} == {line["video"] for line in said if "n_frames" in line}
    assert all(line["total_s"] == 1.6 and 0 <= line["share_of_all"] <= 1 for line in progress)


def test_an_error_that_ends_the_run_is_json_too(score, folder):
    done = score("videos/cam1", "--progress", "json", "--format", "xls", cwd=folder)
    assert done.returncode == 2
    (error,) = map(json.loads, done.stderr.splitlines())
    assert error == {
        "kind": "error",
        "file": None,
        "reason": "unknown format 'xls'",
        "next_step": "Choose from: csv, json, npy, srt, vtt, edl, fiftyone, labelstudio, cvat, all.",
        "exit_code": 2,
    }


def test_the_rule_of_events_comes_from_the_options(score, folder):
    options = ["--threshold", "0.3", "--hysteresis", "0.1", "--merge-gap", "0.5", "--min-length", "0.2"]
    done = score("videos/cam1/a.mp4", "--format", "json", "-q", *options, cwd=folder)
    assert done.returncode == 0
    document = json.loads((folder / "videos/cam1/a.scores.json").read_text())
    assert document["threshold"] == 0.3
    assert document["rule"] == {"hysteresis": 0.1, "merge_gap_s": 0.5, "min_length_s": 0.2}


def test_what_cannot_be_meant_ends_with_2(score, folder):
    for options, parts in (
        (["--hysteresis", "-1"], ["hysteresis -1.0 is out of range", "Give 0 to 1."]),
        (["--pad", "-1"], ["a padding of -1.0 s around events is out of range"]),
        (
            ["--annotate", "annotated.mp4"],
            [
                "annotated.mp4: 2 annotated videos cannot be written to one file",
                "Pass a folder to --annotate.",
            ],
        ),
        (["--truth", "gone.csv"], ["gone.csv: "]),
    ):
        assert_clean_error(score("videos/cam1", *options, cwd=folder), 2, *parts)
    assert_clean_error(score("@gone.txt", cwd=folder), 2, "@gone.txt: cannot be read as a list of videos")
    assert not list(folder.rglob("*.csv"))


def test_a_full_standard_output_ends_with_6(score, folder, x3d_head, x3d_weights):
    command = [sys.executable, "-m", "vadpipe", "score", "videos/cam1/a.mp4", "--head", x3d_head, "--weights"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, x3d_weights, "-q"], cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (
        6,
        "error: standard output: cannot be written: No space left on device\n",
    )
    assert (folder / "videos/cam1/a.scores.csv").is_file()


def test_a_place_that_cannot_be_written_ends_with_6(score, folder):
    (folder / "file").write_text("")
    done = score("videos/cam1/a.mp4", "--clips", "file", cwd=folder)
    assert_clean_error(done, 6, "file: cannot be written")
