"""A claim is one process's, is given back, and is granted to all where there are no locks."""

import subprocess
import sys

import filelock
import pytest

from vadpipe.files.locks import VideoLock


def test_a_claim_is_one_s_and_leaves_no_file(tmp_path):
    mine, theirs = (VideoLock(tmp_path / "deep/er/a.lock") for _ in range(2))
    assert mine.take(wait=False) is True
    assert theirs.take(wait=False) is False
    mine.close()
    mine.close()  # which may happen, and takes nothing from
    assert theirs.take(wait=True) is True
    assert mine.take(wait=False) is False
    theirs.close()
    assert [*(tmp_path / "deep/er").iterdir()] == []


def test_a_claim_can_be_taken_again(tmp_path):
    claim = VideoLock(tmp_path / "a.lock")
    for _ in range(2):
        assert claim.take(wait=False)
        claim.close()


def test_who_waits_gets_it_when_it_is_given_back(tmp_path):
    claim = VideoLock(tmp_path / "a.lock")
    assert claim.take(wait=False)
    waiting = """
import sys
from pathlib import Path
from vadpipe.files.locks import VideoLock
claim = VideoLock(Path(sys.argv[1]))
print(claim.take(wait=False), flush=True)
print(claim.take(wait=True), flush=True)
claim.close()
"""
    with subprocess.Popen(
        [sys.executable, "-c", waiting, tmp_path / "a.lock"], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "False\n"
        claim.close()
        assert other.stdout.readline() == "True\n"
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("error", [OSError(37, "No locks available"), NotImplementedError()])
@pytest.mark.parametrize("wait", [True, False])
def test_without_locks_every_claim_is_granted(tmp_path, monkeypatch, error, wait):
    def refuse(*arguments, **options):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    for _ in range(2):
        claim = VideoLock(tmp_path / "a.lock")
        assert claim.take(wait=wait) is True
        claim.close()


def test_the_kernel_gives_it_back_when_its_process_ends(tmp_path):
    ending = """
import os, sys
from pathlib import Path
from vadpipe.files.locks import VideoLock
assert VideoLock(Path(sys.argv[1])).take(wait=False)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", ending, tmp_path / "a.lock"], check=True)
    assert (tmp_path / "a.lock").exists()
    claim = VideoLock(tmp_path / "a.lock")
    assert claim.take(wait=False)
    claim.close()
