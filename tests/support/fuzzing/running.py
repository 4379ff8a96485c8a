"""Mutations of one kind of file, one after the other, and what came of them."""

from __future__ import annotations

import re
import shutil
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import h5py
import psutil

from support.file_access import watched_file
from support.fuzzing import readers
from support.fuzzing.targets import CANARY, Target, write_whole
from support.fuzzing.watching import Hung, limited, watched
from support.processes import children_left
from vadpipe.errors import VadpipeError

LIMIT_S = 120.0
"""What no reader takes for a small file, however busy the machine: a decoder that stalls is ended after 30 s."""

KINDS = ("read", "partial", "refused", "crashed", "stalled")
_CRASHED = re.compile(r"crashed \((SIG[A-Z]+|signal \d+)\)")
_STALLED = re.compile(r"(delivered no frame|did not answer) for ")
_OURS = re.compile(r"ended early|sent an? (invalid|\w+ for)|no frame for")
"""What a child never does by itself, whatever it is fed: then the mistake is in our own code."""

_MAX_LINES, _MAX_REASON = 3, 2000


@dataclass
class Outcome:
    """What came of some mutations.

    Attributes:
        counts: how many of each of :data:`KINDS`: read whole; read in part; refused by an error of ours, for which
            the child that parses the file may have crashed, or been ended because it stalled.
        failures: what may never happen, a text each.
        mutants: the content of each file that a failure is about.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    mutants: list[bytes] = field(default_factory=list, repr=False)


def run(target: Target, scratch: Path, numbers: Iterable[int]) -> Outcome:
    """Read a file of that kind once for each number, which decides how it is changed.

    Args:
        target: the kind of file.
        scratch: an empty folder, in which everything happens.
        numbers: seeds of the mutations.
    """
    inputs, outcome = scratch / target.name, Outcome()
    write_canary(scratch / CANARY)
    write_whole(target, inputs)
    whole = {path: path.read_bytes() for file in target.files for path in sorted(inputs.glob(file))}
    entries = {path.relative_to(inputs) for path in inputs.rglob("*")}
    with watched_file(scratch / CANARY) as touched:
        for number in numbers:
            rng = Random(f"{target.name} {number}")
            path = rng.choice([*whole])
            content = target.mutate(whole[path], rng)
            path.write_bytes(content)
            what = read_one(target, scratch, rng, outcome)
            if touched():
                what.append("opened a file that the changed one only refers to")
            if {path.relative_to(inputs) for path in inputs.rglob("*")} != entries:
                what.append("changed the folder that it read from")
            outcome.failures += [f"{target.name} {number} ({path.name}): {failure}" for failure in what]
            outcome.mutants += [content] * len(what)
            path.write_bytes(whole[path])
    readers.release()
    return outcome


def read_one(target: Target, scratch: Path, rng: Random, outcome: Outcome) -> list[str]:
    """Read what lies in the folder of a target, count how that ends, and return what may not be."""
    output = scratch / "output"
    output.mkdir()
    before = _children()
    errors: list[VadpipeError] = []
    failures: list[str] = []
    kind = "refused"
    with watched(scratch) as done, limited(LIMIT_S):
        try:
            errors = target.read(scratch / target.name, output, rng)
            kind = "partial" if errors else "read"
        except VadpipeError as error:
            errors = [error]
        except (Exception, Hung) as error:
            failures.append("".join(traceback.format_exception(error)))
    failures += done
    failures += [told for error in errors if (told := ill_told(error)) is not None]
    reasons = " ".join(error.reason for error in errors)
    for end, pattern in (("crashed", _CRASHED), ("stalled", _STALLED)):
        kind = end if pattern.search(reasons) else kind
    outcome.counts[kind] += 1
    shutil.rmtree(output)
    readers_own = target.read is readers.read_container
    if not readers_own and _children() != before and children_left(before):
        failures.append("left a process")
    names = {path.name for path in scratch.iterdir()}
    if names != {target.name, CANARY}:
        failures.append(f"wrote outside the output: {sorted(names)}")
        for name in names - {target.name, CANARY}:
            shutil.rmtree(scratch / name, ignore_errors=True)
    return failures


def ill_told(error: VadpipeError) -> str | None:
    """Return what is wrong with how an error is told, or None."""
    lines = str(error).splitlines()
    if len(lines) > _MAX_LINES:
        return f"{len(lines)} lines: {error!r:.500}"
    if not all(line.isprintable() for line in lines):
        return f"cannot be printed: {error!r:.500}"
    if len(error.reason) > _MAX_REASON:
        return f"{len(error.reason)} characters: {error.reason:.200}"
    if _OURS.search(error.reason):
        return f"a mistake of the child: {error.reason:.500}"
    return None


def _children() -> frozenset[psutil.Process]:
    return frozenset(psutil.Process().children(recursive=True))


def write_canary(path: Path) -> None:
    """Write a file that could be read, but may not be."""
    with h5py.File(path, "w") as file:
        file["a"] = 1.0
