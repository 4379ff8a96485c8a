"""The process that makes films of one video: ``python -m vadpipe.output.video_export.child VIDEO JOB...``.

All are numbers of inherited descriptors: the open video, and files in memory that hold a job each. What it
writes are files that exist already, and how large they may become is limited.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain

import av
import av.subtitles.stream  # PyAV would load it later, with less memory

from vadpipe.errors import DecodeError
from vadpipe.extract.video.child import die_with_parent, files_of, report, sign_of_life
from vadpipe.extract.video.sandbox.confine import confine_this_process
from vadpipe.extract.video.sandbox.landlock import WRITE, Grant, opened
from vadpipe.extract.video.wire_format import PROGRESS, Kind, send
from vadpipe.output.video_export.annotating import annotate_video
from vadpipe.output.video_export.cutting import cut_video
from vadpipe.output.video_export.job import ExportJob

_PROGRESS_S = 0.25


def main() -> None:
    """Do the jobs that are named by the arguments, up to one that fails."""
    die_with_parent()
    video, *orders = (int(argument) for argument in sys.argv[1:])
    jobs = [ExportJob.from_descriptor(order) for order in orders]
    limits = jobs[0].limits

    def work(output: int) -> None:
        files = chain(files_of(video), outputs_of(jobs))
        confine_this_process(limits.memory_bytes, limits.file_bytes, files=files)
        for job in jobs:
            run(video, job, output)

    report(work, limits)


def outputs_of(jobs: Iterable[ExportJob]) -> Iterator[Grant]:
    """Yield the files that are written, each open only until the next is asked for: there may be hundreds."""
    for job in jobs:
        for path in (job.output, *(clip.output for clip in job.clips)):
            if path:
                with opened(path, WRITE) as grant:
                    yield grant


def run(video: int, job: ExportJob, output: int) -> None:
    """Make the films of a job, and tell how far they are."""
    path = f"/dev/fd/{video}"  # the video's name never reaches a decoder
    progress = _ProgressWriter(output)
    try:
        if job.clips:
            cut_video(path, job, progress)
        else:
            annotate_video(path, job, progress)
    except MemoryError:  # FFmpeg's is one too
        raise
    except av.FFmpegError as error:
        raise DecodeError(
            f"cannot be exported: {error.strerror}",
            next_step="'ffmpeg -i FILE -c:v libx264 NEW.mp4' may convert it to a video that can be.",
        ) from error
    send(output, Kind.DONE)


class _ProgressWriter:
    """Progress and signs of life for the parent process."""

    def __init__(self, output: int) -> None:
        self._output = output
        self._last_s, self._last = time.monotonic(), -1
        self.alive = sign_of_life(output)

    def done(self, time_s: float) -> None:
        """Report at intervals that the video is done up to that time, in seconds."""
        now_s, milliseconds = time.monotonic(), int(time_s * 1000)
        if now_s - self._last_s >= _PROGRESS_S and milliseconds > self._last:
            self._last_s, self._last = now_s, milliseconds
            send(self._output, Kind.PROGRESS, PROGRESS.pack(milliseconds))


if __name__ == "__main__":
    main()
