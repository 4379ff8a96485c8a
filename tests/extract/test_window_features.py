"""Features from windows: each snippet is the mean of its part, whatever is missing of the video.

The backbone is a stand-in whose features say which window and which 8 frames they come from: of the counter
that each frame carries, drawn into it, the means.
"""

import logging

import numpy as np
import pytest
import torch

from support.video_edits import cut_inside, flip_bytes, packets_of
from support.videos import read_counter, write_video
from vadpipe.errors import DecodeError, UsageError
from vadpipe.extract.backbones.inception_i3d import InceptionI3D
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.snippet_rows import BackboneRuns
from vadpipe.extract.video.discovery import named_video
from vadpipe.extract.video.process import Decoding
from vadpipe.features.commands import options_of
from vadpipe.features.file import Features, lost_snippets
from vadpipe.features.sampling import Sampling
from vadpipe.features.windows import WINDOWS

POSITION = 8


def of_position(counters, at):
    """What the stand-in says of a position of a window that shows frames with these counters."""
    part = counters[at * POSITION : (at + 1) * POSITION]
    return [np.mean(part), np.mean(counters), counters[0], len(counters)]


class Counting:
    """Reads the counters of a window's frames; maps (P, 1, 1, 1024), of which four numbers are used."""

    name, batch = "counting", 1

    def __init__(self, workers=2):
        self.workers = workers
        self.seen = []

    def __call__(self, clips):
        (clip,) = clips
        counters = [read_counter(pixels) for pixels in clip]
        self.seen.append(counters)
        maps = np.zeros((1, len(clip) // POSITION, 1, 1, 1024), np.float32)
        for at in range(maps.shape[1]):
            maps[0, at, 0, 0, :4] = of_position(counters, at)
        return maps


def extract(path, **options):
    view = {} if "crops" in options else {"view": "whole"}
    extractor = Extractor(ExtractSettings(**{"window": 64, "target_fps": "all", **view, **options}))
    extractor.__dict__ |= {"weights_sha256": "0" * 64, "engine": Counting()}
    with extractor.open(named_video(path)) as opened:
        return extractor.features(opened), extractor.engine


def slow_rows(n_frames, stride, missing=frozenset(), window=64, overlap=16):
    """The row of each snippet, by a loop over its frames; a frame that is missing is the nearest of its window."""
    starts = [0]
    while starts[-1] + window < n_frames:
        starts.append(min(starts[-1] + window - overlap, n_frames - window))
    period = max(2 * (n_frames - 1), 1)
    shown = []
    for start in starts:
        frames = [min(number % period, period - number % period) for number in range(start, start + window)]
        frames = frames if n_frames < window else [*range(start, start + window)]
        there = [number for number in frames if number not in missing]
        shown.append([min(there, key=lambda other: abs(other - number)) for number in frames])
    rows = []
    for begin, end in Sampling(stride).snippets(n_frames).tolist():
        features = []
        for frame in range(begin, end):
            at = 0
            while at + 1 < len(starts) and frame - starts[at + 1] > starts[at] + window - 1 - frame:
                at += 1
            features.append(of_position(shown[at], (frame - starts[at]) // POSITION))
        rows.append(np.mean(features, axis=0) * (not missing & {*range(begin, end)}))
    return np.array(rows)


@pytest.mark.parametrize("stride", [8, 16, 5])
@pytest.mark.parametrize("n_frames", [1, 7, 40, 63, 64, 65, 112, 150])
def test_each_snippet_is_the_mean_of_its_part(tmp_path, n_frames, stride):
    features, engine = extract(write_video(tmp_path / "a.mp4", n_frames), stride=stride)
    expected = slow_rows(n_frames, stride)
    np.testing.assert_allclose(features.values[:, 0, :4], expected, rtol=1e-5)
    assert not features.values[:, :, 4:].any()
    assert features.recipe.window_frames == 64
    assert {len(counters) for counters in engine.seen} == {64}


@pytest.mark.parametrize(
    "kept", [None, 20, 97, 149], ids=lambda kept: "whole" if kept is None else f"cut at {kept}"
)
def test_features_of_two_windows_are_those_of_each_side_by_side(tmp_path, kept):
    options = {"options": {"g": "1", "bf": "0"}, "container_options": {"movflags": "faststart"}}
    path = write_video(tmp_path / "a.mp4", 150, size=(320, 256), **options)
    if kept is not None:
        cut_inside(path, kept)
    views = {"view": "left,right", "stride": 8}
    (short, _), (long, _) = (extract(path, window=window, **views) for window in (16, 64))
    both, engine = extract(path, window="64,16", **views)
    assert both.recipe.windows == (16, 64)
    assert both.recipe.feature_dim == 2048
    np.testing.assert_array_equal(both.values, np.concatenate([short.values, long.values], axis=2))
    assert {len(counters) for counters in engine.seen} == {16, 64}


def test_a_gap_costs_the_same_snippets_by_each_of_two_windows(tmp_path):
    path = write_video(tmp_path / "a.mp4", 150, options={"g": "10", "bf": "0"})
    keys = [index for index, (_, _, key) in enumerate(packets_of(path)) if key]
    flip_bytes(path, [keys[5] + 4], n_bytes=8)
    (short, _), (long, _) = (extract(path, window=window) for window in (16, 64))
    both, _ = extract(path, window=(16, 64))
    np.testing.assert_array_equal(both.values, np.concatenate([short.values, long.values], axis=2))
    assert both.lost.any()
    assert not both.values[both.lost].any()


def test_two_windows_are_recorded_named_and_told_apart(tmp_path):
    features, _ = extract(write_video(tmp_path / "a.mp4", 80), window="16,64")
    features.save(tmp_path / "a.safetensors")
    loaded = Features.load(tmp_path / "a.safetensors")
    assert loaded.recipe == features.recipe
    assert loaded.recipe.window_frames == (16, 64)
    assert ExtractSettings.of_recipe(loaded.recipe).window == "16,64"
    assert options_of(loaded.recipe).endswith("--window 16,64 --target-fps all")
    alone = ExtractSettings(view="whole", window=64, target_fps="all").differences(loaded.recipe, "0" * 64)
    assert alone == ["feature_dim: 1024 / 2048", "window_frames: 64 / 16,64"]
    assert ExtractSettings().window == "16,64"
    assert ExtractSettings(backbone="x3d_s").window == 16
    assert ExtractSettings(stride=32).window == 16  # a longer window skips no frames


def test_crops_come_from_the_same_windows(tmp_path):
    path = write_video(tmp_path / "a.mp4", 100, size=(256, 256))
    features, _ = extract(path, crops=5, stride=16)
    assert features.values.shape == (7, 5, 1024)
    lengths = features.values[:, :, 3]
    np.testing.assert_allclose(lengths, 64)  # no crop is left out, none counted twice


def test_a_frame_that_is_missing_costs_the_snippets_that_need_it_and_no_more(tmp_path):
    path = write_video(tmp_path / "a.mp4", 150, options={"g": "10", "bf": "0"})
    keys = [index for index, (_, _, key) in enumerate(packets_of(path)) if key]
    flip_bytes(path, [keys[5] + 4], n_bytes=8)
    features, _ = extract(path)
    missing = {number for start, stop in features.source.gaps for number in range(start, stop)}
    assert missing
    assert missing < {*range(50, 60)}
    np.testing.assert_allclose(features.values[:, 0, :4], slow_rows(150, 8, missing), rtol=1e-5)
    spoiled = [set(range(begin, end)) & missing for begin, end in Sampling(8).snippets(150).tolist()]
    assert features.lost.tolist() == [bool(frames) for frames in spoiled]


@pytest.mark.parametrize("n_kept", [20, 64, 70, 97, 111, 113, 141, 149])
def test_a_video_that_ends_early_is_that_of_its_frames(tmp_path, n_kept, caplog):
    options = {"options": {"g": "1", "bf": "0"}, "container_options": {"movflags": "faststart"}}
    path = write_video(tmp_path / "a.mp4", 150, **options)
    cut_inside(path, n_kept)
    with caplog.at_level(logging.ERROR, "vadpipe"):
        features, _ = extract(path)
    assert features.n_frames == n_kept
    np.testing.assert_allclose(features.values[:, 0, :4], slow_rows(n_kept, 8), rtol=1e-5)


@pytest.mark.parametrize("window", [16, 64])
def test_a_video_of_which_nothing_can_be_decoded_is_told_of_as_damaged(tmp_path, monkeypatch, window):
    path = write_video(tmp_path / "a.mp4", 12)
    monkeypatch.setattr(Decoding, "frames", lambda decoding: iter(()))
    monkeypatch.setattr(Decoding, "decoded", lambda decoding: np.zeros(len(decoding.timeline.times_s), bool))
    with pytest.raises(DecodeError, match=r"a\.mp4: has no decodable snippet"):
        extract(path, window=window)


def test_the_runs_of_each_window_make_their_part_of_a_row(tmp_path):
    features, _ = extract(write_video(tmp_path / "a.mp4", 150), window="16,64")
    for snippet in (0, 7, len(features.values) - 1):
        short, long = BackboneRuns.of(features, snippet)
        assert (short.frames.shape, long.frames.shape[1]) == ((1, 16), 64)
        for at, runs in ((0, short), (1024, long)):
            n_positions = runs.frames.shape[1] // POSITION
            outputs = [
                [of_position(row, place) for place in range(n_positions)] for row in runs.frames.tolist()
            ]
            row = runs.row(np.array(outputs, np.float32)[None, :, None])
            np.testing.assert_allclose(row[0, 0], features.values[snippet, 0, at : at + 4], rtol=1e-5)


def test_the_runs_of_a_snippet_make_its_row_again(tmp_path):
    path = write_video(tmp_path / "a.mp4", 150, options={"g": "10", "bf": "0"})
    keys = [index for index, (_, _, key) in enumerate(packets_of(path)) if key]
    flip_bytes(path, [keys[12] + 4], n_bytes=8)
    features, _ = extract(path)
    assert 0 < features.lost.sum() < len(features.values)
    for snippet in np.flatnonzero(~features.lost).tolist():
        (runs,) = BackboneRuns.of(features, snippet)
        # The counter of a frame is its number.
        outputs = [[of_position(row, at) for at in range(8)] for row in runs.frames.tolist()]
        row = runs.row(np.array(outputs, np.float32)[None, :, None])
        np.testing.assert_allclose(row[0, 0], features.values[snippet, 0, :4], rtol=1e-5)
        start, stop = features.spans[snippet].tolist()
        assert {*runs.frames[runs.covered].tolist()} <= {*range(start, stop)}
        assert len(runs.frames) in (1, 2)


def test_features_of_windows_are_saved_and_are_not_those_of_snippets(tmp_path):
    features, _ = extract(write_video(tmp_path / "a.mp4", 80))
    features.save(tmp_path / "a.safetensors")
    loaded = Features.load(tmp_path / "a.safetensors")
    assert loaded.recipe == features.recipe
    assert ExtractSettings.of_recipe(loaded.recipe).window == 64
    alone = ExtractSettings(view="whole", window=16, target_fps="all").differences(loaded.recipe, "0" * 64)
    assert alone == ["window_frames: 16 / 64"]
    lost = lost_snippets(loaded.recipe.sampling, loaded.frame_times_s, loaded.end_s, ((20, 21),))
    assert np.flatnonzero(lost).tolist() == [1, 2]


@pytest.mark.parametrize(("options", "reason"), [
    (dict(window=20), r"unsupported window: 20\nChoose from: 16,48,64"),
    (dict(window="16,"), r"unsupported window: ''\nChoose from: 16,48,64"),
    (dict(window=True), r"unsupported window: True\n"),
    (dict(window=(64, 64)), r"a window is named twice, or none\nName each window once"),
    (dict(window=()), r"a window is named twice, or none"),
    (dict(window=64, backbone="x3d_s"), r"x3d_s does not support windows\nUse --window 16"),
    (dict(window=64, stride=17), r"windows cannot skip frames, as a stride of 17 does\nUse --window 16"),
])  # fmt: skip
def test_windows_that_cannot_be(options, reason):
    with pytest.raises(UsageError, match=reason):
        ExtractSettings(**options)


def test_every_window_holds_whole_positions_and_snippets():
    assert all(window % 16 == 0 and (window == 16 or window >= 48) for window in WINDOWS)


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return InceptionI3D().eval().requires_grad_(False)


def test_a_feature_is_the_mean_of_the_maps(network):
    with torch.inference_mode(), torch.random.fork_rng():
        x = torch.rand(1, 3, 24, 64, 96) * 2 - 1
        maps = network.maps(x)
        assert maps.shape == (1, 1024, 3, 2, 3)
        torch.testing.assert_close(maps.mean(dim=(2, 3, 4)), network(x))


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_engines_give_maps(network, engine, tmp_path, monkeypatch):
    from vadpipe.extract.backbones.loading import ClipNetwork
    from vadpipe.extract.backbones.registry import find_backbone
    from vadpipe.extract.engines.engine import build_engine
    from vadpipe.extract.engines.overlap import run_engine

    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path))
    clip_network = ClipNetwork(find_backbone("i3d"), network).eval()
    clips = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = clip_network(torch.from_numpy(clips)).numpy()
    built = build_engine(engine, lambda: clip_network, (48, 64, 64), torch.device("cpu"), key="small")
    found = np.stack(list(run_engine(built, clips)))
    assert found.shape == (2, 6, 2, 2, 1024)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_the_command_line_has_windows(tmp_path, command_line):
    path = write_video(tmp_path / "a.mp4", 20)
    result = command_line("extract", path, "--window", 17, "-o", tmp_path / "f")
    assert "unsupported window: 17" in str(result.exception)


@pytest.mark.parametrize(
    ("options", "taken"),
    [((), 2), (("--target-fps", "all"), 1), (("--target-fps", 5), 5), (("--fps", 25), 1)],
)
def test_the_command_line_takes_every_kth_frame(tmp_path, command_line, options, taken):
    path = write_video(tmp_path / "a.mp4", 110)  # 25 frames per second
    fast = ["--window", 16, "--view", "whole"]
    result = command_line("extract", path, *fast, *options, "-o", tmp_path / "f")
    assert result.exit_code == 0, result.output
    (made,) = (Features.load(file) for file in (tmp_path / "f").rglob("*.safetensors"))
    assert len(made.values) == 1 + -(-(-(-110 // taken) - 16) // 8)
    assert made.spans[0].tolist() == [0, 16 * taken]
    assert made.spans[-1, 1] == made.n_frames == 110


def test_a_rate_that_is_no_number_is_refused(tmp_path, command_line):
    result = command_line("extract", tmp_path / "a.mp4", "--target-fps", "half", "-o", tmp_path / "f")
    assert str(result.exception).endswith(
        "--target-fps must be a number or all, not 'half'\nFor example 12.5."
    )
