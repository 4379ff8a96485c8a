"""Atomic writing: files are either absent or complete, whatever interrupts the writer."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vadpipe.errors import OutputError

CHOOSE_ANOTHER_PLACE = "Choose another location with -o, free disk space, or change the permissions."
MAX_NAME_BYTES = 255 - len(".part-12345678")  # the limit of common file systems, less our own prefix

# A path has lost one of the slashes. Names, passwords and queries are no part of a message.
_ADDRESS = re.compile(r"(s3|gs|az|https?):/{1,2}(?:.*@)?([^?]+).*", re.IGNORECASE | re.DOTALL)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; move it there when the block ends without error.

    The temporary name keeps the suffix of the target, since some writers choose a format by it.

    Raises:
        OutputError: if the folder cannot be made, or the file cannot be written or moved.
    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Same folder: os.replace is atomic only within one file system.
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-", suffix=target.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _publish(temporary, target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text to ``target`` atomically. Raises OutputError if that fails."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(target: Path, data: bytes) -> None:
    """Write bytes to ``target`` atomically. Raises OutputError if that fails."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def move(file: Path, target: Path, *, replacing: bool) -> bool:
    """Give a complete file its name; return False, and leave it, where the name is taken and may not be.

    Where the file system has no hard links, a file that takes the name in the same instant is replaced.

    Raises:
        OutputError: if it cannot be moved.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not replacing:
            if os.path.lexists(target):
                return False
            try:
                target.hardlink_to(file)  # unlike a move, it never replaces anything
            except FileExistsError:
                return False
            except OSError:  # no hard links here; anything else will show again
                pass
            else:
                file.unlink()
                return True
        file.replace(target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    return True


def check_writable(folder: Path, *, next_step: str = CHOOSE_ANOTHER_PLACE) -> None:
    """Check that files can be created in ``folder``, before hours are spent on their content.

    Raises:
        OutputError: if they cannot, or it is an address, which would become a local folder of that name.
    """
    address = _ADDRESS.fullmatch(os.fspath(folder))
    if address is not None and not os.path.lexists(folder):
        raise OutputError(
            "is an address, and this is written to local folders only",
            file="://".join(address.groups()),
            next_step="Write to a local folder, and copy it there.",
        )
    try:
        existing = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
        with tempfile.TemporaryDirectory(dir=existing, prefix=".part-"):
            pass
    except OSError as error:
        raise _cannot_write(folder, error, next_step) from error


def fitting_name(stem: str, suffix: str) -> str:
    """Return ``stem + suffix``, the stem shortened and marked by its digest where file systems need it."""
    if len(os.fsencode(stem + suffix)) <= MAX_NAME_BYTES:
        return stem + suffix
    digest = "~" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:12]
    room = MAX_NAME_BYTES - len(os.fsencode(digest + suffix))
    return os.fsencode(stem)[:room].decode(errors="ignore") + digest + suffix


def _publish(temporary: Path, target: Path) -> None:
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())  # else a power cut can leave the new name on empty blocks
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)  # mkstemp makes files private; results are ordinary files
    temporary.replace(target)


def _cannot_write(target: Path, error: OSError, next_step: str = CHOOSE_ANOTHER_PLACE) -> OutputError:
    return OutputError(
        f"cannot be written: {error.strerror or error}",
        file=target,
        next_step=next_step,
    )
