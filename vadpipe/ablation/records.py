"""``ablation.csv`` with a line for each figure of each run, and ``ablation.json`` with everything."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path

from vadpipe._version import __version__
from vadpipe.ablation.results import Ablation
from vadpipe.ablation.rows import Row
from vadpipe.evaluation.bootstrap import LEVEL
from vadpipe.files.atomic import write_text
from vadpipe.head.settings import HeadSettings

SCHEMA = 1


def write_csv(result: Ablation, path: Path) -> None:
    """Write ``row,seed,fold,at,step,figure,value``, atomically; a figure that is not defined is empty.

    Raises:
        OutputError: if it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "seed", "fold", "at", "step", "figure", "value"])
    for item in result.measured:
        for at, figures in item.figures.items():
            for name, value in figures.items():
                place = [item.job.row, item.job.seed, item.job.fold, at, item.run.record.steps[at]]
                writer.writerow([*place, name, "" if value is None else f"{value:.6f}"])
    write_text(path, text.getvalue())


def write_json(result: Ablation, path: Path) -> None:
    """Write everything but the scores, atomically. Raises OutputError if that fails."""
    text = json.dumps(record(result), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def record(result: Ablation) -> dict[str, object]:
    """Return what ``ablation.json`` holds; a figure that is not defined is null."""
    plan, data = result.plan, result.data
    return {
        "schema_version": SCHEMA,
        "vadpipe": __version__,
        "truth": {"file": str(plan.truth), "sha256": hashlib.sha256(plan.truth.read_bytes()).hexdigest()},
        "features": {"folder": str(data.features), "recipe": data.recipe.model_dump(mode="json")},
        "settings": {
            "base": plan.base.model_dump(mode="json"),
            "folds": plan.n_folds,
            "seeds": plan.n_seeds,
            "partitions": len(plan.partitions),
            "bootstrap": plan.resamples,
            "level": LEVEL,
            "device": plan.device,
        },
        "rows": [_row(row, plan.base) for row in plan.rows],
        "same_settings": plan.same,
        "test_videos": plan.partitions,
        "groups": {truth.video: truth.group for truth in data.truths},
        "not_used": {
            "no_features": data.missing,
            "several_features": data.ambiguous,
            "features_without_truth": data.unused,
        },
        "summaries": [asdict(item) for item in result.summaries],
        "differences": [asdict(item) for item in result.differences],
        "runs": [
            {
                "row": item.job.row,
                "seed": item.job.seed,
                "fold": item.job.fold,
                "file": item.job.file.relative_to(item.job.file.parents[2]).as_posix(),
                "steps": item.run.record.steps,
                "threshold": item.run.record.threshold,
                "test_auc": item.run.record.test_auc,
                "figures": item.figures,
            }
            for item in result.measured
        ],
        "failed": {str(failure.job): failure.error.reason for failure in result.failed},
    }


def _row(row: Row, base: HeadSettings) -> dict[str, object]:
    ours, full = row.settings(base).model_dump(mode="json"), base.model_dump(mode="json")
    changes = {name: value for name, value in ours.items() if value != full[name]}
    return {"name": row.name, "tells": row.tells, "folder": row.folder, "changes": changes}
