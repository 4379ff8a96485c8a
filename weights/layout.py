"""The layout of the cache folder, and the verification of its files.

::

    I3D-NAME-CONVERTED.safetensors     out of a package archive; the registry knows the digest
    NAME-PUBLISHED.safetensors, .json  out of a published file; the record holds both digests
    NAME.pin.json                      the digest of the file that was fetched first
    X3D_S.pyth                         a published file that a user put there by hand
    *.bad                              what was not what it should be

``CONVERTED`` and ``PUBLISHED`` are the first twelve digits of a sha256; the whole of it is compared.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from vadpipe.files.digest import file_digest
from vadpipe.weights import pins
from vadpipe.weights.registry import PackagedWeights, UrlWeights, Weights

_KEY_DIGITS = 12


def folder() -> Path:
    """Return ``$VADPIPE_CACHE``, or the cache folder of the platform."""
    chosen = os.environ.get("VADPIPE_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("vadpipe", appauthor=False))


def pin_file(record: UrlWeights) -> Path:
    """Return where the pin of these weights lies, or would."""
    return folder() / f"{record.name}.pin.json"


def put_at(record: UrlWeights) -> Path:
    """Return where a published file is looked for that a user downloaded by hand."""
    return folder() / record.file_name


def target(record: Weights, sha256: str) -> Path:
    """Return where the file converted from the published one with that digest lies, or would."""
    key = record.converted_sha256 if isinstance(record, PackagedWeights) else sha256
    return folder() / f"{record.name}-{key[:_KEY_DIGITS]}.safetensors"


def conversion_file(converted: Path) -> Path:
    """Return where the record of a converted file lies, or would."""
    return converted.with_suffix(".json")


def kept(record: Weights) -> list[Path]:
    """Return the converted files of these weights in the cache, whether intact or not, sorted by name.

    There can be several, since files named with ``--weights`` are converted too.
    """
    if isinstance(record, PackagedWeights):
        only = target(record, record.sha256)
        return [only] if only.is_file() else []
    return sorted(folder().glob(f"{record.name}-{'[0-9a-f]' * _KEY_DIGITS}.safetensors"))


def is_intact(record: Weights, path: Path, *, sha256: str | None = None) -> bool:
    """Hash a converted file; whether it is there and each byte is as it was written.

    Args:
        record: which weights.
        path: one of :func:`kept`, or the :func:`target`.
        sha256: digest of the published file that it has to be made of; without it, any.
    """
    if isinstance(record, PackagedWeights):
        expected = record.converted_sha256
    else:
        conversion = pins.read_conversion(conversion_file(path))
        if conversion is None or conversion.name != record.name:
            return False
        # Files can be renamed, and their names hold only the start of the digest.
        if target(record, conversion.published_sha256) != path:
            return False
        if sha256 not in (None, conversion.published_sha256):
            return False
        expected = conversion.converted_sha256
    return path.is_file() and file_digest(path) == expected


def expected_digest(record: Weights) -> str | None:
    """Return the digest of the registry or of the pin; None if there is neither.

    Raises:
        WeightsError: if the pin cannot be read.
    """
    if record.sha256 is not None:
        return record.sha256
    pin = pins.read_pin(pin_file(record), record.name)
    return None if pin is None else pin.sha256
