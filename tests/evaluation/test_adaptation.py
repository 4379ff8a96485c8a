"""Adaptation without labels: what is subtracted, from what it is learned, and what is refused."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import vadpipe
from support.logistic_head import make_head, write_scored_features
from support.videos import write_video
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.file import Features
from vadpipe.head.adaptation import adapted
from vadpipe.head.bags import TrainingSet
from vadpipe.head.building import build_head
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.methods import settings_of
from vadpipe.training.fit import bag_of

VIEWS = {"view": "left,right", "crops": 2}


@pytest.fixture
def footage(tmp_path):
    """Features of three videos of unequal length, of one of which the beginning could not be decoded."""
    folder = tmp_path / "footage"
    for video, n_snippets, gaps in (("a.mp4", 5, ()), ("b.mp4", 2, ()), ("c.mp4", 4, ((0, 20),))):
        rows = np.random.default_rng(n_snippets).random(n_snippets) * 0.6 + 0.2
        write_scored_features(folder, video, rows, gaps=gaps, **VIEWS)
    make_head(**VIEWS).save(folder / "head.safetensors")  # as 'fit' may leave one among them
    return folder


def files_in(folder):
    return [Features.load(path) for path in sorted(folder.glob("*.mp4.safetensors"))]


def test_the_mean_is_that_of_all_snippets_and_views_that_could_be_decoded(footage):
    head = make_head(**VIEWS)
    rows = [
        features.values[snippet, view].astype(np.float64)
        for features in files_in(footage)
        for snippet in range(len(features.values))
        for view in range(2)
        if not features.lost[snippet]
    ]
    assert len(rows) == 2 * (5 + 2 + 2)  # frames 0 to 19 are those of two snippets
    found = adapted(head, footage, footage / "head").network.embedding
    np.testing.assert_allclose(found.mean.numpy(), np.mean(rows, axis=0), rtol=1e-6)
    assert (found.std == head.network.embedding.std).all()
    assert (head.network.embedding.mean == 0).all()  # the head that was given stays as it is


def test_a_head_is_adapted_to_the_normal_videos_of_its_training_as_it_is(footage):
    bags = [bag_of(features, 0, features.source.video) for features in files_in(footage)]
    mean, _ = TrainingSet(bags, 2).normal_statistics(range(len(bags)))
    found = adapted(make_head(**VIEWS), footage, footage / "head").network.embedding.mean
    np.testing.assert_allclose(found.numpy(), mean.numpy(), rtol=3e-7)


def test_scores_are_those_of_features_moved_by_the_difference_of_the_means(footage):
    head = make_head(**VIEWS)
    moved = adapted(head, footage, footage / "head")
    mean = moved.network.embedding.mean.numpy()
    assert abs(mean[0]) > 0.01
    for features in files_in(footage):
        by_hand = head.snippet_scores(replace(features, values=features.values - mean))
        scores = moved.snippet_scores(features)
        np.testing.assert_allclose(scores, by_hand, atol=1e-6)
        assert (np.isnan(scores) == features.lost).all()
        assert not np.allclose(scores, head.snippet_scores(features), atol=1e-3, equal_nan=True)


def test_an_adapted_head_that_is_saved_needs_no_footage_any_more(footage, tmp_path):
    head = adapted(make_head(**VIEWS), footage, footage / "head")
    head.save(tmp_path / "adapted.safetensors")
    again = TrainedHead.load(tmp_path / "adapted.safetensors")
    assert again.record == head.record
    for features in files_in(footage):
        np.testing.assert_array_equal(again.snippet_scores(features), head.snippet_scores(features))


def test_footage_may_hold_some_of_the_views(footage, tmp_path):
    for features in files_in(footage):
        features.of_views(["left"]).save(tmp_path / "left" / f"{features.source.video}.safetensors")
    found = adapted(make_head(**VIEWS), tmp_path / "left", footage / "head").network.embedding.mean
    left = np.concatenate([features.values[~features.lost, 0] for features in files_in(footage)])
    np.testing.assert_allclose(found.numpy(), left.mean(axis=0, dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize("method", ["deepmil", "rtfm", "ur-dmu", "bn-wvad", "mgfn"])
def test_a_method_that_takes_features_as_they_are_is_refused(footage, method):
    head = make_head(**VIEWS)
    settings = settings_of(method)
    mean = head.network.embedding.mean
    record = head.record.model_copy(update={"settings": settings})
    other = TrainedHead(build_head(mean, mean + 1, settings).eval(), record)
    with pytest.raises(
        UsageError, match=r"head: cannot be adapted to footage: .* does not standardise features"
    ) as found:
        adapted(other, footage, "head")
    assert found.value.next_step == ("Omit --adapt-to, or train a head with 'vadpipe fit --method cbcg'.")


def test_features_of_another_recipe_are_refused(footage):
    write_scored_features(footage, "d.mp4", [0.5, 0.5], **(VIEWS | {"stride_frames": 8}), n_frames=24)
    with pytest.raises(
        FeatureError, match=r"d\.mp4\.safetensors: does not fit the head.*stride_frames: 16 / 8"
    ):
        adapted(make_head(**VIEWS), footage, "head")


def test_a_broken_file_is_refused(footage):
    (footage / "b.mp4.safetensors").write_bytes(b"text")
    with pytest.raises(FeatureError, match=r"b\.mp4\.safetensors: is not a readable feature file"):
        adapted(make_head(**VIEWS), footage, "head")


def test_a_folder_without_features_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    make_head().save(tmp_path / "empty" / "head.safetensors")
    step = "\nRun 'vadpipe extract VIDEOS -o FOLDER' on footage of the same cameras first."
    for name in ("empty", "none"):
        with pytest.raises(FeatureError, match=f"{name}: has no feature file to adapt to{step}"):
            adapted(make_head(), tmp_path / name, "head")
    write_scored_features(tmp_path / "lost", "a.mp4", [0.5, 0.5], gaps=((0, 32),))
    with pytest.raises(FeatureError, match=f"lost: has no snippet to adapt to{step}"):
        adapted(make_head(), tmp_path / "lost", "head")


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Features, a head and the truth under the names that the command looks for."""
    monkeypatch.chdir(tmp_path)
    write_scored_features(tmp_path / "features", "a.mp4", [0.7, 0.9])
    write_scored_features(tmp_path / "features", "b.mp4", [0.6, 0.7])
    make_head().save(tmp_path / "head/head.safetensors")
    write_truth(tmp_path / "truth.csv", [Truth("a", 32, ((16, 32),)), Truth("b", 32, ())])
    return tmp_path


def test_evaluation_by_an_adapted_head_says_so(measured, command_line):
    plain = vadpipe.evaluate(truth="truth.csv", head="head", bootstrap=0)
    assert json.loads((measured / "evaluation/metrics.json").read_text())["adapted_to"] is None
    options = ["--truth", "truth.csv", "--head", "head", "--bootstrap", 0]
    result = command_line("evaluate", *options, "--adapt-to", "features", "-o", "adapted")
    assert result.exit_code == 0, result.output
    assert "adapted to  features" in result.stdout
    written = json.loads((measured / "adapted/metrics.json").read_text())
    assert written["adapted_to"] == "features"
    assert written["figures"]["false_positive_rate"]["value"] < 1
    assert plain.figures["false_positive_rate"].value == 1  # three snippets, all of them above 0.5

    odds = np.log([0.7 / 0.3, 0.9 / 0.1, 0.6 / 0.4, 0.7 / 0.3])
    expected = 1 / (1 + np.exp(-(odds - odds.mean())))
    found = vadpipe.evaluate(truth="truth.csv", head="head", bootstrap=0, adapt_to="features", output=None)
    scores = np.concatenate([video.scores[::16] for video in found.judged])
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_what_cannot_be_adapted_to_ends_with_2(measured, command_line):
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--adapt-to", "nowhere")
    assert isinstance(result.exception, FeatureError)
    assert result.exception.exit_code == 2
    assert "nowhere: has no feature file to adapt to" in str(result.exception)


def test_videos_are_scored_by_an_adapted_head(x3d_head, x3d_weights, tmp_path, command_line):
    video, other = (
        write_video(tmp_path / name, 40, size=size)
        for name, size in (("a.mp4", (160, 120)), ("b.mp4", (96, 160)))
    )
    settings = vadpipe.ExtractSettings(backbone="x3d_xs", weights=x3d_weights)
    vadpipe.extract_features([other], tmp_path / "cam", settings=settings)
    scorer = vadpipe.Scorer(x3d_head, weights=x3d_weights, adapt_to=tmp_path / "cam")
    (path,) = (tmp_path / "cam").rglob("*.safetensors")
    mean = Features.load(path).values.mean(axis=(0, 1), dtype=np.float64)
    np.testing.assert_allclose(scorer.head.network.embedding.mean.numpy(), mean, rtol=1e-5, atol=1e-6)
    scores = scorer.score(video).scores
    assert not np.allclose(
        scores, vadpipe.Scorer(x3d_head, weights=x3d_weights).score(video).scores, atol=1e-4
    )

    options = ["--head", x3d_head, "--weights", x3d_weights, "-o", tmp_path / "out", "-q"]
    result = command_line("score", video, *options, "--adapt-to", tmp_path / "cam")
    assert result.exit_code == 0, result.output
    with (tmp_path / "out/a.scores.csv").open() as file:
        written = [float(row["score"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(written, scores, atol=1e-6)
