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
from vadpipe.remote.mirror import Mirror
from vadpipe.remote.objects import State, read

FOLDER = ".vadpipe-index"
SUFFIX = ".json.gz"
_WRITE_EVERY = 100
_TOO_MANY = 32
"""Objects of the index; a run that finds more of them takes their entries into its own."""

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
        self._read: dict[str, dict[str, Any]] = {}
        self._file = mirror.folder / FOLDER / f"{secrets.token_hex(8)}{SUFFIX}"
        self._unwritten = 0
        found = [name for name in there if name.startswith(f"{FOLDER}/") and name.endswith(SUFFIX)]
        for name in found:
            for file, entry in _entries(read(mirror.address.below(name), kind=OutputError)):
                if file in there and there[file].version and entry.get("version") == there[file].version:
                    self._read[file] = entry
        self._merged = found if len(found) > _TOO_MANY else []

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name of each file of which the index knows the record, and its entry."""
        yield from self._read.items()

    def add(self, name: str, state: State, **record: object) -> None:
        """Note the record of a file that was written."""
        self._own[name] = {"version": state.version, **record}
        self._unwritten += 1
        if self._unwritten >= _WRITE_EVERY:
            self.write()

    def write(self) -> None:
        """Write the entries that are new. Raises OutputError if that fails."""
        if not self._unwritten:
            return
        entries = {**(self._read if self._merged else {}), **self._own}
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_bytes(gzip.compress(json.dumps(entries).encode(), mtime=0))
        self._mirror.upload(self._file, always=True)
        self._unwritten = 0
        for name in self._merged:
            self._mirror.remove(name)
        self._merged = []
        if entries.keys() > self._own.keys():
            self._own = entries


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
