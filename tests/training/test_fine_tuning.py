"""A training that begins with another head: its numbers, its settings, and what does not fit."""

from dataclasses import replace

import pytest
import torch

import vadpipe.head.cbcg
from support.bags import make_bags
from support.feature_files import write_features
from support.head_settings import SMALL
from vadpipe.errors import FeatureError, UsageError
from vadpipe.extract.store import content_digest
from vadpipe.head.bags import TrainingSet
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.methods import settings_of
from vadpipe.training.fine_tuning import BaseHead
from vadpipe.training.fit import fit
from vadpipe.training.loop import Start, Training
from vadpipe.weights import SHIPPED_HEAD

QUICK = SMALL.model_copy(update={"steps": 4, "checks": 2, "folds": 2, "hidden": 8, "cluster_dim": 4})


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The folder of a head that was trained on other videos."""
    folder = tmp_path_factory.mktemp("base")
    write_features(folder / "features", "normal", 3)
    write_features(folder / "features", "fight", 3)
    return fit(folder / "features", output=folder / "head", settings=QUICK).head.parent


@pytest.fixture
def features(tmp_path):
    write_features(tmp_path / "features", "calm-normal", 4)
    write_features(tmp_path / "features", "street-fight", 4)
    return tmp_path / "features"


def test_every_fold_and_the_final_training_begin_with_its_numbers(base, features, tmp_path, monkeypatch):
    heads, begun = [], []
    loss = vadpipe.head.cbcg.batch_loss

    def noting(head, *arguments, **options):
        if not any(head is known for known in heads):
            heads.append(head)
            begun.append({name: value.clone() for name, value in head.state_dict().items()})
        return loss(head, *arguments, **options)

    monkeypatch.setattr("vadpipe.head.cbcg.batch_loss", noting)
    result = fit(features, output=tmp_path / "head", settings=QUICK, from_head=base)
    expected = TrainedHead.load(base).network.state_dict()
    assert len(begun) == 3  # two folds and all
    scales = [numbers.pop("scale").tolist() for numbers in begun]
    assert scales[:2] == [[1.0, 0.0]] * 2  # those of the folds, which find it
    for numbers in begun:
        expected.pop("scale", None)
        assert all(torch.equal(value, expected[name]) for name, value in numbers.items())
    numbers = TrainedHead.load(result.head).network.state_dict()
    assert not torch.equal(numbers["embedding.conv.weight"], expected["embedding.conv.weight"])


def test_without_settings_those_of_the_head_are_taken(base, features, tmp_path):
    fit(features, output=tmp_path / "head", from_head=base)
    assert TrainedHead.load(tmp_path / "head").record.settings == QUICK


def test_of_some_settings_in_a_dictionary_the_others_are_the_head_s(base, features, tmp_path):
    result = fit(features, output=tmp_path / "new", from_head=base, settings={"steps": 12})
    known = TrainedHead.load(base / "head.safetensors").record.settings
    assert TrainedHead.load(result.head).record.settings == known.model_copy(update={"steps": 12})
    assert known.steps != 12


def test_the_record_says_where_it_began_and_what_both_learned_from(base, features, tmp_path):
    alone = TrainedHead.load(fit(features, output=tmp_path / "alone", settings=QUICK).head).record
    tuned = TrainedHead.load(fit(features, output=tmp_path / "tuned", from_head=base).head).record
    own = TrainedHead.load(base).record
    assert alone.fine_tuned_from is None
    assert tuned.fine_tuned_from == BaseHead.load(base).start.sha256
    assert set(tuned.training_sha256) == {*own.training_sha256, *alone.training_sha256}
    assert len(tuned.training_sha256) == 14


def test_videos_that_the_head_knows_are_warned_of(base, tmp_path, caplog):
    fit(base.parent / "features", output=tmp_path / "head", settings=QUICK, from_head=base)
    assert (
        "head.safetensors: was trained on 6 of these videos: videos/fight/0.mp4, videos/fight/1.mp4, "
        "videos/fight/2.mp4 and 3 more; figures of held-out videos are too good, since the head that every fold "
        "begins with has seen them"
    ) in caplog.text


def test_other_videos_are_not(base, features, tmp_path, caplog):
    fit(features, output=tmp_path / "head", settings=QUICK, from_head=base)
    assert "was trained on" not in caplog.text


def test_the_included_head_has_a_name_and_knows_what_it_was_trained_on(caplog):
    included = BaseHead.load("included")
    assert included.file == SHIPPED_HEAD
    known = included.record.training_sha256
    assert len(known) == 207 + 98  # the clips, and the videos that they were joined to
    included.warn_of_known({"a.mp4": "a" * 64})
    assert not caplog.text
    included.warn_of_known({"a.mp4": "a" * 64, "b.mp4": known[0]})
    assert "was trained on 1 of these videos: b.mp4" in caplog.text


def test_every_clip_that_the_included_head_was_trained_on_is_recognised(data):
    record = BaseHead.load("included").record
    clips = list((data / "fight_surv").rglob("*.mp4"))
    assert clips
    assert all(record.was_trained_on(content_digest(clip)) for clip in clips)


def test_a_head_that_does_not_say_what_it_knows_is_warned_of(base, caplog):
    loaded = BaseHead.load(base)
    older = replace(loaded, record=loaded.record.model_copy(update={"training_sha256": None}))
    older.warn_of_known({"a.mp4": "a" * 64})
    assert "does not say which videos it was trained on; if these are among them, figures of" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            settings_of("rtfm"),
            "is a head of CBCG, and cannot be fine-tuned as one of RTFM\nUse --method cbcg, or omit --from-head.",
        ),
        (
            QUICK.model_copy(update={"hidden": 9}),
            "was trained with hidden=8, and cannot be fine-tuned with hidden=9\n"
            "Omit hidden, or the preset that sets it; settings not given are the head's.",
        ),
        (
            QUICK.model_copy(update={"clustering": False}),
            "was trained with clustering=True, and cannot be fine-tuned with clustering=False\n"
            "Omit clustering, or the preset that sets it; settings not given are the head's.",
        ),
    ],
)
def test_a_head_of_another_method_or_form_is_refused(base, features, tmp_path, settings, message):
    with pytest.raises(UsageError) as caught:
        fit(features, output=tmp_path / "head", settings=settings, from_head=base)
    assert str(caught.value) == f"{base / 'head.safetensors'}: {message}"
    assert not (tmp_path / "head").exists()


@pytest.mark.parametrize("name", ["queue_batches", "cluster_dim", "context", "second_head"])
def test_every_setting_that_changes_the_form_is_refused(base, name):
    """Those, and no others, make a network that the numbers do not fit."""
    other = {"queue_batches": 3, "cluster_dim": 5, "context": "pooled", "second_head": True}[name]
    changes = {name: other} | ({"clustering": False, "guided": False} if name == "second_head" else {})
    found = BaseHead.load(base)
    data = TrainingSet(make_bags(2), 8)
    with pytest.raises(UsageError, match="was trained with"):
        found.check(QUICK.model_copy(update=changes), found.record.recipe)
    began = Training(data, range(4), QUICK).head.state_dict()
    with pytest.raises(RuntimeError, match="size mismatch|Missing key|Unexpected key"):
        Training(data, range(4), QUICK.model_copy(update=changes), start=Start(began, ""))


def test_features_of_another_recipe_are_refused(base, tmp_path):
    write_features(tmp_path / "features", "normal", 2, resize_px=256, view="centre")
    write_features(tmp_path / "features", "fight", 2, resize_px=256, view="centre")
    with pytest.raises(FeatureError) as caught:
        fit(tmp_path / "features", output=tmp_path / "head", from_head=base)
    assert str(caught.value) == (
        f"{base / 'head.safetensors'}: expects other features than those to learn from (view: whole / centre; resize_px: 224 / 256)\n"
        "Extract the videos with the head's backbone and settings, or omit --from-head."
    )


def test_an_ensemble_cannot_be_fine_tuned(features, tmp_path):
    fit(features, output=tmp_path / "head", settings=QUICK, seeds=2, ensemble=True)
    with pytest.raises(
        UsageError, match="is an ensemble of 2 heads, which cannot be fine-tuned\nBegin with a single"
    ):
        fit(features, output=tmp_path / "tuned", from_head=tmp_path / "head")
