"""From a folder of features to a head: labels, splits, threshold and files."""

import json
from dataclasses import replace

import numpy as np
import pytest
from test_features import make_features

from vadpipe.errors import FeatureError, OutputError, UsageError
from vadpipe.features import Features
from vadpipe.fitting import fit, hold_out, load_features
from vadpipe.head.bags import Bag
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.settings import HeadSettings

QUICK = HeadSettings(hidden=8, cluster_dim=4, steps=30, batch_bags=4, check_every=5, learning_rate=1e-2)


def write_features(folder, kind, count, **options):
    for index in range(count):
        features = make_features(96, f"videos/{kind}/{index}.mp4", seed=index + 100 * len(kind), **options)
        if "fight" in kind:
            features.values[2:4, :, :3] += 4.0
        features.save(folder / kind / f"{index}.mp4.safetensors")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_features(tmp_path / "features", "calm-normal", 8)
    write_features(tmp_path / "features", "fight", 8)
    return tmp_path / "features"


def test_the_bare_call_reads_features_and_writes_head(folder):
    result = fit(settings=QUICK)
    assert result.head.as_posix() == "head/head.safetensors"
    assert len(result.labels) == 16
    assert len(result.held_out) == 4  # a fifth of 8, rounded, of each label
    assert 0 <= result.selected.auc <= 1
    head = TrainedHead.load(result.head)
    assert head.record.settings == QUICK
    assert head.record.threshold == result.threshold
    scores = head.snippet_scores(make_fight())
    assert scores[2:4].mean() > 2 * scores[[0, 1, 5]].mean()  # the embedding sees one neighbour each side


def make_fight() -> Features:
    features = make_features(96, "videos/fight/new.mp4", seed=999)
    features.values[2:4, :, :3] += 4.0
    return features


def test_settings_and_metrics_are_written_as_json(folder):
    result = fit(settings=QUICK, seed=3)
    settings = json.loads((result.head.parent / "settings.json").read_text())
    metrics = json.loads((result.head.parent / "metrics.json").read_text())
    assert HeadSettings(**settings) == QUICK
    assert metrics["seed"] == 3
    assert metrics["threshold"] == result.threshold
    assert metrics["held_out"] == result.held_out
    assert metrics["videos"]["videos/fight/0.mp4"] == 1
    assert [check["step"] for check in metrics["history"]] == [5, 10, 15, 20, 25, 30]


def test_same_seed_same_file(folder):
    files = [fit(settings=QUICK, output=name, seed=1).head.read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]


def test_refitting_uses_the_held_out_videos_too(folder):
    once = fit(settings=QUICK.model_copy(update={"refit": False}), output="once")
    again = fit(settings=QUICK, output="again")
    assert once.selected == again.selected
    assert once.threshold == again.threshold  # judged on videos that the judging head had not seen
    assert once.head.read_bytes() != again.head.read_bytes()


def test_the_threshold_is_the_quantile_of_unseen_normal_snippets(folder):
    result = fit(settings=QUICK.model_copy(update={"refit": False, "normal_quantile": 0.9}))
    head = TrainedHead.load(result.head)
    unseen = [
        f for f in load_features(folder) if f.source.video in result.held_out and "normal" in f.source.video
    ]
    scores = np.concatenate([head.snippet_scores(features) for features in unseen])
    assert result.threshold == pytest.approx(np.quantile(scores, 0.9), abs=1e-6)


def test_without_held_out_videos_the_threshold_is_still_judged_on_unseen_ones(folder):
    """In this noise, a head's scores of its own normal training videos are far below those of others."""
    result = fit(settings=QUICK.model_copy(update={"holdout": 0.0, "steps": 200}))
    head = TrainedHead.load(result.head)

    def scores(features):
        return np.concatenate([head.snippet_scores(item) for item in features])

    own = np.quantile(scores([f for f in load_features(folder) if "normal" in f.source.video]), 0.95)
    others = scores([make_features(96, seed=seed) for seed in range(5000, 5040)])
    assert (others > own).mean() > 0.1  # twice as many false alarms as asked for, and more
    assert (others > result.threshold).mean() < 0.1


def test_two_videos_are_enough_for_a_threshold(tmp_path):
    for kind in ("normal", "fight"):
        write_features(tmp_path / "features", kind, 1)
    assert 0 < fit(tmp_path / "features", output=tmp_path / "head", settings=QUICK).threshold < 1


@pytest.mark.parametrize("seed", range(4))
def test_two_videos_of_each_label_judge_each_other(tmp_path, seed):
    """However the folds fall, the threshold is not taken from videos that the head was trained on."""
    for kind in ("normal", "fight"):
        write_features(tmp_path / "features", kind, 2)
    settings = QUICK.model_copy(update={"steps": 200})
    result = fit(tmp_path / "features", output=tmp_path / "head", settings=settings, seed=seed)
    head = TrainedHead.load(result.head)
    normal = [f for f in load_features(tmp_path / "features") if "normal" in f.source.video]
    own = np.quantile(np.concatenate([head.snippet_scores(features) for features in normal]), 0.95)
    assert result.threshold > 2 * own


def test_labels_by_csv_leave_out_what_it_does_not_name(folder, tmp_path):
    rows = [f"fight/{i},1,s{i}" for i in range(5)] + [f"calm-normal/{i},0,s{i}" for i in range(5)]
    (tmp_path / "labels.csv").write_text("video,label,group\n" + "\n".join(rows))
    result = fit(labels="labels.csv", settings=QUICK)
    assert len(result.labels) == 10
    assert len(result.unused) == 6


def make_bags(groups):
    return [
        Bag(f"{i}", np.zeros((1, 2, 8), np.float32), label, group) for i, (label, group) in enumerate(groups)
    ]


def test_groups_are_never_split():
    # ten scenes with videos of both labels, ten with calm ones only
    bags = make_bags([(i % 2, f"scene{i // 4}") for i in range(40)] + [(0, f"calm{i}") for i in range(10)])
    for seed in range(10):
        held = hold_out(bags, 0.2, seed)
        groups = {bag.group for bag in held}
        assert sorted(bag.name for bag in held) == sorted(bag.name for bag in bags if bag.group in groups)
        assert {bag.label for bag in held} == {0, 1}
        assert len(groups) == 4


def test_too_few_groups_hold_nothing_out():
    bags = make_bags([(0, f"calm{i}") for i in range(20)] + [(1, f"fight{i}") for i in range(7)])
    assert hold_out(bags, 0.2, 0) == []
    assert hold_out([*bags, *make_bags([(1, "fight8")])], 0.2, 0) != []


def test_one_label_alone_is_an_error(tmp_path):
    write_features(tmp_path / "features", "fight", 3)
    with pytest.raises(UsageError, match=r"0 normal and 3 abnormal ones \(by folder fight\)"):
        fit(tmp_path / "features", output=tmp_path / "head")
    assert not (tmp_path / "head").exists()


def test_unclear_folders_stop_before_anything_is_written(tmp_path):
    write_features(tmp_path / "features", "street", 2)
    write_features(tmp_path / "features", "fight", 2)
    with pytest.raises(UsageError, match=r"cannot tell normal from abnormal.*videos/street \(2\)"):
        fit(tmp_path / "features", output=tmp_path / "head")
    assert not (tmp_path / "head").exists()
    assert fit(
        tmp_path / "features", normal=["street"], output=tmp_path / "head", settings=QUICK
    ).head.is_file()


def test_no_features_at_all(tmp_path):
    with pytest.raises(FeatureError, match="features: holds no feature file\nRun 'vadpipe extract"):
        fit(tmp_path / "features")


def test_features_of_two_backbones_are_refused_unless_one_is_named(folder, tmp_path):
    write_features(folder / "other", "fight", 1, backbone="x3d_s")
    with pytest.raises(
        FeatureError, match=r"was made by another recipe than .*backbone: i3d / x3d_s"
    ) as caught:
        fit(settings=QUICK)
    assert "--backbone" in caught.value.next_step
    assert len(load_features(folder, "i3d")) == 16
    with pytest.raises(FeatureError, match="holds no feature file of x3d_m"):
        load_features(folder, "x3d_m")


def test_one_video_twice_is_refused(folder):
    make_features(96, "videos/fight/0.mp4").save(folder / "copy.safetensors")
    with pytest.raises(FeatureError, match=r"is about the same video as .*: videos/fight/0\.mp4"):
        load_features(folder)


def test_a_broken_feature_file_is_named(folder):
    (folder / "fight" / "3.mp4.safetensors").write_bytes(b"cut")
    with pytest.raises(FeatureError, match=r"3\.mp4\.safetensors: is not a readable feature file"):
        fit(settings=QUICK)


def test_an_output_that_cannot_be_written_is_found_before_training(folder, tmp_path):
    (tmp_path / "head").write_text("a file")
    with pytest.raises(OutputError, match="head: cannot be written"):
        fit(settings=QUICK, on_check=lambda check: pytest.fail("trained"))


def test_a_head_among_the_features_is_left_alone(folder):
    fit(settings=QUICK, output=folder / "head")
    assert len(load_features(folder)) == 16


def test_something_is_always_left_to_learn_from():
    bags = make_bags([(i % 2, f"scene{i}") for i in range(20)])
    held = hold_out(bags, 0.99, 0)
    assert {bag.label for bag in bags if bag not in held} == {0, 1}


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range(folder, seed):
    with pytest.raises(UsageError, match=f"seed {seed} is out of range"):
        fit(settings=QUICK, seed=seed)


def test_copies_of_a_video_are_named_and_never_judge_each_other(tmp_path, caplog):
    for kind in ("normal", "fight"):
        write_features(tmp_path / "features", kind, 1)
    for name in ("videos/normal/copy.mp4", "videos/fight/copy.mp4"):
        copy = make_features(96, "videos/normal/0.mp4", seed=600)
        copy = replace(copy, source=copy.source.model_copy(update={"video": name}))
        copy.save(tmp_path / "features" / f"{name}.safetensors")
    fit(tmp_path / "features", output=tmp_path / "head", settings=QUICK)
    assert (
        "videos/normal/0.mp4 (normal) and videos/normal/copy.mp4 (normal) are the same video" in caplog.text
    )
    assert "videos/fight/copy.mp4 (abnormal)" in caplog.text
