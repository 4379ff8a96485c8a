"""Ablations that take a second: two rows, two folds and one seed on a small labelled set."""

from contextlib import contextmanager

import pytest
import torch

from support.labelled_features import QUICK
from vadpipe.ablation import worker, workers
from vadpipe.ablation.ablate import ablate
from vadpipe.ablation.rows import parse_row

TWO_ROWS = ["mil", "second head"]
DIVERGING = parse_row("diverging: learning_rate=1e38 clip_norm=0")


@contextmanager
def runs_in_this_process():
    """Do runs here, as a process of their own does them, which takes seconds to start; yield the workers."""
    started = []

    class Here:
        def __init__(self, task):
            self.task, self.bags, self.ended = task, {}, False
            started.append(self)

        def do(self, job):
            return worker.do_run(job, self.task, self.bags)

        def end(self):
            self.ended = True
            return 0

    n_threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "Worker", Here)
        torch.set_num_threads(1)
        yield started
    torch.set_num_threads(n_threads)


def run_small(folder, **options):
    """Run an ablation of two rows, two folds and a seed with one worker, or what else is asked for."""
    given = dict(truth=folder / "truth.csv", output=folder / "ablation", folds=2, seeds=1, rows=TWO_ROWS)
    given |= dict(settings=QUICK, bootstrap=20, workers=1)
    return ablate(folder / "features", **(given | options))


def run_files(folder):
    return {
        path.relative_to(folder / "runs").as_posix(): path.read_bytes()
        for path in (folder / "runs").rglob("*")
        if path.is_file()
    }


def command_arguments(*arguments, **settings):
    """Return the arguments of such an ablation for the command line."""
    sets = [f"--set={name}={value}" for name, value in (QUICK.model_dump() | settings).items()]
    return [
        "ablate", "--truth=truth.csv", "--folds=2", "--workers=1",
        "--bootstrap=20", *sets, *arguments,
    ]  # fmt: skip
