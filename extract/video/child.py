"""The process that decodes one video and can be lost: ``python -m vadpipe.extract.video.child JOB``.

It writes the video's timeline and then its frames to standard output (see
:mod:`vadpipe.extract.video.wire_format`), or the error that kept it from that.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

import numpy as np

from vadpipe.errors import InputError, OutputError
from vadpipe.extract.video.decoders import DECODERS
from vadpipe.extract.video.frame import Frame, Reading
from vadpipe.extract.video.job import DecodeJob, stills_in_order
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.sandbox.confine import confine_this_process
from vadpipe.extract.video.sandbox.landlock import READ, READ_FOLDER, Grant, opened
from vadpipe.extract.video.stills import read_stills
from vadpipe.extract.video.timeline_reader import read_timeline
from vadpipe.extract.video.wire_format import FRAME, Kind, send, send_json

_SIGN_OF_LIFE_S = 1.0


def main() -> None:
    """Do the job that the first argument describes."""
    die_with_parent()
    job = DecodeJob.from_json(sys.argv[1])
    report(lambda output: run(job, output), job.limits)


def report(work: Callable[[int], None], limits: Limits) -> NoReturn:
    """Do the work of this process, report any error to the parent, and exit.

    Args:
        work: takes the descriptor that messages are written to.
        limits: those that the work holds to.
    """
    output = os.dup(sys.stdout.fileno())
    readers = select.poll()
    readers.register(output, 0)
    if readers.poll(0):  # the parent was gone before this process could watch it
        os._exit(1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints must not mix with frames
    try:
        work(output)
    except BrokenPipeError:  # the parent is gone
        os._exit(1)
    except (InputError, OutputError) as error:
        content = {"kind": type(error).__name__, "reason": error.reason, "next_step": error.next_step}
        send_json(output, Kind.FAILED, content)
    except MemoryError:
        reason = f"needs more than the {limits.memory_bytes / 2**30:.1f} GiB of memory allowed"
        step = "Raise it with --limit memory_bytes=NUMBER if you trust the file."
        send_json(output, Kind.FAILED, {"kind": "InputError", "reason": reason, "next_step": step})
    os._exit(0)  # decoders can hang or crash while they are taken down


def run(job: DecodeJob, output: int) -> None:
    """Send the timeline of the job's video, then the frames that it asks for."""
    # Imported before the process is confined: its libraries are opened here.
    frames_of = DECODERS[job.decoder].frames()
    if stat.S_ISDIR(os.fstat(job.descriptor).st_mode):
        import vadpipe.extract.video.image_frames  # noqa: F401
    if job.device == "cpu":
        confine_this_process(job.limits.memory_bytes, files=files_of(job.descriptor))
    else:  # a GPU's libraries open devices and files of their own
        confine_this_process(None)
    alive = sign_of_life(output)
    path = f"/dev/fd/{job.descriptor}"  # the video's name never reaches a decoder
    timeline = read_timeline(path, job.limits, alive, assume_fps=job.assume_fps)
    send_json(output, Kind.TIMELINE, timeline.to_record())
    send(output, Kind.TIMES, np.ascontiguousarray(timeline.times_s).data)
    if job.stills is not None:
        stills = stills_in_order(job.stills)
        _send_frames(output, read_stills(path, timeline, stills, job.limits, alive))
        send(output, Kind.DONE)
    else:
        wanted = np.zeros(len(timeline.times_s), dtype=np.bool_)
        wanted[job.sampling.seen(timeline.times_s, timeline.end_s).ravel()] = True
        reading = Reading(
            path, timeline, job.size.of(timeline), wanted, job.device, job.limits, alive, job.held_bytes
        )
        _send_frames(output, frames_of(reading))
        send(output, Kind.DONE, np.packbits(reading.decoded).data)


def files_of(descriptor: int) -> Iterator[Grant]:
    """Yield what is needed to read a video: its file; or its folder, and where the links in it lead to.

    The target of a link is open only until the next is asked for: there may be thousands.
    """
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        yield Grant(descriptor, READ)
        return
    yield Grant(descriptor, READ_FOLDER)
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if entry.is_symlink() and entry.is_file():
                with opened(entry.name, READ, folder=descriptor) as grant:
                    yield grant


def _send_frames(output: int, frames: Iterable[Frame]) -> None:
    for number, pixels in frames:
        height, width = pixels.shape[:2]
        send(output, Kind.FRAME, FRAME.pack(number, height, width), np.ascontiguousarray(pixels).data)


def sign_of_life(output: int) -> Callable[[], None]:
    """Return a function that sends a sign of life, once per second at most."""
    last_s = time.monotonic()

    def alive() -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s > _SIGN_OF_LIFE_S:
            last_s = now_s
            send(output, Kind.ALIVE)

    return alive


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it is gone, however that ended."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    main()
