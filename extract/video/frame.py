"""The interface of decoders: frames, their size, and what to decode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.video.container import FAMILIES, sniff
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.timeline import Timeline

_SCALED_PX = 4_000_000  # 35 times what a video of 16:9 has with a short side of 256


class Frame(NamedTuple):
    """One frame as a player shows it: its number from 0, and pixels (H, W, 3) uint8 RGB."""

    number: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Size:
    """The size of decoded frames: squeezed to a square, or scaled with their aspect ratio kept.

    Attributes:
        side_px: of the square, or the short side of the picture.
        square: which of the two.
    """

    side_px: int
    square: bool

    def of(self, timeline: Timeline) -> tuple[int, int]:
        """Return (width, height) in pixels of each frame of a video.

        Raises:
            InputError: if that is so large that a snippet would not fit into memory.
        """
        if self.square:
            return self.side_px, self.side_px
        width, height = timeline.scaled_to(self.side_px)
        if width * height > _SCALED_PX:
            raise InputError(
                f"has an extreme aspect ratio: scaled to a short side of {self.side_px} px it would have "
                f"{width} x {height} px",
                next_step="Use --view whole, or crop the video with ffmpeg.",
            )
        return width, height


@dataclass(frozen=True)
class Reading:
    """A video to be decoded.

    Attributes:
        path: where it is.
        timeline: its times, already read.
        size_px: (width, height) that every frame is resized to.
        wanted: (N,) bool, the frames to give; the others are decoded and dropped.
        decoded: (N,) bool, filled by the decoder: the frames that could be decoded, wanted or not.
        device: ``"cpu"``, or a GPU such as ``"cuda:0"`` where the decoder can use one.
        limits: what it may ask for.
        alive: called at intervals while no frame is yielded, as a sign of life.
        held_bytes: a decoder that may hold all frames at once declines a video whose frames have more; None
            where it is to try.
    """

    path: str
    timeline: Timeline
    size_px: tuple[int, int]
    wanted: NDArray[np.bool_]
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)
    alive: Callable[[], None] = lambda: None
    held_bytes: int | None = None
    decoded: NDArray[np.bool_] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "decoded", np.zeros(len(self.wanted), dtype=np.bool_))


Frames = Callable[[Reading], Iterator[Frame]]
"""Yields the wanted frames that can be decoded, in order, rotated as a player would and resized. Raises
DecodeError where this decoder would lose or misnumber some, and another should be tried."""


def misread(reason: str) -> DecodeError:
    """Return the error of a decoder that would lose or misnumber frames."""
    return DecodeError(reason, next_step="Try --decoder pyav, which identifies every frame by its timestamp.")


UNFORCED = ("mp4", "mkv", "avi")
"""Container families for decoders whose demuxer cannot be forced. Their first bytes leave least doubt. decord
loses or invents frames of transport streams, and its index of them can hang."""


def check_unforced(reading: Reading, decoder: str) -> None:
    """Reject a video for a decoder that chooses the demuxer itself and trusts the file's timestamps.

    Raises:
        DecodeError: if the demuxer has to be forced, or timestamps had to be mended.
    """
    family = sniff(Path(reading.path))
    if family not in UNFORCED:
        raise misread(f"{decoder} cannot be restricted to the demuxer of {FAMILIES[family].title}")
    if not reading.timeline.can_seek:
        raise misread(f"{decoder} relies on timestamps that are wrong in this file")
