"""Feature files in a remote folder: made in a local one, and uploaded one by one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from vadpipe.errors import FeatureError, InputError, OutputError
from vadpipe.extract.failures import PastFailure
from vadpipe.extract.feature_index import FeatureIndex
from vadpipe.extract.store import FAILED_SUFFIX, FeatureStore, StoredVideo
from vadpipe.extract.video.discovery import Video
from vadpipe.features.file import SUFFIX, FeatureHeader, Features, header_in, read_header
from vadpipe.remote.address import Address, address_of
from vadpipe.remote.failures import TakenError
from vadpipe.remote.mirror import Mirror
from vadpipe.remote.objects import State, read, state_of
from vadpipe.runs.journal import journal

_HEAD_BYTES = 2**16
_LARGEST_HEAD_BYTES = 100 * 2**20  # as safetensors has it
_ATTEMPTS = 8


def open_store(folder: str | os.PathLike[str], places: Iterable[str] = ()) -> FeatureStore:
    """Return the feature files of a folder, local or remote.

    Raises:
        OutputError: if a remote one cannot be listed.
    """
    address = address_of(folder)
    if address is None:
        return FeatureStore(Path(folder), places)
    return RemoteFeatureStore(Mirror(address), places)


def begin_record(store: FeatureStore, name: str) -> None:
    """Say where the record of the run belongs: beside the features, and in a local folder of that name."""
    if isinstance(store, RemoteFeatureStore):
        journal().writes_elsewhere(store.shown, store.close)
        journal().begin(store.folder, store.mirror.record_name(name))
    else:
        journal().begin(store.folder, name)


class RemoteFeatureStore(FeatureStore):
    """The feature files below a remote folder, which is listed once.

    Several machines may use one folder. A file is written under the condition that it is still what it was
    seen to be, so that none overwrites another video's features; of two that work on the same video, those of
    the first are kept.

    Args:
        mirror: of the folder.
        places: as of :class:`vadpipe.extract.store.FeatureStore`.
    """

    def __init__(self, mirror: Mirror, places: Iterable[str] = ()) -> None:
        self.mirror = mirror
        self._there = mirror.listed()
        self._looked_at: dict[str, State] = {}
        self._known: dict[str, StoredVideo] = {}
        self._index = FeatureIndex(mirror, self._there)
        super().__init__(mirror.folder, places)
        for name, entry in self._index:
            with suppress(ValueError):  # of another version of vadpipe, say: the file itself is read
                self._take(name, entry)

    def shown(self, path: Path) -> Path:
        """Return the address of a file."""
        return self.mirror.shown(path)

    def check_writable(self) -> None:
        """Check that features can be written, before hours go into them. Raises OutputError if not."""
        self.mirror.check_writable()

    def find(self, video: Video) -> StoredVideo | None:
        """As of a local folder. What the index does not know is read from the files of the video's names."""
        for path in (*map(self.path_for, self._names(video)), self._failure_path(video)):
            self._look_there(self.mirror.name_of(path))
        return super().find(video)

    def find_anew(self, video: Video) -> StoredVideo | None:
        """As :meth:`find`, but also see what another machine has written since the folder was listed."""
        here = self._by_place.get(video.place)
        self._ask_for(self.mirror.name_of(self.path_for(video.name) if here is None else here.path))
        return self.find(video)

    def refresh(self, stored: StoredVideo, video: Video) -> StoredVideo | None:  # noqa: ARG002
        """Return kept features as they are: an address does not move, and nothing is renamed."""
        return stored

    def remember_failure(self, video: Video, asked: str, error: InputError) -> None:
        """Record that a video could not be used."""
        super().remember_failure(video, asked, error)
        path, failure = self._failures.get(video.place, (None, None))
        if path is not None and failure is not None and path.is_file():
            name = self.mirror.name_of(path)
            self._there[name] = self._looked_at[name] = self.mirror.upload(path, always=True)
            self._index.add(name, self._there[name], failure=failure.model_dump())
            path.unlink()

    def write(self, features: Features, video: Video) -> Path:
        """Write the features of a video, and return the local file, which :meth:`settle` removes.

        Raises:
            OutputError: if they cannot be written.
        """
        failed, _ = self._failures.get(video.place, (None, None))
        while True:
            target = super().write(features, video)
            if self._upload(target, read_header(target)):
                break
            target.unlink()
        if failed is not None:
            self.mirror.remove(self.mirror.name_of(failed))
        return target

    def settle(self, path: Path) -> None:
        """Remove the local file of features that were written."""
        path.unlink(missing_ok=True)

    def close(self, record: Path | None = None) -> None:
        """Upload the index and the record of the run, and remove the local folder.

        Raises:
            OutputError: if one cannot be written.
        """
        try:
            self._index.close()
        finally:
            self.mirror.close(record)

    def _upload(self, target: Path, header: FeatureHeader) -> bool:
        """Upload a feature file; return False where its name has become that of another video."""
        name = self.mirror.name_of(target)
        for _ in range(_ATTEMPTS):
            try:
                self._there[name] = state = self.mirror.upload(target, replacing=self._there.get(name))
            except TakenError:
                theirs = self._ask_for(name)
                if theirs is not None and theirs.header.source.place != header.source.place:
                    return False
                if theirs is not None and theirs.header == header:
                    return True  # the same work, done by another machine at the same time
            else:
                self._take(name, {"header": header.model_dump(mode="json")})
                self._index.add(name, state, header=header.model_dump(mode="json"))
                return True
        raise OutputError("is written by others again and again", file=self.shown(target))

    def _is_anothers(self, target: Path, video: Video) -> bool:
        stored = self._look_there(self.mirror.name_of(target))
        return stored is not None and stored.header.source.place != video.place

    def _ask_for(self, name: str) -> StoredVideo | None:
        """Return the features that are at a name now."""
        state = state_of(self.mirror.address.below(name), OutputError)
        if state is not None:
            self._there[name] = state
            return self._look_there(name)
        self._there.pop(name, None)
        self._drop(name)
        return None

    def _look_there(self, name: str) -> StoredVideo | None:
        """Return the features at a name; their record is read unless that of this version is known."""
        state = self._there.get(name)
        if state is not None and self._looked_at.get(name) != state:
            address = self.mirror.address.below(name)
            try:
                if name.endswith(FAILED_SUFFIX):
                    self._take(name, {"failure": json.loads(read(address))})
                elif name.endswith(SUFFIX) and state.n_bytes:
                    header = header_in(_metadata(address), self.mirror.folder / name)
                    self._take(name, {"header": header.model_dump(mode="json")})
            except (ValueError, RecursionError, FeatureError):  # broken, and made anew
                self._drop(name)
                self._looked_at[name] = state
            except InputError:
                if state_of(address, OutputError) is not None:
                    raise
                self._there.pop(name)  # another machine has removed it
                self._drop(name)
        return self._known.get(name)

    def _take(self, name: str, entry: dict[str, Any]) -> None:
        """Note the record of the file that is at a name. Raises ValueError if it is none."""
        self._drop(name)
        self._looked_at[name] = self._there[name]
        path = self.mirror.folder / name
        if "failure" in entry:
            failure = PastFailure.model_validate(entry["failure"])
            self._failures[failure.place] = path, failure
        else:
            header = FeatureHeader.model_validate(entry.get("header"), strict=False)
            self._known[name] = self._know(StoredVideo(path, header))

    def _drop(self, name: str) -> None:
        stored = self._known.pop(name, None)
        if stored is not None:
            self._forget(stored)


def _metadata(address: Address) -> dict[str, str]:
    """Return the metadata of a safetensors object, which alone are read. Raises ValueError if it is none."""
    head = read(address, _HEAD_BYTES)
    size = int.from_bytes(head[:8], "little") + 8
    if size > _LARGEST_HEAD_BYTES:
        raise ValueError("is no safetensors file")
    if size > len(head):
        head = read(address, size)
    metadata = json.loads(head[8:size]).get("__metadata__")
    if not isinstance(metadata, dict):
        raise ValueError("has no metadata")
    return metadata
