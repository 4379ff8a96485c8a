"""The published features of one video: one array or one per crop, in files of their own or shared ones."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import InputError
from vadpipe.extract.video.discovery import Video, located
from vadpipe.published.array_checks import as_float32
from vadpipe.published.arrays import read_array
from vadpipe.published.containers import Containers, labelled
from vadpipe.published.members import Address


@dataclass(frozen=True)
class Part:
    """An array of features, all of a video's or those of one crop.

    Attributes:
        path: the file.
        address: where it lies in a file that holds many; None for a file that is the array.
        video: the name of its video, or of the crop, below such a file; ``()`` for the only one.
        containers: what reads files that hold many.
    """

    path: Path
    address: Address | None = None
    video: Address = ()
    containers: Containers | None = field(default=None, repr=False, compare=False)

    @property
    def label(self) -> str:
        """Its name in messages: ``feats/a.npy``, ``SHT_I3D.h5/01_0014``."""
        return labelled(self.path, self.address or ())

    @property
    def place(self) -> bytes:
        """Where its video lies: the absolute path, and the name below it.

        Not the array's address: another array of the same video takes its place.
        """
        # No path and no name holds a zero byte, so that no two videos share a place.
        return os.fsencode(located(self.path)) + b"".join(b"\0\0" + part.encode() for part in self.video)

    def read(self, name: str | None) -> NDArray[np.float32]:
        """Return the array with its own axes.

        Args:
            name: which array of an ``.npz`` file to take.

        Raises:
            FeatureError: if it cannot be used.
        """
        if self.address is None:
            return read_array(self.path, name)
        return as_float32(self._held(self.address), self.label)

    def feed(self, digest: hashlib._Hash) -> None:
        """Let a digest take in the content: the bytes of a file that is the array.

        Of one in a file that holds many only its type, shape and numbers count, so that copies are known.

        Raises:
            FeatureError, InputError: if it cannot be read.
        """
        if self.address is not None:
            array = self._held(self.address)
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
            return
        try:
            with self.path.open("rb") as file:
                while block := file.read(2**20):
                    digest.update(block)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", file=self.path) from error

    def _held(self, address: Address) -> NDArray[np.generic]:
        assert self.containers is not None
        return self.containers.read(self.path, address)


@dataclass(frozen=True)
class Published(Video):
    """The published features of one video.

    Attributes:
        path: what its files have in common: without the suffix of an array, and without a crop's number; of
            one in a file that holds many, that file without its suffix as a folder. No file has to lie there.
        name: as :class:`vadpipe.extract.video.discovery.Video` has it, of that path: ``feats/fight/a.mp4`` of
            ``feats/fight/a.mp4.npy``, ``feats/SHT_I3D/01_0014`` of ``01_0014`` in ``feats/SHT_I3D.h5``.
        parts: the array of all crops, or one a crop in the order of their numbers.
    """

    parts: tuple[Part, ...]

    @property
    def place(self) -> str:
        """Digest of where its arrays lie: identifies them however they were named, and reveals no path."""
        return hashlib.sha256(b"\0".join(part.place for part in self.parts)).hexdigest()[:16]

    @property
    def label(self) -> str:
        """Its name in messages: its first array."""
        return self.parts[0].label

    def state(self) -> tuple[int, int]:
        """Return the files' size together, and their modification time in nanoseconds.

        The time is the mean over the files, so that a change of any of them shows, also to an older one.

        Raises:
            InputError: if one of them no longer exists.
        """
        try:
            stats = [path.stat() for path in dict.fromkeys(part.path for part in self.parts)]
        except OSError as error:
            raise InputError(
                f"cannot be read: {error.strerror or error}", file=error.filename or self.path
            ) from error
        return sum(stat.st_size for stat in stats), sum(stat.st_mtime_ns for stat in stats) // len(stats)

    def digest(self) -> str:
        """Return the sha256 of its arrays' content, one after the other, 64 hexadecimal digits.

        Raises:
            FeatureError, InputError: if one of them cannot be read.
        """
        digest = hashlib.sha256()
        for part in self.parts:
            part.feed(digest)
        return digest.hexdigest()
