"""Features and heads that the first version wrote are read, and score as they did.

``version_0_1/`` holds what commit 83e35e9 made of rendered features, of one view and of five crops: a head, the
features of one video, and its curve.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from vadpipe.curves.curve import snippets_to_frames
from vadpipe.extract.settings import ExtractSettings
from vadpipe.features.file import Features
from vadpipe.features.views import CROP_VIEWS
from vadpipe.head.checkpoint import TrainedHead

MADE = Path(__file__).with_name("version_0_1")


@pytest.mark.parametrize("kind", ["whole", "crops"])
def test_an_old_head_scores_old_features_as_it_did(kind):
    features = Features.load(MADE / f"{kind}.features.safetensors")
    head = TrainedHead.load(MADE / f"{kind}.head.safetensors")
    scores = snippets_to_frames(head.snippet_scores(features), features.spans, features.n_frames)
    np.testing.assert_allclose(scores, np.load(MADE / f"{kind}.scores.npy"), atol=1e-6)


@pytest.mark.parametrize("kind", ["whole", "crops"])
def test_an_old_head_says_its_schema(kind):
    with safe_open(MADE / f"{kind}.head.safetensors", framework="np") as file:
        assert json.loads(file.metadata()["vadpipe.head"])["schema_version"] == 3


@pytest.mark.parametrize("file", [MADE / "whole.head.safetensors", MADE / "crops.head.safetensors"])
def test_an_old_head_does_not_know_how_many_videos_its_threshold_finds(file):
    found = TrainedHead.load(file).record.calibration
    assert found.method == "quantile"
    assert (found.n_normal, found.n_normal_flagged, found.alarm_share) == (None, None, None)
    assert (found.n_abnormal, found.n_abnormal_flagged) == (None, None)


@pytest.mark.parametrize(("kind", "views"), [("whole", ("whole",)), ("crops", CROP_VIEWS[5])])
def test_videos_become_what_an_old_head_expects(kind, views):
    """Isolated snippets of every frame, whatever the backbone has by default today."""
    recipe = TrainedHead.load(MADE / f"{kind}.head.safetensors").record.recipe
    settings = ExtractSettings.of_recipe(recipe)
    assert (settings.views, settings.window, settings.target_fps) == (views, 16, "all")
    sampling = settings.sampling
    assert (sampling.window, sampling.target_fps, sampling.fps) == (16, None, None)


def test_an_old_head_refuses_what_is_made_by_default_today():
    recipe = TrainedHead.load(MADE / "whole.head.safetensors").record.recipe
    today = ExtractSettings().recipe(weights_sha256=recipe.weights_sha256, decoder="", engine="")
    names = [difference.partition(":")[0] for difference in recipe.differences(today)]
    assert {"target_fps", "view", "crops"} <= {*names}
