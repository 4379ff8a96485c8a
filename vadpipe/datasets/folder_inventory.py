"""The inventory of a folder: its videos, or feature files with their frame counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vadpipe.errors import UsageError, VadpipeError
from vadpipe.extract.video.discovery import find_videos
from vadpipe.features.folder import FeatureFolder


@dataclass(frozen=True)
class FolderInventory:
    """The videos that a folder holds, or holds features of.

    Attributes:
        names: of all of them, with ``/``; one with two feature files is listed twice.
        n_frames: of each, where that is known.
        unusable: files that could not be read, with the reason.
    """

    names: list[str] = field(default_factory=list)
    n_frames: dict[str, int] = field(default_factory=dict)
    unusable: list[VadpipeError] = field(default_factory=list)


def videos_in(folder: Path) -> FolderInventory:
    """Return the videos below a folder; none is opened.

    Raises:
        UsageError: if it is not a folder.
    """
    _check(folder)
    videos, failures = find_videos(folder)
    return FolderInventory([video.name for video in videos], unusable=[failure.error for failure in failures])


def features_in(folder: Path) -> FolderInventory:
    """Return the videos that the feature files below a folder are about; only their records are read.

    Raises:
        UsageError: if it is not a folder.
    """
    _check(folder)
    found = FolderInventory()
    for _, header in FeatureFolder(folder).headers(lambda _, error: found.unusable.append(error)):
        found.names.append(header.source.video)
        found.n_frames[header.source.video] = header.n_frames
    return found


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise UsageError("is not a folder", file=folder, next_step="Check the path.")
