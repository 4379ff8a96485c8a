"""The head file: weights, cluster memory, settings, threshold, and the features that it expects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from vadpipe.errors import FeatureError
from vadpipe.features.file import Features
from vadpipe.features.folder import HEAD_NAMES
from vadpipe.files.atomic import write_bytes
from vadpipe.head.building import build_head
from vadpipe.head.ensemble import Ensemble
from vadpipe.head.head import Head
from vadpipe.head.piecewise_scoring import PiecewiseScoring
from vadpipe.head.record import HEADER_KEY, MOST_HEADS, HeadRecord, read_record, record_text
from vadpipe.head.scoring_head import ScoringHead

FILE_NAME, LAST_NAME = HEAD_NAMES


@dataclass(frozen=True)
class TrainedHead(ScoringHead):
    """A head that is ready to score features of its recipe.

    Attributes:
        network: in evaluation mode.
        record: its settings, recipe and calibration.
    """

    network: Head
    record: HeadRecord

    def snippet_scores(self, features: Features) -> NDArray[np.float32]:
        """Return the score of each snippet, its views joined; see :meth:`ScoringHead.snippet_scores`."""
        pieces = self._pieces(features)
        scores = np.full(len(features.lost), np.nan, dtype=np.float32)
        scores[pieces.kept] = _finite(pieces.scores(), features)
        return scores

    def view_scores(self, features: Features) -> NDArray[np.float32]:
        """Return the score of each snippet in each view separately; see :meth:`ScoringHead.view_scores`."""
        pieces = self._pieces(features)
        scores = np.full((len(features.lost), features.recipe.crops), np.nan, dtype=np.float32)
        scores[pieces.kept] = _finite(pieces.view_scores(), features)
        return scores

    def scores_if(self, features: Features, snippet: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a snippet's scores with other features in its place; see :meth:`ScoringHead.scores_if`."""
        pieces = self._pieces(features)
        return pieces.scores_if(int(np.searchsorted(pieces.kept, snippet)), values)

    def _pieces(self, features: Features) -> PiecewiseScoring:
        self.check_recipe(features)
        return PiecewiseScoring(self.network, features.values, np.flatnonzero(~features.lost))

    def save(self, path: Path) -> None:
        """Write the head atomically, without pickle. Raises OutputError if that fails."""
        tensors = {
            name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()
        }
        write_bytes(path, serialise(tensors, metadata={HEADER_KEY: self.record.model_dump_json()}))

    @classmethod
    def load(cls, path: Path, device: torch.device | None = None) -> TrainedHead:
        """Read a head from its file, or from the folder that ``fit`` wrote.

        Raises:
            FeatureError: if it is missing, damaged, of another schema or of a newer vadpipe.
        """
        if path.is_dir():
            if (path / "card.json").is_file() and not (path / FILE_NAME).exists():
                step = "Pass the head that it was exported from."
                raise FeatureError(
                    "is an exported model, which only 'score' takes", file=path, next_step=step
                )
            path = path / FILE_NAME
        try:
            record = read_record(record_text(path), path)
            network = _loaded(record, path)
            if not all(torch.isfinite(tensor).all() for tensor in network.state_dict().values()):
                raise FeatureError("is damaged: it contains values that are not finite", file=path)
        except FileNotFoundError as error:
            raise FeatureError(
                "no such head", file=path, next_step="Train one with 'vadpipe fit', or omit --head."
            ) from error
        except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise FeatureError(
                "is not a vadpipe head, or is damaged",
                file=path,
                next_step="Pass a head file, or the folder that 'vadpipe fit' wrote.",
            ) from error
        return cls(network.eval().to(device or torch.device("cpu")), record)


def _finite(scores: NDArray[np.float32], features: Features) -> NDArray[np.float32]:
    """Return the scores. Raises FeatureError if huge weights, which no training gives, made them overflow."""
    if not np.isfinite(scores).all():
        raise FeatureError(
            "gets scores that are not finite from this head, which is damaged",
            file=features.source.video,
            next_step="Train the head again with 'vadpipe fit'.",
        )
    return scores


def _loaded(record: HeadRecord, path: Path) -> Head:
    """Return the network of a head file.

    No memory is taken for what the record claims: the network is built without numbers, and a number is read
    only once the file is known to hold tensors of all its names and shapes, and no others.

    Raises:
        ValueError: if it does not.
    """
    if max(1, len(record.members)) * len(record.recipe.windows) > MOST_HEADS:
        raise ValueError(f"it claims more than {MOST_HEADS} heads")
    with torch.device("meta"):
        network = _built(record)
    wanted = network.state_dict()
    with safe_open(path, framework="pt") as file:
        if wanted.keys() != {*file.keys()}:
            raise ValueError("its tensors are not those of its settings")
        for name, empty in wanted.items():
            if file.get_slice(name).get_shape() != [*empty.shape]:
                raise ValueError(f"the shape of {name} is not that of its settings")
        # Copied, since the file may be replaced while these are in use.
        tensors = {name: file.get_tensor(name).to(empty.dtype, copy=True) for name, empty in wanted.items()}
    network.load_state_dict(tensors, assign=True)
    return network


def _built(record: HeadRecord) -> Head:
    """Return a network of the record's form, with random numbers."""
    width = record.recipe.feature_dim
    mean, std = torch.zeros(width), torch.ones(width)
    n_windows = len(record.recipe.windows)
    if not record.members:
        return build_head(mean, std, record.settings, n_windows)
    return Ensemble([build_head(mean, std, record.settings, n_windows) for _ in record.members])
