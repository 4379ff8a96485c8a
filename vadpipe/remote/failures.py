"""What goes wrong between here and a store: whether it may pass, and what is said of it, without secrets."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from vadpipe.errors import InputError, OutputError, VadpipeError, printable
from vadpipe.remote.address import Address
from vadpipe.runs.masking import masked

log = logging.getLogger(__name__)

DELAYS_S = (0.5, 2.0, 8.0, 30.0)
"""Waits before each further attempt."""

STALL_S = 30
"""The longest wait for the next byte."""

T = TypeVar("T")

_CREDENTIALS = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and AWS_ENDPOINT_URL if needed.",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS to a file of credentials, or run in a place that has some.",
    "az": "Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING.",
    "https": "Check the address; one that is signed may have expired.",
}  # fmt: skip
_LATER = "Try again later; what was finished is kept."
_FINAL = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
_FINAL_NUMBERS = {
    errno.EINVAL, errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENAMETOOLONG, errno.EMSGSIZE, errno.EREMCHG,
    errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG,
}  # fmt: skip
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_PASSING = {
    ("aiohttp", "ClientError"), ("botocore", "HTTPClientError"), ("botocore", "ConnectionError"),
    ("azure", "ServiceRequestError"), ("azure", "ServiceResponseError"), ("google", "TransportError"),
    ("requests", "RequestException"), ("http", "HTTPException"),
}  # fmt: skip
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError",
                   "CredentialUnavailableError", "ProfileNotFound"}  # fmt: skip


class BrokenError(Exception):
    """A body that came incomplete, or changed while it was read."""


class RefusedError(Exception):
    """What is not done, however often it is tried."""


class TakenError(Exception):
    """An object that another process has written meanwhile."""


def retried(
    address: Address, action: Callable[[], T], kind: type[VadpipeError] = InputError, doing: str = "read"
) -> T:
    """Return what an action returns, which is tried again where what went wrong may pass.

    Args:
        address: of what it is about.
        action: what to do.
        kind: of the error.
        doing: ``"read"``, ``"listed"`` or ``"written"``.

    Raises:
        InputError: of that kind, if it fails for good. Where the disk is full, an OutputError.
        TakenError: as the action does.
    """
    for delay_s in (*DELAYS_S, None):
        try:
            return action()
        except (VadpipeError, TakenError):
            raise
        except Exception as error:
            failure = error
        if delay_s is None or not _may_pass(failure):
            break
        log.info("%s: %s; trying again in %g s", printable(address.path), _why(failure), delay_s)
        time.sleep(delay_s)
    # Outside of the except clause: tracebacks would show the texts of libraries, with whole addresses.
    raise _told(failure, address, kind, doing)


def _told(failure: Exception, address: Address, kind: type[VadpipeError], doing: str) -> VadpipeError:
    if isinstance(failure, OSError) and failure.errno in _NO_SPACE:
        reason = f"cannot be kept in the cache meanwhile: {failure.strerror}"
        return OutputError(reason, file=address.path, next_step="Free disk space, or set VADPIPE_CACHE.")
    if isinstance(failure, FileNotFoundError) and doing == "written":
        step = "Check the address; the bucket has to be there."
        return kind("cannot be written: no such bucket", file=address.path, next_step=step)
    if isinstance(failure, FileNotFoundError):
        return kind("no such file or folder", file=address.path, next_step="Check the address.")
    denied = _is_denied(failure)
    if denied or type(failure).__name__ in _NO_CREDENTIALS:
        why = "access is denied" if denied else "no credentials were found"
        step = _CREDENTIALS.get(address.scheme, "Check the address.")
    else:
        why, step = _why(failure), _LATER if _may_pass(failure) else "Check the address."
    return kind(f"cannot be {doing}: {why}", file=address.path, next_step=step)


def _may_pass(error: Exception) -> bool:
    if _is_denied(error) or _is_certificate(error):
        return False
    status = _status(error)
    if status is not None:
        return status in (408, 425, 429) or status >= 500
    if isinstance(error, _FINAL) or (isinstance(error, OSError) and error.errno in _FINAL_NUMBERS):
        return False
    homes = {(base.__module__.partition(".")[0], base.__name__) for base in type(error).__mro__}
    return isinstance(error, (OSError, EOFError, BrokenError)) or bool(homes & _PASSING)


def _why(error: Exception) -> str:
    status = _status(error)
    if status is not None:
        return f"the server answers {status}"
    names = " ".join(base.__name__ for base in type(error).__mro__)
    if isinstance(error, (BrokenError, RefusedError)):
        return str(error)
    if _is_certificate(error):
        return "the certificate of the server was not accepted"
    if "Timeout" in names:
        return f"no answer for {STALL_S} s"
    if "Payload" in names or "Incomplete" in names or "ResponseParser" in names:
        return "the connection broke off in the middle"
    if isinstance(error, OSError) and error.errno == errno.EBUSY:
        return "the server is too busy"
    if isinstance(error, ConnectionError) or "Connect" in names or "HTTPClientError" in names:
        return "the connection failed"
    return masked(f"{type(error).__name__}: {error}"[:200])


def _is_denied(error: Exception) -> bool:
    if isinstance(error, PermissionError) or _status(error) in (401, 403):
        return True
    return isinstance(error, OSError) and str(error).startswith("Forbidden:")  # as gcsfs has it


def _is_certificate(error: Exception) -> bool:
    names = {base.__name__ for base in type(error).__mro__}
    return any("Certificate" in name or "SSLError" in name for name in names)


def _status(error: Exception) -> int | None:
    """Return the HTTP status of an answer, under the names that the libraries give it."""
    for name in ("status", "status_code", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int) and 100 <= status < 600:
            return status
    return None
