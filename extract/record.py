"""The result of an extraction, and what later ones want to know of it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vadpipe.errors import UsageError
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.video.discovery import Failure
from vadpipe.extract.video.shards import Shard
from vadpipe.runs.record import FILE_NAME, read_record
from vadpipe.runs.versions import DECODERS, library_versions


@dataclass(frozen=True)
class Extraction:
    """Result of :func:`vadpipe.extract_features`, in the order of the input.

    Attributes:
        written: feature files made by this call.
        skipped: existing feature files that still fit.
        failed: videos that could not be used, and why.
        damaged: feature files, among those written or skipped, of videos that lost a larger share of their
            frames than is tolerated.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)


def snippets_per_s(folder: Path, settings: ExtractSettings, shard: Shard | None = None) -> float | None:
    """Return how fast the folder's last run was, or None if none of this shard had these settings."""
    try:
        record = read_record(folder / (FILE_NAME if shard is None else shard.own_name(FILE_NAME)))
    except UsageError:
        return None
    then, speed = record.resolved.get("settings"), record.times.snippets_per_s
    if record.command != "extract" or not isinstance(then, dict) or speed is None:
        return None
    same = all(then.get(name) == getattr(settings, name) for name in _DECIDE_SPEED)
    return speed if same and 0 < speed < math.inf else None


_DECIDE_SPEED = (
    "backbone", "view", "crops", "stride", "window", "target_fps", "fps", "decoder", "device", "engine",
    "precision",
)  # fmt: skip


def asked_of(settings: ExtractSettings) -> str:
    """Return a digest of what decides whether a video can be used: how, within what, by which versions.

    A failure is remembered only while this stays the same.
    """
    asked: dict[str, Any] = {
        **{name: value for name, value in asdict(settings).items() if name not in ("weights", "offline")},
        "libraries": {name: version for name, version in library_versions().items() if name in DECODERS},
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
