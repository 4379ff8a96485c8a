"""Results that are in a folder already: those of the same inputs are replaced, others only on request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from vadpipe.errors import UsageError

FORCE = "Choose another folder with -o, or overwrite it with --force."


def check_replaceable(file: Path, inputs: Mapping[str, object], *, what: str, force: bool) -> None:
    """Check that a record of results may be overwritten by that of another run.

    Args:
        file: the JSON record, which may be missing.
        inputs: what the new results are made of, by the name that the record gives it; each is the part of
            the record that identifies it. The first one that differs is named.
        what: the command that writes such records, ``"evaluate"`` or ``"compare"``.
        force: whether any record may be overwritten.

    Raises:
        UsageError: if it is of other inputs, or not of such a run.
    """
    if force or not file.exists():
        return
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        held = None
    if not isinstance(held, dict) or not inputs.keys() <= held.keys():
        raise UsageError(
            f"already exists, and was not written by 'vadpipe {what}'", file=file, next_step=FORCE
        )
    for name, identity in inputs.items():
        if _identity(held[name]) != identity:
            raise UsageError(
                f"already exists, and is of {_of_others(name, held[name])}", file=file, next_step=FORCE
            )


def identity_of(file: str, sha256: str | None) -> str:
    """Return what identifies an input: its content, or its name where that has no digest."""
    return sha256 or file


def _identity(held: object) -> object:
    """Return the identity of what a record names: a file with its digest, or several."""
    if isinstance(held, list):
        return [_identity(each) for each in held]
    if not isinstance(held, dict):
        return None
    return held.get("sha256") or held.get("file") or held.get("path")


def _of_others(name: str, held: object) -> str:
    if isinstance(held, list):
        return f"other {name} ({', '.join(_shown(each) for each in held)})"
    return f"another {name} ({_shown(held)})"


def _shown(held: object) -> str:
    return str(held.get("file") or held.get("path")) if isinstance(held, dict) else "unknown"
