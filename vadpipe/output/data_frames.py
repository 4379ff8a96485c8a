"""A curve and its events as data frames, with the columns of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vadpipe.curves.curve import Curve
from vadpipe.errors import UsageError
from vadpipe.files.arguments import described
from vadpipe.files.data_frames import data_frame
from vadpipe.output.event_text import place_text

if TYPE_CHECKING:
    from pandas import DataFrame

_EVENT = ("start_s", "end_s", "start_frame", "stop_frame", "peak", "peak_s", "peak_frame", "mean")


def curve_frame(curve: Curve, rows: str) -> DataFrame:
    """Return a curve as a data frame.

    Args:
        curve: which.
        rows: ``"frames"`` for ``frame, time_s, score``, where a frame without a score has NaN; ``"events"``
            for the events, counted from 1, with ``place``.

    Raises:
        UsageError: if pandas is not installed, or rows are something else.
    """
    if rows == "frames":
        return data_frame({"frame": np.arange(len(curve)), "time_s": curve.times_s, "score": curve.scores})
    if rows == "events":
        events = [event.to_dict() for event in curve.events]
        columns = {name: [event[name] for event in events] for name in _EVENT}
        places = [place_text(curve, event) for event in curve.events]
        return data_frame({"event": range(1, len(events) + 1), **columns, "place": places})
    raise UsageError(f"rows is {described(rows)}", next_step="Choose frames or events.")
