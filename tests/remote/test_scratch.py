"""Scratch folders: gone with their process, however it ended."""

import os
import signal

from support.commands import start
from support.waiting import wait_until
from vadpipe.remote import scratch

MAKING = """
import sys, time
from pathlib import Path
from vadpipe.remote.scratch import new_folder
folder = new_folder("video-")
(folder / "large").write_bytes(b"x")
Path(sys.argv[1]).write_text(f"{__import__('os').getpid()} {folder}")
while not Path(sys.argv[2]).exists():
    time.sleep(0.01)
"""


def began(note, *more, cwd, **environment):
    running = start(MAKING, note, *more, cwd=cwd, **environment)
    wait_until(lambda: note.exists() and " " in note.read_text(), "it has begun")
    pid, folder = note.read_text().split()
    return running, int(pid), scratch.Path(folder)


def test_a_folder_goes_with_its_process(tmp_path):
    running, _, folder = began(tmp_path / "note", tmp_path / "end", cwd=tmp_path, VADPIPE_CACHE=str(tmp_path))
    assert (folder / "large").exists()
    (tmp_path / "end").touch()
    assert running.wait().returncode == 0
    assert not folder.parent.exists()


def test_what_a_killed_process_left_goes_with_the_next_and_nothing_of_one_that_runs(tmp_path):
    killed, pid, left = began(tmp_path / "a", tmp_path / "never", cwd=tmp_path, VADPIPE_CACHE=str(tmp_path))
    os.kill(pid, signal.SIGKILL)
    killed.wait()
    assert (left / "large").exists()
    running, _, folder = began(tmp_path / "b", tmp_path / "end", cwd=tmp_path, VADPIPE_CACHE=str(tmp_path))
    assert not left.parent.exists()
    third, _, _ = began(tmp_path / "c", tmp_path / "end", cwd=tmp_path, VADPIPE_CACHE=str(tmp_path))
    assert (folder / "large").exists()
    (tmp_path / "end").touch()
    assert [running.wait().returncode, third.wait().returncode] == [0, 0]
    assert [*(tmp_path / "remote").iterdir()] == []
