"""The command that calls a function, if one does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from vadpipe.runs.record import RerunRecord

Event = dict[str, object]


@dataclass
class CommandLine:
    """The command that calls a function.

    Attributes:
        arguments: that were given, by the name of the option.
        rerun: which run is repeated, if any.
        on_event: called with what happens, by ``kind``: ``"started"``, ``"finished"`` or ``"skipped"`` of a
            video, and ``"record"``.
        records: files that were written while it ran.
    """

    arguments: dict[str, object]
    rerun: RerunRecord | None = None
    on_event: Callable[[Event], None] | None = None
    records: list[Path] = field(default_factory=list)


_current: ContextVar[CommandLine | None] = ContextVar("command_line", default=None)


def command_line() -> CommandLine | None:
    """Return the command whose runs are recorded; None of calls from Python."""
    return _current.get()


@contextmanager
def called_by(command: CommandLine) -> Iterator[CommandLine]:
    """Have runs recorded as those of a command."""
    token = _current.set(command)
    try:
        yield command
    finally:
        _current.reset(token)
