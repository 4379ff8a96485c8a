"""From files to feature files: a bad file costs only itself, and what is left out is said."""

import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import av
import numpy as np
import psutil
import pytest
import torch

from support.decoding import forbid_decoding
from support.video_edits import flip_bytes
from support.videos import read_counter, textured_frame, write_video
from vadpipe.errors import OutputError, UsageError, WeightsError
from vadpipe.extract.backbones.loading import load_network
from vadpipe.extract.backbones.registry import find_backbone
from vadpipe.extract.exports import npy_beside
from vadpipe.extract.extraction import extract_features
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.video.discovery import named_video
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.features.file import Features


@pytest.fixture
def extract(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    of_run = {"retry", "tolerate", "format", "on_progress", "on_failure"}

    def run(*inputs, **options):
        mine = {name: options.pop(name) for name in of_run & options.keys()}
        return extract_features(inputs, "features", settings=tiny(**options), **mine)

    return run


def run_record(folder):
    return json.loads((folder / "features/run.json").read_text())


def test_a_folder_of_videos(extract, tmp_path):
    write_video(tmp_path / "videos/fight/a.mp4", 40)
    write_video(tmp_path / "videos/calm/b.mkv", 16)
    result = extract("videos")
    assert [path.as_posix() for path in result.written] == [
        "features/videos/calm/b.mkv.safetensors",
        "features/videos/fight/a.mp4.safetensors",
    ]
    a = Features.load(result.written[1])
    assert (a.n_frames, a.values.shape, a.source.video) == (40, (4, 1, 2048), "videos/fight/a.mp4")
    np.testing.assert_allclose(a.snippet_times_s, [[0, 0.64], [0.32, 0.96], [0.64, 1.28], [0.96, 1.6]])
    assert (a.recipe.backbone, a.recipe.clip_frames) == ("x3d_xs", 4)
    assert a.recipe.decoder.startswith("decord")
    assert a.source.partial is None


def test_features_are_those_of_a_plain_loop(extract, tmp_path, x3d_weights):
    path = write_video(tmp_path / "a.mp4", 20, size=(182, 182))  # no resize, so that decoders agree
    stored = Features.load(extract(path, decoder="pyav").written[0]).values
    network, _ = load_network(find_backbone("x3d_xs"), weights=x3d_weights)
    with av.open(path) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(stored) == 2
    for row, start in enumerate((0, 4)):
        clip = np.stack([frames[start + offset] for offset in (2, 6, 10, 14)])
        x = torch.from_numpy(clip).float().div(255).sub(0.45).div(0.225)
        with torch.inference_mode():
            expected = network.network(x.permute(3, 0, 1, 2)[None])[0].numpy()
        np.testing.assert_allclose(stored[row, 0], expected, atol=1e-4 * np.abs(expected).max())


def test_views_together_are_each_alone(extract, tmp_path):
    """To the last bit, but for the whole frame, which alone is decoded as a square."""
    path = write_video(tmp_path / "a.mp4", 30, size=(320, 240), frame=textured_frame)
    names = ("whole", "left", "right", "centre", "left-flip")
    together = Features.load(extract(path, view=names).written[0])
    assert (together.recipe.view, together.recipe.views) == (",".join(names), names)
    assert together.values.shape == (3, 5, 2048)
    for column, view in enumerate(names):
        alone = Features.load(extract(path, view=view).written[0])
        assert (alone.recipe.view, alone.recipe.crops) == (view, 1)
        if view != "whole":
            np.testing.assert_array_equal(together.values[:, column], alone.values[:, 0])
        else:
            a, b = together.values[:, column], alone.values[:, 0]
            cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            assert cosines.min() > 0.99


class Showing:
    """An engine that keeps what it is shown, and says nothing of it."""

    name, workers, batch = "showing", 1, 1

    def __init__(self, n_positions=None):
        self.seen, self._shape = [], (1, 2048) if n_positions is None else (1, n_positions, 1, 1, 1024)

    def __call__(self, clips):
        self.seen.append(clips[0])
        return np.full(self._shape, len(self.seen), np.float32)


def shown(path, settings, n_positions=None):
    """Return what the engine is shown of a video, and its features."""
    extractor = Extractor(settings)
    extractor.__dict__ |= {"weights_sha256": "0" * 64, "engine": Showing(n_positions)}
    with extractor.open(named_video(path)) as opened:
        features = extractor.features(opened)
    return np.stack(extractor.engine.seen), features


def decoded(path, size):
    with Decoding(path, DecodeJob(size)) as decoding:
        return np.stack([frame.pixels for frame in decoding.frames()])


def test_the_engine_is_shown_the_decoded_frames_and_nothing_else(tmp_path):
    """The whole frame as it was decoded to a square; others cut from frames of the short side."""
    path = write_video(tmp_path / "a.mp4", 24, size=(320, 240), frame=textured_frame)
    seen, _ = shown(path, ExtractSettings(backbone="x3d_l"))
    square = decoded(path, Size(312, square=True))
    np.testing.assert_array_equal(seen, np.stack([square[:16], square[8:]]))
    seen, features = shown(path, ExtractSettings(backbone="x3d_l", crops=10))
    large = decoded(path, Size(356, square=False))
    assert large.shape[1:3] == (356, 474)
    corners = [(0, 0), (0, 162), (22, 81), (44, 0), (44, 162)]
    expected = [
        frames[start : start + 16, top : top + 312, left : left + 312]
        for start in (0, 8)
        for frames in (large, large[:, :, ::-1])
        for top, left in corners
    ]
    np.testing.assert_array_equal(seen, expected)
    np.testing.assert_array_equal(features.values[..., 0], np.arange(1, 21).reshape(2, 10))


def test_views_of_windows_lie_in_their_columns(tmp_path):
    path = write_video(tmp_path / "a.mp4", 100, size=(320, 240))
    together, features = shown(
        path, ExtractSettings(window=64, view="top-left,centre-flip", target_fps="all"), n_positions=8
    )
    assert features.values.shape == (12, 2, 1024)
    for column, view in enumerate(("top-left", "centre-flip")):
        alone, _ = shown(path, ExtractSettings(window=64, view=view, target_fps="all"), n_positions=8)
        np.testing.assert_array_equal(together[column::2], alone)
    # the first window's views are the first two runs, the second's the next two
    np.testing.assert_allclose(features.values[[0, 0, -1, -1], [0, 1, 0, 1], 0], [1, 2, 3, 4], rtol=1e-6)


@pytest.mark.parametrize("window", [16, 64])
def test_a_gap_costs_each_view_the_same_snippets(tmp_path, window):
    path = write_video(tmp_path / "a.mp4", 120, options={"g": "12", "bf": "0"}, frame=textured_frame)
    flip_bytes(path, [40], n_bytes=8)
    settings = ExtractSettings(window=window, view="whole,right", decoder="pyav", backbone="i3d")
    _, features = shown(path, settings, n_positions=window // 8)
    assert features.source.gaps
    assert features.lost.any()
    assert (features.values[features.lost] == 0).all()
    assert (features.values[~features.lost] != 0).all()


def test_a_bad_file_is_reported_at_once_and_the_rest_goes_on(extract, tmp_path):
    (tmp_path / "a-text.mp4").write_text("not a video")
    write_video(tmp_path / "b-good.mp4", 16)
    seen = []
    result = extract("a-text.mp4", "gone.mp4", "b-good.mp4", on_failure=seen.append)
    assert [failure.path.name for failure in result.failed] == ["a-text.mp4", "gone.mp4"]
    assert result.failed == seen
    assert len(result.written) == 1


def cut_short(path, packet=60):
    """Write a video whose index comes first, and cut it off inside a packet, as an interrupted copy does."""
    write_video(path, 100, options={"g": "10"}, container_options={"movflags": "faststart"})
    with av.open(path) as container:
        places = [(each.pos, each.size) for each in container.demux(video=0) if each.size]
    at, size = places[packet]
    with path.open("r+b") as file:
        file.truncate(at + size // 2)
    return path


def test_the_decodable_part_of_a_cut_file_is_kept_and_marked(extract, tmp_path, caplog):
    path = cut_short(tmp_path / "a.mp4")
    result = extract(path)
    features = Features.load(result.written[0])
    n_frames = features.n_frames
    assert 16 < n_frames < 100
    assert len(features.values) == 1 - (16 - n_frames) // 8
    with av.open(path) as container:
        shown = []
        with pytest.raises(av.FFmpegError):
            shown.extend(
                read_counter(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
            )
    # This network looks at each fourth frame; and the plain loop loses what its decoder held at the error.
    assert abs(len(shown) - n_frames) < 4
    lost = f"{100 - n_frames} of 100 frames could not be decoded"
    assert features.source.partial == f"{lost} (frames: the end)"
    assert f"a.mp4: damaged, {lost}" in caplog.text
    assert result.damaged == result.written
    (video,) = run_record(tmp_path)["videos"]
    assert (video["n_announced"], video["n_decoded"], video["damaged"]) == (100, n_frames, True)
    again = extract(path, tolerate=1)
    assert (again.skipped, again.damaged) == (result.written, [])


@pytest.mark.parametrize(("tolerate", "code", "said"), [("0.05", 3, ", 1 damaged"), ("1", 0, "")])
def test_the_exit_code_tells_of_damage(tiny, tmp_path, monkeypatch, command_line, tolerate, code, said):
    monkeypatch.chdir(tmp_path)
    options = ["--backbone", "x3d_xs", "--weights", tiny().weights, "--tolerate", tolerate]
    path = cut_short(tmp_path / "a.mp4")
    for summary in ("1 extracted, 0 already done", "0 extracted, 1 already done"):
        done = command_line("extract", path, *options)
        assert done.exit_code == code
        assert done.stderr.splitlines()[-1] == f"{summary}, 0 failed{said}: features"


def test_what_is_damaged_is_said_of_features_that_are_there_too(extract, tmp_path):
    path = cut_short(tmp_path / "a.mp4")
    extract(path)
    again = extract(path)
    assert (again.written, again.damaged) == ([], again.skipped)


def test_transport_streams_go_to_the_decoder_that_reads_them(extract, tmp_path):
    path = write_video(tmp_path / "a.ts", 20)
    features = Features.load(extract(path).written[0])
    assert features.recipe.decoder.startswith("av ")
    assert (features.n_frames, features.source.partial) == (20, None)


def test_progress_runs_to_the_end_of_the_video(extract, tmp_path):
    write_video(tmp_path / "a.mp4", 40)
    reports = []
    extract("a.mp4", on_progress=reports.append)
    assert [report.done_s for report in reports] == sorted(report.done_s for report in reports)
    # The last that the network sees is the 15th frame of the last snippet.
    assert (reports[-1].total_s, reports[-1].done_s) == (pytest.approx(1.6), pytest.approx(1.52))


def test_an_output_that_cannot_be_written_is_found_before_the_work(extract, tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", 16)
    (tmp_path / "features").write_text("a file")
    forbid_decoding(monkeypatch)
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
    with pytest.raises(WeightsError, match=r"none\.pyth: cannot be read: No such file"):
        extract("a.mp4", weights=tmp_path / "none.pyth")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="'cuda:0' is not available"):
            extract("a.mp4", device="cuda:0")


def test_a_video_that_vanishes_or_changes_while_it_waits_costs_only_itself(extract, tmp_path):
    for name in "abcd":
        write_video(tmp_path / f"v/{name}.mp4", 16)

    def interfere(progress):  # the next video is being decoded already
        if progress.video.path.name == "a.mp4":
            (tmp_path / "v/b.mp4").unlink(missing_ok=True)
        if progress.video.path.name == "c.mp4":
            with (tmp_path / "v/d.mp4").open("ab") as file:
                file.write(bytes(8))

    result = extract("v", on_progress=interfere)
    assert [path.name for path in result.written] == ["a.mp4.safetensors", "c.mp4.safetensors"]
    assert [str(failure.error) for failure in result.failed] == [
        "v/b.mp4: cannot be read: No such file or directory",
        "v/d.mp4: changed while it was read\nRun again when the file is complete.",
    ]
    again = extract("v")  # neither is remembered as bad
    assert [path.name for path in again.written] == ["d.mp4.safetensors"]


def test_ctrl_c_leaves_no_process_and_keeps_what_was_finished(extract, tmp_path):
    for name in "abc":
        write_video(tmp_path / f"v/{name}.mp4", 64)
    children = []

    def interrupt(progress):
        if progress.video.path.name == "b.mp4":
            children.extend(psutil.Process().children())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract("v", on_progress=interrupt)
    assert len(children) == 2  # b and c were being decoded
    assert psutil.Process().children() == []
    assert not any(child.is_running() for child in children)
    assert [path.name for path in tmp_path.rglob("*.safetensors")] == ["a.mp4.safetensors"]
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".part-")]
    assert [video["video"] for video in run_record(tmp_path)["videos"]] == ["v/a.mp4"]
    assert len(extract("v").written) == 2


def test_arrays_for_other_tools(extract, tmp_path):
    write_video(tmp_path / "a.mp4", 40)
    (path,) = extract("a.mp4").written
    array = path.with_suffix(".npy")
    assert not array.exists()
    assert extract("a.mp4", format="npy").skipped == [path]  # added to what is there
    assert np.load(array).shape == (4, 2048)
    np.testing.assert_array_equal(np.load(array), Features.load(path).values[:, 0])
    extract("a.mp4", format="npy", crops=5)
    assert np.load(array).shape == (4, 5, 2048)
    np.testing.assert_array_equal(np.load(array), Features.load(path).values)
    assert np.load(array).dtype == np.float32
    gap = Features.load(path).source.model_copy(update={"gaps": ((0, 3),), "n_decoded": 37})
    replace(Features.load(path), source=gap).save(path)
    np.testing.assert_array_equal(np.load(npy_beside(path)), Features.load(path).values[1:])
    with pytest.raises(UsageError, match="unknown format 'mat'\nChoose one of: safetensors, npy"):
        extract("a.mp4", format="mat")


def test_an_extractor_travels_to_other_processes(tiny, tmp_path):
    extractor = Extractor(tiny())
    extractor.engine  # noqa: B018  what is loaded must not travel
    assert len(pickle.dumps(extractor)) < 2000
    assert pickle.loads(pickle.dumps(extractor)).settings == extractor.settings
    videos = [write_video(tmp_path / f"{name}/clip.mp4", 20) for name in "ab"]
    expected = [extractor(video, tmp_path / "here").read_bytes() for video in videos]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        paths = [*pool.map(partial(extractor, output=tmp_path / "there"), videos)]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        f"there/{name}/clip.mp4.safetensors" for name in "ab"
    ]
    assert [path.read_bytes() for path in paths] == expected


def test_i3d_features_of_a_real_clip(data, i3d_weights, tmp_path):
    result = extract_features([data / "fight_surv/fight/fi001.mp4"], tmp_path)
    features = Features.load(result.written[0])
    assert features.values.shape == (3, 2, 2048)  # every second of 53 frames, left and right, by both windows
    assert (features.values >= 0).all()  # means of a ReLU


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ([3], {}, "video is 3\nPass a path as video"),
        (3, {}, "videos is 3\nPass a path, or several"),
        (["a.mp4"], {"output": 5}, "output is 5\nPass a path as output"),
        (["a.mp4"], {"tolerate": "5 %"}, "tolerate is '5 %'\nPass a number as tolerate"),
        (
            ["a.mp4"],
            {"settings": {"stride": 8}},
            "settings is of type dict\nPass vadpipe.ExtractSettings, or None",
        ),
        (["a.mp4"], {"shard": "1/2"}, "shard is '1/2'\nPass vadpipe.extract.video.shards.Shard, or None"),
    ],
)
def test_an_argument_of_another_type_is_named_before_anything_is_written(tmp_path, inputs, options, message):
    with pytest.raises(UsageError, match=message):
        extract_features(inputs, **{"output": tmp_path / "features", **options})
    assert not [*tmp_path.iterdir()]
