"""Reading of a JSON record that a stranger may have written, in memory that does not depend on it."""

from __future__ import annotations

import json
from typing import Any

MOST_VALUES = 2**21
"""What a record may hold; its longest list has the digests of the training videos, of which a million fit."""

MOST_NAMES = 1000
"""What an object of a record may hold: each that is not known costs the memory of an error message."""


def parse_record(text: str) -> Any:  # noqa: ANN401
    """Return what a record in JSON holds.

    Raises:
        ValueError: if it is no JSON, nested deeply, or holds more than any record does. Empty lists, say,
            take 25 times the memory of their text.
    """
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES:,} values")
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_NAMES:
        raise ValueError(f"an object has more than {MOST_NAMES} names")
    return dict(pairs)
