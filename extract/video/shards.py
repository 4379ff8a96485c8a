"""Shards: the part of the videos that one of several machines takes."""

from __future__ import annotations

import hashlib
import heapq
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vadpipe.errors import UsageError
from vadpipe.extract.video.discovery import Failure, Video
from vadpipe.files.csv_rows import read_rows

T = TypeVar("T", bound=Video)

_FORM = "Write it as I/N, with I from 1 to N: 1/8 for the first of eight."


@dataclass(frozen=True)
class Shard:
    """One of several parts of all videos, in which each video is in exactly one.

    Attributes:
        number: from 1 to ``of``.
        of: how many parts there are.
        durations_s: length of videos in seconds by their names; empty where they are unknown.
    """

    number: int
    of: int
    durations_s: Mapping[str, float] | None = None

    @classmethod
    def parse(cls, text: str, durations: Path | None = None) -> Shard:
        """Return the shard that ``"3/8"`` names, the third of eight.

        Args:
            text: the shard.
            durations: CSV ``video,duration_s``, by which the parts are balanced.

        Raises:
            UsageError: if it is not of that form, or the CSV cannot be read.
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"{text!r} is not a shard", next_step=_FORM)
        known = None if durations is None else read_durations(durations)
        return cls(int(match[1]), int(match[2]), known)

    def own_name(self, name: str) -> str:
        """Return the name of a file that each part writes one of: ``run-3-of-8.json`` of ``run.json``."""
        path = Path(name)
        return f"{path.stem}-{self.number}-of-{self.of}{path.suffix}"

    def of_videos(self, videos: Iterable[T]) -> list[T]:
        """Return the videos of this part, in their order.

        Without durations a video's part follows from the hash of its name alone, so that it stays where it is
        when others are added or removed. With durations, the longest videos are assigned first, each to the
        part with the least so far, so that no part takes much longer than another; a video without a duration
        counts as long as the mean. Every machine must then be given the same videos and durations.
        """
        videos = list(videos)
        if not self.durations_s:
            return [video for video in videos if _hash(video.name) % self.of == self.number - 1]
        known = self.durations_s
        mean_s = sum(known.values()) / len(known)
        lengths = [known.get(video.name, mean_s) for video in videos]
        parts = [(0.0, number) for number in range(1, self.of + 1)]
        mine = []
        for index in sorted(range(len(videos)), key=lambda index: (-lengths[index], videos[index].name)):
            total_s, number = parts[0]
            heapq.heapreplace(parts, (total_s + lengths[index], number))
            if number == self.number:
                mine.append(index)
        return [videos[index] for index in sorted(mine)]

    def told_here(self, unusable: list[Failure]) -> list[Failure]:
        """Return what of the inputs is no video, if this is the first part; nothing for the others.

        So each is reported once, and the parts together report what one run over all videos reports.
        """
        return unusable if self.number == 1 else []


def read_durations(path: Path) -> dict[str, float]:
    """Return the lengths in seconds that a CSV ``video,duration_s`` gives; other columns are ignored.

    Raises:
        UsageError: if it cannot be read, lacks a column, or a length is not a number above 0.
    """
    columns, rows = read_rows(path)
    if not {"video", "duration_s"} <= {*columns}:
        raise UsageError(f"needs a first line video,duration_s, not {','.join(columns)}", file=path)
    durations: dict[str, float] = {}
    for line, row in rows:
        try:
            length_s = float(row["duration_s"])
        except ValueError:
            length_s = math.nan
        if not 0 < length_s < math.inf:
            raise UsageError(f"line {line}: {row['duration_s']!r} is not a number of seconds", file=path)
        durations[row["video"].strip()] = length_s
    return durations


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
