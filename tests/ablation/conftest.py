"""A small set, and a finished ablation of it."""

import shutil

import pytest
import torch

from support.ablations import TWO_ROWS, run_small
from support.labelled_features import write_labelled_features
from vadpipe.ablation import worker, workers


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished ablation of three rows and two seeds by two workers, and its reports of progress."""
    folder = tmp_path_factory.mktemp("finished")
    write_labelled_features(folder)
    reports = []
    result = run_small(
        folder, seeds=2, rows=[*TWO_ROWS, "+ guided score"], workers=2, on_progress=reports.append
    )
    return folder, result, reports


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished ablation, to be changed."""
    return shutil.copytree(finished[0], tmp_path / "copy")


@pytest.fixture
def folder(tmp_path):
    write_labelled_features(tmp_path)
    return tmp_path


@pytest.fixture
def in_this_process(monkeypatch):
    """Do runs here, as a process of their own does them, which takes seconds to start."""

    class Here:
        def __init__(self, task):
            self.task, self.bags = task, {}

        def do(self, job):
            return worker.do_run(job, self.task, self.bags)

        def end(self):
            return 0

    monkeypatch.setattr(workers, "Worker", Here)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
