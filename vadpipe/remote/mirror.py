"""A local folder that stands for a remote one: what is written into it is uploaded."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from vadpipe.errors import OutputError
from vadpipe.remote.address import Address
from vadpipe.remote.objects import State, listed, remove, upload
from vadpipe.remote.scratch import new_folder


class Mirror:
    """A remote folder, and the local one in which its files are made.

    Args:
        address: of the remote folder.

    Raises:
        OutputError: if the local folder cannot be made, or the address is of a web server.
        UsageError: if what writes there is not installed.

    Attributes:
        address: of the remote folder.
        folder: the local one.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        if not address.is_folder_like:
            step = "Write to a folder, or to s3://, gs:// or az://."
            raise OutputError("web servers are only read from", file=address.path, next_step=step)
        self.folder = new_folder("results-")

    def shown(self, path: Path) -> Path:
        """Return where a local file is, or will be, when it is uploaded."""
        with suppress(ValueError):
            return self.address.path / path.relative_to(self.folder)
        return path

    def name_of(self, path: Path) -> str:
        """Return the name of a local file from the folder on."""
        return path.relative_to(self.folder).as_posix()

    def listed(self) -> dict[str, State]:
        """Return what is there, by name.

        Raises:
            OutputError: if it cannot be listed.
        """
        return listed(self.address, OutputError)

    def check_writable(self) -> None:
        """Write a small object and remove it, before hours go into what cannot be written.

        Raises:
            OutputError: if that fails.
        """
        probe = self.folder / f".part-{secrets.token_hex(4)}"
        probe.touch()
        self.upload(probe, always=True)
        self.remove(probe.name)
        probe.unlink()

    def upload(self, file: Path, *, replacing: State | None = None, always: bool = False) -> State:
        """Upload a file, as :func:`vadpipe.remote.objects.upload` does."""
        return upload(file, self.address.below(self.name_of(file)), replacing=replacing, always=always)

    def remove(self, name: str) -> None:
        """Remove what is at a name there, if anything is. Raises OutputError if that fails."""
        remove(self.address.below(name))

    def publish(self) -> None:
        """Upload all local files, which take the place of earlier ones there, and remove them.

        Raises:
            OutputError: if one cannot be written.
        """
        for file in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            self.upload(file, always=True)
            file.unlink()

    def record_name(self, name: str) -> str:
        """Return a name for the record of a run, instead of ``run.json``, that no run on any machine has."""
        stem, suffix = os.path.splitext(name)  # noqa: PTH122  a name, no path
        return f"{stem}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}{suffix}"

    def close(self, record: Path | None = None) -> None:
        """Upload the record of the run, and remove the local folder. Raises OutputError if that fails."""
        try:
            if record is not None:
                self.upload(record, always=True)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
