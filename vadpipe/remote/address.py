"""Addresses of remote files: ``s3://``, ``gs://``, ``az://`` and ``https://``."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PosixPath
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from vadpipe.errors import UsageError

SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "https": "aiohttp"}
"""What can be read, and the package of the extra ``remote`` that does."""

# A path has lost one of the slashes.
_ADDRESS = re.compile(r"([a-z0-9]+):/{1,2}([^/].*)", re.IGNORECASE | re.DOTALL)
_SIGNS = re.compile(
    r"(x-amz-|x-goog-).*|awsaccesskeyid|googleaccessid|key-pair-id|signature|policy|expires|token|"
    r"sig|se|sp|sv|sr|st|spr|sip|ske|skoid|sks|skt|sktid|skv",
    re.IGNORECASE,
)
"""Parameters of a query that sign an address: they change while the file does not."""


class AddressPath(PosixPath):
    """What an address is called in messages, records and results: no name, password or query is in it."""

    def __str__(self) -> str:
        return re.sub(r"^([a-z0-9]+:)/(?=[^/])", r"\1//", super().__str__())

    def __fspath__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Address:
    """The address of a remote file or folder.

    Attributes:
        scheme: a key of :data:`SCHEMES`.
        location: bucket and key, without slashes at the end; of ``https`` the whole address, secrets
            included, which are never shown.
    """

    scheme: str
    location: str = field(repr=False)

    @classmethod
    def parse(cls, given: str | os.PathLike[str]) -> Address | None:
        """Return the address that a text or a path names; None if it names none that can be read.

        Raises:
            UsageError: if the address of a bucket holds a password.
        """
        text = os.fspath(given)
        match = _ADDRESS.fullmatch(text)
        scheme = match[1].lower() if match else ""
        if match is None or scheme not in SCHEMES or os.path.lexists(text):
            return None
        if scheme == "https":
            return cls(scheme, f"https://{match[2]}")
        if "@" in match[2].partition("/")[0]:
            raise UsageError(
                "holds a name or a password",
                file=f"{scheme}://{match[2].rpartition('@')[2]}",
                next_step="Take it out of the address, and pass credentials in the environment.",
            )
        return cls(scheme, match[2].rstrip("/"))

    @property
    def is_folder_like(self) -> bool:
        """Whether it can be listed."""
        return self.scheme != "https"

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Bucket or host, and the names below it, none of which leads out of a folder."""
        if self.scheme == "https":
            url = urlsplit(self.location)
            names = [_host(url.netloc), *(unquote(name) for name in url.path.split("/"))]
        else:
            names = self.location.split("/")
        return tuple(_safe(name) for name in names if name)

    @property
    def path(self) -> AddressPath:
        """The address as it is shown."""
        return AddressPath(f"{self.scheme}://{'/'.join(self.parts)}")

    @property
    def place(self) -> str:
        """Digest that identifies it, whatever signs it; it reveals nothing."""
        text = self.location
        if self.scheme == "https":
            url = urlsplit(text)
            query = parse_qsl(url.query, keep_blank_values=True)
            kept = [(name, value) for name, value in query if not _SIGNS.fullmatch(name)]
            text = f"{_host(url.netloc)}{url.path}{kept or ''}"
        return hashlib.sha256(f"{self.scheme}://{text}".encode(errors="surrogatepass")).hexdigest()[:16]

    def below(self, name: str) -> Address:
        """Return the address of a file below this folder."""
        return Address(self.scheme, f"{self.location}/{name}")


def address_of(given: str | os.PathLike[str] | None) -> Address | None:
    """Return the address that a path or None names, if any."""
    return None if given is None or isinstance(given, bytes) else Address.parse(given)


def shown(given: str | os.PathLike[str]) -> Path:
    """Return a path as it is shown: of an address without secrets, and with both its slashes."""
    address = Address.parse(given)
    return Path(given) if address is None else address.path


def _safe(name: str) -> str:
    """Return a name that may be one of a file: in a store ``..`` is a name like any other."""
    if name in (".", ".."):
        return "%2E" * len(name)
    return "".join(
        char if char.isprintable() and char != "/" else quote(char, safe="", errors="surrogatepass")
        for char in name
    )


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2].lower()
