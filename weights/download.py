"""Download of a single file, complete or not at all.

requests does the work: it knows proxies, certificates and redirects, and notices a body that ends early.
The bytes stay in memory until they are verified and converted. The largest file here has some hundred
megabytes, and so an interrupted download leaves nothing behind that a later one could stumble over.
(pooch would add a file on disk and a digest check, but a digest that is pinned after the file proved to be
one of weights, and kept with the file that was refused, has to be compared here all the same.)
"""

from __future__ import annotations

import io
import logging
import os
from http import HTTPStatus
from pathlib import Path

from vadpipe.errors import WeightsError

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
"""The longest wait for the next byte; the whole download may take longer."""

MAX_BYTES = 2 * 2**30
_CHUNK_BYTES = 2**20

_log = logging.getLogger(__name__)


def offline_by_environment() -> bool:
    """Whether ``VADPIPE_OFFLINE`` forbids the network: set, and neither ``0`` nor ``false`` nor ``no``."""
    return os.environ.get("VADPIPE_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def fetch(url: str, put_at: Path, *, n_bytes: int | None = None) -> bytes:
    """Return the bytes at ``url``, unverified but for their number.

    Args:
        url: http or https.
        put_at: where a user can put the file by hand; only named in messages.
        n_bytes: its size, where that is known.

    Raises:
        WeightsError: if it cannot be fetched, or not as a whole.
    """
    import requests  # only what fetches waits for this import

    limit = MAX_BYTES if n_bytes is None else n_bytes
    body = io.BytesIO()
    _log.info("fetching %s", url)
    try:
        with requests.get(url, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)) as response:
            if response.status_code != HTTPStatus.OK:
                raise _not_fetched(url, f"HTTP {response.status_code} {response.reason}", put_at)
            for chunk in response.iter_content(_CHUNK_BYTES):
                body.write(chunk)
                if body.tell() > limit:  # an endless answer must not fill the memory
                    raise _not_fetched(url, f"the server sent more than {limit} bytes", put_at)
    except requests.RequestException as error:
        raise _not_fetched(url, _why(error), put_at) from error
    if n_bytes is not None and body.tell() != n_bytes:
        raise _not_fetched(url, f"the server sent {body.tell()} bytes, expected {n_bytes}", put_at)
    _log.info("fetched %d bytes", body.tell())
    return body.getvalue()


def by_hand(put_at: Path) -> str:
    """Return the next step for a machine that cannot download."""
    return f"Download it elsewhere and save it as {put_at}, or pass it with --weights FILE."


def _not_fetched(url: str, why: str, put_at: Path) -> WeightsError:
    return WeightsError(f"could not be fetched: {why}", file=url, next_step=by_hand(put_at))


def _why(error: Exception) -> str:
    """Return a short reason; the messages of requests are long and full of addresses."""
    import requests
    from urllib3.exceptions import ReadTimeoutError

    # A body that stalls raises a ConnectionError around the timeout.
    stalled = isinstance(error, requests.ConnectionError) and any(
        isinstance(cause, ReadTimeoutError) for cause in (*error.args, error.__context__)
    )
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {CONNECT_TIMEOUT_S:g} s"
    if isinstance(error, requests.ReadTimeout) or stalled:
        return f"no data for {READ_TIMEOUT_S:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was closed before the end"
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate of the server was not accepted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refused the connection"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    return f"{type(error).__name__}: {str(error)[:150]}"
