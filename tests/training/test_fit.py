"""From a folder of features to a head: labels, threshold, files and memory."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from support.feature_files import make_features, write_features
from support.head_settings import QUICK as LEARNING
from vadpipe.errors import FeatureError, OutputError, UsageError
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder
from vadpipe.head.bags import TrainingSet
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.settings import HeadSettings
from vadpipe.training.fit import bag_of, fit

QUICK = LEARNING.model_copy(update={"steps": 6, "checks": 3, "folds": 2})
"""What learns little, where that does not matter."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_features(tmp_path / "features", "calm-normal", 8)
    write_features(tmp_path / "features", "fight", 8)
    return tmp_path / "features"


def test_the_bare_call_reads_features_and_writes_head(folder):
    result = fit(settings=LEARNING)
    assert result.head.as_posix() == "head/head.safetensors"
    assert len(result.labels) == 16
    assert 0 <= result.auc <= 1
    assert result.auc == {check.step: check.auc for check in result.history}[result.step]
    head = TrainedHead.load(result.head)
    assert head.record.settings == LEARNING
    assert head.record.calibration == result.threshold
    assert head.record.held_out == result.held_out
    assert head.record.step == result.step
    scores = head.snippet_scores(make_fight())
    assert scores[2:4].min() > scores[[0, 5]].max()  # the event, and what is no neighbour of it


def make_fight() -> Features:
    features = make_features(96, "videos/fight/new.mp4", seed=999)
    features.values[2:4, :, :3] += 4.0
    return features


def test_a_head_knows_the_content_of_the_videos_that_it_learned_from(folder):
    rows = [f"{kind}/{i},{label}" for kind, label in (("fight", 1), ("calm-normal", 0)) for i in range(5)]
    Path("labels.csv").write_text("video,label\n" + "\n".join(rows))
    result = fit(labels="labels.csv", settings=QUICK)
    features = FeatureFolder(folder).load()
    contents = {item.source.sha256 for item in features if item.source.video not in result.unused}
    assert len(contents) == 10
    for path in (result.head, result.last):
        assert TrainedHead.load(path).record.training_sha256 == tuple(sorted(contents))


def test_settings_and_metrics_are_written_as_json(folder):
    result = fit(settings=QUICK, seed=3)
    settings = json.loads((result.head.parent / "settings.json").read_text())
    metrics = json.loads((result.head.parent / "metrics.json").read_text())
    assert HeadSettings(**settings) == QUICK
    assert metrics["seed"] == 3
    assert metrics["step"] == result.step
    assert metrics["calibration"] == result.threshold.model_dump()
    assert metrics["calibration"]["unseen"]
    assert metrics["held_out"] == result.held_out.model_dump()
    assert metrics["videos"]["videos/fight/0.mp4"] == 1
    assert [check["step"] for check in metrics["history"]] == [2, 4, 6]


def test_same_seed_same_files(folder):
    results = [fit(settings=QUICK, output=name, seed=1) for name in ("a", "b")]
    for name in ("head", "last"):
        first, second = (getattr(result, name).read_bytes() for result in results)
        assert first == second


def test_the_last_step_is_kept_beside_the_picked_one(folder):
    result = fit(settings=LEARNING.model_copy(update={"weight_averaging": 0.0, "steps": 30, "checks": 6}))
    assert result.last.as_posix() == "head/last.safetensors"
    picked, last = TrainedHead.load(result.head).record, TrainedHead.load(result.last).record
    assert (picked.step, last.step) == (result.step, 30)
    own = {"step": picked.step, "calibration": picked.calibration, "held_out": picked.held_out}
    assert last.model_copy(update=own) == picked
    assert last.calibration != picked.calibration  # each has its own
    assert last.held_out.auc == result.history[-1].auc
    assert sorted(path.name for path in result.head.parent.iterdir()) == [
        "head.safetensors", "history.csv", "last.safetensors", "metrics.json", "run.json", "settings.json",
        "training.png",
    ]  # fmt: skip


def test_two_videos_are_enough_for_a_threshold(tmp_path, caplog):
    for kind in ("normal", "fight"):
        write_features(tmp_path / "features", kind, 1)
    result = fit(tmp_path / "features", output=tmp_path / "head", settings=QUICK)
    assert 0 < result.threshold.threshold < 1
    assert not result.threshold.unseen
    assert result.auc is None
    assert "the threshold was set on training videos" in caplog.text


def test_labels_by_csv_leave_out_what_it_does_not_name(folder, tmp_path):
    rows = [f"fight/{i},1,s{i}" for i in range(5)] + [f"calm-normal/{i},0,s{i}" for i in range(5)]
    (tmp_path / "labels.csv").write_text("video,label,group\n" + "\n".join(rows))
    result = fit(labels="labels.csv", settings=QUICK)
    assert len(result.labels) == 10
    assert len(result.unused) == 6


def test_one_label_alone_is_an_error(tmp_path):
    write_features(tmp_path / "features", "fight", 3)
    with pytest.raises(UsageError, match=r"0 normal and 3 abnormal ones \(by folder fight\)"):
        fit(tmp_path / "features", output=tmp_path / "head")
    assert not (tmp_path / "head").exists()


def test_unclear_folders_stop_before_anything_is_written(tmp_path):
    write_features(tmp_path / "features", "street", 2)
    write_features(tmp_path / "features", "fight", 2)
    with pytest.raises(UsageError, match=r"cannot infer labels from these folders.*videos/street \(2\)"):
        fit(tmp_path / "features", output=tmp_path / "head")
    assert not (tmp_path / "head").exists()
    assert fit(
        tmp_path / "features", normal=["street"], output=tmp_path / "head", settings=QUICK
    ).head.is_file()


def test_no_features_at_all(tmp_path):
    with pytest.raises(FeatureError, match="features: contains no feature file\nRun 'vadpipe extract"):
        fit(tmp_path / "features")


def test_features_of_two_backbones_are_refused_unless_one_is_named(folder, tmp_path):
    write_features(folder / "other", "fight", 1, backbone="x3d_s")
    with pytest.raises(FeatureError) as caught:
        fit(settings=QUICK)
    assert str(caught.value) == (
        "features: contains features of several recipes: 16 with backbone=i3d; 1 with backbone=x3d_s\n"
        "Select one, for example with --recipe backbone=i3d, or keep them in separate folders."
    )
    assert len(FeatureFolder(folder).load(recipe=["backbone=i3d"])) == 16
    assert len(FeatureFolder(folder).load("i3d")) == 16
    with pytest.raises(FeatureError, match="contains no feature file of x3d_m"):
        FeatureFolder(folder).load("x3d_m")


def test_two_videos_of_one_name_are_refused(folder):
    make_features(96, "videos/fight/0.mp4").save(folder / "other.safetensors")
    with pytest.raises(
        FeatureError, match=r"is about another video than .*, and both are called videos/fight/0\.mp4"
    ) as caught:
        FeatureFolder(folder).load()
    assert caught.value.next_step.startswith("Extract them from a folder above both")


def test_of_two_files_of_one_video_the_first_is_loaded(folder, caplog):
    path = folder / "fight" / "0.mp4.safetensors"
    (folder / "copy.safetensors").write_bytes(path.read_bytes())
    assert len(FeatureFolder(folder).load()) == 16
    assert (
        f"{path}: not used, because {folder / 'copy.safetensors'} holds features of the same video"
        in caplog.text
    )


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
    assert len(FeatureFolder(folder).load()) == 16


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range(folder, seed):
    with pytest.raises(UsageError, match=f"seed {seed} is out of range"):
        fit(settings=QUICK, seed=seed)


def test_copies_of_a_video_are_named_and_share_a_fold(tmp_path, caplog):
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


def test_a_video_with_numbers_that_are_none_is_named(folder):
    path = folder / "fight" / "3.mp4.safetensors"
    with safe_open(path, framework="numpy") as file:
        arrays, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    arrays["features"][2, 0, 1] = np.nan
    save_file(arrays, path, metadata=metadata)
    with pytest.raises(FeatureError, match=r"3\.mp4\.safetensors: has features that are not finite"):
        fit(settings=QUICK)
    assert not (folder.parent / "head").exists()


# ---- snippets that are lost ----------------------------------------------------------------------


def with_gap(features, *gaps):
    return replace(features, source=features.source.model_copy(update={"gaps": gaps}))


def test_lost_snippets_are_left_out_of_a_bag():
    features = with_gap(make_features(96, crops=3), (20, 21), (70, 80))  # of the snippets from 16 and from 64
    bag = bag_of(features, 1, "scene")
    kept = [0, 2, 3, 5]
    np.testing.assert_array_equal(bag.values, features.values[kept].transpose(1, 0, 2))
    np.testing.assert_allclose(bag.times_s, [0.64 * snippet for snippet in range(6)])
    np.testing.assert_array_equal(bag.spans, [[snippet, snippet + 1] for snippet in kept])
    assert (bag.name, bag.label, bag.group, bag.end_s) == ("videos/fight/a.mp4", 1, "scene", 96 / 25)


def test_what_a_lost_snippet_holds_changes_nothing(folder):
    path = folder / "fight" / "3.mp4.safetensors"
    heads = []
    for value in (0.0, 1e6):
        features = with_gap(Features.load(path), (20, 21))
        features.values[1] = value
        features.save(path)
        heads.append(fit(settings=QUICK, output=f"head{value}").head.read_bytes())
    assert heads[0] == heads[1]


def test_a_video_that_is_lost_as_a_whole_is_left_out_and_named(folder, caplog):
    with_gap(make_features(96, "videos/fight/lost.mp4"), (0, 96)).save(folder / "lost.safetensors")
    result = fit(settings=QUICK)
    assert "videos/fight/lost.mp4: not used, because none of its snippets could be decoded" in caplog.text
    assert result.unused == ["videos/fight/lost.mp4"]
    (folder / "lost.safetensors").unlink()
    assert fit(settings=QUICK, output="without").head.read_bytes() == result.head.read_bytes()


# ---- memory --------------------------------------------------------------------------------------


def test_values_that_stay_in_their_files_give_the_same_head(tmp_path, monkeypatch):
    """Several crops, lost snippets, bags longer than T and shorter ones."""
    for kind in ("normal", "fight"):
        write_features(tmp_path / "features", kind, 8, crops=3)
        long = with_gap(make_features(2000, f"videos/{kind}/long.mp4", crops=3), (500, 700), (1990, 2000))
        long.save(tmp_path / "features" / f"{kind}.safetensors")
    loaded = FeatureFolder(tmp_path / "features").load()
    heads = [fit(tmp_path / "features", output=tmp_path / "mapped", settings=QUICK)]
    load = Features.load
    monkeypatch.setattr(Features, "load", lambda path, mapped: load(path))
    in_memory = FeatureFolder(tmp_path / "features").load()
    heads.append(fit(tmp_path / "features", output=tmp_path / "read", settings=QUICK))
    for one, other in zip(loaded, in_memory, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    for name in ("head", "last"):
        mapped, read = (getattr(fitted, name).read_bytes() for fitted in heads)
        assert mapped == read


def test_a_training_set_holds_squeezed_values_only(tmp_path):
    """Long videos stay in their files: 96 MB here, of which 1.5 MB are learned from."""
    folder, width = tmp_path / "features", 1024
    for index in range(12):
        make_features(16 * 2000, f"videos/{index}.mp4", seed=index, feature_dim=width).save(
            folder / f"{index}.safetensors"
        )
    before = own_bytes()
    loaded = FeatureFolder(folder).load()
    data = TrainingSet([bag_of(item, index % 2, str(index)) for index, item in enumerate(loaded)], 32)
    assert data.batch(range(12)).features.shape == (12, 1, 32, width)
    assert own_bytes() - before < 40e6  # sums of one video are taken in float64


def own_bytes():
    """Memory of this process that is no file's."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s*(\d+) kB", status)[1])
