"""The head file: weights, cluster memory, settings, threshold, and the features that it expects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from vadpipe.atomic import write_bytes
from vadpipe.errors import FeatureError
from vadpipe.features import Features, Recipe
from vadpipe.head.network import Head
from vadpipe.head.settings import HeadSettings

SCHEMA = 3
FILE_NAME = "head.safetensors"
LAST_NAME = "last.safetensors"
_HEADER_KEY = "vadpipe.head"


class Calibration(BaseModel):
    """A threshold and how it was found, see :func:`vadpipe.threshold.calibrate`.

    Attributes:
        threshold: a frame whose score reaches it is called abnormal.
        method: ``"rate"`` keeps to ``per_hour``; ``"quantile"``, where that would be lower or the
            footage was too short to tell, is the ``quantile`` of the normal snippets' scores.
        per_hour: false alarms that were wanted in an hour of normal footage.
        quantile: of normal snippets' scores that the threshold is not below.
        hours: of normal video that it was judged on.
        alarms: false alarms there at this threshold.
        unseen: whether the heads that scored these videos had not been trained on them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float
    method: Literal["rate", "quantile"]
    per_hour: float
    quantile: float
    hours: float
    alarms: int
    unseen: bool


class HeadRecord(BaseModel):
    """What is written beside the numbers of a head.

    Attributes:
        schema_version: of this record.
        settings: every switch and number of the training.
        recipe: how the features were made that it was trained on; others are refused.
        calibration: the threshold, and how it was found.
        seed: of the training.
        step: the training step whose numbers these are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    settings: HeadSettings
    recipe: Recipe
    calibration: Calibration
    seed: int
    step: int

    @property
    def threshold(self) -> float:
        """A frame whose score reaches it is called abnormal."""
        return self.calibration.threshold


@dataclass(frozen=True)
class TrainedHead:
    """A head that is ready to score features of its recipe.

    Attributes:
        network: in evaluation mode.
        record: what is known of it.
    """

    network: Head
    record: HeadRecord

    def snippet_scores(self, features: Features) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """Return the score of each snippet, (S,) float32 in [0, 1], guided and averaged over crops.

        A snippet that could not be decoded has NaN.

        Raises:
            FeatureError: where the features were made by another recipe.
        """
        differences = self.record.recipe.differences(features.recipe)
        if differences:
            raise FeatureError(
                f"does not fit the head, which expects other features ({'; '.join(differences[:3])})",
                file=features.source.video,
                next_step="Extract again with the head's backbone, or choose a head made for these features.",
            )
        device = self.network.embedding.mean.device
        kept = ~features.lost
        scores = np.full(len(kept), np.nan, dtype=np.float32)
        if kept.any():
            values = torch.from_numpy(features.values[kept]).transpose(0, 1).unsqueeze(0).to(device)
            scores[kept] = self.network.score(values)[0].cpu().numpy()
        return scores

    def save(self, path: Path) -> None:
        """Write the head atomically, without pickle. Raises OutputError where that fails."""
        tensors = {
            name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()
        }
        write_bytes(path, serialise(tensors, metadata={_HEADER_KEY: self.record.model_dump_json()}))

    @classmethod
    def load(cls, path: Path, device: torch.device | None = None) -> TrainedHead:
        """Read a head from its file, or from the folder that ``fit`` wrote.

        Raises:
            FeatureError: where there is none, or it is damaged or of another schema.
        """
        if path.is_dir():
            path = path / FILE_NAME
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            record = _record(metadata[_HEADER_KEY], path)
            width = record.recipe.feature_dim
            network = Head(torch.zeros(width), torch.ones(width), record.settings)
            network.load_state_dict(tensors)
            if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
                raise FeatureError("is damaged: it holds numbers that are not finite", file=path)
        except FileNotFoundError as error:
            raise FeatureError(
                "no such head", file=path, next_step="Train one with 'vadpipe fit', or leave out --head."
            ) from error
        except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise FeatureError("is not a head of vadpipe, or is damaged", file=path) from error
        return cls(network.eval().to(device or torch.device("cpu")), record)


def _record(text: str, path: Path) -> HeadRecord:
    """Read a record. Raises FeatureError where it is of another schema, ValueError where it is none."""
    known = json.loads(text)
    schema = known.get("schema_version") if isinstance(known, dict) else None
    if schema != SCHEMA and isinstance(schema, int):
        raise FeatureError(
            f"has schema {schema}, this vadpipe reads {SCHEMA}",
            file=path,
            next_step="Train it again with 'vadpipe fit'.",
        )
    return HeadRecord.model_validate_json(text)
