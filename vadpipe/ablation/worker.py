"""The worker process of an ablation: ``python -m vadpipe.ablation.worker DESCRIPTOR``.

It receives the videos over a pipe and then, one after the other, the runs to do; it answers each with None or
an error.
"""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch

from vadpipe.ablation.data import Data
from vadpipe.ablation.fold_run import measure
from vadpipe.ablation.runs import AblationJob
from vadpipe.errors import VadpipeError
from vadpipe.extract.video.child import die_with_parent
from vadpipe.head.bags import Bag


@dataclass(frozen=True)
class Task:
    """What all runs have in common.

    Attributes:
        data: the videos.
        device: where to train.
        talks: print the traceback of whatever goes wrong.
    """

    data: Data
    device: str
    talks: bool


def main() -> None:
    """Do runs until the parent sends no more."""
    die_with_parent()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that no unfinished file is left behind
    logging.getLogger("vadpipe").setLevel(logging.ERROR)  # warnings of each of many runs are noise
    torch.set_num_threads(1)
    parent = Connection(int(sys.argv[1]))
    task: Task = parent.recv()
    bags: dict[str, Bag] = {}
    while True:
        try:
            job: AblationJob = parent.recv()
        except EOFError:
            return
        parent.send(do_run(job, task, bags))


def do_run(job: AblationJob, task: Task, bags: dict[str, Bag]) -> VadpipeError | None:
    """Do one run and write its file; return what went wrong, or None. The first run fills the bags."""
    try:
        bags.update(bags or task.data.bags())
        measure(job, task.data.samples, bags, torch.device(task.device)).save(job.file)
    except Exception as error:
        if task.talks:
            traceback.print_exc()
        if isinstance(error, VadpipeError):
            return error
        return VadpipeError(f"{type(error).__name__}: {str(error)[:200]}")
    return None


if __name__ == "__main__":
    main()
