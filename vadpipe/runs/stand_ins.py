"""Local copies of inputs that lie elsewhere, which a run is to tell of by the names that the user gave."""

from __future__ import annotations

from pathlib import Path

from vadpipe.errors import VadpipeError


class StandIns:
    """Which local files and folders stand for which others, while a run goes on."""

    def __init__(self) -> None:
        self._named: dict[Path, Path] = {}

    def add(self, local: Path, named: Path) -> None:
        """Say that an input is a local copy of something else, by which it is recorded."""
        self._named[local] = named

    def named(self, path: Path) -> Path:
        """Return what a path stands for; itself where it is no copy."""
        return self._named.get(path, path)

    def renamed(self, text: str) -> str:
        """Return a text with the names of the originals for those of the copies."""
        for local, named in self._named.items():
            text = text.replace(str(local), str(named))
        return text

    def renamed_error(self, error: BaseException) -> BaseException:
        """Return an error about a copy, which is soon gone, as one about the original."""
        if not isinstance(error, VadpipeError) or not self._named:
            return error
        told = [error.reason, error.file, error.next_step]
        reason, file, next_step = (None if text is None else self.renamed(text) for text in told)
        if [reason, file, next_step] == told:
            return error
        return type(error)(str(reason), file=file, next_step=next_step)
