"""The videos that a sheet can be compared with: those of a folder of features, or the files themselves."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import UsageError, VadpipeError
from vadpipe.extract.video.discovery import find_videos
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.features.file import read_frame_times
from vadpipe.features.folder import FeatureFolder

Times = tuple[NDArray[np.float64], float]
"""Presentation time of each frame, (N,) float64 in seconds, and when the last of them ends."""

DEFAULT_FEATURES = Path("features")
_SMALLEST = Size(16, square=True)  # nothing is decoded


@dataclass(frozen=True)
class Available:
    """Videos by name.

    Attributes:
        what: one of them is, in words.
        files: the feature file or the video.
        contents: digest of each video's content; of a video that was not read, its name.
        lengths_s, n_frames: how long each is, where that is known without opening it.
        unusable: files that could not be read.
        reader: returns the times of a file's frames.
    """

    what: str
    files: dict[str, Path] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    lengths_s: dict[str, float] = field(default_factory=dict)
    n_frames: dict[str, int] = field(default_factory=dict)
    unusable: list[VadpipeError] = field(default_factory=list)
    reader: Callable[[Path], Times] = read_frame_times

    def times(self, video: str) -> Times:
        """Return the times of a video's frames.

        Raises:
            FeatureError: if its feature file cannot be read.
            InputError: if the video cannot.
        """
        return self.reader(self.files[video])


def available(
    features: str | os.PathLike[str] | None = None, videos: str | os.PathLike[str] | None = None
) -> Available | None:
    """Return the videos below a folder of features or of videos.

    Without either, those of the folder ``features``, where ``extract`` writes; None where it does not exist.

    Raises:
        UsageError: if both are given, or the folder does not exist.
    """
    if features is not None and videos is not None:
        raise UsageError("features and videos are both given", next_step="Give one of the two.")
    if videos is not None:
        return _videos(_existing(Path(videos)))
    if features is not None:
        return _features(_existing(Path(features)))
    return _features(DEFAULT_FEATURES) if DEFAULT_FEATURES.is_dir() else None


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError("is not a folder", file=folder, next_step="Check the path.")
    return folder


def _features(folder: Path) -> Available:
    found = Available("feature file")
    for path, header in FeatureFolder(folder).headers(lambda _, error: found.unusable.append(error)):
        video = header.source.video
        if video not in found.files:
            found.files[video] = path
            found.contents[video] = header.source.sha256
            found.lengths_s[video] = header.end_s
            found.n_frames[video] = header.n_frames
    return found


def _videos(folder: Path) -> Available:
    listed, failures = find_videos(folder)
    return Available(
        "video",
        {video.name: video.path for video in listed},
        {video.name: video.name for video in listed},
        unusable=[failure.error for failure in failures],
        reader=_read_timeline,
    )


def _read_timeline(path: Path) -> Times:
    with Decoding(path, DecodeJob(_SMALLEST, stills=())) as decoding:
        return decoding.timeline.times_s, decoding.timeline.end_s
