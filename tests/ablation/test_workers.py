"""A run that fails, a process that dies and an interrupt cost what was in work and nothing else."""

from types import SimpleNamespace

import psutil
import pytest

from support.ablations import DIVERGING, TWO_ROWS, command_arguments, run_files, run_small
from support.commands import start
from support.processes import has_ended
from support.waiting import wait_until
from vadpipe.ablation import worker
from vadpipe.errors import OutputError


def test_a_run_that_fails_is_told_and_the_rest_goes_on(folder, in_this_process):
    told = []
    result = run_small(folder, rows=["diverging", *TWO_ROWS], own_rows=[DIVERGING], on_failure=told.append)
    assert [str(failure.job) for failure in told] == [f"diverging, fold {fold}, seed 0" for fold in (0, 1)]
    assert "the training diverged" in told[0].error.reason
    assert told == result.failed
    assert len(result.measured) == 4
    text = (folder / "ablation/ablation.md").read_text()
    assert "**2 runs failed.**" in text
    assert "| diverging | - | - |" in text
    assert run_small(folder, rows=["diverging"], own_rows=[DIVERGING], output=folder / "b").files == []


def test_an_error_that_is_not_vadpipe_s_own_is_named_with_its_kind(monkeypatch):
    def fail(*_):
        raise RuntimeError("not enough memory " * 50)

    monkeypatch.setattr(worker, "measure", fail)
    task = SimpleNamespace(data=SimpleNamespace(samples={}), device="cpu", talks=False)
    error = worker.do_run(None, task, {"a.mp4": None})
    assert error.reason.startswith("RuntimeError: not enough memory")
    assert len(error.reason) < 250


def test_a_process_that_dies_costs_its_run_alone_and_all_others_are_equal_bit_by_bit(finished):
    """Two processes, of which one is killed, leave what one process left that did one run after the other."""
    folder, *_ = finished

    def kill_one(report):
        if report.n_done == 1:
            psutil.Process().children()[0].kill()

    result = run_small(folder, output=folder / "killed", seeds=2, workers=2, on_progress=kill_one)
    [failure] = result.failed
    assert failure.error.reason == "its process was ended by SIGKILL"
    assert failure.error.next_step == "If memory is short, use fewer --workers."
    assert len(result.measured) == 7
    assert psutil.Process().children() == []
    n_seeds = [result.summary(row).n_seeds for row in TWO_ROWS]
    assert sorted(n_seeds) == [1, 2]
    killed, serial = run_files(folder / "killed"), run_files(folder / "ablation")
    assert len(killed) == 7
    assert all(serial[name] == content for name, content in killed.items())


def test_an_output_that_cannot_be_written_ends_it(folder, in_this_process):
    (folder / "ablation").write_text("a file")
    with pytest.raises(OutputError, match="ablation: cannot be written"):
        run_small(folder)
    assert in_this_process == []  # known before the work
    (folder / "ablation").unlink()
    (folder / "ablation").mkdir()
    (folder / "ablation/runs").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        run_small(folder)
    assert [worker.ended for worker in in_this_process] == [True]


# The command line in a process that gets Ctrl-C when the second run is done and a further one is in work.
INTERRUPTED = """
import itertools, os, signal, threading
import psutil
from vadpipe.cli import terminal
from vadpipe.ablation import workers
from vadpipe.cli import main

do, tell, runs = workers.Worker.do, terminal.RunProgress.__call__, itertools.count(1)
third_began, interrupted = threading.Event(), threading.Event()

def do_and_note(self, job):
    number = next(runs)
    if number == 3:
        third_began.set()
    elif number > 3:
        interrupted.wait()
    return do(self, job)

def tell_and_interrupt(self, progress):
    tell(self, progress)
    if progress.n_done == 2:
        third_began.wait()
        print(*[child.pid for child in psutil.Process().children()], flush=True)
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            interrupted.set()

workers.Worker.do, terminal.RunProgress.__call__ = do_and_note, tell_and_interrupt
main()
"""


def test_an_interrupt_loses_only_what_was_in_work(folder, in_this_process):
    given = command_arguments("--rows=mil", "--seeds=3")
    done = start(INTERRUPTED, *given, cwd=folder).wait()
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "interrupted; finished results are kept"
    (child,) = map(int, done.stdout.split())
    wait_until(lambda: has_ended(child), "the process that did the runs has ended")
    kept = run_files(folder / "ablation")
    assert 2 <= len(kept) < 6
    assert all(name.startswith("mil/fold") for name in kept)  # and nothing unfinished

    result = run_small(folder, rows=["mil"], seeds=3)
    assert (result.n_kept, len(result.measured)) == (len(kept), 6)
    after = run_files(folder / "ablation")
    assert all(after[name] == content for name, content in kept.items())
