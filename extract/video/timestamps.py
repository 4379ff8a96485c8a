"""Timestamp repair: clocks that restart, wrap or jump back, and single timestamps hours off.

Recorders and HLS concatenate transport streams, each with its own clock. A 33-bit clock wraps to zero after
26.5 hours. A broken muxer writes one timestamp hours away from its neighbours. A player shows all of these
frames in the order in which they come; here each gets a time that continues from the one before.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

NO_STAMP = np.iinfo(np.int64).min
"""Stands for a timestamp that is not there."""

Kind = Literal["restart", "wrap", "lone", "jump"]
KINDS = get_args(Kind)

FAR_S = 10.0  # what lies further away from all others may be alone; players take it for a new clock, too
_FAR_STEPS = 100  # in a time lapse frames are far from each other, and no clock is wrong
_JUMP_S = 60.0
_WINDOW = 16  # a codec's frames are out of order by at most this many
_LARGEST = 2**60  # sums of larger ones overflow


@dataclass(frozen=True)
class ClockChange:
    """A discontinuity of a video's timestamps.

    Attributes:
        kind: ``"restart"``, ``"wrap"`` and ``"lone"`` were mended, ``"jump"`` is a break of a minute or more
            that was kept.
        frame: number of the first frame behind it, or of the lone one.
        by_s: how far the timestamp was moved, or how long the break is, in seconds.
    """

    kind: Kind
    frame: int
    by_s: float

    def __str__(self) -> str:
        what = {
            "restart": "the clock restarts or jumps back",
            "wrap": "the clock wraps",
            "lone": "a timestamp is far from its neighbours",
            "jump": f"the clock jumps ahead by {self.by_s:,.0f} s",
        }[self.kind]
        repair = "" if self.kind == "jump" else f" (moved by {self.by_s:+,.3f} s)"
        return f"{what} at frame {self.frame}{repair}"


class RepairedTimestamps(NamedTuple):
    """Timestamps after the repair.

    Attributes:
        pts, dts: (P,) int64, of each packet, in the order of the file. A lone timestamp is :data:`NO_STAMP`
            where only the decoder knows between which others it belongs.
        found: of each place that was repaired the packet, the kind, and by how many ticks the timestamps from
            there on were moved; 0 for a lone one.
    """

    pts: NDArray[np.int64]
    dts: NDArray[np.int64]
    found: list[tuple[int, Kind, int]]


def repair_timestamps(
    pts: NDArray[np.int64],
    dts: NDArray[np.int64],
    tick_s: float,
    *,
    wraps_at: int | None = None,
    may_restart: bool | NDArray[np.bool_] = True,
    step: int | None = None,
    places: NDArray[np.int64] | None = None,
) -> RepairedTimestamps:
    """Return timestamps that never restart, and of which none lies hours away from its neighbours.

    Args:
        pts: (P,) int64, presentation timestamps in ticks, in the order of the file.
        dts: (P,) int64, decoding timestamps; :data:`NO_STAMP` where there is none.
        tick_s: what they count, in seconds.
        wraps_at: what the clock counts up to, where it wraps.
        may_restart: whether a clock that goes back is wrong, or at which packets; some containers mean it.
        step: how many ticks a frame lasts, where that is known.
        places: (P,) int64, where the packets are among all that hold frames, if some have no timestamps.
    """
    known = dts != NO_STAMP
    extremes = np.concatenate([pts, dts[known]])
    if len(pts) < 2 or tick_s <= 0 or extremes.max() > _LARGEST or extremes.min() < -_LARGEST:
        return RepairedTimestamps(pts, dts, [])
    pts, dts = pts.copy(), dts.copy()
    if wraps_at is not None:  # the last frames before a wrap may be shown after it
        half = wraps_at // 2
        pts[known] = dts[known] + (pts[known] - dts[known] + half) % wraps_at - half
    found = _mend_lone(pts, dts, tick_s)
    if np.any(may_restart):
        there = np.flatnonzero(pts != NO_STAMP)
        places = np.arange(len(pts)) if places is None else places
        may = np.broadcast_to(may_restart, len(pts))[there]
        continued = _mend_restarts(pts[there], dts[there], tick_s, wraps_at, step, places[there], may)
        pts[there], dts[there] = continued.pts, continued.dts
        found += [(int(there[at]), kind, by) for at, kind, by in continued.found]
    return RepairedTimestamps(pts, dts, found)


def jumps(stamps: NDArray[np.int64], tick_s: float) -> list[tuple[int, int]]:
    """Return (index after it, length in ticks) of each break of a minute or more in rising timestamps."""
    if tick_s <= 0:
        return []
    gaps = np.diff(stamps)
    wide = np.flatnonzero(gaps > max(_JUMP_S / tick_s, _FAR_STEPS * _step(stamps)))
    return [(int(at) + 1, int(gaps[at])) for at in wide]


def _step(stamps: NDArray[np.int64]) -> int:
    """Return how many ticks usually lie between two frames, by timestamps that mostly rise."""
    steps = np.diff(stamps)
    steps = steps[steps > 0]
    return int(np.median(steps)) if len(steps) else 1


def _mend_lone(pts: NDArray[np.int64], dts: NDArray[np.int64], tick_s: float) -> list[tuple[int, Kind, int]]:
    """Repair, in place, timestamps far from all others whose neighbours in the file follow each other."""
    far = max(FAR_S / tick_s, _FAR_STEPS * _step(np.sort(pts)))
    order = np.argsort(pts, kind="stable")
    wide = np.concatenate([[True], np.diff(pts[order]) > far, [True]])
    alone = np.zeros(len(pts), dtype=np.bool_)
    alone[order[wide[:-1] & wide[1:]]] = True
    found: list[tuple[int, Kind, int]] = []
    for at in np.flatnonzero(alone).tolist():
        begin = max(0, at - _WINDOW)
        near = begin + np.flatnonzero(~alone[begin : at + _WINDOW + 1])
        if alone[begin : at + _WINDOW + 1].sum() > 1:
            continue  # a recording of single frames
        if not len(near) or not near[0] < at < near[-1] or np.diff(np.sort(pts[near])).max() > far:
            continue  # nothing proves that it is wrong
        behind = int(np.searchsorted(near, at))
        before, after = int(pts[near[behind - 1]]), int(pts[near[behind]])
        in_order = bool((np.diff(pts[near]) > 0).all())
        if not in_order and near[-1] < at + _WINDOW:
            continue  # the last frame may be stored before others, and be right
        pts[at] = (before + after) // 2 if in_order else NO_STAMP
        if dts[at] != NO_STAMP and abs(int(dts[at]) - before) > far:
            dts[at] = pts[at]
        found.append((at, "lone", 0))
    return found


def _mend_restarts(
    pts: NDArray[np.int64],
    dts: NDArray[np.int64],
    tick_s: float,
    wraps_at: int | None,
    step: int | None,
    places: NDArray[np.int64],
    may_restart: NDArray[np.bool_],
) -> RepairedTimestamps:
    """Continue a clock that restarts, jumps back or wraps from where it was."""
    known = dts != NO_STAMP
    if not known.any():
        return RepairedTimestamps(pts, dts, [])
    step, far = step or _step(dts[known]), FAR_S / tick_s
    # Decoding timestamps rise from packet to packet; less than half a frame back is inaccuracy.
    ahead = np.diff(dts)
    both = known[1:] & known[:-1]
    passed = np.diff(places) > 1  # packets without timestamps lie between
    back = both & ((ahead < -(step // 2)) | (passed & (ahead <= 0)))
    if wraps_at is not None:
        back |= both & (ahead > wraps_at // 2)  # the shorter way is back
    breaks = (np.flatnonzero(back & may_restart[1:]) + 1).tolist()
    found: list[tuple[int, Kind, int]] = []
    shift, latest = 0, int(pts[: breaks[0]].max()) if breaks else 0
    for start, stop in itertools.pairwise([*breaks, len(pts)]):
        moved = int(ahead[start - 1])
        if wraps_at is not None and 0 <= moved + wraps_at <= far:
            kind: Kind = "wrap"
            by = wraps_at
        else:
            kind = "restart"
            n_frames = int(places[start] - places[start - 1])  # some may have no timestamps
            by = latest + step * n_frames - int(pts[start : min(stop, start + 2 * _WINDOW)].min()) - shift
        shift += by
        pts[start:stop] += shift
        dts[start:stop][known[start:stop]] += shift
        latest = max(latest, int(pts[start:stop].max()))
        found.append((start, kind, by))
    return RepairedTimestamps(pts, dts, found)
