"""Presentation times of packets: by repaired timestamps, or by counting.

Raw streams have no timestamps, and some multiplexers write one timestamp for several frames. There only the
decoder knows in which order packets are shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.video.container import Family
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.packets import shown_order
from vadpipe.extract.video.timestamps import NO_STAMP, ClockChange, Kind, jumps, repair_timestamps

MAX_CHANGES = 100


@dataclass(frozen=True)
class Presentation:
    """The presentation times of a video's packets.

    Attributes:
        pts: (P,) int64, in the order of the file; :data:`NO_STAMP` where nothing is shown of it.
        dts: (P,) int64, when it is decoded, on the same clock; :data:`NO_STAMP` where that is not known.
        tick: what both count, in seconds.
        as_stored: whether all of this is what the file says.
        mended: the packet, the kind and by how many ticks it was moved, of each place that was mended.
    """

    pts: NDArray[np.int64]
    dts: NDArray[np.int64]
    tick: Fraction
    as_stored: bool = True
    mended: list[tuple[int, Kind, int]] = field(default_factory=list)

    @property
    def packet_stamps(self) -> NDArray[np.int64] | None:
        """(P, 2) int64, pts and dts, where they are not what the file says."""
        return None if self.as_stored else np.stack([self.pts, self.dts], axis=1)

    def changes(self, stamps: NDArray[np.int64]) -> tuple[ClockChange, ...]:
        """Return where the clock does not simply go on, by the frames that are shown, with rising stamps."""
        tick_s, last = float(self.tick), len(stamps) - 1
        found = [
            ClockChange(kind, min(int(np.searchsorted(stamps, self.pts[packet])), last), by * tick_s)
            for packet, kind, by in self.mended
        ]
        found += [ClockChange("jump", frame, by * tick_s) for frame, by in jumps(stamps, tick_s)]
        return tuple(sorted(found, key=lambda change: change.frame))


def present(
    path: str | os.PathLike[str],
    rows: NDArray[np.void],
    family: Family,
    tick: Fraction,
    *,
    reorders: bool,
    parts: NDArray[np.int64] | None = None,
    assume_fps: float,
    limits: Limits,
    on_packet: Callable[[], None] | None = None,
) -> Presentation:
    """Return when each packet of a video is shown.

    Args:
        path: the video; it is decoded where only the decoder knows the order.
        rows: of :func:`vadpipe.extract.video.packets.read_rows`.
        family: its container.
        tick: what its timestamps count, in seconds.
        reorders: whether its codec shows frames in another order than it stores them.
        parts: (P,) int64, number of the recording that each packet is of, where several were joined.
        assume_fps: frames per second of a container without times.
        limits: what the video may ask for.
        on_packet: called for each packet that is read, as a sign of life.
    """
    if not family.timed:
        order = np.flatnonzero(~rows["empty"])
        if family.demuxer != "mjpeg":  # there, every packet is a frame and shown as it comes
            order = shown_order(path, limits, on_packet)
        return _by_place(rows, order, assume_fps)
    if family.counted:  # what stands for times of presentation are guesses
        return Presentation(np.where(rows["empty"], NO_STAMP, rows["dts"]), rows["dts"], tick)
    return _by_timestamps(rows, family, tick, reorders, parts, lambda: shown_order(path, limits, on_packet))


def _by_timestamps(
    rows: NDArray[np.void],
    family: Family,
    tick: Fraction,
    reorders: bool,
    parts: NDArray[np.int64] | None,
    decoded_order: Callable[[], NDArray[np.int64]],
) -> Presentation:
    """Repair the timestamps of a file, and ask the decoder for the order where they do not tell it."""
    stored = np.where(rows["empty"], NO_STAMP, rows["pts"])
    pts = stored.copy()
    if not reorders:
        pts = np.where((pts == NO_STAMP) & ~rows["empty"], rows["dts"], pts)
    dts = rows["dts"].copy()
    known = pts != NO_STAMP
    durations = rows["duration"][rows["duration"] > 0]
    step = int(np.median(durations)) if len(durations) else None
    # Where frames are stored out of order, their times do not rise from packet to packet.
    stores_dts = family.may_store_dts and bool((np.diff(pts[known]) > 0).all())
    mended = repair_timestamps(
        pts[known],
        dts[known],
        float(tick),
        wraps_at=None if family.wraps_bits is None else 1 << family.wraps_bits,
        may_restart=not family.continuous if parts is None else np.diff(parts[known], prepend=0) > 0,
        step=step,
        places=(np.cumsum(~rows["empty"]) - 1)[known],
    )
    packets = np.flatnonzero(known)
    pts[known], dts[known] = mended.pts, mended.dts
    if reorders and (family.unordered or stores_dts):
        order = decoded_order()[: known.sum()]
        in_order, pts = np.sort(pts[known]), np.full(len(pts), NO_STAMP, dtype=np.int64)
        pts[order] = in_order[: len(order)]
    elif _leaves_out(pts != NO_STAMP, rows["empty"]):
        pts = _between_known(pts, decoded_order(), step)
    found = []
    for at, kind, by in mended.found:
        packet = int(packets[at])
        if pts[packet] != NO_STAMP:
            found.append((packet, kind, by or int(pts[packet] - stored[packet])))
    return Presentation(
        pts,
        dts,
        tick,
        # FFmpeg finds its way within the first recording alone.
        as_stored=parts is None and bool((pts == stored).all() and (dts == rows["dts"]).all()),
        mended=found,
    )


def _by_place(rows: NDArray[np.void], order: NDArray[np.int64], fps: float) -> Presentation:
    pts = np.full(len(rows), NO_STAMP, dtype=np.int64)
    pts[order] = np.arange(len(order))
    tick = 1 / Fraction(fps).limit_denominator(1_000_000)
    return Presentation(pts, np.arange(len(rows)), tick, as_stored=False)


def _leaves_out(known: NDArray[np.bool_], empty: NDArray[np.bool_]) -> bool:
    """Return whether packets have no time, but for those that a recording cut out of a stream begins with."""
    first = int(np.argmax(known)) if known.any() else 0
    return bool((~known & ~empty)[first:].any())


def _between_known(
    pts: NDArray[np.int64], order: NDArray[np.int64], usual_step: int | None
) -> NDArray[np.int64]:
    """Return timestamps for all packets that are shown: those between two known ones lie evenly.

    A timestamp that repeats or contradicts one before it is not taken for known.
    """
    in_order = pts[order]
    before = np.maximum.accumulate(np.concatenate([[NO_STAMP], in_order[:-1]]))
    at = np.flatnonzero(in_order > before)
    result = np.full(len(pts), NO_STAMP, dtype=np.int64)
    if not len(at):
        result[order] = np.arange(len(order))
        return result
    stamps = pts[order[at]]
    step = max(1, int(np.median(np.diff(stamps) // np.diff(at)))) if len(at) > 1 else usual_step or 1
    places = np.arange(len(order))
    between = np.rint(np.interp(places, at, stamps)).astype(np.int64)
    between += np.minimum(places - at[0], 0) * step + np.maximum(places - at[-1], 0) * step
    result[order] = between
    return result
