"""Files changed at random: read, or refused by an error of ours; never a traceback, a hang, or a lost process."""

import logging
from random import Random

import pytest

from support.environment import ROOT
from support.fuzzing import readers
from support.fuzzing.running import CANARY, Outcome, ill_told, read_one, run, write_canary
from support.fuzzing.targets import FILES, TARGETS, VIDEOS, write_whole
from support.fuzzing.watching import Hung, limited, watched
from vadpipe.errors import InputError, OutputError
from vadpipe.extract.video.container import FAMILIES, sniff

CORPUS = ROOT / "tests" / "corpus"
SEEDS = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.name != "README.md")


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_every_container_is_a_target(tmp_path):
    found = set()
    for target in VIDEOS:
        write_whole(target, tmp_path / target.name)
        (path,) = (tmp_path / target.name).iterdir()
        found.add("images" if path.is_dir() else sniff(path))
    assert found == {*FAMILIES}


def test_whole_files_are_read(tmp_path):
    others = {"playlist": "refused", "failure": "partial", "imported h5": "partial"}
    for target in (VIDEOS[0], *FILES):
        outcome = Outcome()
        write_whole(target, tmp_path / target.name / target.name)
        write_canary(tmp_path / target.name / CANARY)
        assert read_one(target, tmp_path / target.name, Random(0), outcome) == []
        assert outcome.counts == {others.get(target.name, "read"): 1}, target.name
    readers.release()


@pytest.mark.parametrize("name", TARGETS)
def test_some_mutations(tmp_path, name):
    outcome = run(TARGETS[name], tmp_path, range(3 if TARGETS[name].is_slow else 8))
    assert outcome.failures == []
    assert outcome.counts["stalled"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_many_mutations(tmp_path, name):
    outcome = run(TARGETS[name], tmp_path, range(8, 60 if TARGETS[name].is_slow else 400))
    assert outcome.failures == []
    assert outcome.counts["read"] + outcome.counts["partial"] > 0 or name == "playlist"
    assert outcome.counts["refused"] > 0 or TARGETS[name].read.__name__ in READ_OR_MADE_ANEW


READ_OR_MADE_ANEW = {"read_training_state", "read_ablation_run", "read_run_record", "read_failures"}


def test_there_are_200_mutations_a_run():
    assert sum(3 if target.is_slow else 8 for target in TARGETS.values()) >= 200


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.relative_to(CORPUS).as_posix())
def test_what_once_failed(tmp_path, path):
    """Each seed lies in the folder of its target, under the name of the file in whose place it is read."""
    target = TARGETS[path.parent.parent.name]
    write_whole(target, tmp_path / target.name)
    write_canary(tmp_path / CANARY)
    (place,) = (tmp_path / target.name).rglob(path.name)
    place.write_bytes(path.read_bytes())
    for choice in range(4):  # what a reader chooses by itself, such as a decoder
        assert read_one(target, tmp_path, Random(choice), Outcome()) == []
    readers.release()


def test_every_seed_has_its_reason():
    told = (CORPUS / "README.md").read_text()
    assert SEEDS
    for path in SEEDS:
        assert f"`{path.relative_to(CORPUS).parent.as_posix()}`" in told


def outcome_of(tmp_path, read):
    """Return what the fuzzer says of a reader."""
    from support.fuzzing.targets import Target

    target = Target(
        "wrong", lambda folder: (folder / "a").write_text("1,2"), read, ("a",), lambda content, rng: content
    )
    return run(target, tmp_path, range(1))


def test_the_fuzzer_tells_of_errors_that_are_not_ours(tmp_path):
    (failure,) = outcome_of(tmp_path, lambda folder, output, rng: int("x")).failures
    assert failure.startswith("wrong 0 (a): Traceback")
    assert "ValueError" in failure


def test_the_fuzzer_tells_of_a_reader_that_writes_elsewhere(tmp_path):
    inside = outcome_of(tmp_path, lambda folder, output, rng: [(output / "b").write_text("")][:0])
    assert inside.failures == []
    failures = outcome_of(
        tmp_path, lambda folder, output, rng: [(folder.parent / "b").write_text("")][:0]
    ).failures
    assert failures == ["wrong 0 (a): wrote outside the output: ['b', 'canary', 'wrong']"]
    (tmp_path / "b").unlink(missing_ok=True)
    elsewhere = tmp_path.parent / f"{tmp_path.name} elsewhere"
    failures = outcome_of(tmp_path, lambda folder, output, rng: [elsewhere.write_text("")][:0]).failures
    assert failures == [f"wrong 0 (a): open {elsewhere}"]
    failures = outcome_of(tmp_path, lambda folder, output, rng: [(folder / "a").unlink()][:0]).failures
    assert failures == ["wrong 0 (a): changed the folder that it read from"]


def test_the_fuzzer_tells_of_a_file_that_is_opened_besides(tmp_path):
    failures = outcome_of(
        tmp_path, lambda folder, output, rng: [(folder.parent / CANARY).read_bytes()][:0]
    ).failures
    assert failures == ["wrong 0 (a): opened a file that the changed one only refers to"]


def test_the_fuzzer_tells_of_sockets_and_programs(tmp_path):
    import socket
    import subprocess

    with watched(tmp_path) as done:
        with socket.socket() as client, pytest.raises(OSError):  # noqa: PT011
            client.connect(("127.0.0.1", 1))
        subprocess.run(["true"], check=True)
    assert [text.split()[0] for text in done] == ["socket.connect", "subprocess.Popen"]


def test_the_fuzzer_ends_what_hangs():
    with pytest.raises(Hung, match="did not return within 0.05 s"), limited(0.05):
        while True:
            pass


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (InputError("is no video", file="a\nb.mp4", next_step="Do so."), None),
        (InputError("the decoder pyav ended early (status 1)", file="a"), "a mistake of the child"),
        (OutputError("the decoder pyav crashed (SIGSEGV)", file="a"), None),
    ],
)
def test_how_an_error_is_told(error, wrong):
    told = ill_told(error)
    assert told is None if wrong is None else told.startswith(wrong)


def test_an_error_that_is_told_badly_is_told_of():
    error = InputError("is no video")
    error.reason = "x" * 5000
    assert ill_told(error).startswith("5000 characters: xxx")
    error.reason = "\x1b[2J"
    assert ill_told(error).startswith("cannot be printed")
    error.reason = "a\nb\nc\nd"
    assert ill_told(error).startswith("4 lines")
