"""One remote file, and its local copy while it is needed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from vadpipe.errors import InputError
from vadpipe.remote.address import Address
from vadpipe.remote.objects import State, download, state_of
from vadpipe.remote.scratch import new_folder


class RemoteFile:
    """A remote file, which is fetched to a local one.

    Args:
        address: of the file.
        state: as a listing has it; asked for where it is None.

    Attributes:
        copy: where the local copy is, or was the last time.
    """

    def __init__(self, address: Address, state: State | None = None) -> None:
        self.address, self._state = address, state
        self._folder: Path | None = None
        self.copy: Path | None = None

    @property
    def state(self) -> State:
        """What it is; once it is fetched, what it was then.

        Raises:
            InputError: if it is not there.
        """
        if self._state is None:
            self._state = state_of(self.address)
        if self._state is None:
            raise InputError("no such file", file=self.address.path, next_step="Check the address.")
        return self._state

    @property
    def local(self) -> Path:
        """The local copy. Raises InputError where it is not fetched."""
        if self._folder is None or self.copy is None:
            raise InputError("is not fetched", file=self.address.path)
        return self.copy

    @cached_property
    def _name(self) -> str:
        """A short name with the suffix of the file's."""
        suffix = Path(self.address.parts[-1]).suffix if self.address.parts else ""
        return f"file{suffix if suffix.isprintable() and len(suffix.encode()) < 32 else ''}"

    def fetch(self, check: Callable[[State], None]) -> None:
        """Have a local copy.

        Raises:
            InputError: if it cannot be fetched, or by ``check``, which is given what is known of it before.
            OutputError: if the disk is full.
        """
        if self._folder is not None:
            return
        folder = new_folder("video-")
        try:
            self._state = download(self.address, folder / self._name, check)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._folder, self.copy = folder, folder / self._name

    def release(self) -> None:
        """Remove the local copy."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
