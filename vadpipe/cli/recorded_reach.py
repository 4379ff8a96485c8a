"""What a recorded command would write to and connect to, since a record may be a stranger's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from vadpipe.cli.recorded_inputs import positionals
from vadpipe.errors import UsageError
from vadpipe.extract.video.lists import names_list, read_list
from vadpipe.runs.record import RunRecord
from vadpipe.scoring.inputs import find_inputs

_DEFAULT_OUTPUTS = {
    "extract": "features",
    "fit": "head",
    "evaluate": "evaluation",
    "compare": "comparison",
    "ablate": "ablation",
    "features import": "features",
}
"""Where commands write that are not told; ``score`` writes beside what it scores."""

_ALSO_WRITTEN = {"score": ("annotate", "clips", "features"), "fit": ("tensorboard",)}
"""Options besides ``--output`` that say where something is written."""


def _given(record: RunRecord) -> dict[str, object]:
    """Return the arguments that were given; None stands for one that was not."""
    return {name: value for name, value in (record.arguments or {}).items() if value is not None}


def moved_options(record: RunRecord, target: Path) -> dict[str, Path]:
    """Return where each option that says where to write leads if everything is written below a folder."""
    given = _given(record)
    moved = {"output": target}
    for name in _ALSO_WRITTEN.get(record.command, ()):
        if name in given:
            last = Path(str(given[name])).name
            moved[name] = target / (name if last in ("", "..") else last)
    if record.command == "extract" and "features" in given:  # another name of --output
        moved["features"] = target
    return moved


def reach(record: RunRecord, folder: Path, *, moved: bool) -> list[str]:
    """Return what a recorded command would reach that is not its own, each as a short text.

    Args:
        record: of the command; relative paths begin in the working directory.
        folder: of the record, in which its command may write.
        moved: whether everything that it writes goes elsewhere.

    Raises:
        UsageError: if the arguments do not fit the command, or a list of videos cannot be read.
    """
    found = sorted({f"connects to {text}" for text in _texts(record) if ":/" in text})
    ray = str(_given(record).get("ray", "local"))
    if ray != "local" and ":/" not in ray:
        found.append(f"connects to the Ray cluster {ray}")
    if not found and not moved:  # what has addresses is not searched for videos, which would ask them
        try:
            found += _outside(record, folder.resolve())
        except (OSError, ValueError, RuntimeError) as error:  # null bytes; links that lead to themselves
            raise UsageError(f"names a place that cannot be written to: {error}") from error
    return found


def _outside(record: RunRecord, home: Path) -> list[str]:
    """Return what a command would write outside a folder; links in what is outside are not looked for."""
    named = [*_named(record)]
    places = {path.resolve() for path in (*named, *_beside_inputs(record))}
    inside = [place for place in named if place.resolve().is_relative_to(home)]
    links = {link for place in inside for link in _links(place) if not link.resolve().is_relative_to(home)}
    return [
        *(f"writes to {path}" for path in sorted(places) if not path.is_relative_to(home)),
        *(f"may write through the link {link}" for link in sorted(links)),
    ]


def _named(record: RunRecord) -> Iterator[Path]:
    """Yield where a command is told to write, or writes untold: folders and files."""
    given = _given(record)
    for name in _ALSO_WRITTEN.get(record.command, ()):
        if name in given:
            yield Path(str(given[name]))
    output = given.get("output", _DEFAULT_OUTPUTS.get(record.command))
    if record.command == "extract" and "output" not in given:
        output = given.get("features", output)
    if output is not None:
        yield Path(str(output))


def _beside_inputs(record: RunRecord) -> set[Path]:
    """Return the folders of the inputs that a command writes beside, which ``score`` does untold."""
    if record.command in _DEFAULT_OUTPUTS or "output" in _given(record):
        return set()
    inputs, _ = find_inputs(positionals(record))
    return {item.path.parent for item in inputs}


def _links(folder: Path) -> Iterator[Path]:
    """Yield the links below a folder; results behind them are written where they lead."""
    for place, folders, files in os.walk(folder):
        yield from (path for name in (*folders, *files) if (path := Path(place, name)).is_symlink())


def _texts(record: RunRecord) -> Iterator[str]:
    """Yield every text among a command's arguments, and in the lists of videos that they name."""
    named = positionals(record)
    yield from _texts_in([*_given(record).values(), named])
    for name in named:
        if names_list(name):
            if not Path(name[1:]).is_file():  # a pipe or a device may never end
                raise UsageError("cannot be read as a list of videos: Not a regular file", file=name)
            yield from read_list(name)


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in [*value, *(value.values() if isinstance(value, dict) else ())]:
            yield from _texts_in(item)
