"""The head file: weights, cluster memory, settings, threshold, and the features that it expects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.commands import refusal
from vadpipe.features.file import Features, Recipe
from vadpipe.features.folder import HEAD_NAMES
from vadpipe.files.atomic import write_bytes
from vadpipe.head.building import build_head
from vadpipe.head.head import Head
from vadpipe.head.methods import CBCG
from vadpipe.head.pieces import PiecewiseScoring
from vadpipe.head.settings import HeadSettings

SCHEMA = 4
FILE_NAME, LAST_NAME = HEAD_NAMES
_HEADER_KEY = "vadpipe.head"

_READ = (3, SCHEMA)
"""Schemas that are read; 3 is of before there were methods, when every head was CBCG's."""


_BEFORE = {"view_sampling": "all", "view_join": "mean"}
"""What CBCG's heads did before there were these settings, which their records therefore lack."""


class Calibration(BaseModel):
    """A threshold and how it was found, see :func:`vadpipe.training.calibration.calibrate`.

    Attributes:
        threshold: a frame whose score reaches it is called abnormal.
        method: ``"rate"`` keeps to ``per_hour``; ``"quantile"``, where that would be lower or the
            footage was too short to tell, is the ``quantile`` of the normal snippets' scores;
            ``"balanced"``, where no abnormal video reached that, has the best balanced accuracy over videos.
        per_hour: false alarms that were wanted per hour of normal footage.
        quantile: of normal snippets' scores that the threshold is not below.
        hours: of normal video that it was judged on.
        alarms: false alarms there at this threshold.
        unseen: whether the heads that scored these videos had not been trained on them.
        n_normal, n_abnormal: videos that it was judged on.
        n_normal_flagged, n_abnormal_flagged: those of them that raise an event at this threshold.
        alarm_share: of the time of the normal videos, how much lies in events at this threshold, in [0, 1].

    The last five are None in files of before they were counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float
    method: Literal["rate", "quantile", "balanced"]
    per_hour: float
    quantile: float
    hours: float
    alarms: int
    unseen: bool
    n_normal: int | None = None
    n_normal_flagged: int | None = None
    n_abnormal: int | None = None
    n_abnormal_flagged: int | None = None
    alarm_share: float | None = None


class HeadRecord(BaseModel):
    """The record beside the weights of a head.

    Attributes:
        schema_version: of this record.
        settings: every switch and number of the training.
        recipe: how the features were made that it was trained on; others are refused, but for those that hold
            only some of its views.
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
        record: its settings, recipe and calibration.
    """

    network: Head
    record: HeadRecord

    def snippet_scores(self, features: Features) -> NDArray[np.float32]:
        """Return the score of each snippet, (S,) float32 in [0, 1], guided, its views joined to one.

        A snippet that could not be decoded has NaN. Features may hold only some of the views that the head
        was trained on; the maximum, or the mean, is over those.

        Raises:
            FeatureError: if the features were made by another recipe.
        """
        pieces = self._pieces(features)
        scores = np.full(len(features.lost), np.nan, dtype=np.float32)
        scores[pieces.kept] = pieces.scores()
        return scores

    def view_scores(self, features: Features) -> NDArray[np.float32]:
        """Return the score of each snippet in each view separately, (S, C) float32 in [0, 1].

        Of a head that joins views by their maximum, :func:`vadpipe.head.pieces.join_views` gives its scores
        from these, without running it again. A snippet that could not be decoded has NaN in all of them.

        Raises:
            FeatureError: if the features were made by another recipe.
        """
        pieces = self._pieces(features)
        scores = np.full((len(features.lost), features.recipe.crops), np.nan, dtype=np.float32)
        scores[pieces.kept] = pieces.view_scores()
        return scores

    @property
    def joins_by_max(self) -> bool:
        """Whether a score is the maximum of the separate scores of the views."""
        return self.record.settings.view_join == "max"

    def check_views(self, views: Sequence[str], file: Path) -> None:
        """Check that the head was trained on views that it is to score by.

        Args:
            views: names of :data:`vadpipe.features.views.VIEWS`.
            file: the head's, for the message.

        Raises:
            UsageError: if it was not trained on one of them.
        """
        known = self.record.recipe.views
        for view in views:
            if view not in known:
                raise UsageError(
                    f"the head was not trained on the view {view}",
                    file=file,
                    next_step=f"Choose from its own views: {', '.join(known)}.",
                )

    def scores_if(self, features: Features, snippet: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what score a snippet would have with other features in its place, (V,) float32.

        All other snippets stay what they are.

        Args:
            features: of the whole video.
            snippet: which, one that could be decoded.
            values: (V, C, D) float32, the features that it would have.

        Raises:
            FeatureError: if the features were made by another recipe.
        """
        pieces = self._pieces(features)
        return pieces.scores_if(int(np.searchsorted(pieces.kept, snippet)), values)

    def _pieces(self, features: Features) -> PiecewiseScoring:
        self._check_recipe(features)
        return PiecewiseScoring(self.network, features.values, np.flatnonzero(~features.lost))

    def _check_recipe(self, features: Features) -> None:
        refused = refusal(self.record.recipe, features.recipe)
        if refused is not None:
            reason, next_step = refused
            raise FeatureError(reason, file=features.source.video, next_step=next_step)

    def save(self, path: Path) -> None:
        """Write the head atomically, without pickle. Raises OutputError if that fails."""
        tensors = {
            name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()
        }
        write_bytes(path, serialise(tensors, metadata={_HEADER_KEY: self.record.model_dump_json()}))

    @classmethod
    def load(cls, path: Path, device: torch.device | None = None) -> TrainedHead:
        """Read a head from its file, or from the folder that ``fit`` wrote.

        Raises:
            FeatureError: if it is missing, damaged, of another schema or of a newer vadpipe.
        """
        if path.is_dir():
            path = path / FILE_NAME
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            record = _record(metadata[_HEADER_KEY], path)
            width = record.recipe.feature_dim
            network = build_head(torch.zeros(width), torch.ones(width), record.settings)
            network.load_state_dict(tensors)
            if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
                raise FeatureError("is damaged: it contains values that are not finite", file=path)
        except FileNotFoundError as error:
            raise FeatureError(
                "no such head", file=path, next_step="Train one with 'vadpipe fit', or omit --head."
            ) from error
        except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise FeatureError("is not a vadpipe head, or is damaged", file=path) from error
        return cls(network.eval().to(device or torch.device("cpu")), record)


def _record(text: str, path: Path) -> HeadRecord:
    """Read a record, brought to the present schema.

    Raises:
        FeatureError: if it is of another schema or of a newer vadpipe.
        ValueError: if it is not a record.
    """
    known = json.loads(text)
    schema = known.get("schema_version") if isinstance(known, dict) else None
    if type(schema) is not int:
        raise ValueError("it has no schema")
    if schema > SCHEMA:
        raise _newer(f"schema {schema}, this one reads {' and '.join(map(str, _READ))}", path)
    if schema not in _READ:
        raise FeatureError(
            f"has schema {schema}, this vadpipe reads {' and '.join(map(str, _READ))}",
            file=path,
            next_step="Train it again with 'vadpipe fit'.",
        )
    settings = known.get("settings")
    if isinstance(settings, dict) and settings.get("method", CBCG) == CBCG:
        for name, value in _BEFORE.items():
            settings.setdefault(name, value)
    try:
        return HeadRecord.model_validate({**known, "schema_version": SCHEMA})
    except ValidationError as error:
        for mistake in error.errors():
            where = ".".join(map(str, mistake["loc"]))
            if mistake["type"] == "extra_forbidden":
                raise _newer(f"it has {where}", path) from error
            if mistake["type"] == "literal_error":
                raise _newer(f"its {where} is {mistake['input']!r}", path) from error
        raise


def _newer(how: str, path: Path) -> FeatureError:
    return FeatureError(
        f"was made by a newer vadpipe ({how})",
        file=path,
        next_step="Update vadpipe, or train it again with 'vadpipe fit'.",
    )
