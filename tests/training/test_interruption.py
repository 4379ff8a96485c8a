"""A training that was interrupted, however and wherever, ends with the same bytes as one that was not."""

import errno
import functools
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import vadpipe
import vadpipe.head.cbcg
import vadpipe.training.cross_validation
from support.bags import make_bags
from support.feature_files import write_features
from support.head_settings import FIT_FILES, SMALL
from vadpipe.errors import OutputError
from vadpipe.training.cross_validation import train_with_cross_validation
from vadpipe.training.fit import fit
from vadpipe.training.fit_folder import STATE_NAME
from vadpipe.training.resume import Resume

QUICK = SMALL.model_copy(update={"steps": 14, "checks": 7, "queue_batches": 4, "folds": 2, "segments": 4})


class StopError(Exception):
    pass


@pytest.fixture
def at_every_check(monkeypatch):
    """Write the state whenever there is a new one."""
    monkeypatch.setattr(vadpipe.training.cross_validation, "Resume", functools.partial(Resume, every_s=0))


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resuming") / "features"
    write_features(folder, "normal", 8, crops=2)
    write_features(folder, "fight", 8, crops=2)
    return folder


@pytest.fixture(scope="module")
def uninterrupted(features):
    return contents(fit(features, output=features.parent / "whole", settings=QUICK, seed=1).head.parent)


def contents(folder):
    """What a fit leaves: its files, the record of the run, those of other runs, and nothing else."""
    names = {path.name for path in folder.iterdir()}
    assert {*FIT_FILES, "run.json"} <= names <= {*FIT_FILES, "run.json", "run-1.json"}
    return {name: (folder / name).read_bytes() for name in FIT_FILES}


def raise_at(steps):
    """Return what interrupts at each of these steps once."""
    left = list(steps)

    def on_check(check):
        if left and check.step == left[0]:
            left.pop(0)
            raise StopError

    return on_check


@pytest.mark.parametrize("steps", [(2,), (8,), (14,), (2, 4, 4, 10)], ids=str)
def test_interrupted_at_a_check(features, uninterrupted, at_every_check, tmp_path, steps):
    on_check = raise_at(steps)
    for step in steps:
        with pytest.raises(StopError):
            fit(features, output=tmp_path / "head", settings=QUICK, seed=1, on_check=on_check)
        # What was done since the last writing is lost, and that is one check.
        assert (tmp_path / "head" / STATE_NAME).exists() is (step > 2)
    fit(features, output=tmp_path / "head", settings=QUICK, seed=1, on_check=on_check)
    assert contents(tmp_path / "head") == uninterrupted


def test_what_is_done_is_not_done_again(features, at_every_check, tmp_path):
    seen = []
    with pytest.raises(StopError):
        fit(features, output=tmp_path, settings=QUICK, on_check=raise_at([8]))
    told = []
    fit(
        features,
        output=tmp_path,
        settings=QUICK,
        on_check=lambda check: seen.append(check.step),
        on_progress=told.append,
    )
    assert seen == [8, 10, 12, 14]
    # The check that interrupted it had not been kept yet.
    assert [report.training.step for report in told if report.training.resumed] == [6]
    assert told[0].training.resumed


@pytest.mark.parametrize(
    ("call", "every_s"), [(1, 0), (5, 0), (29, 0), (31, 0), (38, 0), (42, 0), (5, 1e9), (38, 1e9)]
)
def test_interrupted_within_a_step(features, uninterrupted, monkeypatch, tmp_path, call, every_s):
    """Of the 3 x 14 steps the first 28 are of the folds; of those of all videos, one is before the last."""
    monkeypatch.setattr(
        vadpipe.training.cross_validation, "Resume", functools.partial(Resume, every_s=every_s)
    )
    real, calls = vadpipe.head.cbcg.batch_loss, []

    def batch_loss(*arguments, **options):
        calls.append(1)
        if len(calls) == call:
            raise StopError
        return real(*arguments, **options)

    monkeypatch.setattr("vadpipe.head.cbcg.batch_loss", batch_loss)
    with pytest.raises(StopError):
        fit(features, output=tmp_path / "head", settings=QUICK, seed=1)
    fit(features, output=tmp_path / "head", settings=QUICK, seed=1)
    assert contents(tmp_path / "head") == uninterrupted
    # Where it is written often, no more than a check of each fold is done twice.
    assert len(calls) <= 1 + 42 + (4 if every_s == 0 else 28 if call <= 28 else 14)


KILLED = """
import functools, os, signal, sys, torch
import vadpipe.training.cross_validation, vadpipe.head.cbcg
from vadpipe.training.fit import fit
from vadpipe.head.settings import HeadSettings
from vadpipe.training.resume import Resume

vadpipe.training.cross_validation.Resume = functools.partial(Resume, every_s=0)
real = vadpipe.head.cbcg.batch_loss
left = 0

def batch_loss(*arguments, **options):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)

vadpipe.head.cbcg.batch_loss = batch_loss
torch.set_num_threads(1)
torch.optim.Adam([torch.zeros(1, requires_grad=True)]).step()  # what it imports at first, the children have then
features, output, settings, *counts = sys.argv[1:]
for left in map(int, counts):
    child = os.fork()
    if child == 0:
        fit(features, output=output, settings=HeadSettings.model_validate_json(settings), seed=1)
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_killed_again_and_again(features, uninterrupted, tmp_path):
    """Each process goes on where the one before it was killed."""
    counts = [4, 9, 12, 5, 9, 1000]
    command = [sys.executable, "-c", KILLED, features, tmp_path / "head", QUICK.model_dump_json(), *counts]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*map(str, command)], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    assert [int(status) for status in done.stdout.split()] == [signal.SIGKILL] * 5 + [0]
    assert contents(tmp_path / "head") == uninterrupted


@pytest.mark.parametrize(
    "switches",
    [
        {"memory": "ema"},
        {"clustering": False, "guided": False},
        {"clustering": False, "second_head": True},
        {"warmup": 0.5},
        {"optimiser": "sgd"},
        {"whole_bag_weight": 1.0, "feature_dropout": 0.3, "smoothing": 1.0},
    ],
    ids=str,
)
def test_with_every_switch(at_every_check, tmp_path, switches):
    settings, bags = QUICK.model_copy(update=switches), make_bags(8, length=6)
    whole = train_with_cross_validation(bags, settings)
    with pytest.raises(StopError):
        train_with_cross_validation(bags, settings, on_check=raise_at([8]), state=tmp_path / "state")
    again = train_with_cross_validation(bags, settings, state=tmp_path / "state")
    assert (again.history, again.step, again.threshold) == (whole.history, whole.step, whole.threshold)
    for mine, expected in ((again.selected, whole.selected), (again.last, whole.last)):
        numbers = expected.state_dict()
        assert all(torch.equal(value, numbers[name]) for name, value in mine.state_dict().items())


def test_where_no_step_is_picked_it_goes_on_too(at_every_check, tmp_path):
    bags = make_bags(2)
    with pytest.raises(StopError):
        train_with_cross_validation(bags, QUICK, on_check=raise_at([8]), state=tmp_path / "state")
    again = train_with_cross_validation(bags, QUICK, state=tmp_path / "state")
    assert again.history == train_with_cross_validation(bags, QUICK).history


@pytest.fixture
def steps_done(monkeypatch):
    """What grows by one with every training step."""
    real, steps = vadpipe.head.cbcg.batch_loss, []

    def batch_loss(*arguments, **options):
        steps.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr("vadpipe.head.cbcg.batch_loss", batch_loss)
    return steps


@pytest.fixture
def full_disk_at(monkeypatch):
    """Return what lets the writing of a file of that name fail, until it is called with None."""
    real, full = Path.replace, [None]

    def replace(temporary, target):
        if target.name == full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(temporary, target)

    monkeypatch.setattr(Path, "replace", replace)
    return lambda name: full.__setitem__(0, name)


@pytest.mark.parametrize(("every_s", "again"), [(0, 0), (1e9, 14)])
def test_a_disk_that_is_full_at_the_end_loses_no_training(
    features, uninterrupted, monkeypatch, full_disk_at, steps_done, tmp_path, every_s, again
):
    """At most the training on all videos is done again, where it took less time than lies between two writings."""
    monkeypatch.setattr(
        vadpipe.training.cross_validation, "Resume", functools.partial(Resume, every_s=every_s)
    )
    for name in FIT_FILES * 2:  # a second time too
        for written in (tmp_path / "head").glob("*.*"):
            if written.name != STATE_NAME:
                written.unlink()
        full_disk_at(name)
        steps_done.clear()
        with pytest.raises(OutputError, match=f"{name}: cannot be written: No space left on device"):
            fit(features, output=tmp_path / "head", settings=QUICK, seed=1)
        left = {path.name for path in (tmp_path / "head").iterdir()}
        assert STATE_NAME in left
        assert name not in left
        assert left <= {STATE_NAME, *FIT_FILES, "run.json"}
    assert len(steps_done) == again
    full_disk_at(None)
    steps_done.clear()
    fit(features, output=tmp_path / "head", settings=QUICK, seed=1)
    assert len(steps_done) == again
    assert contents(tmp_path / "head") == uninterrupted  # and no state


def test_the_file_is_the_callers_to_remove(at_every_check, steps_done, tmp_path):
    bags = make_bags(8, length=6)
    whole = train_with_cross_validation(bags, QUICK, state=tmp_path / "state")
    written = (tmp_path / "state").read_bytes()
    steps_done.clear()
    again = train_with_cross_validation(
        bags, QUICK, state=tmp_path / "state", on_check=lambda check: pytest.fail("checked again")
    )
    assert steps_done == []
    assert (tmp_path / "state").read_bytes() == written
    assert (again.history, again.step, again.threshold) == (whole.history, whole.step, whole.threshold)
    for mine, expected in ((again.selected, whole.selected), (again.last, whole.last)):
        numbers = expected.state_dict()
        assert all(torch.equal(value, numbers[name]) for name, value in mine.state_dict().items())
        assert not mine.training


def test_a_training_whose_results_are_gone_begins_anew(features, uninterrupted, steps_done, tmp_path):
    """After success nothing is left to go on from."""
    for _ in range(2):
        steps_done.clear()
        fit(features, output=tmp_path / "head", settings=QUICK, seed=1)
        assert len(steps_done) == 42
        assert contents(tmp_path / "head") == uninterrupted
        (tmp_path / "head" / "metrics.json").unlink()
        (tmp_path / "head" / "head.safetensors").unlink()
        (tmp_path / "head" / "last.safetensors").unlink()


@pytest.fixture(scope="module")
def interrupted(features):
    """The folder of an interrupted training."""
    folder = features.parent / "interrupted"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StopError):
        patch.setattr(vadpipe.training.cross_validation, "Resume", functools.partial(Resume, every_s=0))
        fit(features, output=folder, settings=QUICK, seed=1, on_check=raise_at([8]))
    return folder


@pytest.fixture
def left(interrupted, at_every_check, tmp_path):
    """A copy of it."""
    return shutil.copytree(interrupted, tmp_path / "head", ignore=shutil.ignore_patterns("run.json"))


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty", "pickle"])
def test_a_damaged_state_is_not_used(features, uninterrupted, left, caplog, damage):
    state = left / STATE_NAME
    written = state.read_bytes()
    flipped = bytearray(written)
    flipped[len(flipped) // 2] ^= 1  # within a tensor, which torch.load would let pass
    damages = {
        "cut": written[:-20], "flipped": bytes(flipped), "text": b"text", "empty": b"", "pickle": b"\x80\x02]q\x00.",
    }  # fmt: skip
    state.write_bytes(damages[damage])
    seen = []
    fit(features, output=left, settings=QUICK, seed=1, on_check=lambda check: seen.append(check.step))
    assert "training.state: is damaged; restarting the training" in caplog.text
    assert seen[0] == 2
    assert contents(left) == uninterrupted


def test_a_state_of_another_seed_or_settings_is_not_used(features, left, caplog):
    state = (left / STATE_NAME).read_bytes()
    others = {"seed": 2, "settings": QUICK.model_copy(update={"temperature": 2 * QUICK.temperature})}
    for name, value in others.items():
        arguments = {"seed": 1, "settings": QUICK, name: value}
        (left / STATE_NAME).write_bytes(state)
        with caplog.at_level(logging.INFO, logger="vadpipe"):
            fit(features, output=left, force=True, **arguments)
        assert "training.state: belongs to another training; restarting" in caplog.text
        caplog.clear()
        fit(features, output=left.parent / name, **arguments)
        assert contents(left) == contents(left.parent / name)


def test_a_state_of_other_code_is_not_used(features, uninterrupted, left, caplog, monkeypatch):
    monkeypatch.setattr("vadpipe.training.cross_validation.code_digest", lambda: "of other code")
    seen = []
    with caplog.at_level(logging.INFO, logger="vadpipe"):
        fit(features, output=left, settings=QUICK, seed=1, on_check=lambda check: seen.append(check.step))
    assert "training.state: belongs to another training; restarting" in caplog.text
    assert seen[0] == 2
    made = contents(left)
    assert made.pop("metrics.json") != uninterrupted["metrics.json"]  # where the code is a part of the inputs
    assert made == {name: uninterrupted[name] for name in made}


def test_a_state_of_other_bags_is_not_used(at_every_check, tmp_path):
    with pytest.raises(StopError):
        train_with_cross_validation(make_bags(8), QUICK, on_check=raise_at([8]), state=tmp_path / "state")
    other = make_bags(8)
    other[3].values[0, 0, 0] += 1
    seen = []
    train_with_cross_validation(
        other, QUICK, on_check=lambda check: seen.append(check.step), state=tmp_path / "state"
    )
    assert seen[0] == 2
