"""Curves of ours and of other tools are read, and what is no curve is refused with what to do."""

import numpy as np
import pytest

from vadpipe.annotations.truth import Truth
from vadpipe.comparison.curve_folder import CurveFolder
from vadpipe.curves.curve import Curve
from vadpipe.errors import FeatureError

SCORES = np.array([0.1, np.nan, 0.9, 0.9], np.float32)
TIMES = np.array([0, 0.04, 0.08, 0.2])
CURVE = Curve("videos/a.mp4", SCORES, TIMES, 0.25, threshold=0.5)
TRUTH = Truth("a", 4, ((1, 2),))


def read(folder, name="a", truth=TRUTH):
    return CurveFolder(folder).read(name, truth)


def test_a_document_is_read(tmp_path):
    CURVE.to_json(tmp_path / "a.scores.json")
    folder = CurveFolder(tmp_path)
    curve = folder.read("a", TRUTH)
    np.testing.assert_array_equal(curve.scores, SCORES)
    np.testing.assert_array_equal(curve.times_s, TIMES)
    assert curve.end_s == 0.25
    assert folder.threshold == 0.5


def test_a_table_is_read_with_the_threshold_of_its_events(tmp_path):
    CURVE.to_csv(tmp_path / "a.scores.csv")
    CURVE.to_events_csv(tmp_path / "a.events.csv")
    CURVE.at(0.95).to_csv(tmp_path / "calm.scores.csv")
    CURVE.at(0.95).to_events_csv(tmp_path / "calm.events.csv")  # which has no event, and so no threshold
    folder = CurveFolder(tmp_path)
    curve = folder.read("a", TRUTH)
    folder.read("calm", TRUTH)
    np.testing.assert_array_equal(curve.scores, SCORES)
    np.testing.assert_array_equal(curve.times_s, TIMES)
    assert curve.end_s == pytest.approx(0.24)  # the usual 0.04 s after the last one
    assert folder.threshold == 0.5


def test_arrays_are_read_with_their_times(tmp_path):
    CURVE.to_npy(tmp_path / "a.scores.npy")
    assert read(tmp_path).times_s is None
    np.save(tmp_path / "a.times_s.npy", TIMES)
    curve = read(tmp_path)
    np.testing.assert_array_equal(curve.scores, SCORES)
    np.testing.assert_array_equal(curve.times_s, TIMES)
    np.save(tmp_path / "a.times_s.npy", TIMES[:3])
    with pytest.raises(FeatureError, match=r"a\.times_s\.npy: has 3 times for 4 scores"):
        read(tmp_path)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4)])
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64])
def test_arrays_of_other_tools_are_read(tmp_path, shape, dtype):
    (tmp_path / "deep").mkdir()
    np.save(tmp_path / "deep" / "a_x264.npy", np.array([0, 1, 0, 1], dtype).reshape(shape))
    curve = read(tmp_path, "deep/a_x264")
    assert curve.scores.dtype == np.float32
    assert curve.scores.tolist() == [0, 1, 0, 1]
    assert (curve.times_s, CurveFolder(tmp_path).threshold) == (None, None)


def test_text_and_npz_are_read(tmp_path):
    (tmp_path / "a.txt").write_text("0.25\n0.5\n0.5\n0.75\n")
    np.savez(tmp_path / "b.npz", np.array([0.25, 0.5, 0.5, 0.75]))
    for name in "ab":
        assert read(tmp_path, name).scores.tolist() == [0.25, 0.5, 0.5, 0.75]


def test_of_several_formats_the_document_is_read(tmp_path):
    for method, suffix in (("to_csv", "scores.csv"), ("to_npy", "scores.npy"), ("to_json", "scores.json")):
        getattr(CURVE, method)(tmp_path / f"a.{suffix}")
    np.save(tmp_path / "a.times_s.npy", TIMES)
    assert [path.name for path in CurveFolder(tmp_path).files.values()] == ["a.scores.json"]


def test_several_thresholds_are_none_and_told(tmp_path, caplog):
    CURVE.to_json(tmp_path / "a.scores.json")
    CURVE.at(0.6).to_json(tmp_path / "b.scores.json")
    folder = CurveFolder(tmp_path)
    for name in "ab":
        folder.read(name, TRUTH)
    assert folder.threshold is None
    assert (
        "its curves have different thresholds, so no events are counted; --threshold sets one" in caplog.text
    )


def refused(folder, truth=TRUTH):
    with pytest.raises(FeatureError) as caught:
        read(folder, truth=truth)
    return str(caught.value).removeprefix(f"{folder}/")


def test_scores_of_snippets_are_refused_with_what_to_do(tmp_path):
    np.save(tmp_path / "a.npy", np.full(89, 0.5))
    assert refused(tmp_path, Truth("a", 1412, ())) == (
        "a.npy: has 89 scores for 1412 frames, which looks like one score per 16 frames\n"
        "Give each frame its score: numpy.repeat(scores, 16)[:1412]."
    )
    np.save(tmp_path / "a.npy", np.full(88, 0.5))
    assert "one score per 16 frames" in refused(tmp_path, Truth("a", 1412, ()))


def test_scores_beyond_the_scale_are_refused_with_what_to_do(tmp_path):
    np.save(tmp_path / "a.npy", np.array([-2, 0.5, 17.25, 3]))
    assert refused(tmp_path) == (
        "a.npy: has scores from -2 to 17.25; scores lie in [0, 1]\n"
        "Scale all curves of the folder alike: (scores - lowest) / (highest - lowest)."
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", np.zeros((3, 2, 4)), "a.npy: has the shape (3, 2, 4), not one score per frame"),
        ("a.npy", np.zeros(0), "a.npy: has the shape (0,), not one score per frame"),
        ("a.npy", b"text", "a.npy: has no valid NumPy array"),
        ("a.npy", np.array([{}]), "a.npy: contains pickled objects"),
        (
            "a.scores.csv",
            b"frame,score\n0,0.5\n",
            "a.scores.csv: is not a CSV file of scores: its first line is not",
        ),
        (
            "a.scores.csv",
            b"frame,time_s,score\n0,0.0,high\n",
            "a.scores.csv: is not a CSV file of scores: could not",
        ),
        ("a.scores.csv", b"frame,time_s,score\n", "a.scores.csv: is not a CSV file of scores"),
        ("a.scores.csv", b"frame,time_s,score\n0\n", "a.scores.csv: is not a CSV file of scores"),
        ("a.scores.csv", b"\xff\xfe", "a.scores.csv: is not a CSV file of scores"),
        ("a.scores.csv", b"", "a.scores.csv: is not a CSV file of scores"),
        ("a.scores.json", b"{}", "a.scores.json: is not a scores document"),
    ],
)
def test_what_is_no_curve_is_refused(tmp_path, name, content, message):
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        np.save(tmp_path / name, content, allow_pickle=True)
    assert refused(tmp_path).startswith(message)


def test_a_folder_without_curves_is_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"")
    np.save(tmp_path / "a.times_s.npy", TIMES)
    with pytest.raises(FeatureError) as caught:
        CurveFolder(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: is neither a head, nor results of 'vadpipe evaluate', nor a folder of curves\n"
        "Curves are files such as NAME.scores.csv, NAME.scores.json or NAME.npy, with one score per frame."
    )
