"""From files to feature files: nothing is done twice, and a bad file costs only itself."""

import shutil

import numpy as np
import pytest
import torch
from conftest import write_video

from vadpipe.errors import OutputError, UsageError, WeightsError
from vadpipe.extract.extraction import extract_features
from vadpipe.features import Features
from vadpipe.fitting import load_features


@pytest.fixture
def extract(x3d_weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*inputs, **options):
        return extract_features(
            inputs, "features", **({"backbone": "x3d_s", "weights": x3d_weights} | options)
        )

    return run


def test_a_folder_of_videos(extract, tmp_path):
    write_video(tmp_path / "videos/fight/a.mp4", 40)
    write_video(tmp_path / "videos/calm/b.mkv", 16)
    result = extract("videos")
    assert [path.as_posix() for path in result.written] == [
        "features/videos/calm/b.mkv.safetensors",
        "features/videos/fight/a.mp4.safetensors",
    ]
    a = Features.load(result.written[1])
    assert (a.n_frames, a.values.shape, a.source.video) == (40, (3, 1, 2048), "videos/fight/a.mp4")
    np.testing.assert_allclose(a.snippet_times_s, [[0, 0.64], [0.64, 1.28], [1.28, 1.6]])
    assert a.recipe.backbone == "x3d_s"
    assert a.recipe.decoder.startswith("decord")
    assert a.source.partial is None


def test_features_are_those_of_a_plain_loop(extract, tmp_path, x3d_weights):
    import av
    from vadpipe.extract.network import load_backbone

    path = write_video(tmp_path / "a.mp4", 20, size=(182, 182))  # no resize, so that decoders agree
    stored = Features.load(extract(path).written[0]).values
    network = load_backbone("x3d_s", weights=x3d_weights)._network
    with av.open(path) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    expected = []
    for start in (0, 16):
        snippet = [frames[min(index, 19)] for index in range(start, start + 16)]
        x = torch.from_numpy(np.stack(snippet)).float().div(255).sub(0.45).div(0.225)
        with torch.inference_mode():
            expected.append(network(x.permute(3, 0, 1, 2)[None]).numpy())
    cosine = (stored * expected).sum(-1) / np.linalg.norm(stored, axis=-1) / np.linalg.norm(expected, axis=-1)
    assert (cosine > 0.9999).all()


def test_a_second_run_decodes_nothing(extract, tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", 16)
    first = extract("a.mp4")
    monkeypatch.setattr("vadpipe.extract.extraction.read_timeline", lambda path: pytest.fail("read again"))
    again = extract("a.mp4")
    assert (again.written, again.skipped) == ([], first.written)


def test_what_changed_is_done_again(extract, tmp_path):
    write_video(tmp_path / "a.mp4", 16)
    extract("a.mp4")
    write_video(tmp_path / "a.mp4", 33)
    assert Features.load(extract("a.mp4").written[0]).n_frames == 33
    assert extract("a.mp4", view="centre").written
    assert extract("a.mp4", view="centre").skipped


def test_a_moved_folder_is_not_done_again(extract, tmp_path):
    write_video(tmp_path / "one/videos/a.mp4", 16)
    extract("one/videos")
    shutil.move("one", "two")
    assert extract("two/videos").skipped


def test_two_videos_of_one_name_do_not_collide(extract, tmp_path):
    write_video(tmp_path / "one/videos/a.mp4", 16)
    write_video(tmp_path / "two/videos/a.mp4", 33)
    result = extract("one/videos", "two/videos")
    features = [Features.load(path) for path in result.written]
    assert [item.n_frames for item in features] == [16, 33]
    assert [item.source.video for item in features] == ["videos/a.mp4", "two/videos/a.mp4"]
    assert extract("two/videos", "one/videos").skipped == result.written[::-1]
    assert len(load_features(tmp_path / "features")) == 2  # and a head can be fitted on both


def test_a_video_is_known_however_it_is_named(extract, tmp_path):
    write_video(tmp_path / "videos/fight/a.mp4", 16)
    first = extract("videos").written
    for name in ("videos/fight", "videos/fight/a.mp4", tmp_path / "videos" / "fight" / "a.mp4"):
        assert extract(name).skipped == first


def test_names_with_dots_stay_inside_the_output(extract, tmp_path, monkeypatch):
    write_video(tmp_path / "w/clips/x.mp4", 16)
    write_video(tmp_path / "clips/x.mp4", 33)
    monkeypatch.chdir(tmp_path / "w")
    result = extract("clips", "../clips")
    assert [path.as_posix() for path in result.written] == [
        "features/clips/x.mp4.safetensors",
        f"features/{tmp_path.name}/clips/x.mp4.safetensors",
    ]
    assert extract("../w/clips", "../clips/x.mp4").skipped == result.written


def test_a_video_takes_the_longer_name_when_it_is_found_from_further_up(extract, tmp_path):
    write_video(tmp_path / "videos/normal/cam1/a.mp4", 16)
    extract("videos/normal/cam1/a.mp4")
    (path,) = extract("videos").skipped
    assert path.as_posix() == "features/videos/normal/cam1/a.mp4.safetensors"
    assert Features.load(path).source.video == "videos/normal/cam1/a.mp4"
    assert len(load_features(tmp_path / "features")) == 1


def test_a_moved_video_that_changes_later_replaces_its_features(extract, tmp_path):
    write_video(tmp_path / "old/videos/a.mp4", 16)
    extract("old/videos")
    shutil.move("old", "new")
    extract("new/videos")
    write_video(tmp_path / "new/videos/a.mp4", 33)
    extract("new/videos")
    assert [item.n_frames for item in load_features(tmp_path / "features")] == [33]


def test_features_of_another_recipe_are_replaced_and_it_is_said(extract, tmp_path, caplog):
    write_video(tmp_path / "a.mp4", 16)
    extract("a.mp4")
    extract("a.mp4", view="centre")
    assert "a.mp4: features of another recipe are replaced (view: centre / whole)" in caplog.text


def test_a_copied_project_is_not_done_again(extract, tmp_path):
    write_video(tmp_path / "one/videos/a.mp4", 16)
    extract("one/videos")
    shutil.copytree("one", "two")
    (tmp_path / "two/videos/a.mp4").touch()  # another place, another time, the same content
    assert extract("two/videos").skipped


def test_the_same_content_in_two_class_folders_is_two_videos(extract, tmp_path):
    write_video(tmp_path / "videos/fight/a.mp4", 16)
    (tmp_path / "videos/calm").mkdir()
    shutil.copy2("videos/fight/a.mp4", "videos/calm/a.mp4")
    assert len(extract("videos").written) == 2


def test_a_bad_file_is_reported_at_once_and_the_rest_goes_on(extract, tmp_path):
    (tmp_path / "a-text.mp4").write_text("not a video")
    write_video(tmp_path / "b-good.mp4", 16)
    seen = []
    result = extract("a-text.mp4", "gone.mp4", "b-good.mp4", on_failure=seen.append)
    assert [failure.path.name for failure in result.failed] == ["a-text.mp4", "gone.mp4"] == [
        failure.path.name for failure in seen
    ]  # fmt: skip
    assert len(result.written) == 1


def test_the_decodable_part_of_a_cut_file_is_kept_and_marked(extract, tmp_path, caplog):
    path = write_video(
        tmp_path / "a.mp4", 100, options={"g": "10"}, container_options={"movflags": "faststart"}
    )
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(int(size * 0.6))
    features = Features.load(extract(path).written[0])
    assert 16 < features.n_frames < 100
    assert features.source.partial == f"{features.n_frames} of 100 frames decoded"
    assert features.recipe.decoder.startswith("PyAV")
    assert f"a.mp4: damaged, {features.n_frames} of 100 frames decoded" in caplog.text


def test_transport_streams_go_to_the_decoder_that_reads_them(extract, tmp_path):
    path = write_video(tmp_path / "a.ts", 20)
    features = Features.load(extract(path).written[0])
    assert features.recipe.decoder.startswith("PyAV")
    assert (features.n_frames, features.source.partial) == (20, None)


def test_progress_runs_to_the_end_of_the_video(extract, tmp_path):
    write_video(tmp_path / "a.mp4", 40)
    reports = []
    extract("a.mp4", on_progress=reports.append)
    assert [report.done_s for report in reports] == sorted(report.done_s for report in reports)
    assert (reports[-1].total_s, reports[-1].done_s) == (pytest.approx(1.6), pytest.approx(1.56))


def test_an_output_that_cannot_be_written_is_found_before_the_work(extract, tmp_path):
    write_video(tmp_path / "a.mp4", 16)
    (tmp_path / "features").write_text("a file")
    with pytest.raises(OutputError, match="features: cannot be written"):
        extract("a.mp4")


def test_nothing_is_fetched_for_nothing(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "empty cache"))
    result = extract_features([tmp_path / "gone.mp4"], tmp_path / "features")
    assert len(result.failed) == 1
    assert not (tmp_path / "empty cache").exists()
    assert not (tmp_path / "features").exists()


def test_weights_and_devices_that_are_not_there(extract, tmp_path):
    write_video(tmp_path / "a.mp4", 16)
    with pytest.raises(WeightsError, match=r"none\.pyth: no such file"):
        extract("a.mp4", weights="none.pyth")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="'cuda:0' is not available"):
            extract("a.mp4", device="cuda:0")


@pytest.mark.parametrize(
    "name", ["-rf.mp4", "a:b|c.mp4", "two\nlines.mp4", "видео 😀.mp4", "100%.mp4", "n" * 251 + ".mp4"]
)
def test_any_legal_name_works(extract, tmp_path, name):
    write_video(tmp_path / "v" / "plain.mp4", 5)
    (tmp_path / "v" / "plain.mp4").rename(tmp_path / "v" / name)
    result = extract(tmp_path / "v")
    assert [Features.load(path).source.video for path in result.written] == [f"v/{name}"]
    assert extract(tmp_path / "v").skipped == result.written


def test_a_name_that_is_no_text_costs_only_its_file(extract, tmp_path):
    write_video(tmp_path / "v" / "good.mp4", 5)
    shutil.copy("v/good.mp4", b"v/bad\xff.mp4")
    result = extract("v")
    assert [path.name for path in result.written] == ["good.mp4.safetensors"]
    assert [failure.error.reason for failure in result.failed] == ["has a name that is not UTF-8"]
    assert "\\udcff" in str(result.failed[0].error)


def test_i3d_features_of_a_real_clip(data, i3d_weights, tmp_path):
    result = extract_features([data / "fight_surv/fight/fi001.mp4"], tmp_path)
    features = Features.load(result.written[0])
    assert features.values.shape == (4, 1, 1024)
    assert (features.values >= 0).all()  # means of a ReLU
