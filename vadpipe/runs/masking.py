"""Secrets in texts that are kept or sent on: passwords in addresses, and tokens of the environment."""

from __future__ import annotations

import os
import re

MASK = "***"

# A path has lost one of the slashes of an address. What stands before its last @ is a name and a password.
_ADDRESS = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]+:/{1,2})(?P<user>[^?\s\"']*@)?(?P<rest>[^/\s?\"'][^\s?\"']*)(?P<query>\?[^\s\"']*)?",
    re.IGNORECASE,
)
_NAMES_A_SECRET = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|(API|ACCESS|ACCOUNT|STORAGE)_?KEY|CONNECTION_?STRING",
    re.IGNORECASE,
)
_SHORTEST = 8
"""Characters of a secret; a shorter value, such as ``1`` or ``true``, occurs by chance."""


def names_a_secret(name: str) -> bool:
    """Return whether a variable of the environment is a secret by its name, such as ``HF_TOKEN``."""
    return _NAMES_A_SECRET.search(name) is not None


def masked(text: str) -> str:
    """Return a text without names and passwords of addresses, their queries, and secrets of the environment.

    A secret of the environment is the value of a variable whose name says so, such as ``HF_TOKEN``.
    """
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and names_a_secret(name):
            text = text.replace(value, MASK)
    return _ADDRESS.sub(_masked_address, text)


def _masked_address(match: re.Match[str]) -> str:
    user = f"{MASK}@" if match["user"] else ""
    query = f"?{MASK}" if match["query"] else ""
    return f"{match['scheme']}{user}{match['rest']}{query}"
