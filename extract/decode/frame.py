"""What every decoder gives, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import DecodeError
from vadpipe.extract.decode.limits import Limits
from vadpipe.extract.decode.timeline import Timeline


class Frame(NamedTuple):
    """One frame as a player shows it: its number from 0, and pixels (H, W, 3) uint8 RGB."""

    number: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Size:
    """How large frames are made: squeezed to a square, or scaled with their aspect kept.

    Attributes:
        side_px: of the square, or the short side of the picture.
        square: which of the two.
    """

    side_px: int
    square: bool

    def of(self, timeline: Timeline) -> tuple[int, int]:
        """Return (width, height) in pixels of each frame of a video."""
        return (self.side_px, self.side_px) if self.square else timeline.scaled_to(self.side_px)


@dataclass(frozen=True)
class Reading:
    """A video that is to be decoded.

    Attributes:
        path: where it is.
        timeline: its times, already read.
        size_px: (width, height) that every frame is resized to.
        wanted: (N,) bool, the frames to give; the others are decoded and dropped.
        device: ``"cpu"``, or a GPU such as ``"cuda:0"`` where the decoder can use one.
        limits: what it may ask for.
        alive: called now and then while nothing is given, as a sign of life.
    """

    path: str
    timeline: Timeline
    size_px: tuple[int, int]
    wanted: NDArray[np.bool_]
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)
    alive: Callable[[], None] = lambda: None


Frames = Callable[[Reading], Iterator[Frame]]
"""Yields the wanted frames that can be decoded, in order, rotated as a player would and resized. Raises
DecodeError where this decoder would lose or misnumber some, and another should be tried."""


def misread(reason: str) -> DecodeError:
    """Return the error of a decoder that would lose or misnumber frames."""
    return DecodeError(reason, next_step="Try --decoder pyav, which knows every frame by its own time.")
