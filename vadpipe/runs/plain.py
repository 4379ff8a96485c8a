"""Arguments of a function as JSON."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral, Real

from pydantic import BaseModel

from vadpipe.runs.masking import masked

_LONGEST = 10_000
"""Items of an argument that are kept; more are data, such as features in memory."""


def plain(value: object) -> object:
    """Return a value as JSON has it, secrets masked; data in memory is named by its type."""
    match value:
        case None | bool():
            return value
        case str() | os.PathLike():
            return masked(_text(os.fspath(value)))
        case Integral():
            return int(value)
        case Real():
            return float(value) if math.isfinite(value) else str(value)
        case BaseModel():
            return plain(value.model_dump(mode="json"))
        case Mapping() if len(value) <= _LONGEST:
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset() | range() if len(value) <= _LONGEST:
            return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return f"in memory: {type(value).__name__}"


def plain_arguments(arguments: Mapping[str, object]) -> dict[str, object]:
    """Return arguments as JSON, without callbacks."""
    return {name: plain(value) for name, value in arguments.items() if not name.startswith("on_")}


def _text(path: str | bytes) -> str:
    return os.fsdecode(path).encode(errors="backslashreplace").decode()
