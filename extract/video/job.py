"""The job of a decoding process, as passed on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.timeline import ASSUMED_FPS
from vadpipe.features.sampling import Sampling


@dataclass(frozen=True)
class DecodeJob:
    """One video to be decoded by one decoder.

    Attributes:
        size: of the decoded frames.
        decoder: a key of :data:`vadpipe.extract.video.decoders.DECODERS`.
        sampling: which frames are wanted.
        device: ``"cpu"`` or ``"cuda:0"``.
        limits: what the video may ask for.
        stills_s: times in seconds; only the frames shown then are wanted. None for all that sampling selects.
        assume_fps: frames per second of a video that has no times.
        descriptor: of the open video, inherited.
    """

    size: Size
    decoder: str = "pyav"
    sampling: Sampling = field(default_factory=Sampling)
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)
    stills_s: tuple[float, ...] | None = None
    assume_fps: float = ASSUMED_FPS
    descriptor: int = -1

    def to_json(self) -> str:
        """Return the job as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> DecodeJob:
        """Return the job that :meth:`to_json` wrote."""
        content = json.loads(text)
        job = cls(**content)
        stills_s = content["stills_s"]
        return replace(
            job,
            stills_s=None if stills_s is None else tuple(stills_s),
            size=Size(**content["size"]),
            sampling=Sampling(**content["sampling"]),
            limits=Limits(**content["limits"]),
        )
