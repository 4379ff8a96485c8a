"""Types of what a caller of the Python API passes: a wrong one is told by name, not by what fails later."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import cast

from vadpipe.errors import UsageError


@dataclass(frozen=True)
class Kind:
    """What an argument may be.

    Attributes:
        title: what users call it.
        types: that it may have.
        optional: whether None will do as well.
    """

    title: str
    types: tuple[type, ...]
    optional: bool = False

    @property
    def or_none(self) -> Kind:
        """The same, or None."""
        return replace(self, optional=True)

    def fits(self, value: object) -> bool:
        """Return whether a value may be passed. True and False are no numbers."""
        if value is None:
            return self.optional
        return isinstance(value, self.types) and not (isinstance(value, bool) and bool not in self.types)


PATH = Kind("a path", (str, os.PathLike))
TEXT = Kind("a text", (str,))
WHOLE = Kind("a whole number", (Integral,))
NUMBER = Kind("a number", (Real,))
SWITCH = Kind("True or False", (bool,))


def check_arguments(**given: tuple[object, Kind]) -> None:
    """Check arguments, each with what it may be, by their names.

    Raises:
        UsageError: if one has another type.
    """
    for name, (value, kind) in given.items():
        if not kind.fits(value):
            wanted = f"{kind.title}, or None" if kind.optional else kind.title
            raise UsageError(f"{name} is {described(value)}", next_step=f"Pass {wanted} as {name}.")


def path_of(name: str, value: object) -> Path:
    """Return the path that a caller passed as an argument of that name.

    Raises:
        UsageError: if it is something else.
    """
    check_arguments(**{name: (value, PATH)})
    return Path(cast("str | os.PathLike[str]", value))


def names_of(names: object, what: str) -> list[str]:
    """Return the names that a caller passed: one text, or several.

    Raises:
        UsageError: if they are something else.
    """
    given = [names] if isinstance(names, str) or not isinstance(names, Iterable) else [*names]
    texts = [name for name in given if isinstance(name, str)]
    if len(texts) < len(given):
        raise UsageError(f"{what} is {described(names)}", next_step=f"Pass a text or several as {what}.")
    return texts


def described(value: object) -> str:
    """Return a value that was not meant, as an error names it: in full where that is short."""
    text = repr(value)
    plain = isinstance(value, (str, bytes, int, float)) or value is None
    return text if plain and len(text) <= 40 else f"of type {type(value).__name__}"
