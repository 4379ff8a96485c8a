"""Annotation in the export process: one picture at a time, so that memory does not grow with length."""

from __future__ import annotations

import numpy as np

from vadpipe.errors import InputError
from vadpipe.output.video_export.job import ExportJob
from vadpipe.output.video_export.picture import Planes, Upright, new_planes
from vadpipe.output.video_export.sound import Sound
from vadpipe.output.video_export.source import ProgressReport, VideoSource
from vadpipe.output.video_export.strip import MIN_WIDTH_PX, Layout, Strip
from vadpipe.output.video_export.writing import Output, Pictures


def annotate_video(path: str, job: ExportJob, progress: ProgressReport) -> None:
    """Write every frame with the strip under it, and the sound.

    Raises:
        InputError: if the video cannot be used, or is not the one that the curve belongs to.
        OutputError: if the file cannot be written.
    """
    source = VideoSource.read(path, job.limits, job.times_s, job.end_s, progress)
    canvas = _Canvas(source, job)
    with Output(job.output) as output:
        size = (canvas.planes.y.shape[1], canvas.planes.y.shape[0])
        pictures = Pictures(output, *size, source.tick, source.rate, source.looks)
        sound = Sound(source, output)
        seen = False
        for number, frame in source.frames(0, len(source.timeline.times_s)):
            if frame is not None:
                seen = True
                canvas.show(canvas.upright(frame))
            canvas.mark(number, lost=frame is None)
            start_s, end_s = source.edges_s[number : number + 2].tolist()
            pictures.add(canvas.planes, start_s, end_s)
            sound.until(start_s)
            progress.done(start_s)
        if not seen:
            raise InputError("has no decodable frame")
        pictures.finish()
        sound.finish()


class _Canvas:
    """The picture with the strip under it, redrawn for each frame.

    Attributes:
        upright: what turns frames into pictures.
        planes: what is shown.
    """

    def __init__(self, source: VideoSource, job: ExportJob) -> None:
        # The strip's height hangs on the picture's size, and that on the strip's where it is very large.
        strip_px = Layout(max(MIN_WIDTH_PX, source.timeline.width_px), source.timeline.height_px).height
        self.upright = Upright(source, spare_px=strip_px)
        width = max(MIN_WIDTH_PX, self.upright.width)
        layout = Layout(width, self.upright.height)
        self.planes = new_planes(width, self.upright.height + layout.height)
        left = (width - self.upright.width) // 4 * 2
        self._picture = self.planes.part(0, left, self.upright.height, self.upright.width)
        self._below = self.planes.part(self.upright.height, 0, layout.height, width)
        self._strip = Strip(layout, source, job.scores, job.threshold, job.events)
        self._border, self._boxes = layout.border, job.boxes
        self._shown: Planes | None = None

    def show(self, picture: Planes) -> None:
        """Show this picture from now on."""
        self._shown = picture

    def mark(self, number: int, *, lost: bool) -> None:
        """Draw what belongs to a frame: the strip, and round the place of an event its mark."""
        if self._shown is not None:
            self._picture.put(self._shown)
        event = self._strip.event_at(number)
        if event is not None:
            for edge in self._edges(event):
                edge.fill(self._strip.alarm)
        self._strip.draw(self._below, number, lost)

    def _edges(self, event: int) -> list[Planes]:
        sides = np.array([*self._picture.y.shape[::-1]] * 2)
        left, top, right, bottom = (2 * np.rint(self._boxes[event] * sides / 2).astype(int)).tolist()
        height, width = bottom - top, right - left
        px = min(self._border, height // 4 * 2, width // 4 * 2)
        return [
            self._picture.part(top, left, px, width),
            self._picture.part(bottom - px, left, px, width),
            self._picture.part(top, left, height, px),
            self._picture.part(top, right - px, height, px),
        ]
