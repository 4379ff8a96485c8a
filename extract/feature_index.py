"""The index of a remote folder of features: the records of its files, read in one go.

A feature file is known by its record, which lies in it. To read those of a hundred thousand objects would
take as many requests. So each run writes the records of what it made into one object as well. An entry counts
only while the listing of the folder has the very version of the file that it was made for: the files stay the
truth, and of a run that was killed the records of its last files are read from them.
"""

from __future__ import annotations

import gzip
import json
import secrets
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from vadpipe.errors import OutputError
from vadpipe.remote.address import Address
from vadpipe.remote.mirror import Mirror
from vadpipe.remote.objects import State, listed, read, state_of

FOLDER = ".vadpipe-index"
SUFFIX = ".json.gz"
_WRITE_EVERY = 100
_WRITE_SHARE = 8
"""Of a long run the index is written as often as an eighth is new: all of it each time, which adds up."""

_TOO_MANY = 32
"""Objects of the index; a run that finds more of them takes their entries into its own in the end."""

_LARGEST_BYTES = 2**30


class FeatureIndex:
    """Records of the files of a remote folder.

    Args:
        mirror: of the folder.
        there: what a listing has found there, by name.

    Raises:
        OutputError: if the store does not answer.
    """

    def __init__(self, mirror: Mirror, there: Mapping[str, State]) -> None:
        self._mirror = mirror
        self._own: dict[str, dict[str, Any]] = {}
        self._read: dict[str, dict[str, dict[str, Any]]] = {}
        self._file = mirror.folder / FOLDER / f"{secrets.token_hex(8)}{SUFFIX}"
        self._unwritten = 0
        self._found = {
            name: state
            for name, state in there.items()
            if name.startswith(f"{FOLDER}/") and name.endswith(SUFFIX)
        }
        for name in self._found:
            self._read[name] = {
                file: entry
                for file, entry in _entries(_content(mirror.address.below(name)))
                if file in there and there[file].version and entry.get("version") == there[file].version
            }

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name of each file of which the index knows the record, and its entry."""
        for entries in self._read.values():
            yield from entries.items()

    def add(self, name: str, state: State, **record: object) -> None:
        """Note the record of a file that was written."""
        self._own[name] = {"version": state.version, **record}
        self._unwritten += 1
        if self._unwritten >= max(_WRITE_EVERY, len(self._own) // _WRITE_SHARE):
            self._write()

    def close(self) -> None:
        """Write the entries that are new, and those of many small objects with them.

        Raises:
            OutputError: if that fails.
        """
        merged = self._untouched() if self._own and len(self._found) > _TOO_MANY else []
        if len(merged) <= _TOO_MANY:
            if self._unwritten:
                self._write()
            return
        for name in merged:
            self._own = self._read[name] | self._own
        self._write()
        for name in merged:
            self._mirror.remove(name)

    def _untouched(self) -> list[str]:
        """Return the objects that are what they were when this run began.

        What another run has added to since is its own to keep. Where another run has merged them, it has
        their entries: if each of many machines took all of them, the index would grow with the number of
        these.
        """
        now = listed(self._mirror.address.below(FOLDER), OutputError)
        return [
            name for name, state in self._found.items() if now.get(name.removeprefix(f"{FOLDER}/")) == state
        ]

    def _write(self) -> None:
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_bytes(gzip.compress(json.dumps(self._own).encode(), mtime=0))
        self._mirror.upload(self._file, always=True)
        self._unwritten = 0


def _content(address: Address) -> bytes:
    """Return an object of the index; nothing where another run has merged it since the folder was listed."""
    try:
        return read(address, kind=OutputError)
    except OutputError:
        if state_of(address, OutputError) is not None:
            raise
        return b""


def _entries(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what an object of the index holds; nothing of one that is broken."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        text = unpack.decompress(content, _LARGEST_BYTES)
        entries = json.loads(text)
    except (zlib.error, ValueError, RecursionError):
        return
    if isinstance(entries, dict):
        yield from ((name, entry) for name, entry in entries.items() if isinstance(entry, dict))
