"""The installed packages that vadpipe needs, against its lower bounds.

pip refuses an older pin when vadpipe is installed, but another package that is installed later may put an
older one in its place, with a warning that nobody reads.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from importlib import metadata

from vadpipe.errors import UsageError

CHECKED = ("numpy", "torch")
"""Packages that others pin as well. torch older than its bound can run code from a weights file."""


@cache
def check_requirements() -> None:
    """Check the packages of :data:`CHECKED`, without loading them.

    Raises:
        UsageError: if one is older than vadpipe needs; it says how to update it.
    """
    for name, bound in too_old().items():
        raise UsageError(
            f"{name} {metadata.version(name)} is installed, but vadpipe needs {bound} or newer",
            next_step=f"Run: pip install '{name}>={bound}'. Where another package needs the old one, install "
            "vadpipe in an environment of its own: python3 -m venv.",
        )


def too_old() -> dict[str, str]:
    """Return the packages of :data:`CHECKED` that are older than vadpipe needs, each with its lower bound."""
    found = {}
    for name, bound in lower_bounds().items():
        with suppress(metadata.PackageNotFoundError):
            if _numbers(metadata.version(name)) < _numbers(bound):
                found[name] = bound
    return found


def lower_bounds() -> dict[str, str]:
    """Return the oldest version of each package of :data:`CHECKED`, as the installed vadpipe declares it.

    Empty where vadpipe is not installed, but imported from its source.
    """
    try:
        declared = metadata.requires("vadpipe") or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w-]+)\s*>=\s*([\d.]+)\s*$", line) for line in declared)
    return {bound[1]: bound[2] for bound in found if bound is not None and bound[1] in CHECKED}


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with: (2, 10, 1) of ``2.10.1+cpu``."""
    begins = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in begins[0].split(".")) if begins else ()
