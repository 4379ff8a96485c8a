"""A small set, and a finished ablation of it."""

import shutil

import pytest

from support.ablations import TWO_ROWS, run_small, runs_in_this_process
from support.labelled_features import write_labelled_features


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished ablation of three rows and two seeds, done one after the other, and its reports of progress."""
    folder = tmp_path_factory.mktemp("finished")
    write_labelled_features(folder)
    reports = []
    with runs_in_this_process():
        result = run_small(folder, seeds=2, rows=[*TWO_ROWS, "+ guided score"], on_progress=reports.append)
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
def in_this_process():
    with runs_in_this_process() as started:
        yield started
