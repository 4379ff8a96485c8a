"""Wherever a command is killed, what it has written is whole, and the next run gives the bytes of one that was not."""

import json

import pytest

from support.commands import start
from support.evaluation_sets import write_test_set
from support.feature_files import write_features
from support.logistic_head import make_head, write_scored_features
from support.published_arrays import random_array, save_array

# As in tests/extract/test_killed_runs.py: Python tells audit hooks of every step that changes a file system before it is
# done, and a process that dies at the first of them, at the second, and so on has died everywhere.
KILLING = """
import json, os, shutil, signal, sys, traceback
from pathlib import Path
import matplotlib.pyplot, safetensors.numpy, safetensors.torch, torch
import vadpipe.cli
from vadpipe.features import file as feature_file
from vadpipe.head import checkpoint
torch.set_num_threads(1)

CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "fcntl.flock", "halfway"}

def in_two_steps(module):  # safetensors writes behind the back of audit hooks
    def save_file(tensors, path, metadata=None):
        content = module.save(tensors, metadata)
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            sys.audit("halfway")
            file.write(content[len(content) // 2 :])
    return save_file

feature_file.save_file = in_two_steps(safetensors.numpy)
checkpoint.save_file = in_two_steps(safetensors.torch)
os.fsync = lambda descriptor: None  # what it is for is no part of this, and it takes most of the time

def content():
    files = [path for path in output.rglob("*") if path.is_file() and "/." not in str(path)]
    left_out = ("run.json", "training.state")  # when it ran; what an unfinished training has got to
    return {str(path.relative_to(output)): path.read_bytes() for path in files if path.name not in left_out}

def run(step=0):
    # Return the signal that ended the command, and the steps that it took.
    receive, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work(step, tell)
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(tell)
    with open(receive) as pipe:
        steps = pipe.read().split()
    _, status = os.waitpid(pid, 0)
    return status, steps

def work(step, tell):
    n_steps = 0

    def count(event, arguments):
        nonlocal n_steps
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (opened and arguments[0] != os.devnull) or event in CHANGES:
            n_steps += 1
            os.write(tell, event.encode() + b" ")
            if n_steps == step:
                os.kill(os.getpid(), signal.SIGKILL)

    silent = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    sys.argv = ["vadpipe", *arguments]
    sys.addaudithook(count)
    try:
        vadpipe.cli.main()
    except SystemExit as end:
        os._exit(end.code or 0)
    os._exit(0)

arguments, output, first, apart = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
for _ in range(2):  # what is made once for all, such as matplotlib's list of fonts, is no step of the second
    shutil.rmtree(output, ignore_errors=True)
    status, steps = run()
    assert status == 0, Path("said").read_text()
expected = content()
unlike = []
numbers = range(first, len(steps) + 1, apart or (len(steps) - 1) // 3)
for number in numbers:
    shutil.rmtree(output, ignore_errors=True)
    killed, before = run(number)
    assert killed == signal.SIGKILL, (number, before[-1:], Path("said").read_text())
    if not content().items() <= expected.items():
        unlike.append(("partial", number, before[-1]))
    status, _ = run()
    if status != 0 or content() != expected:
        unlike.append(("another result", number, before[-1]))
json.dump({"unlike": unlike, "names": sorted(expected), "killed": [*numbers], "steps": steps}, sys.stdout)
"""
QUICK_HEAD = ["--set", "hidden=4", "--set", "cluster_dim=2", "--set", "steps=4", "--set", "checks=2"]
QUICK_HEAD += ["--set", "batch_bags=2", "--set", "folds=2"]
COMMANDS = {
    "fit": ["fit", "-o", "output", *QUICK_HEAD],
    "import": ["features", "import", "arrays", "--backbone", "i3d_r50", "-o", "output"],
    "score": ["score", "features", "-o", "output", "--head", "head", "--format", "csv,json", "--plot"],
    "evaluate": ["evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", "10", "-o", "output"],
}  # fmt: skip
RESULTS = {
    "fit": {"head.safetensors", "last.safetensors", "metrics.json", "settings.json", "history.csv", "training.png"},
    "import": {"arrays/a.safetensors", "arrays/b.safetensors"},
    "score": {f"{name}.{kind}" for name in "ab" for kind in ("scores.csv", "events.csv", "scores.json", "png")},
    "evaluate": {"metrics.json", "videos.csv", "scores.npz", "curves.png", "videos.png"},
}  # fmt: skip


def killed(folder, command, first, apart):
    """Return what came of kills before each step from the first on, so far apart; 0 is a third of them."""
    if command == "fit":
        for kind in ("normal", "fight"):
            write_features(folder / "features", kind, 4)
    elif command == "import":
        for number, name in enumerate("ab"):
            save_array(folder / f"arrays/{name}.npy", random_array(seed=number))
    elif command == "score":
        make_head().save(folder / "head/head.safetensors")
        for name in "ab":
            write_scored_features(folder / "features", f"v/{name}.mp4", [0.1, 0.9, 0.7])
    else:
        write_test_set(folder)
    done = start(KILLING, json.dumps(COMMANDS[command]), "output", first, apart, cwd=folder).wait()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_kill_leaves_whole_files_and_the_next_run_the_same_bytes(tmp_path, command):
    """Of all steps the first, one about the last, and two between."""
    found = killed(tmp_path, command, 1, 0)
    assert len(found["killed"]) in (4, 5)
    assert {*found["names"]} == RESULTS[command]
    assert found["unlike"] == []


PARTS = 6


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("command", COMMANDS)
def test_a_kill_at_any_step_does(tmp_path, command, part):
    found = killed(tmp_path, command, part + 1, PARTS)
    assert found["killed"] == [*range(part + 1, len(found["steps"]) + 1, PARTS)]
    assert {"open", "os.mkdir", "os.rename"} <= {*found["steps"]}
    assert found["unlike"] == []
