"""What a function says of its run, and the record when it ends, however it ends."""

import hashlib
import logging
import os
from pathlib import Path

import pytest

from support.feature_files import make_features, write_features
from vadpipe.errors import InputError, UsageError
from vadpipe.runs.command_line import CommandLine, called_by
from vadpipe.runs.journal import journal
from vadpipe.runs.record import read_record
from vadpipe.runs.recording import recorded
from vadpipe.weights import SHIPPED_HEAD

log = logging.getLogger("vadpipe.test")


@recorded("work")
def work(output, *, sheet=None, error=None, begin=True, seed=0, on_done=None):
    """Write one file."""
    journal().reads("sheet", sheet)
    if begin:
        journal().begin(Path(output))
    if error is not None and not begin:
        raise error
    log.warning("rtsp://me:s3cret@cam/1 is slow")
    log.info("not kept")
    file = Path(output) / "a.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text("1\n")
    journal().wrote([file])
    if error is not None:
        raise error
    return file


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record_of(folder="out"):
    return read_record(Path(folder) / "run.json")


def test_it_says_what_was_read_and_written(place):
    Path("sheet.csv").write_text("a\n")
    assert work("out", sheet="sheet.csv", seed=3, on_done=print) == Path("out/a.csv")
    record = record_of()
    assert (record.command, record.outcome, record.error, record.arguments) == (
        "work",
        "finished",
        None,
        None,
    )
    assert record.resolved == {"output": "out", "sheet": "sheet.csv", "error": None, "begin": True, "seed": 3}
    assert record.seed == 3
    (sheet,) = record.inputs
    assert (sheet.role, sheet.file, sheet.sha256) == (
        "sheet",
        "sheet.csv",
        hashlib.sha256(b"a\n").hexdigest(),
    )
    (output,) = record.outputs
    assert (output.file, output.sha256) == ("a.csv", hashlib.sha256(b"1\n").hexdigest())
    assert record.warnings == ("rtsp://***@cam/1 is slow",)
    assert record.started_in == ".."
    assert {"vadpipe", "torch", "numpy", "av"} <= record.versions.keys()
    assert str(place) not in Path("out/run.json").read_text()


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (InputError("is broken", file="rtsp://me:s3cret@cam/1"), "failed", "is broken"),
        (RuntimeError("boom"), "failed", "RuntimeError: boom"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt: "),
        (SystemExit(143), "interrupted", "SystemExit: 143"),
    ],
)
def test_it_is_written_however_the_run_ends(place, error, outcome, reason):
    with pytest.raises(type(error)):
        work("out", error=error)
    record = record_of()
    assert (record.outcome, record.error.reason) == (outcome, reason)
    assert record.error.file in (None, "rtsp://***@cam/1")
    assert [item.file for item in record.outputs] == ["a.csv"]


def test_a_run_that_was_refused_leaves_the_record_of_before(place):
    work("out")
    before = Path("out/run.json").read_bytes()
    with pytest.raises(UsageError):
        work("out", begin=False, error=UsageError("holds other results"))
    assert [*map(str, Path("out").glob("run*"))] == ["out/run.json"]
    assert Path("out/run.json").read_bytes() == before


def test_two_equal_runs_differ_in_their_times_alone(place):
    work("out")
    first = record_of()
    work("out")
    assert record_of().model_copy(update={"times": first.times}) == first


def test_a_record_that_cannot_be_written_is_a_warning(place, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "replace", full)
    work("out")
    assert "out/run.json: cannot be written: No space left on device" in caplog.text
    assert [path.name for path in Path("out").iterdir()] == ["a.csv"]


@recorded("read")
def read(features, output="out"):
    """Read features."""
    journal().reads("features", features)
    journal().reads("head", SHIPPED_HEAD)
    journal().begin(Path(output))
    (Path(output)).mkdir(exist_ok=True)
    (Path(output) / "b").touch()
    journal().wrote([Path(output) / "b"])


def test_folders_count_by_their_feature_files(place):
    write_features(Path("features"), "normal", 2)
    digests = []
    for _ in range(2):
        read("features")
        features, head = record_of().inputs
        digests.append((features.n_files, features.sha256))
        Path("features/notes.txt").write_text("counts for nothing")
    assert digests[0] == digests[1]
    assert digests[0][0] == len([*Path("features").rglob("*.safetensors")])
    assert (head.file, head.sha256) == ("included", hashlib.sha256(SHIPPED_HEAD.read_bytes()).hexdigest())
    one = next(iter(Path("features").rglob("*.safetensors")))
    one.write_bytes(one.read_bytes() + b" ")
    read("features")
    assert record_of().inputs[0].sha256 != digests[0][1]


def test_data_in_memory_is_named_as_such(place):
    read({"a.mp4": make_features(16, "a.mp4")})
    assert (record_of().inputs[0].role, record_of().inputs[0].file) == ("features", None)


def test_a_generator_is_left_to_the_function(place):
    @recorded("count")
    def count(inputs):
        return len([*inputs])

    assert count(iter("abc")) == 3


def test_a_command_is_told_and_named(place):
    events = []
    with called_by(CommandLine({"output": "out"}, on_event=events.append)) as line:
        work("out")
    assert record_of().arguments == {"output": "out"}
    assert line.records == [Path("out/run.json")]
    assert events == [{"kind": "record", "file": "out/run.json"}]


def test_without_handlers_warnings_are_still_shown(place, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    work("out")
    assert "is slow" in capsys.readouterr().err


def test_wrong_arguments_are_those_of_the_function(place):
    with pytest.raises(TypeError, match=r"work\(\) got an unexpected keyword argument 'outputs'"):
        work("out", outputs=3)
