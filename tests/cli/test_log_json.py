"""``--log-json``: one object a line, with documented fields and without secrets."""

import json
import re
from pathlib import Path

import pytest

from support.commands import run
from support.environment import ROOT
from support.videos import write_video

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z").fullmatch


@pytest.fixture
def place(tmp_path):
    write_video(tmp_path / "v/a.mp4", 32)
    (tmp_path / "v/bad.mp4").write_text("text")
    return tmp_path


def lines_of(done):
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    for line in lines:
        assert [*line][:2] == ["kind", "time"]
        assert TIME(line.pop("time"))
    return lines


def test_extract_tells_of_each_video(place, x3d_weights):
    options = ["--backbone", "x3d_xs", "--weights", x3d_weights, "--log-json"]
    done = run("extract", "v", *options, cwd=place)
    assert done.returncode == 3
    lines = [line for line in lines_of(done) if line["kind"] != "note"]
    file = "features/v/a.mp4.safetensors"
    assert [line for line in lines if line["kind"] != "error"] == [
        {"kind": "started", "video": "v/a.mp4", "index": 0, "n_videos": 2},
        {"kind": "finished", "video": "v/a.mp4", "damaged": False, "files": [file]},
        {"kind": "record", "file": "features/run.json"},
        {
            "kind": "summary",
            "n_extracted": 1,
            "n_there": 0,
            "n_failed": 1,
            "n_damaged": 0,
            "folder": "features",
        },
    ]
    (error,) = [line for line in lines if line["kind"] == "error"]
    assert (error["file"], error["exit_code"]) == ("v/bad.mp4", 4)
    again = [
        line for line in lines_of(run("extract", "v/a.mp4", *options, cwd=place)) if line["kind"] != "note"
    ]
    assert again[0] == {"kind": "skipped", "video": "v/a.mp4", "damaged": False, "files": [file]}


def test_score_tells_of_its_results(place, x3d_head, x3d_weights):
    options = ["--head", x3d_head, "--weights", x3d_weights, "-o", "out"]
    done = run("score", "v/a.mp4", *options, "--log-json", cwd=place)
    assert done.stdout.splitlines() == ["out/a.scores.csv", "out/a.events.csv"]
    assert [line["kind"] for line in lines_of(done)] == ["started", "finished", "scored", "record"]
    quiet = run("score", "v/a.mp4", *options, "--log-json", "-q", cwd=place)
    assert lines_of(quiet) == []


def test_an_error_of_the_command_is_a_line(place):
    done = run("fit", "--features", "none", "--log-json", cwd=place)
    (line,) = lines_of(done)
    assert done.returncode == 2
    assert (line["kind"], line["file"], line["exit_code"]) == ("error", "none", 2)


def test_without_it_nothing_of_this_is_said(place, x3d_weights):
    options = ["--backbone", "x3d_xs", "--weights", x3d_weights]
    done = run("extract", "v", *options, cwd=place)
    assert not any(line.startswith("{") for line in done.stderr.splitlines())


def test_secrets_are_in_no_output_and_no_file(place, x3d_weights):
    (place / "list.txt").write_text("v/a.mp4\nrtsp://admin:s3cretword@cam.local/1?key=s3cretkey\n")
    address = "rtsp://admin:s3cretword@cam.local/2?key=s3cretkey"
    options = ["--backbone", "x3d_xs", "--weights", x3d_weights, "--log-json", "-v", "-o", "tok-en12345/out"]
    done = run("extract", "@list.txt", address, *options, cwd=place, CAMERA_TOKEN="tok-en12345")
    assert done.returncode == 3
    lines_of(done)
    written = [path.read_text() for path in (place / "tok-en12345").rglob("*.json")]
    assert len(written) == 1
    for text in (done.stdout, done.stderr, *written):
        assert not re.search("s3cret|tok-en12345", text)
    assert json.loads(written[0])["arguments"]["videos"] == ["@list.txt", "rtsp://***@cam.local/2?***"]


def test_every_kind_is_documented():
    named = set()
    for path in [*(ROOT / "vadpipe/cli").glob("*.py"), ROOT / "vadpipe/runs/journal.py"]:
        text = Path(path).read_text()
        named |= {*re.findall(r'kind="(\w+)"|"kind": "(\w+)"|_tell\("(\w+)"', text)}
    kinds = {one for each in named for one in each if one}
    documented = "".join((ROOT / page).read_text() for page in ("docs/outputs.md", "docs/how-to/records.md"))
    assert {"started", "error", "summary", "record", "rerun"} <= kinds
    assert not {kind for kind in kinds if f"`{kind}`" not in documented}
