"""``comparison.json``: every figure and difference, and what they were made of."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from vadpipe._version import __version__
from vadpipe.comparison.results import Candidate, Comparison, Figures, LeftOut
from vadpipe.evaluation import score_file
from vadpipe.evaluation.bootstrap import LEVEL
from vadpipe.evaluation.report import source_digest
from vadpipe.files.atomic import write_text

SCHEMA = 1


def write_record(result: Comparison, path: Path) -> None:
    """Write the results of a comparison, atomically. Raises OutputError if that fails."""
    write_text(path, json.dumps(record(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def record(result: Comparison) -> dict[str, object]:
    """Return what ``comparison.json`` holds; a figure that is not defined is null and has its reason."""
    settings, counts = result.settings, asdict(result.frames)
    return {
        "schema_version": SCHEMA,
        "vadpipe": __version__,
        "truth": {
            "file": str(settings.truth),
            "sha256": source_digest(settings.truth),
        },
        "features": str(settings.features),
        "settings": {
            "include_training_videos": settings.include_training_videos,
            "lengths": settings.lengths,
            "assume_fps": settings.assume_fps,
            "bootstrap": settings.bootstrap,
            "level": LEVEL,
            "seed": settings.seed,
        },
        "candidates": [
            {**vars(each), "path": str(each.path), "sha256": candidate_digest(each)}
            for each in result.candidates
        ],
        "reference": result.reference,
        "counts": {name: counts[name] for name in counts if name.startswith("n_")}
        | {"n_groups": result.n_groups},
        "remarks": result.remarks,
        "figures": _figures(result.figures),
        "differences": _figures(result.differences),
        "classes": [
            {
                "category": item.category,
                "n_videos": item.n_videos,
                "n_frames": item.n_frames,
                "n_anomalous": item.n_anomalous,
                "figures": _figures(item.figures),
                "differences": _figures(item.differences),
            }
            for item in result.classes
        ],
        "videos": [asdict(item) for item in result.videos],
        "left_out": {name: _left_out(item) for name, item in result.left_out.items()},
    }


def candidate_digest(candidate: Candidate) -> str | None:
    """Return the sha256 of a head file, or of the scores of an evaluation; None of a folder of curves."""
    if candidate.kind == "curves":
        return None
    return source_digest(candidate.path if candidate.kind == "head" else candidate.path / score_file.NAME)


def _figures(figures: Figures) -> dict[str, dict[str, object]]:
    return {
        candidate: {name: asdict(figure) for name, figure in own.items()}
        for candidate, own in figures.items()
    }


def _left_out(item: LeftOut) -> dict[str, object]:
    return {
        "missing": item.missing,
        "ambiguous": item.ambiguous,
        "failed": {str(failure.path): failure.error.reason for failure in item.failed},
        "other_lengths": [asdict(mismatch) for mismatch in item.mismatches],
        "trained_on": item.trained_on,
    }
