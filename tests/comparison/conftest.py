"""Four test videos, two heads that score them, and their curves in other forms."""

from dataclasses import replace

import numpy as np
import pytest

import vadpipe
from support.comparisons import SCORES, TRUTHS
from support.logistic_head import make_head, write_scored_features
from vadpipe.annotations.truth import write_truth


def upside_down(head):
    """Return a head that gives 1 - the scores of another."""
    weights = {name: value.clone() for name, value in head.network.state_dict().items()}
    weights["classifier.layers.3.weight"] *= -1
    head.network.load_state_dict(weights)
    return head


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Features, ``head``, ``worse`` that ranks the other way round, ``arrays`` of both, and the truth."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arrays").mkdir()
    for video, scores in SCORES.items():
        write_scored_features(tmp_path / "features", f"test/{video}", scores)
        np.save(tmp_path / "arrays" / f"{video.removesuffix('.mp4')}.npy", np.repeat(scores, 16))
    make_head().save(tmp_path / "head" / "head.safetensors")
    upside_down(make_head(threshold=0.6)).save(tmp_path / "worse" / "head.safetensors")
    write_truth(tmp_path / "truth.csv", TRUTHS)
    return tmp_path


@pytest.fixture
def trained_head(folder):
    """Return what saves a head that was trained on these videos."""

    def save(name, *videos):
        digests = [
            vadpipe.Features.load(folder / "features" / "test" / f"{video}.safetensors").source.sha256
            for video in videos
        ]
        head = make_head()
        record = head.record.model_copy(update={"training_sha256": tuple(digests)})
        replace(head, record=record).save(folder / name / "head.safetensors")

    return save
