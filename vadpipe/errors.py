"""Every error that vadpipe raises on purpose, in one tree.

::

    VadpipeError                 exit code
    ├── UsageError               2   a setting, a label or an argument is invalid
    ├── FeatureError             2   a feature file or a head does not fit
    ├── InputError               4   a video cannot be used
    │   └── DecodeError          4   a video breaks while it is decoded
    ├── WeightsError             5   weights are missing or wrong
    └── OutputError              6   a result cannot be written

A run over many videos ends with 3 where some of them failed and with 4 where all did; an interrupt
ends it with 130.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EXIT_SOME_FAILED = 3
EXIT_ALL_FAILED = 4
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
EXIT_TERMINATED = 143

_LONGEST = 1000
"""Characters of a reason or a next step."""


class VadpipeError(Exception):
    """Base of the tree: what went wrong, with which file, and what to do next.

    Attributes:
        reason: one line, without the name of the file. Since it may quote anything from a file, unprintable
            characters are escaped, and a very long text is shortened in its middle.
        file: the file or folder in question, or None.
        next_step: one line that tells the user what to do, or None.
        exit_code: what the command line returns for it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        reason: str,
        *,
        file: str | os.PathLike[str] | None = None,
        next_step: str | None = None,
    ) -> None:
        self.reason = _one_line(reason)
        self.file = None if file is None else os.fspath(file)
        self.next_step = None if next_step is None else _one_line(next_step)
        super().__init__(str(self))

    def __str__(self) -> str:
        """Two lines at most: ``FILE: reason`` and the next step."""
        name = "" if self.file is None else f"{printable(self.file)}: "
        return f"{name}{self.reason}" + (f"\n{self.next_step}" if self.next_step else "")

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword arguments do not pickle by themselves, and workers send them back.
        return (_rebuild, (type(self), self.reason, self.file, self.next_step))


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path for a message; one that holds a line break, say, is escaped and so stays one line."""
    name = os.fspath(path)
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
        )
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 4 :]}"
    return line


def message_of(mistake: ErrorDetails) -> str:
    """Return what a pydantic model says is wrong; a sentence of ours as we wrote it."""
    return mistake["msg"].removeprefix("Value error, ")


def _rebuild(kind: type[VadpipeError], reason: str, file: str | None, next_step: str | None) -> VadpipeError:
    return kind(reason, file=file, next_step=next_step)


class UsageError(VadpipeError):
    """A setting, an argument or a label list is wrong or unclear."""

    exit_code = 2


class FeatureError(VadpipeError):
    """A feature file or a head is broken, or does not fit what it is used with."""

    exit_code = 2


class InputError(VadpipeError):
    """A video is missing, is not a video, or holds nothing to score."""

    exit_code = EXIT_ALL_FAILED


class DecodeError(InputError):
    """A video was opened but its frames could not be decoded."""


class WeightsError(VadpipeError):
    """Pretrained weights are missing, cannot be fetched, or are not the ones that were named."""

    exit_code = 5


class OutputError(VadpipeError):
    """A result cannot be written: no permission, no space, or no such folder."""

    exit_code = 6
