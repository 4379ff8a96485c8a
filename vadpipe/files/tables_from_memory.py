"""Tables that are passed from Python: a path, a data frame of pandas, or a dictionary of labels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, cast

import numpy as np

from vadpipe.errors import UsageError
from vadpipe.files.arguments import described

if TYPE_CHECKING:
    from pandas import DataFrame

    Table = str | os.PathLike[str] | DataFrame
else:
    Table = str | os.PathLike  # pandas need not be installed
"""A CSV file, or a data frame with the same columns."""

Row = dict[str, str]

LABELS = "labels (dictionary)"
"""What messages call a dictionary of labels."""


@dataclass(frozen=True)
class GivenTable:
    """A table in memory; stands for the path of a CSV file, also in messages.

    Attributes:
        name: what messages call it.
        columns: their names, in order.
        rows: each with its number, from 1; its fields as text.
    """

    name: str
    columns: list[str] = field(repr=False)
    rows: list[tuple[int, Row]] = field(repr=False)

    def __fspath__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name


def given_table(table: object, what: str) -> Path | GivenTable:
    """Return the path, or the table in memory, that a caller passed.

    Args:
        table: a path, or a data frame of pandas. A column ``video`` may be its index.
        what: the argument's name, such as ``"truth"``.

    Raises:
        UsageError: if it is something else.
    """
    if isinstance(table, (str, os.PathLike)):
        return Path(table)
    if _is_frame(table):
        return _of_frame(cast("DataFrame", table), f"{what} (data frame)")
    step = f"Pass a path or a data frame of pandas as {what}."
    raise UsageError(f"{what} is {described(table)}", next_step=step)


def given_labels(labels: object) -> Path | GivenTable | Mapping[str, str] | None:
    """Return labels as :func:`given_table` does; a dictionary ``{video: label}`` and None will do as well.

    Of a dictionary, videos and labels are returned as text.

    Raises:
        UsageError: if they are something else, or a dictionary without a video or with a label that is
            neither a number nor a text.
    """
    if labels is None:
        return None
    if isinstance(labels, Mapping):
        if not labels:
            raise UsageError("has no labels", file=LABELS, next_step="Pass {video: label}, with 0 or 1.")
        for video, label in labels.items():
            if not isinstance(label, (str, Real, np.bool_)):
                raise UsageError(
                    f"the label of {_text(video)!r} is {described(label)}",
                    file=LABELS,
                    next_step="Pass 0 or 1, or a word such as normal or abnormal.",
                )
        return {_text(video): _text(label) for video, label in labels.items()}
    if isinstance(labels, (str, os.PathLike)) or _is_frame(labels):
        return given_table(labels, "labels")
    raise UsageError(
        f"labels is {described(labels)}",
        next_step="Pass a path, a data frame of pandas or a dictionary {video: label} as labels.",
    )


def _is_frame(table: object) -> bool:
    """Return whether this is a data frame of pandas, which need not be installed for that."""
    homes = [(base.__name__, base.__module__.partition(".")[0]) for base in type(table).__mro__]
    return ("DataFrame", "pandas") in homes


def _of_frame(frame: DataFrame, name: str) -> GivenTable:
    if frame.index.name is not None and frame.index.name not in frame.columns:
        frame = frame.reset_index()
    columns = [str(column) for column in frame.columns]
    plain = frame.astype(object).where(frame.notna(), None)
    rows = [
        dict(zip(columns, map(_text, values), strict=True))
        for values in plain.itertuples(index=False, name=None)
    ]
    return GivenTable(name, columns, list(enumerate(rows, 1)))


def _text(value: object) -> str:
    """Return a field as a CSV file has it: what is missing is empty, pairs of frames are ``start:stop``."""
    if value is None:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, Real) and float(value).is_integer():
        return str(int(float(value)))  # a column with a missing number holds floats
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes)):
        return " ".join(":".join(map(_text, np.atleast_1d(pair).tolist())) for pair in value)
    return str(value)
