"""``metrics.json``: every figure, and the data behind it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from vadpipe._version import __version__
from vadpipe.curves.events import HYSTERESIS, MERGE_GAP_S
from vadpipe.evaluation.alarms import IOUS
from vadpipe.evaluation.bootstrap import LEVEL
from vadpipe.evaluation.frame_scores import TOLERATED_FRAMES
from vadpipe.evaluation.results import Evaluation
from vadpipe.files.atomic import write_text
from vadpipe.files.tables_from_memory import GivenTable
from vadpipe.training.report import training_warnings

SCHEMA = 1


def write_metrics(result: Evaluation, path: Path) -> None:
    """Write the results of an evaluation, atomically. Raises OutputError if that fails."""
    write_text(path, json.dumps(record(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def record(result: Evaluation) -> dict[str, object]:
    """Return what ``metrics.json`` holds; a figure that is not defined is null."""
    settings, counts = result.settings, asdict(result.frames)
    return {
        "schema_version": SCHEMA,
        "vadpipe": __version__,
        "head": {"file": str(settings.head), "sha256": source_digest(settings.head)},
        "truth": {"file": str(settings.truth), "sha256": source_digest(settings.truth)},
        "features": str(settings.features),
        "adapted_to": None if settings.adapt_to is None else str(settings.adapt_to),
        "settings": {
            "threshold": result.threshold,
            "threshold_from": "head" if settings.threshold is None else "user",
            "views": result.views,
            "views_from": "features" if settings.views is None else "user",
            "lengths": settings.lengths,
            "tolerated_frames": TOLERATED_FRAMES,
            "hysteresis": HYSTERESIS,
            "join_s": MERGE_GAP_S,
            "ious": IOUS,
            "bootstrap": settings.bootstrap,
            "level": LEVEL,
            "seed": settings.seed,
        },
        "counts": {name: counts[name] for name in counts if name.startswith("n_")},
        "figures": {name: asdict(figure) for name, figure in result.figures.items()},
        "confusion": {
            "frames": asdict(result.frame_confusion),
            "videos": asdict(result.video_confusion),
        },
        "training": {
            "calibration": result.calibration.model_dump(),
            "held_out": None if result.held_out is None else result.held_out.model_dump(),
            "warnings": training_warnings(result.calibration, result.held_out),
        },
        "remarks": result.remarks,
        "classes": [asdict(item) for item in result.classes],
        "videos": [asdict(item) for item in result.videos],
        "trained_on": {
            "videos": result.trained_on,
            "evaluated": settings.include_training_videos,
        },
        "not_evaluated": {
            "failed": {str(failure.path): failure.error.reason for failure in result.failed},
            "no_features": result.missing,
            "several_features": result.ambiguous,
        },
        "other_lengths": [asdict(mismatch) for mismatch in result.mismatches],
        "features_without_truth": result.unused,
        "features_of_another_recipe": [str(path) for path in result.foreign],
    }


def source_digest(path: Path | GivenTable) -> str:
    """Return the sha256 of a file, or of the columns and rows of a table in memory."""
    if isinstance(path, GivenTable):
        return hashlib.sha256(json.dumps([path.columns, path.rows]).encode()).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest()
