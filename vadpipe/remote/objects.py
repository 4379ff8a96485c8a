"""Objects of a store: listed, read and written by fsspec, whole or not at all."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from vadpipe.errors import InputError, OutputError, UsageError, VadpipeError
from vadpipe.remote.address import SCHEMES, Address
from vadpipe.remote.failures import STALL_S, BrokenError, TakenError, retried

_VERSIONS = (
    "generation", "ETag", "etag", "Last-Modified", "LastModified", "last_modified", "updated", "created",
)  # fmt: skip
"""What stores call the version of an object, the best first."""


@dataclass(frozen=True)
class State:
    """An object as it is.

    Attributes:
        n_bytes: its size.
        version: its ETag, generation or time of change, whichever the store has; empty where it has none.
        md5: of its content, where the store says so, 32 hexadecimal digits.
    """

    n_bytes: int
    version: str
    md5: str | None = None

    @property
    def as_numbers(self) -> tuple[int, int]:
        """The size, and a number that changes with the version."""
        digits = hashlib.sha256(self.version.encode(errors="replace")).hexdigest()[:13]
        return self.n_bytes, int(digits, 16)


def state_of(address: Address, kind: type[VadpipeError] = InputError) -> State | None:
    """Return an object as it is now, or None where there is none.

    Raises:
        InputError: of that kind, if the store does not answer, or does not say how large it is.
    """

    def ask() -> State | None:
        try:
            found = _filesystem(address.scheme).info(address.location)
        except FileNotFoundError:
            return None
        return None if found.get("type") == "directory" else _state(found, address)

    return retried(address, ask, kind)


def listed(folder: Address, kind: type[VadpipeError] = InputError) -> dict[str, State]:
    """Return all objects below a folder by their names from there, in sorted order; that of a file is empty.

    Raises:
        InputError: of that kind, if it cannot be listed.
    """
    found = retried(
        folder, lambda: _filesystem(folder.scheme).find(folder.location, detail=True), kind, "listed"
    )
    states = {}
    for name, info in sorted(found.items()):
        if not name.endswith("/") and info.get("type", "file") == "file":
            states[_below(folder, name)] = _state(info, folder)
    return states


def read(address: Address, n_bytes: int | None = None, kind: type[VadpipeError] = InputError) -> bytes:
    """Return the content of an object, or the first bytes of one that is not empty.

    Raises:
        InputError: of that kind, if it cannot be read.
    """
    filesystem = _filesystem(address.scheme)
    part = {} if n_bytes is None else {"start": 0, "end": n_bytes}
    return bytes(retried(address, lambda: filesystem.cat_file(address.location, **part), kind))


def download(address: Address, target: Path, check: Callable[[State], None]) -> State:
    """Copy an object to a local file, and return what it was then.

    What is shorter than the store says, has another checksum, or is replaced meanwhile is fetched again.

    Args:
        address: of the object.
        target: the file; nothing is left of it if this fails.
        check: raises an error where the object is not wanted, before it is fetched.

    Raises:
        InputError: if it cannot be read, or by ``check``.
        OutputError: if the disk is full.
    """

    def attempt() -> State:
        state = state_of(address)
        if state is None:
            raise FileNotFoundError
        check(state)
        _filesystem(address.scheme).get_file(address.location, str(target))
        got = target.stat().st_size
        if got != state.n_bytes:
            raise BrokenError(f"{got:,} of {state.n_bytes:,} bytes came")
        if state.md5 is not None and _md5(target) != state.md5:
            raise BrokenError("the content does not have the checksum that the store states")
        if state_of(address) != state:
            raise BrokenError("it changed while it was read")
        return state

    try:
        return retried(address, attempt)
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise


def upload(file: Path, address: Address, *, replacing: State | None, always: bool = False) -> State:
    """Write a file as an object, which appears whole, and return what it is now.

    Args:
        file: the file.
        address: of the object.
        replacing: what it is known to be now; None where there is none.
        always: replace whatever is there.

    Raises:
        TakenError: if it is something else by now.
        OutputError: if it cannot be written.
    """
    filesystem = _filesystem(address.scheme)
    if address.scheme == "https":
        step = "Write to a folder, or to s3://, gs:// or az://."
        raise OutputError("web servers are only read from", file=address.path, next_step=step)

    def attempt() -> State:
        options: dict[str, object] = {}
        if not always:
            # A store that ignores the condition is asked beforehand all the same.
            if state_of(address, OutputError) != replacing:
                raise TakenError
            options = {"mode": "create"} if replacing is None else _if_match(address, replacing, file)
        try:
            filesystem.put_file(str(file), address.location, **options)
        except Exception as error:
            if not always and _is_conflict(error):
                raise TakenError from None
            raise
        state = state_of(address, OutputError)
        if state is None or state.n_bytes != file.stat().st_size:
            raise BrokenError("the store does not hold all of it")
        return state

    return retried(address, attempt, OutputError, "written")


def remove(address: Address) -> None:
    """Remove an object, if it is there.

    Raises:
        OutputError: if it cannot be removed.
    """

    def attempt() -> None:
        with suppress(FileNotFoundError):
            _filesystem(address.scheme).rm_file(address.location)

    retried(address, attempt, OutputError, "removed")


def check_extra(scheme: str) -> None:
    """Raise UsageError where what reads this kind of address is not installed."""
    for module in ("fsspec", SCHEMES[scheme]):
        try:
            import_module(module)
        except ImportError:
            raise UsageError(
                f"{scheme}:// needs {module}, which is not installed",
                next_step="Run: pip install 'vadpipe[remote]'",
            ) from None


@cache
def _filesystem(scheme: str) -> Any:  # noqa: ANN401  fsspec has no types
    check_extra(scheme)
    if scheme == "https":
        from vadpipe.remote.web import WebFileSystem

        return WebFileSystem()
    import fsspec

    return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True, **_options(scheme))


def forget() -> None:
    """Have the environment read anew: credentials, and where stores are."""
    _filesystem.cache_clear()


def _options(scheme: str) -> Mapping[str, object]:
    """Return the options of a file system: its timeouts; retries that are ours are not its own too."""
    if scheme == "s3":
        timeouts = {"connect_timeout": STALL_S, "read_timeout": STALL_S}
        return {"config_kwargs": {**timeouts, "retries": {"total_max_attempts": 1, "mode": "standard"}}}
    if scheme == "az":
        return {"anon": False, "connection_timeout": STALL_S, "read_timeout": STALL_S}
    return {}


def _below(folder: Address, name: str) -> str:
    return name.removeprefix("/").removeprefix(folder.location).removeprefix("/")


def _state(info: Mapping[str, Any], address: Address) -> State:
    size = info.get("size")
    if size is None:
        raise InputError(
            "does not say how long it is, as a live stream does not",
            file=address.path,
            next_step="Record or download it to a file first.",
        )
    version = next((info[name] for name in _VERSIONS if info.get(name)), "")
    if isinstance(version, datetime):  # of which a listing may have the number
        version = version.timestamp()
    return State(int(size), str(version).removeprefix("W/").strip('"'), _stated_md5(info))


def _stated_md5(info: Mapping[str, Any]) -> str | None:
    """Return the MD5 that a store states; an ETag may be one, but need not."""
    stated = info.get("md5Hash") or info.get("Content-MD5") or info.get("content_md5")
    if stated is None and "content_settings" in info:
        stated = (info["content_settings"] or {}).get("content_md5")
    if not stated:
        return None
    try:
        digest = bytes(stated) if isinstance(stated, (bytes, bytearray)) else base64.b64decode(stated)
    except ValueError:
        return None
    return digest.hex() if len(digest) == 16 else None


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


_ONE_REQUEST_BYTES = 64 * 2**20


def _if_match(address: Address, known: State, file: Path) -> dict[str, object]:
    """Return the option that lets nothing but a known version be replaced, where the store has one."""
    if address.scheme == "s3" and file.stat().st_size < _ONE_REQUEST_BYTES:
        return {"IfMatch": f'"{known.version}"'}
    return {}


def _is_conflict(error: BaseException) -> bool:
    """Return whether a store says that a condition does not hold."""
    chain: list[BaseException | None] = [error, error.__cause__, error.__context__]
    for each in filter(None, chain):
        response = getattr(each, "response", None)
        code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
        status = [getattr(each, name, None) for name in ("status", "status_code", "code")]
        if isinstance(each, FileExistsError) or code in ("PreconditionFailed", "412") or 412 in status:
            return True
    return False
