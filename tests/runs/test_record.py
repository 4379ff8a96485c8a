"""The record of a run: its form, what cannot be read, and earlier ones of the same name."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from vadpipe.errors import UsageError
from vadpipe.runs.record import (
    Counts,
    OutputRecord,
    RunRecord,
    Times,
    earlier_digests,
    read_record,
    write_record,
)


def make_record(command="fit", outcome="finished", **resolved):
    return RunRecord(
        command=command,
        arguments={"seed": 3},
        started_in="..",
        resolved=resolved,
        versions={"vadpipe": "0.1.0"},
        recipe=None,
        seed=3,
        outcome=outcome,
        error=None,
        counts=Counts(done=1),
        inputs=(),
        videos=(),
        outputs=(OutputRecord(file="a.csv", sha256="0" * 64),),
        warnings=("a",),
        rerun=None,
        times=Times(began="2026-01-01T00:00:00Z", took_s=1.0),
    )


def test_it_is_read_as_it_was_written(tmp_path):
    record = make_record(a=[1, None])
    assert write_record(record, tmp_path / "run.json") is None
    assert read_record(tmp_path / "run.json") == record
    assert earlier_digests(tmp_path / "run.json") == {"a.csv": "0" * 64}
    assert earlier_digests(tmp_path / "none.json") == {}


def test_the_same_run_takes_its_place_and_another_one_keeps_both(tmp_path):
    path = tmp_path / "run.json"
    write_record(make_record(a=1), path)
    assert write_record(make_record(a=1), path) is None
    assert write_record(make_record(a=2), path) == tmp_path / "run-1.json"
    assert write_record(make_record("score", a=2), path) == tmp_path / "run-2.json"
    assert [read_record(tmp_path / name).resolved["a"] for name in ("run-1.json", "run-2.json")] == [1, 2]
    assert read_record(path).command == "score"
    assert {file.name for file in tmp_path.iterdir()} == {"run.json", "run-1.json", "run-2.json"}


@pytest.mark.parametrize(("first", "then", "kept"), [
    ("finished", "failed", True),
    ("finished", "interrupted", True),
    ("failed", "finished", False),
    ("interrupted", "failed", False),
])  # fmt: skip
def test_a_finished_run_is_not_replaced_by_an_unfinished_one(tmp_path, first, then, kept):
    write_record(make_record(outcome=first), tmp_path / "run.json")
    assert (write_record(make_record(outcome=then), tmp_path / "run.json") is not None) == kept


def test_a_file_that_is_no_record_is_kept_too(tmp_path):
    (tmp_path / "run.json").write_text("mine")
    write_record(make_record(), tmp_path / "run.json")
    assert (tmp_path / "run-1.json").read_text() == "mine"


def test_no_record_is_lost_where_several_are_written_at_once(tmp_path):
    barrier = Barrier(8)

    def write(number):
        barrier.wait()
        write_record(make_record(a=number), tmp_path / "run.json")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert sorted(read_record(path).resolved["a"] for path in tmp_path.iterdir()) == [*range(8)]


def test_a_number_that_was_used_is_not_used_again(tmp_path):
    (tmp_path / "run-7.json").touch()
    write_record(make_record(a=1), tmp_path / "run.json")
    assert write_record(make_record(a=2), tmp_path / "run.json") == tmp_path / "run-8.json"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a record of a run"),
        ("[" * 100_000, "is not a record of a run"),
        ("[]", "is not a record of a run"),
        ("{}", "is not a record of a run"),
        ('{"schema_version": 1}', "has schema 1, this vadpipe reads 2"),
        ('{"schema_version": 2}', "is not a record of a run"),
    ],
)
def test_what_cannot_be_read(tmp_path, text, reason):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_record(tmp_path / "run.json")
    assert (caught.value.reason, caught.value.file) == (reason, str(tmp_path / "run.json"))


def test_unknown_keys_are_refused(tmp_path):
    write_record(make_record(), tmp_path / "run.json")
    known = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(known | {"more": 1}))
    with pytest.raises(UsageError, match="is not a record of a run"):
        read_record(tmp_path / "run.json")


def test_there_must_be_one():
    with pytest.raises(UsageError, match="no such file\nPass the run.json of a run"):
        read_record(Path("none.json"))


def test_what_is_no_file_or_longer_than_any_record_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")  # nobody writes to it: to read it would wait for ever
    with (tmp_path / "long.json").open("wb") as file:
        file.truncate(2**31 + 1)
    for path in (tmp_path / "pipe.json", tmp_path / "long.json", Path("/dev/zero")):
        with pytest.raises(UsageError, match="is not a record of a run\nPass the run.json of a run"):
            read_record(path)
