"""The job of a decoding process, as passed on its command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.timeline import ASSUMED_FPS
from vadpipe.features.sampling import Sampling


@dataclass(frozen=True)
class StillRequest:
    """Frames of a video that are wanted together, in one size.

    Attributes:
        times_s: in seconds; the frame shown at each is wanted.
        size: how large they are made.
    """

    times_s: tuple[float, ...]
    size: Size


class Still(NamedTuple):
    """One frame of several requests: when, how large, of which request, and where among its times."""

    time_s: float
    size: Size
    request: int
    position: int


def stills_in_order(requests: Sequence[StillRequest]) -> list[Still]:
    """Return the frames of all requests in the order of time, in which a video is gone through once."""
    stills = [
        Still(time_s, request.size, number, position)
        for number, request in enumerate(requests)
        for position, time_s in enumerate(request.times_s)
    ]
    return sorted(stills, key=lambda still: still.time_s)


@dataclass(frozen=True)
class DecodeJob:
    """One video to be decoded by one decoder.

    Attributes:
        size: how large frames are made; stills have sizes of their own.
        decoder: a key of :data:`vadpipe.extract.video.decoders.DECODERS`.
        sampling: which frames are wanted.
        device: ``"cpu"`` or ``"cuda:0"``.
        limits: what the video may ask for.
        stills: only these frames are wanted, see :func:`stills_in_order`. None for all that sampling wants.
        assume_fps: frames a second of a video that has no times.
        held_bytes: a decoder that may hold all frames at once declines a video whose frames have more; None
            where it is to try.
        descriptor: of the open video, inherited.
    """

    size: Size
    decoder: str = "pyav"
    sampling: Sampling = field(default_factory=Sampling)
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)
    stills: tuple[StillRequest, ...] | None = None
    assume_fps: float = ASSUMED_FPS
    held_bytes: int | None = None
    descriptor: int = -1

    def to_json(self) -> str:
        """Return the job as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> DecodeJob:
        """Return the job that :meth:`to_json` wrote."""
        content = json.loads(text)
        job = cls(**content)
        stills = content["stills"]
        return replace(
            job,
            stills=None
            if stills is None
            else tuple(StillRequest(tuple(one["times_s"]), Size(**one["size"])) for one in stills),
            size=Size(**content["size"]),
            sampling=Sampling(**content["sampling"]),
            limits=Limits(**content["limits"]),
        )
