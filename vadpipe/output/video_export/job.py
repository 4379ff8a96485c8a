"""The job of an export process, passed as JSON and plain arrays in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.video.limits import Limits


@dataclass(frozen=True)
class Clip:
    """A stretch of a video that becomes a file.

    Attributes:
        start_s, end_s: from where up to where, in seconds.
        output: path of the file.
        for_browsers: whether it is encoded again where browsers do not play the video's codec.
    """

    start_s: float
    end_s: float
    output: str
    for_browsers: bool = False


_ARRAYS = ("times_s", "scores", "events", "boxes")


@dataclass(frozen=True)
class ExportJob:
    """One video that is annotated, or cut into clips.

    Attributes:
        limits: what the video may ask for; what is written may be as large as a video may be.
        times_s: (N,) float64, presentation time of each frame, as the curve has it.
        end_s: when the last frame ends.
        clips: what to cut; empty where the video is annotated.
        output: path of the annotated video.
        scores: (N,) float32, NaN where a frame has none.
        threshold: of the curve, or None.
        events: (E, 2) int64, their frames [start, stop).
        boxes: (E, 4) float64, left, top, right and bottom of each event's place, as shares of the picture.
        target: the file or folder that an error of writing names; the child is not told.
    """

    limits: Limits
    times_s: NDArray[np.float64]
    end_s: float
    clips: tuple[Clip, ...] = ()
    output: str = ""
    scores: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    threshold: float | None = None
    events: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))
    target: Path = Path()

    @property
    def empty(self) -> bool:
        """Whether nothing is to be made."""
        return not self.clips and not self.output

    @contextmanager
    def in_memory(self) -> Iterator[int]:
        """Give the descriptor of a file in memory that holds the job, for a child to inherit."""
        record: dict[str, Any] = {
            "limits": vars(self.limits),
            "end_s": self.end_s,
            "clips": [vars(clip) for clip in self.clips],
            "output": self.output,
            "threshold": self.threshold,
        }
        with open(os.memfd_create("vadpipe-export"), "w+b") as file:  # noqa: PTH123  a descriptor
            text = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
            arrays = {name: getattr(self, name) for name in _ARRAYS}
            np.savez(file, record=text, **arrays)
            file.flush()
            yield file.fileno()

    @classmethod
    def from_descriptor(cls, descriptor: int) -> ExportJob:
        """Return the job that :meth:`in_memory` holds."""
        with open(descriptor, "rb") as file:
            file.seek(0)  # it stands where the writer left it
            with np.load(file, allow_pickle=False) as content:
                record = json.loads(bytes(content["record"]))
                job = cls(**record, **{name: content[name] for name in _ARRAYS})
        clips = tuple(Clip(**clip) for clip in record["clips"])
        return replace(job, limits=Limits(**record["limits"]), clips=clips)
