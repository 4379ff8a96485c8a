"""The presentation times of a video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vadpipe.extract.video.demuxing import read_packets
from vadpipe.extract.video.presentation import MAX_CHANGES
from vadpipe.extract.video.timestamps import KINDS, NO_STAMP, ClockChange, Kind

ASSUMED_FPS = 25.0
"""Frame rate of a video without timestamps: FFmpeg's default, and the rate of PAL cameras."""


@dataclass(frozen=True)
class Timeline:
    """When each frame of a video is shown.

    Attributes:
        times_s: (N,) float64, of the frames that a player shows, in presentation order, from 0 up.
        end_s: when the last of them ends.
        n_announced: how many shown frames the container says it has; more than N where the file is cut
            short. Where it does not say, N; Matroska says only how long it is, which is reckoned in frames.
        n_hidden: coded frames that a player does not show, since an edit list hides them, such as
            those between a key frame and the cut after it.
        width_px, height_px: of the picture as shown, after rotation.
        stamps: (N,) int64, timestamps of the same N frames, in ticks.
        quarter_turns: how often the decoded picture is turned by 90 degrees, counterclockwise.
        n_unread_parts: recordings in a file that was joined from several that are not read, since they are
            another program of a transport stream, or coded otherwise in Matroska.
        unread_at: the byte of the file at which the first of them begins; 0 where all is read.
        tick: what timestamps count, in seconds.
        timed: whether the file has times; else they follow from an assumed rate.
        changes: where the clock is discontinuous; at most 100 are sent to another process.
        seekable: whether the container keeps its timestamps behind a seek.
        packet_stamps: (P, 2) int64, pts and dts of every packet in the order of the file, where they are not
            what the file says.
    """

    times_s: NDArray[np.float64] = field(repr=False)
    end_s: float
    n_announced: int
    n_hidden: int
    width_px: int
    height_px: int
    quarter_turns: int
    stamps: NDArray[np.int64] = field(repr=False)
    n_unread_parts: int = 0
    unread_at: int = 0
    tick: Fraction = Fraction(0)
    timed: bool = True
    changes: tuple[ClockChange, ...] = ()
    seekable: bool = True
    packet_stamps: NDArray[np.int64] | None = field(default=None, repr=False)

    @property
    def frame_s(self) -> float:
        """How long a frame is shown, in the middle of the distribution."""
        edges = np.append(self.times_s, self.end_s)
        return float(np.median(np.diff(edges)))

    @property
    def can_seek(self) -> bool:
        """Whether decoding can start elsewhere than at the beginning."""
        return self.seekable and self.packet_stamps is None

    def to_record(self) -> dict[str, Any]:
        """Return everything but the arrays, and what only the process that read the video can use."""
        changes = [[change.kind, change.frame, change.by_s] for change in self.changes[:MAX_CHANGES]]
        return {name: getattr(self, name) for name in (*_NUMBERS, "timed")} | {"changes": changes}

    @classmethod
    def from_record(cls, record: dict[str, Any], times_s: NDArray[np.float64]) -> Timeline:
        """Return the timeline of a record and its times; it knows no timestamps.

        Raises:
            ValueError: if they cannot be those of a video.
        """
        if record.keys() != {*_NUMBERS, "timed", "changes"} or type(record["timed"]) is not bool:
            raise ValueError("it has other fields")
        if any(type(record[name]) not in (int, float) for name in _NUMBERS):
            raise ValueError("it has other fields")
        changes = _parse_changes(record["changes"], len(times_s))
        no_stamps = np.empty(0, dtype=np.int64)
        timeline = cls(**record | {"changes": changes}, times_s=times_s, stamps=no_stamps)
        edges = np.append(times_s, timeline.end_s)
        whole = [value for name, value in record.items() if name in _NUMBERS and name != "end_s"]
        if not (
            len(times_s)
            and np.isfinite(edges).all()
            and edges[0] >= 0
            and (np.diff(edges) >= 0).all()
            and all(isinstance(number, int) and number >= 0 for number in whole)
            and min(timeline.n_announced - len(times_s), timeline.width_px - 1, timeline.height_px - 1) >= 0
        ):
            raise ValueError("its numbers contradict each other")
        return timeline

    def number_of(self, stamp: int | None) -> int | None:
        """Return which frame has that timestamp, or None if it is hidden or not known."""
        at = int(np.searchsorted(self.stamps, stamp)) if stamp is not None else len(self.stamps)
        return at if at < len(self.stamps) and self.stamps[at] == stamp else None

    def packets(self, container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
        """Yield every packet of the video, as :func:`read_packets` does, with the timestamps known here.

        Args:
            container: the video, at its start unless it :attr:`can_seek`.
            stream: the one that the timeline is of.
        """
        packets = read_packets(container, stream)
        if self.packet_stamps is None:
            yield from packets
            return
        # The last packet is FFmpeg's own and flushes the decoder.
        for packet, (pts, dts) in zip(packets, self.packet_stamps, strict=False):
            packet.pts = None if pts == NO_STAMP else int(pts)
            packet.dts = None if dts == NO_STAMP else int(dts)
            yield packet

    def scaled_to(self, short_side_px: int) -> tuple[int, int]:
        """Return (width, height) in pixels with that short side and the aspect kept, both even."""
        return scaled_to(short_side_px, self.width_px, self.height_px)


def scaled_to(short_side_px: int, width_px: int, height_px: int) -> tuple[int, int]:
    """Return (width, height) in pixels of a picture with that short side and the aspect kept, both even."""
    scale = short_side_px / min(width_px, height_px)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (width_px, height_px))
    return width, height


_NUMBERS = (
    "end_s", "n_announced", "n_hidden", "width_px", "height_px", "quarter_turns", "n_unread_parts",
    "unread_at",
)  # fmt: skip


def _parse_changes(changes: object, n_frames: int) -> tuple[ClockChange, ...]:
    if not isinstance(changes, list) or len(changes) > MAX_CHANGES:
        raise ValueError("it has other fields")
    parsed = []
    for change in changes:
        match change:
            case [str(kind), int(frame), float(by_s)] if kind in KINDS and 0 <= frame < n_frames:
                parsed.append(ClockChange(cast("Kind", kind), frame, by_s))
            case _:
                raise ValueError("its clock is invalid")
    return tuple(parsed)
