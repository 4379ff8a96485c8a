"""``run.json``: the settings of a run, its environment, and the outcome for each video."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from vadpipe._version import __version__
from vadpipe.errors import OutputError
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.video.discovery import Failure, named_video
from vadpipe.features.file import Source
from vadpipe.files.atomic import write_text

log = logging.getLogger(__name__)

FILE_NAME = "run.json"
SCHEMA = 1


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


def write_run(
    folder: Path,
    settings: ExtractSettings,
    result: Extraction,
    sources: Mapping[Path, Source],
    *,
    n_snippets: int,
    took_s: float,
) -> None:
    """Write the record of the last run that did something into the folder of the feature files, if it can be.

    Args:
        folder: of the feature files.
        settings: of the run.
        result: its outcome.
        sources: the video of each feature file of the result.
        n_snippets: how many were computed.
        took_s: how long all of it took.
    """
    damaged = {*result.damaged}
    record = {
        "schema_version": SCHEMA,
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - took_s)),
        "took_s": round(took_s, 3),
        "snippets_per_s": round(n_snippets / took_s, 3),
        "vadpipe": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": _versions(),
        "settings": {
            **asdict(settings),
            "views": settings.views,
            "weights": settings.weights and settings.weights.name,
        },
        "videos": [
            {
                "video": sources[path].video,
                "status": status,
                "damaged": path in damaged,
                "n_announced": sources[path].n_announced,
                "n_decoded": sources[path].n_decoded,
                "sha256": sources[path].sha256,
            }
            for status, paths in (("written", result.written), ("skipped", result.skipped))
            for path in paths
            if path in sources
        ]
        + [
            {"video": named_video(failure.path).name, "status": "failed", "reason": failure.error.reason}
            for failure in result.failed
        ],
    }
    try:
        write_text(folder / FILE_NAME, json.dumps(record, indent=1, ensure_ascii=True) + "\n")
    except OutputError as error:  # the features are written, and nothing depends on this record
        log.warning("%s", error)


def snippets_per_s(folder: Path, settings: ExtractSettings) -> float | None:
    """Return how fast the folder's last run was, or None if there was none with these settings."""
    try:
        record = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        same = all(record["settings"][name] == getattr(settings, name) for name in _DECIDE_SPEED)
        speed = float(record["snippets_per_s"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return speed if same and speed > 0 else None


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
        "libraries": {name: version for name, version in _versions().items() if name in _DECODERS},
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


_DECODERS = ("decord", "decord2", "av", "torchcodec")
_LIBRARIES = (*_DECODERS, "torch", "pytorchvideo", "openvino", "numpy")


def _versions() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
