"""Whether a head sees the whole video is chosen by the number of long training videos."""

import numpy as np
import pytest

from support.bags import bag_of_values
from support.head_settings import QUICK
from vadpipe.head.bags import TrainingSet
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.context_heads import ContextHeads
from vadpipe.head.methods import METHODS, settings_of
from vadpipe.head.settings import HeadSettings
from vadpipe.training import automatic_context
from vadpipe.training.automatic_context import LONG_VIDEOS, with_context_chosen
from vadpipe.training.fit import fit
from vadpipe.training.loop import Training

AUTO = QUICK.model_copy(update={"context": "auto", "segments": 8})


def training_set(n_long, n_short, crops=1) -> TrainingSet:
    rng = np.random.default_rng(0)
    lengths = [9] * n_long + [8] * n_short
    bags = [
        bag_of_values(rng.normal(size=(crops, length, 3)).astype(np.float32), index % 2, f"{index}")
        for index, length in enumerate(lengths)
    ]
    return TrainingSet(bags, 8)


@pytest.mark.parametrize("crops", [1, 2])
@pytest.mark.parametrize(
    ("n_long", "chosen"), [(0, "none"), (LONG_VIDEOS - 1, "none"), (LONG_VIDEOS, "both")]
)
def test_it_takes_a_hundred_videos_longer_than_a_bag(n_long, chosen, crops):
    lengths = training_set(n_long, 150, crops).n_snippets
    assert with_context_chosen(AUTO, lengths) == AUTO.model_copy(update={"context": chosen})


@pytest.mark.parametrize("context", ["none", "pooled", "both"])
def test_what_was_asked_for_stays(context):
    settings = AUTO.model_copy(update={"context": context})
    assert with_context_chosen(settings, [9] * LONG_VIDEOS) is settings


def test_it_is_the_default_and_no_published_method_has_it():
    assert HeadSettings().context == "auto"
    assert {settings_of(method.name).context for method in METHODS[1:]} == {"none"}
    peer = AUTO.model_copy(update={"method": "deepmil"})
    assert with_context_chosen(peer, [9] * LONG_VIDEOS).context == "none"


def test_a_part_of_the_videos_is_trained_like_all_of_them():
    data = training_set(LONG_VIDEOS, 4)
    training = Training(data, range(10), AUTO)
    assert training.settings.context == "both"
    assert isinstance(training.head, ContextHeads)
    assert isinstance(Training(training_set(10, 4), range(10), AUTO).head, Cbcg)


def test_fit_writes_what_it_chose(monkeypatch, tmp_path):
    monkeypatch.setattr(automatic_context, "LONG_VIDEOS", 3)
    rng = np.random.default_rng(0)
    features = {
        f"{kind}/{i}.mp4": rng.normal(size=(12, 4)).astype(np.float32)
        for kind in ("normal", "fight")
        for i in range(4)
    }
    labels = {name: int("fight" in name) for name in features}
    found = fit(features, labels=labels, output=tmp_path / "head", settings=AUTO)
    head = TrainedHead.load(found.head)
    assert head.record.settings == AUTO.model_copy(update={"context": "both"})
    assert HeadSettings.model_validate_json((tmp_path / "head/settings.json").read_text()).context == "both"
    again = fit(features, labels=labels, output=tmp_path / "head", settings=AUTO)
    assert not again.trained
    for number, settings in enumerate((None, AUTO)):
        tuned = fit(
            features,
            labels=labels,
            output=tmp_path / f"{number}",
            settings=settings,
            from_head=tmp_path / "head",
        )
        assert TrainedHead.load(tuned.head).record.settings.context == "both"
    monkeypatch.setattr(automatic_context, "LONG_VIDEOS", 100)
    tuned = fit(features, labels=labels, output=tmp_path / "few", settings=AUTO, from_head=tmp_path / "head")
    assert TrainedHead.load(tuned.head).record.settings.context == "both"
