"""What a recorded command would write to and connect to, since a record may be a stranger's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vadpipe.cli.recorded_inputs import positionals
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

_OWN_RAY = ("auto", "local")
"""Clusters of this machine's own user."""


def moved_options(record: RunRecord, target: Path) -> dict[str, Path]:
    """Return where each option that says where to write leads if everything is written below a folder."""
    given = record.arguments or {}
    moved = {"output": target}
    for name in _ALSO_WRITTEN.get(record.command, ()):
        if name in given:
            moved[name] = target / Path(str(given[name])).name
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
        UsageError: if its arguments are none of its command, or a list of videos cannot be read.
    """
    given = record.arguments or {}
    found = sorted({f"asks the address {text}" for text in _texts(record) if "://" in text})
    ray = str(given.get("ray", _OWN_RAY[0]))
    if ray not in _OWN_RAY and "://" not in ray:
        found.append(f"connects to the Ray cluster {ray}")
    if not found and not moved:  # what has addresses is not searched for videos, which would ask them
        home = folder.resolve()
        outside = {path.resolve() for path in _written(record) if not path.resolve().is_relative_to(home)}
        found += [f"writes to {path}" for path in sorted(outside)]
    return found


def _written(record: RunRecord) -> Iterator[Path]:
    """Yield where a command writes: folders, and files that it names."""
    given = record.arguments or {}
    for name in _ALSO_WRITTEN.get(record.command, ()):
        if name in given:
            yield Path(str(given[name]))
    default = _DEFAULT_OUTPUTS.get(record.command)
    if record.command == "extract":
        default = str(given.get("features", default))
    output = given.get("output", default)
    if output is not None:
        yield Path(str(output))
    else:
        inputs, _ = find_inputs(positionals(record))
        yield from {item.path.resolve().parent for item in inputs}
        yield from {item.path.parent for item in inputs}


def _texts(record: RunRecord) -> Iterator[str]:
    """Yield every text among a command's arguments, and in the lists of videos that they name."""
    named = positionals(record)
    for value in (*(record.arguments or {}).values(), named):
        yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))
    for name in named:
        if names_list(name):
            yield from read_list(name)
