"""Tensors written by ``torch.save``, read without executing anything in the file.

A ``.pt`` file is a pickle, and a pickle can name functions and have them called. What one names is looked at
before it is loaded, and a file that asks for more than plain tensors is refused; then ``torch.load`` reads it
with ``weights_only=True``, which itself allows little more. The numbers stay in the file, from where they
are read when they are needed, but for files of torch before 1.6, which cannot be mapped.
"""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError, printable
from vadpipe.published import array_checks
from vadpipe.published.array_checks import AGAIN, check_bytes, cut_short, needed_bytes
from vadpipe.published.members import Address, spelled

if TYPE_CHECKING:
    from torch import Tensor

LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How a file of torch before 1.6 begins: a pickle of the format's number."""

_MAX_PICKLE_BYTES = 2**26  # names and shapes of a million tensors
_LEGACY_PICKLES = 5  # number, version, machine, content, keys of the storages
_CONTENT = 3

# Rebuild functions and types of plain tensors, as a pickle names them.
_PLAIN = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor(_v2|_v3)?|parameter)|torch Size"
    r"|torch \w+Storage|torch\.storage (Typed|Untyped)Storage"
    r"|torch (bfloat16|bool|u?int\d+|float\w+|double|half|complex\w+)"
)
_SPECIAL = re.compile(r"torch\._utils _rebuild_(sparse|q|meta|nested)_?tensor\w*")
_NAMING = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"}
_OF_A_NETWORK = (".weight", ".bias", ".running_mean", ".running_var")
_TENSORS_ALONE = "Save tensors alone: torch.save({video: tensor, ...}, FILE), or one tensor a file."


class TorchFile:
    """The tensors of a file, by their addresses: ``()`` of one alone, ``(video,)``, ``(video, "features")``.

    Args:
        path: a file that ``torch.save`` wrote.

    Raises:
        FeatureError: if it cannot be read, is damaged, asks for more than plain tensors, or holds none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        content, records = _load(path)
        self._tensors = _flat(content, path)
        if records is not None:
            _check_records(self._tensors.values(), records, path)
        for address in self._tensors:
            if address and f".{address[-1]}".endswith(_OF_A_NETWORK):
                reason = f"contains the weights of a network ({spelled(address)}), not features"
                raise FeatureError(reason, file=path, next_step="Omit the file.")

    @property
    def addresses(self) -> list[Address]:
        """Where its tensors lie, in the file's order."""
        return list(self._tensors)

    def read(self, address: Address, label: str) -> NDArray[np.generic]:
        """Return a tensor as an array of its own type; bfloat16 and narrower floats become float32.

        Args:
            address: one of :attr:`addresses`.
            label: the file and the address, for messages.

        Raises:
            FeatureError: if it is not a plain numeric tensor, or is larger than the limit.
        """
        tensor = self._tensors.get(address)
        if tensor is None:
            raise FeatureError("no longer exists", file=label, next_step="Run again.")
        return _array(tensor, label)


def _load(path: Path) -> tuple[object, Counter[int] | None]:
    """Return what a file holds, and the sizes in bytes of an archive's records of numbers."""
    import torch

    try:
        with path.open("rb") as file:
            is_legacy = file.read(len(LEGACY)) == LEGACY
    except OSError as error:
        raise FeatureError(f"cannot be read: {error.strerror or error}", file=path) from error
    try:
        records = None
        if is_legacy:
            _look_at_legacy(path)
        else:
            records = _look_at_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=not is_legacy), records
    except FeatureError:
        raise
    except Exception as error:  # torch and pickletools raise many kinds for a damaged or hostile file
        reason = printable(str(error).strip().partition("\n")[0][:200])
        if "weights_only" in reason:  # advice to load it without
            reason = "torch cannot load it safely"
        raise FeatureError(f"is damaged: {reason}", file=path, next_step=AGAIN) from error


def _look_at_archive(path: Path) -> Counter[int]:
    """Refuse an archive that asks for more than tensors, or is packed so that it could grow.

    Returns:
        How many records of numbers it has of each size in bytes.
    """
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        names = [info.filename.rpartition("/")[2] for info in infos]
        if "constants.pkl" in names:
            reason = "contains a TorchScript program, which is never loaded"
            raise FeatureError(reason, file=path, next_step=_TENSORS_ALONE)
        if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
            reason = "is encrypted or compressed, unlike files written by torch"
            raise FeatureError(reason, file=path, next_step=_TENSORS_ALONE)
        pickles = [info for info in infos if info.filename.endswith("/data.pkl")]
        if len(pickles) != 1 or pickles[0].file_size > _MAX_PICKLE_BYTES:
            raise FeatureError("does not have the layout of a torch file", file=path, next_step=AGAIN)
        _look_at_pickle(io.BytesIO(archive.read(pickles[0])), path)
        return Counter(info.file_size for info in infos if "/data/" in info.filename)


def _look_at_legacy(path: Path) -> None:
    """Refuse a file that asks for more than tensors, is too large, or states more than it can hold."""
    n_bytes = path.stat().st_size
    if n_bytes > array_checks.MAX_BYTES:  # it is loaded whole
        raise FeatureError(
            f"has {n_bytes} bytes, above the limit of {array_checks.MAX_BYTES} for files of torch before 1.6",
            file=path,
            next_step="Save it again: torch.save(torch.load(FILE, weights_only=True), NEW).",
        )
    with path.open("rb") as file:
        start = io.BytesIO(file.read(_MAX_PICKLE_BYTES))
    for number in range(_LEGACY_PICKLES):
        # A number of its content is a length, and no storage has more numbers than the file has bytes.
        _look_at_pickle(start, path, n_bytes if number == _CONTENT else None)


def _look_at_pickle(stream: io.BytesIO, path: Path, largest: int | None = None) -> None:
    """Go through a pickle, without loading it, for what it names and how large its numbers are."""
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name == "GLOBAL" and _SPECIAL.fullmatch(str(argument)):
            raise _special(path)
        if operation.name in _NAMING or (operation.name == "GLOBAL" and not _PLAIN.fullmatch(str(argument))):
            asked = printable(str(argument or operation.name).replace(" ", "."))
            reason = (
                f"contains pickled objects, which can run code and are never loaded: it refers to {asked}"
            )
            raise FeatureError(reason[:300], file=path, next_step=_TENSORS_ALONE)
        if largest is not None and isinstance(argument, int) and argument > largest:
            reason = f"is truncated: it declares a size of {argument}, but has {largest} bytes"
            raise FeatureError(reason, file=path, next_step=AGAIN)


def _check_records(tensors: Iterable[Tensor], records: Counter[int], path: Path) -> None:
    """Refuse tensors whose numbers are not as long as a record: what follows in the file would be read."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages if storage.nbytes()}
    if Counter(sizes.values()) - records:
        raise FeatureError("is damaged: the sizes of its tensors are wrong", file=path, next_step=AGAIN)


def _flat(content: object, path: Path) -> dict[Address, Tensor]:
    """Return the tensors of a file by their addresses; what else is plain (a number, a text) is left out."""
    import torch

    if isinstance(content, torch.Tensor):
        return {(): content}
    if not isinstance(content, dict):
        reason = f"contains a {type(content).__name__}, not a tensor or a dict of tensors"
        raise FeatureError(reason, file=path, next_step=_TENSORS_ALONE)
    found: dict[Address, Tensor] = {}
    for name, value in content.items():
        inner = value.items() if isinstance(value, dict) else [(None, value)]
        for below, entry in inner:
            address = (str(name),) if below is None else (str(name), str(below))
            if isinstance(entry, torch.Tensor) and address not in found:
                found[address] = entry
            elif not isinstance(entry, (int, float, str, type(None))):
                what = "two tensors" if isinstance(entry, torch.Tensor) else f"a {type(entry).__name__}"
                reason = f"holds {what} as {printable(spelled(address)[:80])}, not a single tensor"
                raise FeatureError(reason, file=path, next_step=_TENSORS_ALONE)
    return found


def _array(tensor: Tensor, label: str) -> NDArray[np.generic]:
    import torch

    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta or tensor.is_nested:
        raise _special(label)
    if tensor.is_complex() or tensor.dtype is torch.bool:
        reason = f"holds {str(tensor.dtype).removeprefix('torch.')}, not numbers"
        raise FeatureError(reason, file=label, next_step="Save it as tensor.float().")
    needed, held = needed_bytes(tensor.shape, tensor.element_size(), label), tensor.untyped_storage().nbytes()
    if needed > held:  # an expanded tensor repeats its numbers without end
        raise cut_short(tensor.shape, needed, held, label)
    check_bytes(needed, label)
    try:
        plain = tensor.detach().resolve_neg()
        if tensor.dtype is torch.bfloat16 or (tensor.is_floating_point() and tensor.element_size() == 1):
            plain = plain.to(torch.float32)
        array: NDArray[np.generic] = plain.numpy()
    except (RuntimeError, TypeError) as error:  # a type that numpy lacks
        reason = f"holds {str(tensor.dtype).removeprefix('torch.')}, which NumPy does not support"
        raise FeatureError(reason, file=label, next_step="Save it as tensor.float().") from error
    return array


def _special(file: str | Path) -> FeatureError:
    reason = "contains a tensor that is sparse, quantized, nested or without data"
    step = "Save plain ones: tensor.to_dense() for sparse, tensor.dequantize() for quantized tensors."
    return FeatureError(reason, file=file, next_step=step)
