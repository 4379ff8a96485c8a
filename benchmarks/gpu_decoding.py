"""Whether another decoder gives the frames that PyAV gives, each at its time.

A part of ``gpu_check.py``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.video.frame import Frame, Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.features.sampling import Sampling

N_BITS = 10
"""A frame shows its number as that many black and white tiles."""
SIDE_PX = 224
TIME_ERROR_S = 1e-6
PIXEL_ERROR = 2.5
"""Mean over all pixels, of 255. On this clip torch's scaler and FFmpeg's differ by 1.4, colours of BT.709 and
BT.601 by 3.6, full and limited range by 11.6, and a frame and the next by 12.5."""


@dataclass(frozen=True)
class DecodingCheck:
    """Frames of one clip by a decoder, compared with PyAV's on the CPU and with what was drawn.

    Attributes:
        decoder, device: which was compared.
        n_frames: of the clip.
        n_missing: frames that it did not give.
        n_misnumbered: frames that show another number than they have.
        time_error_s: largest distance of a frame's time from that with which it was written.
        pixel_error: mean distance of the pixels, of 255.
        frames_per_s, pyav_frames_per_s: from the start of the decoding process on.
        reason: why it is not good enough; None if it is.
    """

    decoder: str
    device: str
    n_frames: int
    n_missing: int
    n_misnumbered: int
    time_error_s: float
    pixel_error: float
    frames_per_s: float
    pyav_frames_per_s: float
    reason: str | None


def check_decoding(folder: Path, decoder: str, device: str, *, n_frames: int) -> DecodingCheck:
    """Decode a generated clip of variable rate by PyAV and by another decoder.

    Args:
        folder: for the clip.
        decoder: a key of :data:`vadpipe.extract.video.decoders.DECODERS`; no other takes its place.
        device: ``"cpu"`` or ``"cuda:0"``.
        n_frames: of the clip, at most 1,024.

    Raises:
        DecodeError: if the decoder cannot be loaded or cannot read the clip.
    """
    path, times_s = folder / "counted.mp4", uneven_times_s(n_frames)
    write_counted(path, times_s)
    expected, _, expected_s = decoded(path, "pyav", "cpu")
    found, found_times_s, found_s = decoded(path, decoder, device)
    by_number = {frame.number: frame.pixels for frame in expected}
    errors = [np.abs(frame.pixels - by_number[frame.number].astype(int)).mean() for frame in found]
    n_missing = n_frames - len(found)
    n_misnumbered = sum(shown_number(frame.pixels) != frame.number for frame in found)
    time_error_s = float(np.abs(found_times_s - times_s).max()) if len(found_times_s) == n_frames else np.inf
    pixel_error = float(np.mean(errors)) if errors else np.inf
    reason = None
    if n_missing or n_misnumbered:
        reason = f"{n_missing} frames are missing, {n_misnumbered} show another number"
    elif not time_error_s <= TIME_ERROR_S:
        reason = f"a frame's time is {time_error_s:.3g} s off"
    elif not pixel_error <= PIXEL_ERROR:
        reason = f"pixels are {pixel_error:.1f} of 255 off, more than {PIXEL_ERROR}"
    elif device != "cpu" and decoder == "torchcodec":
        reason = why_not_on_gpu(path, device)
    return DecodingCheck(
        decoder, device, n_frames, n_missing, n_misnumbered, time_error_s, pixel_error,
        n_frames / found_s, n_frames / expected_s, reason,
    )  # fmt: skip


def decoded(path: Path, decoder: str, device: str) -> tuple[list[Frame], NDArray[np.float64], float]:
    """Return each frame once, their times, and the seconds that it took, as extraction decodes it."""
    start_s = time.perf_counter()
    job = DecodeJob(Size(SIDE_PX, square=True), decoder, Sampling(16), device)
    with Decoding(path, job) as decoding:
        frames = list(decoding.frames())
        return frames, decoding.timeline.times_s, time.perf_counter() - start_s


def why_not_on_gpu(path: Path, device: str) -> str | None:
    """Return why torchcodec decodes this file on the CPU although it is to use a GPU; None if it does."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, device=device)
    decoder.get_frame_at(0)
    return f"not decoded by NVDEC: {decoder.cpu_fallback}" if decoder.cpu_fallback else None


def uneven_times_s(n_frames: int) -> NDArray[np.float64]:
    """Return times in whole milliseconds, between 20 and 60 of them apart."""
    steps_ms = np.random.default_rng(0).integers(20, 61, n_frames - 1)
    return np.concatenate([[0], steps_ms.cumsum()]) / 1000


def write_counted(path: Path, times_s: NDArray[np.float64]) -> None:
    """Encode a clip of soft colours that move, each frame with its number in its upper half."""
    width, height = 640, 360
    y, x = np.mgrid[: height // 2, :width]
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_s in enumerate(times_s):
            pixels = np.full((height, width, 3), 90, np.uint8)
            tiles = [235 if number >> bit & 1 else 20 for bit in range(N_BITS)]
            pixels[: height // 2] = np.repeat(tiles, width // N_BITS)[None, :, None]
            wave = [128 + 100 * np.sin((x + 3 * number) / pace + y / 40) for pace in (90, 60, 40)]
            pixels[height // 2 :] = np.stack(wave, axis=2)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round(1000 * time_s), Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def shown_number(pixels: NDArray[np.uint8]) -> int:
    """Read the number that a frame shows, at any size."""
    height, width = pixels.shape[:2]
    middles = [int((bit + 0.5) * width / N_BITS) for bit in range(N_BITS)]
    return sum(1 << bit for bit, x in enumerate(middles) if pixels[height // 4, x, 1] > 128)
