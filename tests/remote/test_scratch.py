"""Scratch folders: gone with their process, however it ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.waiting import wait_until

MAKING = """
import os, sys, time
from pathlib import Path
from vadpipe.remote.scratch import new_folder
folder = new_folder("video-")
(folder / "large").write_bytes(b"x")
Path(sys.argv[1]).write_text(str(folder))
while not Path(sys.argv[2]).exists():
    time.sleep(0.01)
"""


def began(note, end):
    """Start a process that makes a folder in the cache beside its note and waits; return both."""
    environment = {**os.environ, "VADPIPE_CACHE": str(note.parent)}
    running = subprocess.Popen([sys.executable, "-c", MAKING, note, end], env=environment)
    wait_until(lambda: note.exists() and note.read_text(), "it has begun")
    return running, Path(note.read_text())


def test_a_folder_goes_with_its_process(tmp_path):
    running, folder = began(tmp_path / "note", tmp_path / "end")
    assert (folder / "large").exists()
    (tmp_path / "end").touch()
    assert running.wait() == 0
    assert [*(tmp_path / "remote").iterdir()] == []


def test_what_a_killed_process_left_goes_with_the_next_and_nothing_of_one_that_runs(tmp_path):
    killed, left = began(tmp_path / "a", tmp_path / "end")
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert (left / "large").exists()
    running, folder = began(tmp_path / "b", tmp_path / "end")
    assert not left.parent.exists()
    third, _ = began(tmp_path / "c", tmp_path / "end")
    assert (folder / "large").exists()
    (tmp_path / "end").touch()
    assert [running.wait(), third.wait()] == [0, 0]
    assert [*(tmp_path / "remote").iterdir()] == []
