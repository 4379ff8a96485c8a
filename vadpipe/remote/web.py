"""Files on web servers, by fsspec: read over TLS alone, and asked for as downloads are."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import Any

import aiohttp
from fsspec.implementations.http import HTTPFileSystem

from vadpipe.remote.failures import STALL_S, RefusedError

_PLAIN = {"Accept-Encoding": "identity"}
"""So that a body has the length that is announced."""

_NO_HEAD = (HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
"""What HEAD is answered where only GET is served, or signed."""


class WebFileSystem(HTTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files of web servers."""

    cachable = False

    def __init__(self) -> None:
        # The whole may take longer than the five minutes that aiohttp allows.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=STALL_S, sock_read=STALL_S)
        session = {"timeout": timeout, "trust_env": True, "headers": _PLAIN, "middlewares": (_over_tls,)}
        super().__init__(client_kwargs=session, encoded=True, get_client=_client)

    async def _info(self, url: str, **_: object) -> dict[str, object]:
        """Return what the server says of a file; fsspec takes every failure for a missing one."""
        session = await self.set_session()
        for ask in (session.head, session.get):
            async with ask(self.encode_url(url), allow_redirects=True) as answer:
                if ask == session.head and answer.status in _NO_HEAD:
                    continue
                self._raise_not_found_for_status(answer, url)
                length = answer.headers.get("Content-Length")
                fields = ("ETag", "Last-Modified", "Content-MD5")
                known = {name: answer.headers[name] for name in fields if name in answer.headers}
                return {"name": url, "type": "file", "size": None if length is None else int(length), **known}
        raise FileNotFoundError(url)  # never reached: GET is always answered


async def _over_tls(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Refuse what a redirection would have sent in the clear."""
    if request.url.scheme != "https":
        raise RefusedError("it leads to an address without encryption")
    return await handler(request)


async def _client(**options: Any) -> aiohttp.ClientSession:  # noqa: ANN401
    """Return a session that trusts what the machine trusts now, and not what it did when it was imported."""
    del options["loop"]
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context())
    return aiohttp.ClientSession(connector=connector, **options)
