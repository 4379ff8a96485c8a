"""What the columns of a sheet mean, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

Unit = Literal["frames", "seconds"]

# Names without case, blanks and signs; those that say most clearly what is meant come first.
_NAMES = {
    "video": (
        *("video", "videopath", "videofile", "videoname", "path", "filepath", "file", "filename"),
        *("clip", "clippath", "clipname", "videos", "files", "clips", "name"),
        *("dateiname", "datei", "videodatei", "dateipfad"),
    ),
    "label": (
        *("label", "labels", "abnormal", "anomalous", "anomaly", "isabnormal", "isanomalous", "isanomaly"),
        *("truth", "groundtruth", "target", "bewertung", "befund"),
    ),
    "anomalies": (
        *("anomalies", "ranges", "intervals", "segments", "events", "range", "interval", "segment", "times"),
    ),
    "frames": ("frames", "nframes", "numframes", "framecount", "numberofframes", "totalframes"),
    "class": ("class", "category", "type", "classes", "eventclass", "eventtype", "anomalytype", "ereignis"),
    "group": (
        *(
            "group",
            "groups",
            "scenegroup",
            "scenegroups",
            "groupid",
            "scene",
            "sceneid",
            "camera",
            "cameraid",
        ),
        *("cam", "recording", "gruppe", "kamera"),
    ),
}
_STARTS = ("start", "begin", "from", "first", "onset", "beginn", "anfang", "von")
_ENDS = ("end", "stop", "to", "last", "finish", "offset", "until", "ende", "bis")
_EXCLUDED_ENDS = ("stop",)
"""Ends in frames that are the first frame after the event; all others are its last one."""

_WHEN = (*_NAMES["anomalies"], "anomaly", "anomalous", "abnormal", "event")
_UNITS: dict[str, Unit] = {
    **dict.fromkeys(("seconds", "second", "secs", "sec", "sekunden", "sek", "times", "time", "s"), "seconds"),
    **dict.fromkeys(("frames", "frame"), "frames"),
}


@dataclass(frozen=True)
class Columns:
    """Where a sheet has what, as indices into its header; None for what it lacks.

    Attributes:
        video, label, anomalies, frames, category, group: one row per video.
        start, end: one row per event.
        unit: of anomalies or of start and end, where the name of the column says it.
        counts_last: whether an end in frames is the last frame of the event, not the first one after it.
        ignored: names of the columns that mean nothing here, as they are written.
    """

    video: int | None
    label: int | None
    anomalies: int | None
    start: int | None
    end: int | None
    frames: int | None
    category: int | None
    group: int | None
    unit: Unit | None
    counts_last: bool
    ignored: tuple[str, ...]

    @property
    def lists_events(self) -> bool:
        """Whether a row is an event, of which a video may have several."""
        return self.start is not None

    @property
    def says_when(self) -> bool:
        """Whether the sheet says when something abnormal happens, as a truth needs."""
        return self.start is not None or self.anomalies is not None

    @property
    def says_which(self) -> bool:
        """Whether the sheet says which videos are abnormal, as labels need."""
        return self.label is not None or self.says_when


def columns_of(header: Sequence[str]) -> Columns:
    """Find what each column of a header means; a clearer name wins over a less clear one."""
    names = [re.sub(r"[\W_]+", "", name.casefold()).removesuffix("halfopen") for name in header]
    taken = {role: _first(names, known) for role, known in _NAMES.items()}
    start, end, unit = _events(names)
    anomalies = taken["anomalies"]
    if start is None and anomalies is None:
        anomalies, unit = _with_unit(names, taken)
    elif start is not None:
        anomalies = None
    elif anomalies is not None and names[anomalies] == "times":
        unit = "seconds"
    label = taken["label"]
    if label == anomalies:
        label = None
    if label is None and start is None and anomalies is None:
        label = taken["class"]
    used = {
        index
        for index in (
            taken["video"],
            label,
            anomalies,
            start,
            end,
            taken["frames"],
            taken["class"],
            taken["group"],
        )
        if index is not None
    }
    return Columns(
        video=taken["video"],
        label=label,
        anomalies=anomalies,
        start=start,
        end=end,
        frames=taken["frames"],
        category=taken["class"],
        group=taken["group"],
        unit=unit,
        counts_last=end is None or _bare(names[end])[0] not in _EXCLUDED_ENDS,
        ignored=tuple(name for index, name in enumerate(header) if index not in used and name),
    )


def repeated(header: Sequence[str]) -> str | None:
    """Return a name that two columns have, or None."""
    seen: set[str] = set()
    for name in header:
        plain = re.sub(r"[\W_]+", "", name.casefold())
        if plain in seen:
            return name
        if plain:
            seen.add(plain)
    return None


def accepted(role: str) -> str:
    """Return the names that the column of a role may have, as a list in words."""
    return ", ".join(_NAMES[role])


def with_label(header: Sequence[str], columns: Columns, label: int) -> Columns:
    """Return the columns where this one is the label, whatever its name."""
    ignored = tuple(name for name in columns.ignored if name != header[label])
    return replace(columns, label=label, ignored=ignored)


def n_known(header: Sequence[str]) -> int:
    """Return how many columns of a header have a meaning."""
    columns = columns_of(header)
    return sum(1 for name in header if name) - len(columns.ignored)


def meant(name: str) -> str | None:
    """Return the name that an ignored column's may be misspelt for, or None."""
    plain = re.sub(r"[\W_]+", "", name.casefold())
    near = get_close_matches(plain, list(_NAMES), n=1, cutoff=0.75)
    return near[0] if near else None


def _first(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _bare(name: str) -> tuple[str, Unit | None]:
    """Return a name without the unit at its beginning or end, and that unit."""
    if name in (*_STARTS, *_ENDS):
        return name, None
    for word, unit in _UNITS.items():
        for rest in (name.removesuffix(word), name.removeprefix(word)):
            if rest != name and rest in (*_STARTS, *_ENDS, *_WHEN):
                return rest, unit
    return name, None


def _events(names: Sequence[str]) -> tuple[int | None, int | None, Unit | None]:
    """Return the columns of starts and ends and their unit; frames, which are exact, before seconds."""
    found: dict[str, dict[Unit | None, int]] = {"start": {}, "end": {}}
    for index, name in enumerate(names):
        rest, unit = _bare(name)
        for side, known in (("start", _STARTS), ("end", _ENDS)):
            if rest in known:
                found[side].setdefault(unit, index)
    units: tuple[Unit | None, ...] = ("frames", "seconds", None)
    for unit in units:
        if unit in found["start"] and unit in found["end"]:
            return found["start"][unit], found["end"][unit], unit
    if len(found["start"]) == len(found["end"]) == 1:
        (one, start), (other, end) = *found["start"].items(), *found["end"].items()
        if None in (one, other):
            return start, end, one or other
    return None, None, None


def _with_unit(names: Sequence[str], taken: dict[str, int | None]) -> tuple[int | None, Unit | None]:
    """Return a column such as ``anomalous_frames`` or ``events_s``, and its unit."""
    for index, name in enumerate(names):
        rest, unit = _bare(name)
        if unit is not None and rest in _WHEN and index not in (taken["frames"], taken["label"]):
            return index, unit
    return None, None
