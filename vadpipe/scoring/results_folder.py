"""The folder that results go to, which may be remote."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vadpipe.errors import UsageError
from vadpipe.extract.video.discovery import Video
from vadpipe.remote.address import address_of
from vadpipe.remote.mirror import Mirror
from vadpipe.runs.journal import journal


def check_has_place(output: str | os.PathLike[str] | None, videos: Sequence[Video]) -> None:
    """Raise UsageError if remote videos have no folder for their results."""
    remote = next((video for video in videos if video.is_remote), None)
    if output is None and remote is not None:
        raise UsageError(
            "no results can be written beside a remote video",
            file=remote.path,
            next_step="Add -o FOLDER, for example -o . for the current one.",
        )


class ResultsFolder:
    """The folder that results are written to; of a remote one a local one, from which they are uploaded.

    Args:
        output: the folder, or its address; None for that of each video.
        videos: of the run.

    Raises:
        UsageError: if remote videos have no folder for their results.
        OutputError: if nothing can be written at the address.

    Attributes:
        folder: the local folder, or None.
    """

    def __init__(self, output: str | os.PathLike[str] | None, videos: Sequence[Video]) -> None:
        check_has_place(output, videos)
        address = address_of(output)
        self._mirror = None if address is None else Mirror(address)
        self.folder = None if output is None else Path(output)
        if self._mirror is not None:
            self.folder = self._mirror.folder
            journal().writes_elsewhere(self._mirror.shown, self._mirror.close)
            self._mirror.check_writable()

    @property
    def is_remote(self) -> bool:
        """Whether results are uploaded from where they are written."""
        return self._mirror is not None

    def publish(self) -> None:
        """Upload what has been written, if it is to be elsewhere. Raises OutputError if that fails."""
        if self._mirror is not None:
            self._mirror.publish()

    def shown(self, path: Path) -> Path:
        """Return where users find a result."""
        return path if self._mirror is None else self._mirror.shown(path)

    def begin_record(self, path: Path) -> None:
        """Say where the record of the run belongs; in a remote folder, each has a name of its own."""
        name = path.name if self._mirror is None else self._mirror.record_name(path.name)
        journal().begin(path.parent, name)
