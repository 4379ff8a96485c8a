"""The parent's end of a decoding process: its messages are checked and become a timeline and frames."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import InputError
from vadpipe.extract.video.frame import Frame
from vadpipe.extract.video.job import DecodeJob, stills_in_order
from vadpipe.extract.video.sandboxed_process import SandboxedProcess
from vadpipe.extract.video.timeline import Timeline
from vadpipe.extract.video.wire_format import FRAME, Kind

PROGRAM = (sys.executable, "-P", "-m", "vadpipe.extract.video.child")


class Decoding(SandboxedProcess):
    """One video that a child process decodes; it begins at once, and stops when its pipe is full.

    The kernel ends the child with the thread that began it, so read it from there or keep that thread.

    Use it as a context, which ends the child whatever has happened:

    >>> with Decoding(Path("clip.mp4"), DecodeJob(Size(224, square=True))) as decoding:  # doctest: +SKIP
    ...     for frame in decoding.frames():
    ...         print(frame.number, decoding.timeline.times_s[frame.number])

    Args:
        path: the video.
        job: what is wanted of it.

    Raises:
        InputError: if the file is missing, not a video, or larger than the limit.
    """

    def __init__(self, path: Path, job: DecodeJob) -> None:
        self._job = job
        self._decoded: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)
        super().__init__(
            path,
            lambda descriptor: [*PROGRAM, replace(job, descriptor=descriptor).to_json()],
            job.limits,
            f"the decoder {job.decoder}",
        )

    @cached_property
    def timeline(self) -> Timeline:
        """When each frame is shown; waits until the child has read it.

        Raises:
            InputError: if the file cannot be used.
            DecodeError: if it is broken, or the child crashed or hung.
        """
        record = self._parse(self._expect(Kind.TIMELINE))
        times = self._expect(Kind.TIMES)
        try:
            return Timeline.from_record(record, np.frombuffer(times, dtype=np.float64))
        except ValueError as error:
            raise self._error(f"sent an invalid timeline: {error}") from error

    def frames(self) -> Iterator[Frame]:
        """Yield the wanted frames that can be decoded, in order.

        Stills are numbered as :func:`vadpipe.extract.video.job.stills_in_order` has them.

        Raises:
            DecodeError: if this decoder cannot go on, crashed or hung.
        """
        timeline = self.timeline
        if self._job.stills is None:
            sizes, n_frames = [self._job.size], len(timeline.times_s)
        else:
            sizes = [still.size for still in stills_in_order(self._job.stills)]
            n_frames = len(sizes)
        try:
            sides = {size: size.of(timeline) for size in set(sizes)}
        except InputError as error:
            raise InputError(error.reason, file=self.path, next_step=error.next_step) from None
        last = -1
        while True:
            kind, content = self._next()
            if kind is Kind.DONE:
                self._note_decoded(content)
                return
            if kind is not Kind.FRAME:
                raise self._error(f"sent {kind.name} for a frame")
            if len(content) < FRAME.size:
                raise self._error("sent an invalid frame")
            number, height, width = FRAME.unpack_from(content)
            if not last < number < n_frames:
                raise self._error("sent an invalid frame")
            size = sizes[number] if self._job.stills is not None else self._job.size
            if (width, height) != sides[size] or len(content) != FRAME.size + height * width * 3:
                raise self._error("sent an invalid frame")
            last = number
            pixels = np.frombuffer(content, dtype=np.uint8, offset=FRAME.size)
            yield Frame(number, pixels.reshape(height, width, 3))

    def decoded(self) -> NDArray[np.bool_]:
        """Return which of the video's N frames could be decoded, wanted or not, once all frames have come."""
        return self._decoded

    def _note_decoded(self, content: memoryview) -> None:
        n_frames = 0 if self._job.stills is not None else len(self.timeline.times_s)
        if len(content) != -(-n_frames // 8):
            raise self._error("sent an invalid end of the video")
        bits = np.frombuffer(content, dtype=np.uint8)
        self._decoded = np.unpackbits(bits, count=n_frames).astype(np.bool_)
