"""The rows of the table: variants of the method, each a few settings away from the full one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import ValidationError

from vadpipe.errors import UsageError
from vadpipe.files.atomic import fitting_name
from vadpipe.head.methods import METHODS, check_read, settings_of
from vadpipe.head.settings import HeadSettings, Value, refusal

PROTOCOL = ("folds", "checks", "false_alarms_per_hour", "normal_quantile")
"""Settings of how a step and a threshold are picked; rows of all methods take them from the base."""


@dataclass(frozen=True)
class Row:
    """A variant of the method.

    Attributes:
        name: what the table calls it.
        tells: what it is there for, in a few words.
        changes: settings that differ from the base; the full method has none.

    Raises:
        UsageError: if the name is empty or cannot be printed.
    """

    name: str
    tells: str
    changes: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.isprintable() or not self.folder:
            raise UsageError(f"{self.name!r} cannot be the name of a row", next_step="Use letters or digits.")
        object.__setattr__(self, "changes", MappingProxyType(dict(self.changes)))

    @property
    def folder(self) -> str:
        """The name of its folder: ``"+ batch clustering"`` becomes ``"batch-clustering"``."""
        return fitting_name(re.sub(r"[^\w.]+", "-", self.name.lower()).strip("-."), "")

    def settings(self, base: HeadSettings) -> HeadSettings:
        """Return the base with this row's changes.

        A row of another method than the base's has that method's published settings in place of the base's,
        but for those of :data:`PROTOCOL`: all rows are calibrated alike.

        Raises:
            UsageError: if one is unknown, out of range or not read by the method that the row names.
        """
        start, method = base, str(self.changes.get("method", base.method))
        known = method in {one.name for one in METHODS}
        if method != base.method and known:
            start = settings_of(method).model_copy(update={name: getattr(base, name) for name in PROTOCOL})
        try:
            if "method" in self.changes and known:
                check_read(method, self.changes)
            return HeadSettings.model_validate(start.model_dump() | dict(self.changes))
        except ValidationError as error:
            reason, next_step = refusal(error.errors()[0])
            raise UsageError(f"row {self.name!r}: {reason}", next_step=next_step) from error
        except UsageError as error:
            raise UsageError(f"row {self.name!r}: {error.reason}", next_step=error.next_step) from error


BASELINE = "mil"
CONTROL = "second head"
REFERENCES = (BASELINE, CONTROL)
"""Every other row is compared with these."""

_CLUSTERS: Mapping[str, Value] = {"clustering": True, "second_head": False}
_FULL: Mapping[str, Value] = {**_CLUSTERS, "guided": True}
"""Every row says which branches it has, so that it is what it is called whatever the base."""

ROWS = (
    Row(
        BASELINE,
        "baseline: plain multiple-instance head",
        {"clustering": False, "second_head": False, "guided": False},
    ),
    Row("+ batch clustering", "claim 1 alone", {**_CLUSTERS, "memory": "none", "guided": False}),
    Row("+ cross-batch", "claims 1 and 2", {**_CLUSTERS, "guided": False}),
    Row("+ guided score", "claims 1 to 3: the full method, the settings as they are", _FULL),
    Row(
        CONTROL,
        "control: a second head of the branch's size in place of the clusters",
        {"clustering": False, "second_head": True, "guided": True},
    ),
    Row("full without memory", "claims 1 and 3", {**_FULL, "memory": "none"}),
    Row("memory ema", "the memory's mean within the batch's centroids", {**_FULL, "memory": "ema"}),
    Row("g = 0", "no clustering gradient reaches the embedding", {**_FULL, "cluster_gradient": 0.0}),
    Row("g = 0.25", "a quarter of it does", {**_FULL, "cluster_gradient": 0.25}),
    Row("g = 1", "all of it does", {**_FULL, "cluster_gradient": 1.0}),
    Row("context", "the whole video beside each segment", {**_FULL, "context": "pooled"}),
)


def parse_row(text: str) -> Row:
    """Read ``"name: setting=value setting=value"``. Raises UsageError if it is not of that form."""
    name, colon, rest = text.partition(":")
    pairs = [part.partition("=") for part in rest.split()]
    if not colon or not pairs or not all(key and equals for key, equals, _ in pairs):
        raise UsageError(
            f"{text!r} is not a row",
            next_step="Write NAME: SETTING=VALUE, with blanks between several settings.",
        )
    return Row(name.strip(), "given by the user", {key: value for key, _, value in pairs})


@dataclass(frozen=True)
class Chosen:
    """The rows of an ablation.

    Attributes:
        rows: no two have the same settings.
        same: rows left out since their settings are those of another, and that other's name.
    """

    rows: list[Row]
    same: dict[str, str]


def choose_rows(base: HeadSettings, own: Iterable[Row] = (), names: Sequence[str] | None = None) -> Chosen:
    """Return the rows to run: the known ones and the user's, or those that are named.

    Args:
        base: the full method.
        own: rows besides :data:`ROWS`.
        names: which of all these to run, in this order; all by default.

    Raises:
        UsageError: if a name is unknown, two rows share a name or a folder, or a setting is off.
    """
    known = {row.name: row for row in ROWS}
    folders = {row.folder: row.name for row in ROWS}
    for row in own:
        taken = folders.setdefault(row.folder, row.name)
        if row.name in known or taken != row.name:
            raise UsageError(f"the row {taken!r} already exists", next_step=f"Rename {row.name!r}.")
        known[row.name] = row
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise UsageError(
            f"unknown row {unknown[0]!r}",
            next_step=f"The rows are: {', '.join(known)}. Others: --row 'NAME: SETTING=VALUE'.",
        )
    rows: list[Row] = []
    same: dict[str, str] = {}
    first: dict[HeadSettings, str] = {}
    for name in dict.fromkeys(known if names is None else names):
        other = first.setdefault(known[name].settings(base), name)
        if other == name:
            rows.append(known[name])
        else:
            same[name] = other
    if not rows:
        raise UsageError("no row was given", next_step=f"The rows are: {', '.join(known)}.")
    return Chosen(rows, same)
