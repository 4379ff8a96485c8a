"""Put a decoder that misbehaves into the decoding process."""

import os
import select
import sys
import textwrap
import time
from contextlib import contextmanager
from types import SimpleNamespace

from vadpipe.extract.video import process, sandboxed_process

_DECODER = """
import ctypes, itertools, os, signal, sys, time
import numpy as np
from vadpipe.extract.video import child
from vadpipe.extract.video import decoders as sources
from vadpipe.extract.video.frame import Frame

def frames(reading):
    width, height = reading.size_px
    first = np.zeros((height, width, 3), np.uint8)
    yield Frame(0, first)
{body}

class Faulty:
    def frames(self):
{before}
        return frames

sources.DECODERS["{decoder}"] = Faulty()
child.main()
"""

_TALKER = """
import json, os, struct, sys, time
from vadpipe.extract.video.wire_format import FRAME, HEADER, Kind, send, send_json

def timeline(**changes):
    record = dict(
        end_s=4.0, n_announced=100, n_hidden=0, width_px=160, height_px=120, quarter_turns=0,
        n_unread_parts=0, unread_at=0, timed=True, changes=[],
    )
    send_json(1, Kind.TIMELINE, record | changes)

def times(numbers):
    send(1, Kind.TIMES, struct.pack(f"<{{len(numbers)}}d", *numbers))

def opening():
    timeline()
    times([i / 25 for i in range(100)])

def frame(number, height=120, width=160):
    send(1, Kind.FRAME, FRAME.pack(number, height, width), bytes(height * width * 3))

{body}
"""


def faulty_decoder(monkeypatch, tmp_path, body, unconfined="pass", decoder="decord"):
    """Have every decoding process run these lines after the first frame, in place of a decoder.

    Those in ``unconfined`` run while the process is not confined yet: they may open files and start others.
    """
    lines = {"body": textwrap.indent(body, " " * 4), "before": textwrap.indent(unconfined, " " * 8)}
    _run(monkeypatch, tmp_path, _DECODER.format(**lines, decoder=decoder))


def faulty_talker(monkeypatch, tmp_path, body):
    """Have every decoding process be these lines, with what they need to talk to the other end."""
    _run(monkeypatch, tmp_path, _TALKER.format(body=body))


@contextmanager
def taking_turns(monkeypatch, tmp_path, each_s):
    """Stop the clock of this end of decoding processes but for ``each_s`` whenever it waits for the other one.

    Give the path of a pipe that lets the other end read a byte for each time.
    """
    turns = tmp_path / "turns"
    os.mkfifo(turns)
    pipe = os.open(turns, os.O_RDWR)
    now_s = 0.0

    class Poll:
        def __init__(self):
            self.real = select.poll()
            self.register = self.real.register

        def poll(self, timeout_ms):
            nonlocal now_s
            now_s += each_s
            os.write(pipe, b".")
            return self.real.poll()

    with monkeypatch.context() as patch:
        patch.setattr(sandboxed_process, "time", SimpleNamespace(monotonic=lambda: now_s, sleep=time.sleep))
        names = {"POLLIN": select.POLLIN, "POLLHUP": select.POLLHUP}
        patch.setattr(sandboxed_process, "select", SimpleNamespace(poll=Poll, **names))
        try:
            yield str(turns)
        finally:
            os.close(pipe)


def _run(monkeypatch, tmp_path, source):
    program = tmp_path / "faulty.py"
    program.write_text(source)
    monkeypatch.setattr(process, "PROGRAM", (sys.executable, "-P", str(program)))
