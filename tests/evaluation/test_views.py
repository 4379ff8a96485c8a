"""Evaluation by some of the views that features hold: the same as if no others had been extracted."""

import json
from pathlib import Path

import numpy as np
import pytest

import vadpipe
from support.head_settings import QUICK
from support.logistic_head import make_head, write_scored_features
from support.videos import textured_frame, write_video
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.errors import FeatureError, UsageError

N_FRAMES = 40


@pytest.fixture(scope="module")
def measured(tmp_path_factory, x3d_weights):
    """Features of two views, of each of them alone, a head of both, and the truth about two videos."""
    folder = tmp_path_factory.mktemp("views")
    write_video(folder / "videos/normal/a.mp4", N_FRAMES)
    write_video(folder / "videos/fight/b.mp4", N_FRAMES, size=(160, 96), frame=textured_frame)
    for views in ("left,right", "left", "right"):
        settings = vadpipe.ExtractSettings(backbone="x3d_xs", weights=x3d_weights, view=views)
        vadpipe.extract_features([folder / "videos"], folder / views, settings=settings)
    vadpipe.fit(folder / "left,right", output=folder / "head", settings=QUICK)
    write_truth(folder / "truth.csv", [Truth("a", N_FRAMES, ()), Truth("b", N_FRAMES, ((8, 24),))])
    return folder


def evaluated(folder: Path, features: str, **options):
    return vadpipe.evaluate(
        folder / features,
        truth=folder / "truth.csv",
        head=folder / "head",
        bootstrap=0,
        include_training_videos=True,
        **options,
    )


def scores_of(found) -> dict[str, bytes]:
    return {video.truth.video: video.scores.tobytes() for video in found.judged}


@pytest.mark.parametrize("view", ["left", "right"])
def test_a_view_is_scored_as_if_it_had_been_extracted_alone(measured, tmp_path, view):
    chosen = evaluated(measured, "left,right", view=view, output=tmp_path / "chosen")
    alone = evaluated(measured, view, output=tmp_path / "alone")
    assert (chosen.views, alone.views) == ((view,), (view,))
    assert scores_of(chosen) == scores_of(alone)
    assert chosen.figures == alone.figures
    assert scores_of(chosen) != scores_of(evaluated(measured, "left,right", output=None))
    written = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("chosen", "alone")]
    assert [record["settings"].pop("views") for record in written] == [[view], [view]]
    assert [record["settings"].pop("views_from") for record in written] == ["user", "features"]
    assert [Path(record.pop("features")).name for record in written] == ["left,right", view]
    assert written[0] == written[1]


def test_all_views_asked_for_by_name_are_all_views(measured):
    asked = evaluated(measured, "left,right", view=["right", "left"], output=None)
    assert asked.views == ("left", "right")
    assert scores_of(asked) == scores_of(evaluated(measured, "left,right", output=None))


def test_the_command_says_which_views_were_scored(measured, command_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [
        "--features",
        measured / "left,right",
        "--truth",
        measured / "truth.csv",
        "--bootstrap",
        0,
        "--include-training-videos",
    ]
    result = command_line("evaluate", "--view", "left", "--head", measured / "head", *options)
    assert result.exit_code == 0, result.output
    assert ["views", "left"] in [line.split() for line in result.stdout.splitlines()]
    written = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    assert written["settings"]["views"] == ["left"]


def test_two_views_of_three_are_scored_as_if_there_were_no_third(tmp_path):
    make_head(view="whole,left,right", crops=3, resize_px=256).save(tmp_path / "head/head.safetensors")
    write_truth(tmp_path / "truth.csv", [Truth("a", 64, ((16, 32),))])
    rows = np.random.default_rng(1).random((4, 3, 8)).astype(np.float32)
    for name, views, columns in (("three", "whole,left,right", [0, 1, 2]), ("two", "left,right", [1, 2])):
        path = write_scored_features(
            tmp_path / name, "a.mp4", [0.5] * 4, view=views, crops=len(columns), resize_px=256
        )
        features = vadpipe.Features.load(path)
        features.values[:] = rows[:, columns]
        features.save(path)
    chosen = evaluated(tmp_path, "three", view="left,right", output=None)
    assert scores_of(chosen) == scores_of(evaluated(tmp_path, "two", output=None))


def test_features_that_lack_the_view_are_passed_over(tmp_path, caplog):
    make_head(view="whole,centre", crops=2, resize_px=256).save(tmp_path / "head/head.safetensors")
    both = dict(view="whole,centre", crops=2, resize_px=256)
    write_scored_features(tmp_path / "features", "a.mp4", [0.2, 0.8], **both)
    lacking = write_scored_features(
        tmp_path / "features", "b.mp4", [0.2, 0.8], view="whole", crops=1, resize_px=256
    )
    write_truth(tmp_path / "truth.csv", [Truth(name, 32, ((16, 32),)) for name in "ab"])
    found = evaluated(tmp_path, "features", view="centre", output=None)
    assert [video.truth.video for video in found.judged] == ["a"]
    assert (found.foreign, found.missing) == ([lacking], ["b"])
    assert "feature files of another recipe (view: centre / whole): 1" in caplog.text
    assert len(evaluated(tmp_path, "features", view="whole", output=None).judged) == 2
    (tmp_path / "features/a.mp4.safetensors").unlink()
    with pytest.raises(
        FeatureError,
        match=r"contains no feature file that fits the head and --view \(view: centre / whole\)\n",
    ):
        evaluated(tmp_path, "features", view="centre", output=None)


def test_of_two_files_of_a_video_the_one_with_the_asked_views_alone_is_scored(tmp_path, caplog):
    make_head(view="whole,left,right", crops=3, resize_px=256).save(tmp_path / "head/head.safetensors")
    write_truth(tmp_path / "truth.csv", [Truth(name, 32, ((16, 32),)) for name in "ab"])
    two, three = dict(view="left,right", crops=2), dict(view="whole,left,right", crops=3)

    def written(folder, video, scores, recipe):
        return write_scored_features(tmp_path / "features" / folder, video, scores, resize_px=256, **recipe)

    passed = written("three", "a.mp4", [0.3, 0.4], three)
    exact = written("two", "a.mp4", [0.2, 0.8], two)
    written("three", "b.mp4", [0.1, 0.9], three)  # has no other
    found = evaluated(tmp_path, "features", view="left,right", output=None)
    assert [video.truth.video for video in found.judged] == ["a", "b"]
    alone = vadpipe.Scorer(tmp_path / "head", view="left,right").curve(vadpipe.Features.load(exact))
    assert scores_of(found)["a"] == alone.scores.tobytes()
    assert (found.foreign, found.failed) == ([passed], [])
    assert "feature files of another recipe (view: left,right / whole,left,right): 1" in caplog.text

    exact.rename(tmp_path / "exact")
    only = evaluated(tmp_path, "features", view="left,right", output=None)
    assert (len(only.judged), only.foreign) == (2, [])

    one, other = written("one", "b.mp4", [0.2, 0.8], two), written("other", "b.mp4", [0.2, 0.8], two)
    caplog.clear()
    assert len(evaluated(tmp_path, "features", view="left,right", output=None).judged) == 2
    assert f"{other}: not used, because {one} holds features of the same video" in caplog.text
    for path in (one, other):
        path.unlink()
    written("more", "b.mp4", [0.2, 0.8], dict(view="whole,left", crops=2))
    evaluated(tmp_path, "features", view="left", output=None)
    assert "three/b.mp4.safetensors: not used, because" in caplog.text


def test_a_view_that_does_not_exist_or_that_the_head_does_not_know_is_refused(measured):
    with pytest.raises(UsageError, match=r"unknown view 'lef'\nDid you mean left\?"):
        evaluated(measured, "left,right", view="lef")
    with pytest.raises(
        UsageError,
        match=r"head\.safetensors: the head was not trained on the view centre\n"
        "Choose from its own views: left, right",
    ):
        evaluated(measured, "left,right", view="left,centre")
