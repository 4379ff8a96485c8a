"""Files with the features of many videos, one open at a time."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError
from vadpipe.extract.video.discovery import located
from vadpipe.published.hdf5_process import HDF5, Hdf5Process, Listing
from vadpipe.published.members import Address, spelled
from vadpipe.published.torch_files import LEGACY, TorchFile

Kind = Literal["hdf5", "torch"]
_State = tuple[int, int, int, int]


class Containers:
    """Reads arrays of HDF5 files and of those that ``torch.save`` wrote.

    Repeated reads of one file are fast: it stays open until another one is read, or it has changed. Use it as
    a context, which closes it.
    """

    def __init__(self) -> None:
        self._hdf5 = Hdf5Process()
        self._torch: tuple[Path, _State, TorchFile] | None = None
        self._last: tuple[Path, _State, Address, NDArray[np.generic]] | None = None
        self._kind: tuple[Path, _State, Kind | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hdf5.close()
        self._torch = self._last = None

    def listing(self, path: Path) -> Listing | None:
        """Return the contents of a file, or None for one that is not a container, by its first bytes.

        Raises:
            FeatureError: if it cannot be read.
        """
        try:
            absolute, state = located(path), _state(path)
        except FeatureError:
            return None  # whoever reads it says so
        kind = self._kind_of(absolute, state)
        if kind is None:
            return None
        try:
            if kind == "hdf5":
                return self._hdf5.listing(absolute, state)
            return Listing(self._tensors(absolute, state).addresses, [])
        except FeatureError as error:
            raise FeatureError(error.reason, file=path, next_step=error.next_step) from error

    def read(self, path: Path, address: Address) -> NDArray[np.generic]:
        """Return an array of a file, of its own type; it may be a view of the file.

        Raises:
            FeatureError: if it cannot be read, is not a numeric array, or is larger than the limit.
        """
        label, absolute, state = labelled(path, address), located(path), _state(path)
        kind = self._kind_of(absolute, state)
        if kind is None:
            raise FeatureError("no longer exists", file=label, next_step="Run again.")
        if kind == "torch":
            return self._tensors(absolute, state).read(address, label)
        # Its numbers and then its digest are asked for, and unpacking takes the most time of all.
        if self._last is None or self._last[:3] != (absolute, state, address):
            self._last = None
            array = self._hdf5.read(absolute, state, address, label)
            self._last = absolute, state, address, array
        return self._last[3]

    def _kind_of(self, path: Path, state: _State) -> Kind | None:
        if self._kind is None or self._kind[:2] != (path, state):
            self._kind = path, state, kind_of(path)
        return self._kind[2]

    def _tensors(self, path: Path, state: _State) -> TorchFile:
        if self._torch is None or self._torch[:2] != (path, state):
            self._torch = None
            self._torch = path, state, TorchFile(path)
        return self._torch[2]


def kind_of(path: Path) -> Kind | None:
    """Return what kind of container a file is by its content, or None."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            start = file.read(len(LEGACY))
            if start.startswith(HDF5):
                return "hdf5"
            if start == LEGACY:
                return "torch"
            if start.startswith(b"PK") and _is_torch_archive(path):
                return "torch"
    except (OSError, ValueError):
        pass  # whoever reads it finds out, and says so
    return None


def labelled(path: Path, address: Address) -> str:
    """Return what an array is called in messages: ``SHT_I3D.h5/01_0014``."""
    return "/".join([os.fspath(path), spelled(address)]) if address else os.fspath(path)


def _is_torch_archive(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(("/data.pkl", "/constants.pkl")) for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError):
        return path.suffix.lower() in (".pt", ".pth")  # torch says what is wrong with it


def _state(path: Path) -> _State:
    try:
        stat = path.stat()
    except OSError as error:
        raise FeatureError(f"cannot be read: {error.strerror or error}", file=path) from error
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
