"""Reading of an HDF5 file without following references out of it; runs in the sandboxed process.

Of the ways in which such a file can ask for another one (external links, external storage, virtual
datasets), none is followed: links and layouts are looked at before what they lead to is opened. Soft links
are not followed either, since they can lead through external ones. Behind these checks stands the kernel: the
process has a descriptor of this file and may open no other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import h5py
import numpy as np
from h5py import h5d, h5l, h5o, h5t, h5z
from numpy.typing import NDArray

from vadpipe.errors import FeatureError
from vadpipe.published.array_checks import AGAIN, check_bytes, cut_short, needed_bytes
from vadpipe.published.members import Address

_Id = Any  # of an object of the library; h5py has no types

BLOCK_BYTES = 2**26
"""Of one piece in which an array is read, where its chunks allow for it."""

_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # of the library, for a damaged file
_MAX_CHUNK_BYTES = 2**30
_MAX_DEPTH = 32
_FILTERS = {
    h5z.FILTER_DEFLATE: "gzip",
    h5z.FILTER_SHUFFLE: "shuffle",
    h5z.FILTER_FLETCHER32: "fletcher32",
    h5z.FILTER_LZF: "lzf",
    h5z.FILTER_SZIP: "szip",
}
_TYPES = {
    h5t.STRING: "text",
    h5t.COMPOUND: "records",
    h5t.REFERENCE: "references",
    h5t.VLEN: "rows of different lengths",
    h5t.ENUM: "booleans or enums",
    h5t.OPAQUE: "opaque bytes",
    h5t.ARRAY: "nested arrays",
    h5t.BITFIELD: "bits",
    h5t.TIME: "times",
}
_LINKS = {
    h5l.TYPE_SOFT: "a soft link",
    h5l.TYPE_EXTERNAL: "a link to another file",
}
_PLAIN = "Save it again as one plain array: file.create_dataset(NAME, data=array.astype('float32'))."


@dataclass
class Contents:
    """What a file holds.

    Attributes:
        arrays: where its arrays lie.
        left_out: what was met and is not read, with the reason and what to do about it.
    """

    arrays: list[Address] = field(default_factory=list)
    left_out: list[tuple[Address, str, str]] = field(default_factory=list)


class Hdf5File:
    """An open HDF5 file.

    Errors of the library are let through: a damaged file raises many kinds.

    Args:
        content: the file, opened for reading.
    """

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self._file = h5py.File(content, "r")
        self._root = h5o.open(self._file.id, b"/")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._content.close()

    def contents(self) -> Contents:
        """Go through its groups, each once, in the order of names; other objects than arrays are skipped."""
        contents = Contents()
        entered: set[int] = set()
        left: list[tuple[Address, _Id]] = [((), self._root)]
        while left:
            above, group = left.pop()
            try:
                address = h5o.get_info(group).addr
                if address in entered:  # a hard link that leads back
                    continue
                entered.add(address)
                names = _names(group)
            except _ERRORS as error:
                if not above:
                    raise
                contents.left_out.append((above, damage(error), AGAIN))
                continue
            groups: list[tuple[Address, _Id]] = []
            for name in names:
                where = (*above, _text(name))
                try:
                    found = _opened(group, name, where)
                except FeatureError as error:
                    contents.left_out.append((where, error.reason, error.next_step or ""))
                except _ERRORS as error:
                    contents.left_out.append((where, damage(error), AGAIN))
                else:
                    if isinstance(found, h5d.DatasetID):
                        contents.arrays.append(where)
                    elif isinstance(found, h5py.h5g.GroupID):
                        groups.append((where, found))
            left += reversed(groups)
        return contents

    def read(
        self, address: Address, label: str
    ) -> tuple[tuple[int, ...], np.dtype[Any], Iterator[memoryview]]:
        """Return the shape and the type of an array, and its numbers in pieces, row after row.

        Args:
            address: one of its arrays.
            label: the file and the address, for messages.

        Raises:
            FeatureError: if it is not a numeric array that is complete in this file, or is too large.
        """
        dataset = self._open(address, label)
        plan = dataset.get_create_plist()
        layout = plan.get_layout()
        # Before anything else is asked: the shape of a virtual dataset follows from other files.
        if layout == h5d.VIRTUAL:
            raise _refused("is a virtual dataset: its data lie in other files, which are never opened", label)
        if plan.get_external_count():
            raise _refused("keeps its data in another file, which is never opened", label)
        dtype = _checked_type(dataset, label)
        _check_filters(plan, label)
        shape = tuple(dataset.shape or ()) if dataset.get_space().is_simple() else ()
        if not shape:
            raise _refused("has no rows, only a single value or nothing", label)
        needed = needed_bytes(shape, dtype.itemsize, label)
        check_bytes(needed, label)
        chunk = plan.get_chunk() if layout == h5d.CHUNKED else None
        if needed:
            _check_held(dataset, shape, dtype, chunk, label)
        return shape, dtype, _pieces(dataset, shape, dtype, chunk)

    def _open(self, address: Address, label: str) -> _Id:
        """Open a dataset from group to group, since a path would follow any link."""
        found = self._root
        for depth, part in enumerate(address, start=1):
            found = _opened(found, part.encode("utf-8", "surrogateescape"), address[:depth])
        if not isinstance(found, h5d.DatasetID):
            raise FeatureError("is not an array", file=label)
        return found


def damage(error: Exception) -> str:
    """Return the reason that an error of the library is; the text of a KeyError would be a representation."""
    return f"is damaged: {str(error.args[0] if error.args else error)[:300]}"


def _names(group: _Id) -> list[bytes]:
    names: list[bytes] = []
    group.links.iterate(names.append)
    return names


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _opened(group: _Id, name: bytes, address: Address) -> _Id:
    """Open what lies in a group. Raises FeatureError for a link, before it is followed."""
    if b"/" in name or name in (b"", b"."):  # made by hand: the library would take it for a path
        raise FeatureError("has a name that HDF5 does not allow", next_step=AGAIN)
    kind = group.links.get_info(name).type
    if kind != h5l.TYPE_HARD:
        reason = f"is {_LINKS.get(kind, 'a link of an unknown kind')}, which is never followed"
        raise FeatureError(reason, next_step="Import its target, or save it as a separate array.")
    if len(address) > _MAX_DEPTH:
        raise FeatureError(
            f"lies below more than {_MAX_DEPTH} groups", next_step="Save it at a higher level."
        )
    return h5o.open(group, name)


def _checked_type(dataset: _Id, label: str) -> np.dtype[Any]:
    kind = dataset.get_type()
    if kind.get_class() not in (h5t.INTEGER, h5t.FLOAT):
        raise _refused(f"holds {_TYPES.get(kind.get_class(), 'something else')}, not numbers", label)
    try:
        dtype: np.dtype[Any] = kind.dtype
    except TypeError as error:
        raise _refused("contains numbers in a format that NumPy lacks", label) from error
    if dtype.kind not in "fiu":
        raise _refused(f"holds {dtype}, not numbers", label)
    return dtype


def _check_filters(plan: _Id, label: str) -> None:
    """Refuse filters that HDF5 does not bring itself: others are code that is loaded for them."""
    for number in range(plan.get_nfilters()):
        code = plan.get_filter(number)[0]
        if code not in _FILTERS or not h5z.filter_avail(code):
            name = _FILTERS.get(code, f"number {code}")
            raise FeatureError(
                f"is compressed with the filter {name}, which is not available",
                file=label,
                next_step="Unpack it with 'h5repack -f NONE FILE NEW' where that filter is installed.",
            )


def _check_held(
    dataset: _Id,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    chunk: tuple[int, ...] | None,
    label: str,
) -> None:
    """Refuse what the file states but does not hold, before memory is allocated for it."""
    if chunk is None:
        needed, held = math.prod(shape) * dtype.itemsize, dataset.get_storage_size()
        if held < needed:
            raise cut_short(shape, needed, held, label)
        return
    if math.prod(chunk) * dtype.itemsize > _MAX_CHUNK_BYTES:
        raise _refused(f"has chunks of the shape {chunk}, too large to decompress", label)
    wanted = math.prod(-(-length // size) for length, size in zip(shape, chunk, strict=True))
    held = dataset.get_num_chunks()
    if held < wanted:
        reason = f"is truncated: {held} of the {wanted} chunks of its shape {shape} are present"
        raise FeatureError(reason, file=label, next_step=AGAIN)


def _pieces(
    dataset: _Id,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    chunk: tuple[int, ...] | None,
) -> Iterator[memoryview]:
    """Yield the numbers of whole rows, of whole rows of chunks: so that each is unpacked once."""
    row_bytes = max(1, math.prod(shape[1:]) * dtype.itemsize)
    step = chunk[0] if chunk else 1
    step *= max(1, BLOCK_BYTES // (row_bytes * step))
    array = h5py.Dataset(dataset)
    for start in range(0, shape[0], step):
        rows: NDArray[Any] = array[start : start + step]
        if rows.size:
            yield np.ascontiguousarray(rows, dtype=dtype).reshape(-1).view(np.uint8).data


def _refused(reason: str, label: str) -> FeatureError:
    return FeatureError(reason, file=label, next_step=_PLAIN)
