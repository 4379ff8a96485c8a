"""Repair timestamps: clocks that restart, wrap or jump back, and single timestamps hours off.

Recorders and HLS concatenate transport streams, each with its own clock. A 33-bit clock wraps to zero after
26.5 hours. A broken muxer writes one timestamp hours away from its neighbours. A player shows all of these
frames in the order in which they come; here each gets a time that continues from the one before.
"""

from __future__ import annotations

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
_WINDOW = 16  # a codec's frames are out of order by so many at most
_LARGEST = 2**60  # sums of larger ones overflow


@dataclass(frozen=True)
class ClockChange:
    """A place at which a video's timestamps do not simply go on.

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


class Mended(NamedTuple):
    """Timestamps after mending.

    Attributes:
        pts, dts: (P,) int64, of each packet, in the order of the file.
        found: the packet, the kind, and by how many ticks it was moved, of each place that was mended.
    """

    pts: NDArray[np.int64]
    dts: NDArray[np.int64]
    found: list[tuple[int, Kind, int]]


def mend(
    pts: NDArray[np.int64],
    dts: NDArray[np.int64],
    tick_s: float,
    *,
    wraps_at: int | None = None,
    may_restart: bool = True,
) -> Mended:
    """Return timestamps of presentation that never start again, and that leave no frame alone hours away.

    Args:
        pts: (P,) int64, timestamps of presentation in ticks, in the order of the file.
        dts: (P,) int64, of decoding; :data:`NO_STAMP` where there is none.
        tick_s: what they count, in seconds.
        wraps_at: what the clock counts up to, where it wraps.
        may_restart: whether a clock that goes back is wrong; some containers mean it.
    """
    known = dts != NO_STAMP
    extremes = np.concatenate([pts, dts[known]])
    if len(pts) < 2 or extremes.max() > _LARGEST or extremes.min() < -_LARGEST:
        return Mended(pts, dts, [])
    pts, dts = pts.copy(), dts.copy()
    if wraps_at is not None:  # the last frames before a wrap may be shown after it
        half = wraps_at // 2
        pts[known] = dts[known] + (pts[known] - dts[known] + half) % wraps_at - half
    found = _mend_lone(pts, dts, tick_s)
    if may_restart:
        found += _mend_restarts(pts, dts, tick_s, wraps_at)
    return Mended(pts, dts, found)


def jumps(stamps: NDArray[np.int64], tick_s: float) -> list[tuple[int, int]]:
    """Return (index after it, length in ticks) of each break of a minute or more in rising timestamps."""
    gaps = np.diff(stamps)
    wide = np.flatnonzero(gaps > max(_JUMP_S / tick_s, _FAR_STEPS * _step(stamps)))
    return [(int(at) + 1, int(gaps[at])) for at in wide]


def _step(stamps: NDArray[np.int64]) -> int:
    """Return how many ticks usually lie between two frames."""
    steps = np.diff(np.sort(stamps))
    steps = steps[steps > 0]
    return int(np.median(steps)) if len(steps) else 1


def _mend_lone(pts: NDArray[np.int64], dts: NDArray[np.int64], tick_s: float) -> list[tuple[int, Kind, int]]:
    far = max(FAR_S / tick_s, _FAR_STEPS * _step(pts))
    order = np.argsort(pts, kind="stable")
    wide = np.concatenate([[True], np.diff(pts[order]) > far, [True]])
    alone = np.sort(order[wide[:-1] & wide[1:]])
    found: list[tuple[int, Kind, int]] = []
    if len(alone) > max(1, len(pts) // 100):  # so many are no accident
        return found
    for at in alone.tolist():
        place = _place_of(at, pts, alone, far)
        if place is not None:
            found.append((at, "lone", place - int(pts[at])))
            pts[at] = place
            if dts[at] != NO_STAMP and abs(int(dts[at]) - place) > far:
                dts[at] = place
    return found


def _place_of(at: int, pts: NDArray[np.int64], alone: NDArray[np.int64], far: float) -> int | None:
    """Return when a packet is shown whose timestamp is far from all others, or None where nothing proves it.

    Its neighbours in the file prove it where they follow each other closely: the frame belongs between them.
    Where frames are shown in another order than they are stored, it belongs where just one is missing.
    """
    near = np.setdiff1d(np.arange(max(0, at - _WINDOW), min(len(pts), at + _WINDOW + 1)), alone)
    if not len(near) or not near[0] < at < near[-1]:
        return None
    in_file = pts[near]
    shown = np.sort(in_file)
    gaps = np.diff(shown)
    if gaps.max() > far:
        return None
    if (np.diff(in_file) > 0).all():
        behind = int(np.searchsorted(near, at))
        return (int(in_file[behind - 1]) + int(in_file[behind])) // 2
    holes = np.flatnonzero(gaps > 1.5 * np.median(gaps))
    if len(holes) != 1:
        return None
    return int(shown[holes[0]]) + int(gaps[holes[0]]) // 2


def _mend_restarts(
    pts: NDArray[np.int64], dts: NDArray[np.int64], tick_s: float, wraps_at: int | None
) -> list[tuple[int, Kind, int]]:
    known = dts != NO_STAMP
    clock = np.where(known, dts, pts)
    step, far = _step(clock), FAR_S / tick_s
    # In the order of decoding, time goes on; in the other, frames are out of order by a few.
    slack = np.where(known[1:] & known[:-1], 2 * step, 2 * _WINDOW * step)
    ahead = np.diff(clock)
    back = ahead < -slack
    if wraps_at is not None:
        back |= ahead > wraps_at // 2  # the shorter way is back
    breaks = (np.flatnonzero(back) + 1).tolist()
    found: list[tuple[int, Kind, int]] = []
    if not breaks:
        return found
    shift, latest = 0, int(pts[: breaks[0]].max())
    for start, stop in zip(breaks, [*breaks[1:], len(pts)], strict=True):
        moved = int(ahead[start - 1])
        if wraps_at is not None and 0 <= moved + wraps_at <= far:
            kind: Kind = "wrap"
            more = wraps_at
        else:
            kind = "restart"
            begins = int(pts[start : min(stop, start + 2 * _WINDOW)].min())
            more = latest + step - begins - shift
        shift += more
        pts[start:stop] += shift
        dts[start:stop][known[start:stop]] += shift
        latest = max(latest, int(pts[start:stop].max()))
        found.append((start, kind, more))
    return found
