"""Render small street videos, half of them with a staged anomaly, from real footage.

The background is a real street, the view of one camera. The anomaly is drawn into it: a burst of fire
that grows, shakes the picture and leaves smoke. That is enough for a head to learn from a handful of
videos, and no more: what it learns says nothing about real fires.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

SIZE = (304, 128)  # width, height
RATE = 25
LENGTH = 96  # frames: twelve snippets, which overlap by half
BURST = range(40, 80)  # frames in which the anomaly is seen


def read_street(path: Path) -> list[Picture]:
    """Return all frames of the background at half size, (H, W, 3) uint8 RGB."""
    with av.open(path) as container:
        return [
            frame.to_ndarray(format="rgb24", width=frame.width // 2, height=frame.height // 2)
            for frame in container.decode(video=0)
        ]


def excerpt(street: list[Picture], start: int, seed: int) -> list[Picture]:
    """Return :data:`LENGTH` frames of one camera's view; light and framing differ a little each time."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    top, left = rng.integers(0, street[0].shape[0] - height), rng.integers(0, street[0].shape[1] - width)
    light = rng.uniform(0.8, 1.2)
    frames = [frame[top : top + height, left : left + width] for frame in street[start : start + LENGTH]]
    return [np.clip(frame * light, 0, 255).astype(np.uint8) for frame in frames]


def stage_burst(frames: list[Picture], index: int) -> list[Picture]:
    """Draw a burst of fire and smoke into the frames of :data:`BURST`."""
    rng = np.random.default_rng(1000 + index)
    width, height = SIZE
    centre_x, centre_y = rng.uniform(0.3, 0.7) * width, rng.uniform(0.4, 0.7) * height
    rows, columns = np.mgrid[:height, :width]
    staged = list(frames)
    for number in BURST:
        age = (number - BURST.start) / len(BURST)
        radius = 10 + 60 * min(1.0, 2 * age)
        flicker = rng.normal(0, 6, (height // 8, width // 8)).repeat(8, 0).repeat(8, 1)
        distance = np.hypot(columns - centre_x, rows - centre_y + 40 * age) + flicker
        fire = np.clip(1 - distance / radius, 0, 1)[..., None] * (1 - age)
        smoke = np.clip(1 - distance / (1.5 * radius), 0, 1)[..., None] * age * 0.8
        picture = frames[number] * (1 - smoke) + 60 * smoke
        picture = picture + fire * np.array([255, 170, 40])
        shake = rng.integers(-4, 5, 2) if age < 0.5 else (0, 0)
        staged[number] = np.roll(np.clip(picture, 0, 255).astype(np.uint8), tuple(shake), axis=(0, 1))
    return staged


def write_video(path: Path, frames: list[Picture]) -> None:
    """Encode frames as H.264."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            output.mux(stream.encode(picture))
        output.mux(stream.encode())


def render(street: Path, folder: Path, n_each: int) -> Path:
    """Write ``normal/`` and ``abnormal/`` videos for training, and return one more for scoring."""
    frames = read_street(street)
    starts = np.linspace(0, len(frames) - LENGTH, n_each).astype(int)
    for index, start in enumerate(starts):
        write_video(folder / "normal" / f"street{index}.mp4", excerpt(frames, start, seed=index))
        staged = stage_burst(excerpt(frames, start, seed=100 + index), index)
        write_video(folder / "abnormal" / f"burst{index}.mp4", staged)
    unseen = folder.with_name("unseen.mp4")
    calm, staged = (excerpt(frames, start, seed=200 + start) for start in (20, 100))
    write_video(unseen, calm + stage_burst(staged, 200))
    return unseen
