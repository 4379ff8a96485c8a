"""The file of a run: the scores of a fold's videos, and everything that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from vadpipe._version import __version__
from vadpipe.ablation.data import Data
from vadpipe.files.atomic import write_bytes
from vadpipe.head.settings import HeadSettings
from vadpipe.training.resume import code_digest

SCHEMA = 1
_HEADER_KEY = "vadpipe.ablation.run"

At = Literal["selected", "last", "best-on-test"]
"""Which step of a training: the one that unseen training videos picked, its end, or the one with the highest
frame ROC-AUC on the test videos. The last of these uses the test labels: papers report it, but it cannot be
obtained in practice."""

ATS: tuple[At, ...] = get_args(At)


@dataclass(frozen=True)
class AblationJob:
    """A training run to do.

    Attributes:
        row, fold, seed: which; folds and seeds count from 0.
        settings: of the head.
        test: the videos that are scored, by the truth's names; all others are learned from.
        key: digest of everything that the result depends on.
        file: where it is kept.
    """

    row: str
    fold: int
    seed: int
    settings: HeadSettings
    test: tuple[str, ...]
    key: str
    file: Path

    def __str__(self) -> str:
        return f"{self.row}, fold {self.fold}, seed {self.seed}"


class TrainingRecord(BaseModel):
    """The record beside the scores.

    Attributes:
        schema_version: of this record.
        key: see :class:`AblationJob`.
        settings, fold, seed: see :class:`AblationJob`.
        videos: the test videos.
        n_snippets: how many scores each of them has.
        threshold: of the head at the selected step.
        steps: the step of each of :data:`ATS`.
        test_auc: step -> frame ROC-AUC over the test videos.
        history: every check of the training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    key: str
    settings: HeadSettings
    fold: int
    seed: int
    videos: tuple[str, ...]
    n_snippets: tuple[int, ...]
    threshold: float
    steps: dict[At, int]
    test_auc: dict[int, float]
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """The result of a training.

    Attributes:
        record: its record.
        scores: for each of :data:`ATS` the snippet scores (S,) float32 of each test video.
    """

    record: TrainingRecord
    scores: dict[At, list[NDArray[np.float32]]] = field(repr=False)

    def save(self, path: Path) -> None:
        """Write it atomically. Raises OutputError if that fails."""
        arrays: dict[str, NDArray[np.float32]] = {at: np.concatenate(self.scores[at]) for at in ATS}
        write_bytes(path, serialise(arrays, metadata={_HEADER_KEY: self.record.model_dump_json()}))

    @classmethod
    def find(cls, path: Path, key: str) -> Run | None:
        """Return the run of that key, or None if the file is missing, broken or of another key."""
        try:
            with safe_open(path, framework="numpy") as file:
                record = TrainingRecord.model_validate_json((file.metadata() or {})[_HEADER_KEY])
                if record.key != key or record.schema_version != SCHEMA:
                    return None
                arrays: dict[At, NDArray[np.float32]] = {at: file.get_tensor(at) for at in ATS}
        except (OSError, SafetensorError, KeyError, ValidationError):
            return None
        ends = np.cumsum(record.n_snippets)
        if any(len(array) != ends[-1] for array in arrays.values()):
            return None
        return cls(record, {at: np.split(array, ends[:-1]) for at, array in arrays.items()})


def key_of(data: Data, settings: HeadSettings, test: Sequence[str], seed: int, device: str) -> str:
    """Return the digest of everything that a run's result depends on, the code that trains included."""
    parts = [
        SCHEMA,
        __version__,
        torch.__version__,
        code_digest(),
        hashlib.sha256(Path(__file__).with_name("fold_run.py").read_bytes()).hexdigest(),
        data.digest,
        settings.model_dump(mode="json"),
        list(test),
        seed,
        torch.device(device).type,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
