"""Small videos whose frames carry their numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

# Some containers number themselves at random, and some codecs share their work out by the number of cores.
SAME_BYTES = {"fflags": "+bitexact"}

N_BITS = 10  # a frame shows its number as that many black or white tiles


def counter_frame(number: int, width: int, height: int) -> np.ndarray:
    """Draw a frame that carries its number: tile i is white where bit i is set."""
    frame = np.full((height, width, 3), 90, np.uint8)
    tile = width // N_BITS
    for bit in range(N_BITS):
        frame[: height // 2, bit * tile : (bit + 1) * tile] = 235 if number >> bit & 1 else 20
    return frame


def read_counter(pixels: np.ndarray) -> int:
    """Read the number of a frame, whatever its size and the losses of its codec."""
    height, width = pixels.shape[:2]
    row = pixels[height // 4, :, 1]
    centres = [int((bit + 0.5) * (width // N_BITS * N_BITS) / N_BITS) for bit in range(N_BITS)]
    return sum(1 << bit for bit, centre in enumerate(centres) if row[centre] > 128)


@contextmanager
def keeping_priority() -> Iterator[None]:
    """Undo what SVT-AV1 does to a thread of root that calls it.

    It makes that thread a realtime one, and what this starts inherits it: a child that hangs in a loop would never
    let the thread that watches it run.
    """
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def write_video(
    path: Path,
    n_frames: int,
    *,
    size: tuple[int, int] = (160, 120),
    rate: Fraction | int = 25,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    times: list[int] | None = None,
    frame=counter_frame,
) -> Path:
    """Encode a video of counter frames; ``times`` are presentation times in thousandths, for variable rates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with keeping_priority(), av.open(path, "w", options=SAME_BYTES | (container_options or {})) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.thread_count = 1
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(n_frames):
            picture = av.VideoFrame.from_ndarray(frame(number, *size), format="rgb24")
            if times is not None:
                picture.pts, picture.time_base = times[number], Fraction(1, 1000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode())
    return path


def textured_frame(number, width, height):
    """Draw a counter frame whose lower half moves, so that every packet has something to lose."""
    frame = counter_frame(number, width, height)
    texture = np.random.default_rng(0).integers(0, 60, (height - height // 2, width, 3), np.uint8)
    frame[height // 2 :] = np.roll(texture, 3 * number, axis=1)
    return frame
