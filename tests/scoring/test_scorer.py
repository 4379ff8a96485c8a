"""Raw video in, one score per frame out, with the head and features that belong together."""

import csv
import itertools

import av
import numpy as np
import pytest

import vadpipe
from support.decoding import forbid_decoding
from support.feature_files import make_features
from support.head_settings import QUICK
from support.scorers import features_of
from support.videos import read_counter, textured_frame, write_video
from vadpipe import ExtractSettings, Outputs
from vadpipe.errors import FeatureError, InputError, OutputError, UsageError
from vadpipe.extract.stills import read_stills
from vadpipe.features.file import Features


@pytest.mark.parametrize("n_frames", [1, 15, 16, 17, 40])
def test_exactly_one_score_a_frame(scorer, tmp_path, n_frames):
    video = write_video(tmp_path / "clip.mp4", n_frames)
    curve = scorer.score(video)
    with av.open(video) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(curve) == n_frames
    np.testing.assert_allclose(curve.times_s, times, atol=1e-6)
    assert ((curve.scores >= 0) & (curve.scores <= 1)).all()
    assert curve.threshold == scorer.head.record.threshold
    starts = [0] if n_frames <= 16 else [*range(0, n_frames - 16, 8), n_frames - 16]
    edges = sorted({edge for start in starts for edge in (start, min(start + 16, n_frames))})
    for start, stop in itertools.pairwise(edges):  # between them the same snippets hold each frame
        assert len(set(curve.scores[start:stop].tolist())) == 1


def test_the_one_shot_call_is_the_same(scorer, x3d_head, x3d_weights, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 20)
    once = vadpipe.score(video, head=x3d_head, weights=x3d_weights)
    np.testing.assert_array_equal(once.scores, scorer.score(video).scores)


def test_a_threshold_of_ones_own_takes_the_place_of_the_heads(x3d_head, x3d_weights, tmp_path):
    video = write_video(tmp_path / "a.mp4", 20)
    own = vadpipe.Scorer(x3d_head, weights=x3d_weights, threshold=0.125).score(video)
    plain = vadpipe.Scorer(x3d_head, weights=x3d_weights).score(video)
    assert own.threshold == 0.125 != plain.threshold
    np.testing.assert_array_equal(own.scores, plain.scores)
    with pytest.raises(UsageError, match=r"threshold 1\.5 is out of range\nScores lie in \[0, 1\]"):
        vadpipe.Scorer(x3d_head, threshold=1.5)


def test_results_lie_beside_the_video_or_where_asked(scorer, tmp_path):
    video = write_video(tmp_path / "in/clip.mp4", 20)
    (scored,) = vadpipe.score_videos([video], scorer).scored
    assert scored.files == (tmp_path / "in/clip.scores.csv", tmp_path / "in/clip.events.csv")
    outputs = Outputs(formats=("npy", "csv"), plot="svg")
    (scored,) = vadpipe.score_videos([video], scorer, output=tmp_path / "out", outputs=outputs).scored
    names = ["clip.scores.npy", "clip.times_s.npy", "clip.scores.csv", "clip.events.csv", "clip.svg"]
    assert scored.files == tuple(tmp_path / "out" / name for name in names)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names, "clip.run.json"}
    with scored.files[2].open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["score"]) for row in rows] == pytest.approx(scored.curve.scores.tolist(), abs=1e-6)


def test_kept_features_are_found_again(scorer, x3d_head, x3d_weights, tmp_path, monkeypatch):
    video = write_video(tmp_path / "clip.mp4", 20)
    keeper = vadpipe.Scorer(x3d_head, weights=x3d_weights, features=tmp_path / "features")
    first = keeper.score(video)
    forbid_decoding(monkeypatch)
    np.testing.assert_array_equal(keeper.score(video).scores, first.scores)
    monkeypatch.chdir(tmp_path)
    for name in (tmp_path, "clip.mp4"):  # however it is named
        (scored,) = vadpipe.score_videos([name], keeper, output="out").scored
        np.testing.assert_array_equal(scored.curve.scores, first.scores)
    with pytest.raises(pytest.fail.Exception, match="a video was decoded"):
        scorer.score(video)


def test_a_bad_file_does_not_end_the_run(scorer, tmp_path):
    (tmp_path / "bad.mp4").write_text("text")
    good = write_video(tmp_path / "good.mp4", 16)
    result = vadpipe.score_videos([tmp_path / "bad.mp4", good], scorer)
    assert [scored.video for scored in result.scored] == [good]
    assert [failure.path.name for failure in result.failed] == ["bad.mp4"]
    with pytest.raises(InputError, match=r"bad\.mp4: is not a video"):
        scorer.score(tmp_path / "bad.mp4")


def test_features_that_extract_made_are_found(x3d_head, x3d_weights, tmp_path, monkeypatch):
    video = write_video(tmp_path / "videos/fight/clip.mp4", 20)
    settings = ExtractSettings(backbone="x3d_xs", weights=x3d_weights)
    vadpipe.extract_features([tmp_path / "videos"], tmp_path / "features", settings=settings)
    forbid_decoding(monkeypatch)
    scorer = vadpipe.Scorer(x3d_head, weights=x3d_weights, features=tmp_path / "features")
    assert len(scorer.score(video)) == 20


def test_damage_is_named_each_time(x3d_head, x3d_weights, tmp_path, caplog):
    video = write_video(tmp_path / "clip.mp4", 80, container_options={"movflags": "faststart"})
    with video.open("r+b") as file:
        file.truncate(int(video.stat().st_size * 0.7))
    scorer = vadpipe.Scorer(x3d_head, weights=x3d_weights, features=tmp_path / "features")
    for _ in range(2):
        caplog.clear()
        scorer.score(video)
        (kept,) = (tmp_path / "features").rglob("*.safetensors")
        source = Features.load(kept).source
        assert 0 < source.n_decoded < 60
        assert f"damaged, {80 - source.n_decoded} of 80 frames could not be decoded" in caplog.text
        assert "the end)" in caplog.text


def test_kept_features_of_another_recipe_are_refused_and_stay(x3d_head, x3d_weights, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 20)
    settings = ExtractSettings(backbone="x3d_xs", weights=x3d_weights, view="centre")
    (kept,) = vadpipe.extract_features([video], tmp_path / "features", settings=settings).written
    before = kept.read_bytes()
    scorer = vadpipe.Scorer(x3d_head, weights=x3d_weights, features=tmp_path / "features")
    with pytest.raises(
        FeatureError,
        match=r"clip\.mp4\.safetensors: contains no features of the view whole, only of centre\n"
        "Pass features made with: vadpipe extract VIDEOS --backbone x3d_xs --view whole --stride 8",
    ):
        scorer.score(video)
    assert kept.read_bytes() == before


@pytest.fixture
def views_head(tmp_path, tiny):
    """A head trained on two views, and the features it was trained on."""
    write_video(tmp_path / "videos/normal/a.mp4", 32)
    write_video(tmp_path / "videos/fight/b.mp4", 32, size=(120, 160))
    settings = tiny(view="whole,left")
    vadpipe.extract_features([tmp_path / "videos"], tmp_path / "features", settings=settings)
    return vadpipe.fit(tmp_path / "features", output=tmp_path / "head", settings=QUICK).head


def test_some_views_of_a_head_are_extracted_and_scored(views_head, x3d_weights, tmp_path, caplog):
    video = write_video(tmp_path / "clip.mp4", 40, frame=textured_frame)
    scorer = vadpipe.Scorer(views_head, weights=x3d_weights)
    both = features_of(scorer, video)
    assert both.recipe.views == ("whole", "left")
    with caplog.at_level("INFO", "vadpipe"):
        left = vadpipe.Scorer(views_head, weights=x3d_weights, view="left")
    assert "views: left, of whole, left" in caplog.text
    alone = features_of(left, video)
    np.testing.assert_array_equal(alone.values, both.values[:, 1:])
    np.testing.assert_allclose(
        left.curve(alone).scores, scorer.curve(both.of_views(["left"])).scores, atol=1e-6
    )
    whole = vadpipe.Scorer(views_head, weights=x3d_weights, view=["whole"])
    assert whole.settings.size.square  # with no other view it is decoded as it always was
    np.testing.assert_allclose(
        whole.score(video).scores, scorer.curve(both.of_views(["whole"])).scores, atol=0.02
    )
    assert not np.array_equal(whole.score(video).scores, scorer.score(video).scores)


def test_kept_features_give_the_views_that_are_asked_for(views_head, x3d_weights, tmp_path, monkeypatch):
    options = dict(weights=x3d_weights, features=tmp_path / "features")
    scorer = vadpipe.Scorer(views_head, **options)
    forbid_decoding(monkeypatch)
    video = tmp_path / "videos/fight/b.mp4"
    (kept,) = (tmp_path / "features").rglob("b.mp4.safetensors")
    features = Features.load(kept)
    np.testing.assert_allclose(scorer.score(video).scores, scorer.curve(features).scores, atol=1e-6)
    for column, view in enumerate(("whole", "left")):
        curve = vadpipe.Scorer(views_head, view=view, **options).score(video)
        expected = scorer.head.snippet_scores(features.of_views([view]))
        np.testing.assert_allclose(curve.scores[[0, -1]], expected[[0, -1]], atol=1e-6)
        np.testing.assert_array_equal(features.of_views([view]).values, features.values[:, [column]])


def test_kept_features_that_lack_a_view_are_refused_with_a_way_out(views_head, x3d_weights, tmp_path):
    video, options = tmp_path / "videos/fight/b.mp4", dict(weights=x3d_weights, features=tmp_path / "kept")
    vadpipe.Scorer(views_head, view="left", **options).score(video)
    with pytest.raises(
        FeatureError,
        match=r"b\.mp4\.safetensors: contains no features of the view whole, only of left\n"
        "Score with --view left, or pass features made with: vadpipe extract VIDEOS --backbone x3d_xs "
        "--view whole,left --stride 8",
    ):
        vadpipe.Scorer(views_head, **options).score(video)


def test_a_view_that_the_head_does_not_know_is_refused(views_head, x3d_head):
    with pytest.raises(
        UsageError,
        match=r"head\.safetensors: the head was not trained on the view centre\n"
        "Choose from its own views: whole, left",
    ):
        vadpipe.Scorer(views_head, view="whole,centre")
    with pytest.raises(UsageError, match="Choose from its own views: whole"):
        vadpipe.Scorer(x3d_head, view="left")
    with pytest.raises(UsageError, match=r"unknown view 'lef'\nDid you mean left\?"):
        vadpipe.Scorer(views_head, view="lef")


def test_videos_of_one_name_get_results_of_their_own(scorer, tmp_path):
    for name in ("cam1/clip.mp4", "cam1/clip.mkv", "cam2/clip.mp4"):
        write_video(tmp_path / "in" / name, 16)

    def results(**options):
        return [
            scored.files[0] for scored in vadpipe.score_videos([tmp_path / "in"], scorer, **options).scored
        ]

    assert results() == [
        tmp_path / "in/cam1/clip.mkv.scores.csv",
        tmp_path / "in/cam1/clip.mp4.scores.csv",
        tmp_path / "in/cam2/clip.scores.csv",
    ]
    out = tmp_path / "out"
    assert results(output=out) == [
        out / "cam1/clip.mkv.scores.csv",
        out / "cam1/clip.mp4.scores.csv",
        out / "cam2/clip.mp4.scores.csv",
    ]


def test_a_name_that_is_another_ones_stem_never_overwrites_it(scorer, tmp_path):
    for name in ("a/clip.mp4", "a/clip.mkv", "a/clip.mp4.mkv", "b/clip.mp4", "b/clip.mp4.mkv"):
        write_video(tmp_path / name, 16)
    result = vadpipe.score_videos([tmp_path / "b"], scorer)
    assert [scored.files[0].name for scored in result.scored] == ["clip.scores.csv", "clip.mp4.scores.csv"]
    with pytest.raises(UsageError, match=r"would write the same results as .* of another video"):
        vadpipe.score_videos([tmp_path / "a/clip.mp4.mkv", tmp_path / "a"], scorer)
    assert not list((tmp_path / "a").glob("*.csv"))


def test_results_stay_in_the_output_folder_however_videos_are_named(scorer, tmp_path, monkeypatch):
    for name in ("a/clip.mp4", "b/clip.mp4", "clip.mp4"):
        write_video(tmp_path / name, 16)
    monkeypatch.chdir(tmp_path / "a")
    names = ["clip.mp4", "../b/clip.mp4", "../clip.mp4"]
    written = [scored.files[0] for scored in vadpipe.score_videos(names, scorer, output="out").scored]
    assert [path.as_posix() for path in written] == [
        "out/a/clip.scores.csv",
        "out/b/clip.scores.csv",
        f"out/{tmp_path.name}/clip.scores.csv",
    ]
    assert all(path.is_file() for path in written)
    beside = [scored.files[0] for scored in vadpipe.score_videos(["clip.mp4", tmp_path / "b"], scorer).scored]
    assert [path.as_posix() for path in beside] == ["clip.scores.csv", f"{tmp_path}/b/clip.scores.csv"]


def test_a_place_that_cannot_be_written_is_found_before_the_work(scorer, tmp_path, monkeypatch):
    video = write_video(tmp_path / "clip.mp4", 16)
    (tmp_path / "out").write_text("a file")
    monkeypatch.setattr(scorer, "begin", lambda *args: pytest.fail("scored first"))
    with pytest.raises(OutputError, match="out: cannot be written"):
        vadpipe.score_videos([video], scorer, output=tmp_path / "out")


def test_a_head_takes_only_its_own_backbone(x3d_head, tmp_path):
    with pytest.raises(UsageError, match="was trained on features of x3d_xs, not of i3d") as caught:
        vadpipe.Scorer(x3d_head, backbone="i3d")
    assert "--backbone" in caught.value.next_step
    scorer = vadpipe.Scorer(x3d_head)
    with pytest.raises(FeatureError, match="does not fit the head"):
        scorer.head.snippet_scores(make_features())


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.mkv", "a.avi"])
def test_stills_show_the_frames_asked_for(tmp_path, name):
    video = write_video(tmp_path / name, 60, options={"g": "20", "bf": "3"})
    stills = read_stills(video, [0.0, 21 / 25, 59 / 25], short_side_px=120)
    assert [read_counter(still) for still in stills] == [0, 21, 59]


def test_the_shipped_head_tells_a_fight_from_calm(data, i3d_weights, tmp_path):
    """Not an accuracy figure (the head was trained on these clips), but a check of the whole chain."""
    scorer = vadpipe.Scorer()
    clips = data / "fight_surv"
    fight, calm = (
        scorer.score(clips / name).scores.mean() for name in ("fight/fi001.mp4", "noFight/nofi005.mp4")
    )
    assert fight > calm


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ([3], {}, "video is 3\nPass a path as video"),
        (
            ["a.mp4"],
            {"scorer": "head.safetensors"},
            "scorer is 'head.safetensors'\nPass a vadpipe.Scorer as scorer",
        ),
        (["a.mp4"], {"outputs": "json"}, "outputs is 'json'\nPass vadpipe.Outputs, or None as outputs"),
        (["a.mp4"], {"truth": 3}, "truth is 3\nPass a path, or None as truth"),
    ],
)
def test_an_argument_of_another_type_is_named_before_anything_is_written(tmp_path, inputs, options, message):
    with pytest.raises(UsageError, match=message):
        vadpipe.score_videos(
            inputs, **{"scorer": vadpipe.Scorer(), "output": tmp_path / "results", **options}
        )
    assert not [*tmp_path.iterdir()]
