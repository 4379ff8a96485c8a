"""The folder of a fit: what is written there, and whether it is of this fit, of another one, or of none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vadpipe.annotations.labels import Label
from vadpipe.errors import UsageError
from vadpipe.files.atomic import write_text
from vadpipe.head.checkpoint import FILE_NAME, LAST_NAME, TrainedHead
from vadpipe.head.record import Calibration, HeldOut
from vadpipe.head.settings import HeadSettings
from vadpipe.runs.journal import journal
from vadpipe.training.history import StepMetrics, write_history
from vadpipe.training.result import Fit, SeedRun
from vadpipe.training.resume import has_state

STATE_NAME = "training.state"
METRICS_NAME = "metrics.json"


@dataclass(frozen=True)
class FitFolder:
    """A folder that a fit writes to.

    Attributes:
        path: the folder.
        keys: seed -> a text that is the same for two trainings only if they end with the same numbers.
        inputs: digest of all that the results depend on.
    """

    path: Path
    keys: Mapping[int, str]
    inputs: str

    def state_of(self, seed: int) -> Path:
        """Return the file that keeps an interrupted training of that seed."""
        return self.path / (STATE_NAME if len(self.keys) == 1 else f"training-{seed}.state")

    def head_of(self, seed: int, name: str) -> Path:
        """Return the head file of a seed; the first one's lies directly in the folder."""
        own = self.path if seed == next(iter(self.keys)) else self.path / f"seed-{seed}"
        return own / name

    def finished(self, labels: dict[str, Label], unused: list[str]) -> Fit | None:
        """Return the result of an equal fit that has written all its files; None if there is none.

        Args:
            labels: of the videos, as they were found now.
            unused: videos without a label.
        """
        written = self._written()
        if written.get("inputs") != self.inputs or not self._holds(written["files"]):
            return None
        return Fit(
            head=self.path / FILE_NAME,
            last=self.path / LAST_NAME if LAST_NAME in written["files"] else None,
            labels=labels,
            unused=unused,
            runs=[_run(run) for run in written["runs"] or [written]],
            ensemble=written["ensemble"],
            trained=False,
            **_figures(written),
        )

    def check_free(self) -> None:
        """Check that no results of another fit would be overwritten.

        Those beside the state of this fit were written by it, or given up before it was interrupted.

        Raises:
            UsageError: if some would.
        """
        there = [name for name in (FILE_NAME, LAST_NAME, METRICS_NAME) if (self.path / name).exists()]
        if there and not any(has_state(self.state_of(seed), key) for seed, key in self.keys.items()):
            raise UsageError(
                f"holds the results of another training ({', '.join(there)}): of other features, labels, "
                "settings or seeds, on another device, or by another version of vadpipe",
                file=self.path,
                next_step="Choose another folder with -o, or overwrite them with --force.",
            )

    def write(
        self,
        result: Fit,
        heads: Mapping[Path, TrainedHead],
        settings: HeadSettings,
        last: Mapping[str, object],
    ) -> None:
        """Write everything, ``metrics.json`` last, and remove what an interruption would need.

        Args:
            result: of the fit.
            heads: every head file and what it holds.
            settings: of the training.
            last: what ``metrics.json`` says of the last step.

        Raises:
            OutputError: if that fails.
        """
        # Here, since it takes as long to load as all else.
        from vadpipe.training.plot import plot_training

        for path, head in heads.items():
            head.save(path)
        write_text(self.path / "settings.json", settings.model_dump_json(indent=2) + "\n")
        write_history({run.seed: run.history for run in result.runs}, self.path / "history.csv")
        plot_training(result.runs, self.path / "training.png")
        files = {path.relative_to(self.path).as_posix(): _digest(path) for path in heads}
        self._remove(self._written().get("files", {}).keys() - files.keys())
        metrics = {
            "seed": result.runs[0].seed,
            "step": result.step,
            "calibration": result.threshold.model_dump(),
            "held_out": result.held_out.model_dump(),
            **last,
            "videos": {video: int(label.abnormal) for video, label in sorted(result.labels.items())},
            "unused": result.unused,
            "history": [asdict(check) for check in result.history],
            "ensemble": result.ensemble,
            "runs": [_described(run) for run in result.runs] if len(result.runs) > 1 else [],
            "inputs": self.inputs,
            "files": files,
        }
        write_text(self.path / METRICS_NAME, json.dumps(metrics, indent=2) + "\n")
        for seed in self.keys:
            self.state_of(seed).unlink(missing_ok=True)
        others = ("settings.json", "history.csv", "training.png", METRICS_NAME)
        journal().wrote([*heads, *(self.path / name for name in others)])

    def _written(self) -> dict[str, Any]:
        """Return what ``metrics.json`` holds; nothing where it is missing or was not written by a fit."""
        try:
            read = json.loads((self.path / METRICS_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return read if isinstance(read, dict) and isinstance(read.get("files"), dict) else {}

    def _holds(self, files: Mapping[str, str]) -> bool:
        paths = {self.path / name: sha256 for name, sha256 in files.items()}
        return all(path.is_file() and _digest(path) == sha256 for path, sha256 in paths.items())

    def _remove(self, names: Iterable[str]) -> None:
        """Remove head files of a fit that was overwritten, such as those of more seeds."""
        for name in names:
            path, root = self.path / name, self.path.resolve()
            if path.name not in (FILE_NAME, LAST_NAME) or not path.resolve().is_relative_to(root):
                continue
            path.unlink(missing_ok=True)
            if path.parent != self.path and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()


def inputs_of(keys: Iterable[str], *parts: object) -> str:
    """Return the digest of trainings and of what else results depend on."""
    return hashlib.sha256(json.dumps([*keys, *map(str, parts)]).encode()).hexdigest()


def _described(run: SeedRun) -> dict[str, object]:
    return {
        "seed": run.seed,
        "step": run.step,
        "calibration": run.threshold.model_dump(),
        "held_out": run.held_out.model_dump(),
        "history": [asdict(check) for check in run.history],
    }


def _run(described: Mapping[str, Any]) -> SeedRun:
    return SeedRun(seed=described["seed"], **_figures(described))


def _figures(described: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "step": described["step"],
        "threshold": Calibration.model_validate(described["calibration"]),
        "held_out": HeldOut.model_validate(described["held_out"]),
        "history": _history(described["history"]),
    }


def _history(checks: Sequence[Mapping[str, Any]]) -> list[StepMetrics]:
    return [StepMetrics(**check) for check in checks]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
