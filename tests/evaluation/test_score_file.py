"""The file of curves gives back what was evaluated, and refuses what is not one."""

import zipfile

import numpy as np
import pytest

from support.hostile_arrays import Canary, claiming
from support.judged_videos import make_judged
from vadpipe.errors import FeatureError
from vadpipe.evaluation.score_file import read_scores, write_scores

JUDGED = [
    make_judged("Abuse/Abuse028 ü.mp4", [0.1, np.nan, 0.25], [(0, 1)]),
    make_judged("b.npy", [0.5]),
    make_judged("../c", np.linspace(0, 1, 7)),
]


def test_curves_come_back(tmp_path):
    write_scores(JUDGED, tmp_path / "scores.npz")
    read = read_scores(tmp_path / "scores.npz")
    assert [curve.video for curve in read] == [video.truth.video for video in JUDGED]
    for curve, video in zip(read, JUDGED, strict=True):
        np.testing.assert_array_equal(curve.scores, video.scores)
        np.testing.assert_array_equal(curve.times_s, video.times_s)
        assert curve.end_s == video.end_s
        assert curve.scores.dtype == np.float32


def test_numpy_alone_reads_it(tmp_path):
    write_scores(JUDGED, tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz") as file:
        curves = dict(
            zip(file["videos"], np.split(file["scores"], file["n_frames"].cumsum()[:-1]), strict=True)
        )
    np.testing.assert_array_equal(curves["../c"], JUDGED[2].scores)


def test_the_same_curves_are_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        write_scores(JUDGED, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"n_frames": [3, 1, 6]},
        {"n_frames": [11, 1, -1]},
        {"end_s": [1.0]},
        {"videos": ["a"]},
        {"scores": None},
    ],
)
def test_arrays_that_contradict_each_other_are_refused(tmp_path, change):
    write_scores(JUDGED, tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz") as file:
        arrays = {**file} | change
    np.savez(tmp_path / "scores.npz", **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(
        FeatureError,
        match="is not a file of scores of 'vadpipe evaluate', or is damaged\nRun 'vadpipe evaluate' again",
    ):
        read_scores(tmp_path / "scores.npz")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x80\x04]q\x00."])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "scores.npz").write_bytes(content)
    with pytest.raises(FeatureError, match="is not a file of scores"):
        read_scores(tmp_path / "scores.npz")
    with pytest.raises(FeatureError, match="gone.npz: cannot be read: No such file"):
        read_scores(tmp_path / "gone.npz")


@pytest.mark.parametrize("n_numbers", [10**12, 10**18, 10**20])
def test_shapes_that_are_only_claimed_are_refused(tmp_path, n_numbers):
    with zipfile.ZipFile(tmp_path / "scores.npz", "w") as archive:
        for name in ("videos", "n_frames", "end_s", "scores", "times_s"):
            archive.writestr(f"{name}.npy", claiming(n_numbers, "<f4"))
    with pytest.raises(FeatureError, match="is not a file of scores"):
        read_scores(tmp_path / "scores.npz")


def test_a_pickle_is_never_loaded(tmp_path):
    write_scores(JUDGED, tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz") as file:
        arrays = {**file} | {"videos": np.array([Canary(tmp_path / "hatched")] * 3)}
    np.savez(tmp_path / "scores.npz", **arrays)
    with pytest.raises(FeatureError, match="is not a file of scores"):
        read_scores(tmp_path / "scores.npz")
    assert not (tmp_path / "hatched").exists()
    with np.load(tmp_path / "scores.npz", allow_pickle=True) as file:
        assert file["videos"].dtype == object  # the canary is alive
    assert (tmp_path / "hatched").exists()
