"""Features find their truth; what could make a comparison unfair is refused or joined."""

from dataclasses import replace

import numpy as np
import pytest

from support.feature_files import make_features
from support.labelled_features import (
    N_FRAMES,
    N_SNIPPETS,
    make_truth,
    write_labelled_features,
    write_video_features,
)
from vadpipe.ablation.data import load_data
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.errors import FeatureError, InputError, UsageError
from vadpipe.features.file import Features


@pytest.fixture
def folder(tmp_path):
    write_labelled_features(tmp_path)
    return tmp_path


def load(folder, **options):
    return load_data(folder / "features", folder / "truth.csv", **options)


def rewrite(folder, **changes):
    """Change the truth of videos, by their names without a suffix."""
    truths = [changes.get(truth.video[:-4], truth) for truth in read_truth(folder / "truth.csv")]
    write_truth(folder / "truth.csv", truths)


def features_file(folder, name):
    return folder / "features" / "videos" / f"{name}.mp4.safetensors"


def test_labels_come_from_the_truth_and_features_from_the_files(folder):
    data = load(folder)
    bags = data.bags()
    assert list(bags) == [truth.video for truth in read_truth(folder / "truth.csv")]
    for name, bag in bags.items():
        stored = Features.load(features_file(folder, name[:-4]))
        np.testing.assert_array_equal(bag.values[0], stored.values[:, 0])
        assert bag.label == (not name.startswith("normal"))
        assert bag.group == name


def test_scores_are_spread_over_the_frames_and_what_is_lost_has_none(folder):
    path = features_file(folder, "mixed1")
    damaged = Features.load(path)
    source = damaged.source.model_copy(update={"gaps": ((20, 22),), "n_decoded": N_FRAMES - 2})
    replace(damaged, source=source).save(path)
    sample = load(folder).samples["mixed1.mp4"]
    scores = np.linspace(0, 1, N_SNIPPETS - 1, dtype=np.float32)
    judged = sample.judged(scores)
    expected = np.repeat([scores[0], np.nan, *scores[1:]], 16)
    np.testing.assert_array_equal(judged.scores, expected.astype(np.float32))
    assert judged.truth.anomalies == ((16, 48),)
    assert (len(judged.times_s), judged.end_s) == (N_FRAMES, N_FRAMES / 25)
    assert load(folder).bags()["mixed1.mp4"].values.shape[1] == N_SNIPPETS - 1


def test_the_digest_knows_features_truth_groups_and_nothing_else(folder):
    before = load(folder).digest
    assert load(folder).digest == before
    (folder / "truth.csv").touch()
    truth = make_truth("mixed", 0)
    changed = {
        "anomalies": replace(truth, anomalies=((16, 49),)),
        "group": replace(truth, group="scene"),
    }
    digests = {before}
    for changed_truth in changed.values():
        rewrite(folder, mixed0=changed_truth)
        digests.add(load(folder).digest)
        rewrite(folder, mixed0=truth)
    assert load(folder).digest == before
    write_video_features(folder, truth, seed=999)
    digests.add(load(folder).digest)
    assert len(digests) == 4


def test_features_that_change_meanwhile_are_noticed(folder):
    data = load(folder)
    write_video_features(folder, make_truth("full", 1), seed=999)
    with pytest.raises(FeatureError, match=r"videos/full1\.mp4: has changed since the ablation started"):
        data.bags()
    features_file(folder, "full1").unlink()
    with pytest.raises(FeatureError, match="has changed since"):
        data.bags()


def test_groups_that_hold_copies_of_one_video_become_one(folder, caplog):
    original = Features.load(features_file(folder, "normal0"))
    copy = Features.load(features_file(folder, "normal1"))
    source = copy.source.model_copy(update={"sha256": original.source.sha256})
    replace(copy, source=source).save(features_file(folder, "normal1"))
    scene = {f"normal{i}": make_truth("normal", i, f"scene{i // 2}") for i in (0, 2, 3)}
    rewrite(folder, **scene, normal1=make_truth("normal", 1, "scene1"))
    groups = {name: sample.truth.group for name, sample in load(folder).samples.items()}
    assert {groups[f"normal{i}.mp4"] for i in range(4)} == {"scene0"}
    assert groups["mixed0.mp4"] == "mixed0.mp4"
    assert "normal0.mp4 and normal1.mp4 are the same video: their groups become one" in caplog.text


def test_videos_without_features_take_no_part_and_are_told(folder, caplog):
    features_file(folder, "full0").unlink()
    make_features(N_FRAMES, "videos/other.mp4", seed=77).save(features_file(folder, "other"))
    data = load(folder)
    assert data.missing == ["full0.mp4"]
    assert data.unused == ["videos/other.mp4"]
    assert "full0.mp4" not in data.samples
    assert "videos of the truth without features: 1 (full0.mp4)" in caplog.text


def test_the_first_frames_that_both_have_are_compared(folder):
    rewrite(folder, mixed0=Truth("mixed0.mp4", N_FRAMES - 7, ((60, N_FRAMES - 7),)))
    rewrite(folder, mixed1=Truth("mixed1.mp4", N_FRAMES + 9, ((60, N_FRAMES + 9),)))
    samples = load(folder).samples
    assert samples["mixed0.mp4"].truth.n_frames == N_FRAMES - 7
    assert samples["mixed0.mp4"].end_s == pytest.approx((N_FRAMES - 7) / 25)
    assert samples["mixed1.mp4"].truth.anomalies == ((60, N_FRAMES),)
    assert len(samples["mixed0.mp4"].judged(np.zeros(N_SNIPPETS, np.float32)).scores) == N_FRAMES - 7


def test_another_length_is_refused_unless_it_is_asked_for(folder):
    rewrite(folder, mixed0=Truth("mixed0.mp4", N_FRAMES + 17, ((0, 3),)))
    message = r"videos/mixed0\.mp4: has 80 frames, but the truth says 97\nUse the version .* --lengths any"
    with pytest.raises(FeatureError, match=message):
        load(folder)
    assert load(folder, lengths="any").samples["mixed0.mp4"].truth.n_frames == N_FRAMES


def test_an_abnormal_video_never_becomes_a_normal_one(folder):
    rewrite(folder, mixed0=Truth("mixed0.mp4", N_FRAMES + 9, ((N_FRAMES, N_FRAMES + 9),)))
    with pytest.raises(FeatureError, match="and all anomalous ones lie beyond its end"):
        load(folder)


def test_a_video_of_which_nothing_could_be_decoded_is_refused(folder):
    damaged = Features.load(features_file(folder, "full0"))
    source = damaged.source.model_copy(update={"gaps": ((0, N_FRAMES),)})
    replace(damaged, source=source).save(features_file(folder, "full0"))
    with pytest.raises(FeatureError, match=r"videos/full0\.mp4: has no decoded snippet"):
        load(folder)


def test_what_is_not_there(folder, tmp_path):
    with pytest.raises(FeatureError, match="contains no feature file"):
        load_data(tmp_path / "nothing", folder / "truth.csv")
    with pytest.raises(UsageError, match="cannot be read"):
        load_data(folder / "features", tmp_path / "nothing.csv")
    write_truth(folder / "truth.csv", [Truth("stranger.mp4", 5, ())])
    with pytest.raises(InputError, match=r"truth\.csv: has no video with features\nExtract"):
        load(folder)
