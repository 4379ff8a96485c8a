"""Feature files in place of videos: the same curves, and pictures only where the video is found."""

import shutil

import numpy as np
import pytest

import vadpipe
from support.decoding import forbid_decoding
from support.feature_files import make_features
from support.head_settings import QUICK
from support.videos import textured_frame, write_video
from vadpipe import Features, ImportSettings, Outputs
from vadpipe.errors import FeatureError, InputError, UsageError
from vadpipe.extract.extractor import Extractor
from vadpipe.runs.record import read_record
from vadpipe.scoring.inputs import FeatureFile, find_inputs, named_input


@pytest.fixture
def footage(tmp_path, tiny, monkeypatch):
    """``videos/fight/clip.mp4`` and its feature file below ``features``, in the current folder."""
    video = write_video(tmp_path / "videos/fight/clip.mp4", 40, frame=textured_frame)
    (kept,) = vadpipe.extract_features([tmp_path / "videos"], tmp_path / "features", settings=tiny()).written
    monkeypatch.chdir(tmp_path)
    return video, kept


@pytest.fixture
def imported(tmp_path):
    """Return the folder of imported features, and a head fitted on them."""
    rng = np.random.default_rng(0)
    for index in range(4):
        path = tmp_path / "feats" / ("fight" if index % 2 else "normal") / f"{index}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rng.normal(size=(5, 8)).astype(np.float32))
    settings = ImportSettings("x3d_l", stride=16, fps=25)
    vadpipe.import_features([tmp_path / "feats"], tmp_path / "imported", settings=settings)
    return tmp_path / "imported", vadpipe.fit(
        tmp_path / "imported", output=tmp_path / "ihead", settings=QUICK
    ).head


def test_a_feature_file_gives_the_curve_of_its_video(scorer, x3d_head, footage, monkeypatch):
    video, kept = footage
    expected = scorer.score(video)
    forbid_decoding(monkeypatch)
    monkeypatch.setattr(Extractor, "__init__", lambda *_, **__: pytest.fail("built what extracts"))
    fresh = vadpipe.Scorer(x3d_head)
    for given in (kept, str(kept), Features.load(kept)):
        curve = fresh.score(given)
        np.testing.assert_array_equal(curve.scores, expected.scores)
        np.testing.assert_array_equal(curve.times_s, expected.times_s)
        assert (curve.video, curve.threshold) == ("videos/fight/clip.mp4", expected.threshold)


def test_folders_of_features_and_videos_are_found(footage, tmp_path):
    video, kept = footage
    (tmp_path / "features/head.safetensors").write_bytes(b"")  # fit's own files are passed over
    found, failures = find_inputs(["features", "videos"])
    assert [item.path for item in found] == [kept.relative_to(tmp_path), video.relative_to(tmp_path)]
    assert [type(item) is FeatureFile for item in found] == [True, False]
    assert (found[0].name, found[0].stem) == ("videos/fight/clip.mp4", "clip")
    assert failures == []
    shutil.copy(kept, "videos/extra.safetensors")
    assert [item.path.suffix for item in find_inputs("videos")[0]] == [
        ".mp4"
    ]  # a folder of videos has videos
    assert [item.path for item in find_inputs("videos/*.safetensors")[0]] == [
        (tmp_path / "videos/extra.safetensors").relative_to(tmp_path)
    ]
    (tmp_path / "empty").mkdir()
    (failure,) = find_inputs("empty")[1]
    assert "contains no video and no feature file" in str(failure.error)
    assert "Looked for feature files (.safetensors), folders of numbered" in str(failure.error)


def test_several_features_give_a_curve_each(x3d_head, footage):
    _, kept = footage
    features = Features.load(kept)
    curves = vadpipe.score({"a": features, "b": features}, head=x3d_head)
    assert {name: curve.video for name, curve in curves.items()} == {"a": "a", "b": "b"}
    alone = vadpipe.score(kept, head=x3d_head)
    for curve in curves.values():
        np.testing.assert_array_equal(curve.scores, alone.scores)
    with pytest.raises(UsageError, match="no features are given"):
        vadpipe.score({}, head=x3d_head)
    with pytest.raises(UsageError, match="video is 5\nPass a path as video"):
        vadpipe.Scorer(x3d_head).explain(5)


def test_what_is_no_feature_file_costs_only_itself(scorer, footage, x3d_head, tmp_path):
    _, kept = footage
    (tmp_path / "broken.safetensors").write_bytes(b"12345678")
    result = vadpipe.score_videos(
        ["broken.safetensors", x3d_head, "gone.safetensors", kept], scorer, output="out"
    )
    assert [scored.video for scored in result.scored] == [kept]
    broken, *others = [str(failure.error) for failure in result.failed]
    assert broken.startswith("broken.safetensors: is not a readable feature file: ")
    assert others == [
        f"{x3d_head}: is a head, not a feature file\nPass it as --head.",
        "gone.safetensors: no such feature file",
    ]
    with pytest.raises(FeatureError, match="is a head, not a feature file"):
        scorer.score(x3d_head)


def test_results_are_named_after_the_video(scorer, footage, tmp_path):
    _, kept = footage
    outputs = Outputs(formats=("csv", "json"))
    (scored,) = vadpipe.score_videos([kept], scorer, outputs=outputs).scored
    assert [path.name for path in scored.files] == ["clip.scores.csv", "clip.events.csv", "clip.scores.json"]
    assert {path.parent for path in scored.files} == {kept.parent}
    both = vadpipe.score_videos(["features", "videos"], scorer, output="out").scored
    assert len({item.files[0] for item in both}) == 2
    np.testing.assert_array_equal(both[0].curve.scores, both[1].curve.scores)


@pytest.mark.parametrize("moved", [False, True])
def test_pictures_come_from_the_video_where_it_is_found(scorer, footage, tmp_path, monkeypatch, moved):
    _, kept = footage
    if moved:  # the whole folder was copied to another machine, and another folder is the current one
        shutil.copytree(tmp_path / "videos", tmp_path / "there/videos")
        shutil.copytree(tmp_path / "features", tmp_path / "there/features")
        shutil.rmtree(tmp_path / "videos")
        kept = tmp_path / "there" / kept.relative_to(tmp_path)
        monkeypatch.chdir("/")
    item = named_input(kept)
    assert item.footage.samefile((tmp_path / "there" if moved else tmp_path) / "videos/fight/clip.mp4")
    outputs = Outputs(formats=(), plot="png", report=True, annotate=tmp_path / "out")
    (scored,) = vadpipe.score_videos([kept], scorer, output=tmp_path / "out", outputs=outputs).scored
    assert [path.name for path in scored.files] == ["clip.png", "clip.report.html", "clip.annotated.mp4"]


def test_without_the_video_a_plot_has_no_stills(scorer, footage, tmp_path, caplog):
    video, kept = footage
    outputs = Outputs(formats=(), plot="png")
    (with_stills,) = vadpipe.score_videos([kept], scorer, output="a", outputs=outputs).scored
    video.unlink()
    (without,) = vadpipe.score_videos([kept], scorer, output="b", outputs=outputs).scored
    assert "plotted without stills, as only the features were found: 1 (videos/fight/clip.mp4)" in caplog.text
    assert with_stills.files[0].read_bytes() != without.files[0].read_bytes()
    scorer.score(kept).to_picture("c.png")
    assert without.files[0].read_bytes() == (tmp_path / "c.png").read_bytes()


def test_what_needs_the_video_is_refused_without_it(scorer, footage, tmp_path):
    video, kept = footage
    video.rename("clip.mp4")
    for outputs in (Outputs(report=True), Outputs(annotate="out"), Outputs(clips="out")):
        result = vadpipe.score_videos([kept], scorer, output="out", outputs=outputs)
        (failure,) = result.failed
        assert str(failure.error) == (
            f"{kept}: needs its video videos/fight/clip.mp4 for pictures, which is not below the current folder\n"
            "Score the video, and pass the features: vadpipe score VIDEO --features FOLDER. Curves, tables, "
            "JSON and plots need no video."
        )
        assert sorted(path.name for path in (tmp_path / "out").glob("*.csv")) == [
            "clip.events.csv",
            "clip.scores.csv",
        ]  # the curve is there
        assert not [path for path in (tmp_path / "out").iterdir() if path.suffix not in (".csv", ".json")]
        record = read_record(tmp_path / "out/clip.run.json")
        assert [output.file for output in record.outputs] == ["clip.events.csv", "clip.scores.csv"]
        assert [video.status for video in record.videos] == ["failed"]
    with pytest.raises(InputError, match="needs its video"):
        scorer.explain(kept, threshold=0.0)


def test_another_video_of_that_name_is_not_taken(scorer, footage):
    video, kept = footage
    write_video(video, 41, frame=textured_frame)
    with pytest.raises(InputError, match=r"was not made of .*videos/fight/clip\.mp4 as it is now"):
        _ = named_input(kept).footage
    state = kept.stat()
    content = bytearray(video.read_bytes())
    source = Features.load(kept).source
    video.write_bytes(content[: source.n_bytes] + bytes(max(0, source.n_bytes - len(content))))
    assert video.stat().st_size == source.n_bytes  # of the same size, but not the same
    with pytest.raises(InputError, match="was not made of"):
        _ = named_input(kept).footage
    assert kept.stat().st_mtime_ns == state.st_mtime_ns


def test_a_result_does_not_take_the_place_of_the_video(scorer, footage):
    video, kept = footage
    before = video.read_bytes()
    with pytest.raises(UsageError, match="would be overwritten by its annotated copy"):
        vadpipe.score_videos([kept], scorer, output="out", outputs=Outputs(annotate=video))
    assert video.read_bytes() == before


def test_imported_features_are_scored_on_their_own_time_axis(imported, tmp_path):
    folder, head = imported
    scorer = vadpipe.Scorer(head)
    result = vadpipe.score_videos([folder], scorer, output=tmp_path / "out", outputs=Outputs(plot="png"))
    assert len(result.scored) == 4
    for scored in result.scored:
        assert len(scored.curve) == 80
        np.testing.assert_allclose(scored.curve.times_s, np.arange(80) / 25)
        array = np.load(tmp_path / f"{scored.curve.video}.npy")
        np.testing.assert_array_equal(scorer.score(array).scores, scored.curve.scores)
        for start in range(0, 80, 16):
            assert len(set(scored.curve.scores[start : start + 16].tolist())) == 1
    result = vadpipe.score_videos([folder], scorer, output=tmp_path / "out", outputs=Outputs(report=True))
    assert "was imported, so there is no video to take pictures from" in str(result.failed[0].error)


def test_a_head_of_imported_features_scores_no_videos(imported, footage):
    video, kept = footage
    scorer = vadpipe.Scorer(imported[1])
    with pytest.raises(
        UsageError,
        match="features of imported:x3d_l are imported and cannot be extracted from a video\nScore feature",
    ):
        scorer.score(video)
    with pytest.raises(FeatureError, match="vadpipe features import FILES --backbone x3d_l --stride 16"):
        scorer.score(kept)
    with pytest.raises(
        UsageError, match="was trained on imported features, whose views have no names\nOmit --view"
    ):
        vadpipe.Scorer(imported[1], view="left")


def test_features_that_do_not_fit_say_what_would(scorer, tmp_path):
    make_features().save(tmp_path / "a.mp4.safetensors")
    (failure,) = vadpipe.score_videos([tmp_path], scorer, output=tmp_path / "out").failed
    assert "does not fit the head, which expects other features (backbone: x3d_xs / i3d" in str(failure.error)
    assert "Make them with: vadpipe extract VIDEOS --backbone x3d_xs --view whole --stride 8" in str(
        failure.error
    )


def test_the_command_takes_features(footage, x3d_head, command_line):
    result = command_line("score", "features", "--head", x3d_head, "-o", "out", "--format", "json")
    assert result.exit_code == 0, result.output
    assert result.stdout == "out/clip.scores.json\n"
    assert "features/videos/fight/clip.mp4.safetensors: 40 frames, highest score" in result.stderr


@pytest.mark.parametrize("wrong", [3, None, np.float32(0.5), b"a.mp4"])
def test_what_is_neither_a_path_nor_features_is_refused(x3d_head, wrong):
    with pytest.raises(UsageError) as caught:
        vadpipe.score(wrong, head=x3d_head)
    assert str(caught.value).splitlines()[1] == (
        "Pass a path, vadpipe.Features, or an array, (S, D) or (C, S, D), as video."
    )
