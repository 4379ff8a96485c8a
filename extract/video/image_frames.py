"""Timeline and frames of an image sequence, read one picture at a time."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image

from vadpipe.errors import DecodeError, InputError, printable
from vadpipe.extract.video.image_folder import list_images, open_image
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.timeline import Timeline

if TYPE_CHECKING:
    from vadpipe.extract.video.frame import Reading

# By their bytes; other formats that Pillow could read are not tried.
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
_HEADER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


def read_image_timeline(
    folder: str | os.PathLike[str], limits: Limits, on_picture: Callable[[], None] | None, assume_fps: float
) -> Timeline:
    """Return the timeline of an image sequence: its pictures at an assumed rate; only their headers are read.

    Raises:
        InputError: if the folder is not a sequence, its pictures differ in size, or exceed the limits.
        DecodeError: if no picture can be read.
    """
    path = os.fspath(folder)
    names = list_images(path)
    tick = 1 / Fraction(assume_fps).limit_denominator(1_000_000)
    limits.check(duration_s=float(len(names) * tick))
    size: tuple[int, int] | None = None
    first, n_bytes = "", 0
    for name in names:
        if on_picture is not None:
            on_picture()
        try:
            n_bytes += os.stat(os.path.join(path, name)).st_size  # noqa: PTH116, PTH118
            limits.check(file_bytes=n_bytes)
            found = _size_of(path, name)
        except _HEADER_ERRORS:
            continue  # a gap: what is not a picture cannot be decoded either
        limits.check(side_px=max(found), area_px=found[0] * found[1])
        if size is None:
            size, first = found, name
        if found != size:
            raise InputError(
                f"contains pictures of different sizes: {printable(first)} has {size[0]} x {size[1]} px, "
                f"{printable(name)} has {found[0]} x {found[1]}",
                next_step="Put the pictures of each video into a separate folder, all of one size.",
            )
    if size is None:
        raise DecodeError("has no readable picture", next_step="Copy the pictures again.")
    return Timeline(
        times_s=np.arange(len(names)) * tick.numerator / tick.denominator,
        end_s=float(len(names) * tick),
        n_announced=len(names),
        n_hidden=0,
        width_px=size[0],
        height_px=size[1],
        quarter_turns=0,
        stamps=np.arange(len(names)),
        tick=tick,
        timed=False,
    )


def image_frames(reading: Reading, first: int = 0) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield the wanted pictures that can be decoded, each with its number, from a number on."""
    names = list_images(reading.path)
    size = (reading.timeline.width_px, reading.timeline.height_px)
    for number in range(first, len(reading.timeline.times_s)):
        frame = read_image(reading.path, names[number], size) if number < len(names) else None
        reading.decoded[number] = frame is not None
        if frame is not None and reading.wanted[number]:
            yield number, frame
        else:
            reading.alive()


def read_image(folder: str, name: str, size: tuple[int, int]) -> av.VideoFrame | None:
    """Return a picture as a frame in RGB, or None if it cannot be decoded or has another size."""
    try:
        with _opened(folder, name) as picture:
            if picture.size != size or picture.mode == "F":  # nothing says which numbers are black and white
                return None
            if picture.mode.startswith("I"):  # 16 bits, of which a screen shows the upper eight
                values = np.asarray(picture).astype(np.int64) >> 8
                grey = np.clip(values, 0, 255).astype(np.uint8)
                pixels = np.repeat(grey[:, :, None], 3, axis=2)
            else:
                pixels = np.asarray(picture.convert("RGB"))
    except MemoryError:
        raise
    except _HEADER_ERRORS:
        return None
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")


def _size_of(folder: str, name: str) -> tuple[int, int]:
    with _opened(folder, name) as picture:
        return picture.size


def _opened(folder: str, name: str) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = None  # the limits are vadpipe's own, and are checked before anything is decoded
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(open_image(folder, name)), formats=_FORMATS)
