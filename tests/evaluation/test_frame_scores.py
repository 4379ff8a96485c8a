"""Features and truth of different lengths, and features that cannot be scored."""

import numpy as np
import pytest

from support.logistic_head import make_head, write_scored_features
from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.truth import Truth
from vadpipe.errors import FeatureError
from vadpipe.evaluation.frame_scores import Mismatch, judge

SCORES = [0.2, 0.8, 0.4, 0.6]  # 64 frames


def judged(tmp_path, truth, lengths="near", **options):
    annotation = Annotation.of_truth(truth)
    return judge(
        write_scored_features(tmp_path, "a.mp4", SCORES, **options), make_head(), annotation, lengths
    )


def test_each_frame_has_the_score_of_its_snippet(tmp_path):
    truth = Truth("a", 60, ((16, 32),))
    found, mismatch = judged(tmp_path, truth, n_frames=60)
    assert mismatch is None
    assert found.truth == truth
    expected = [*np.repeat(SCORES[:3], 16)[:44], *[0.5] * 4, *[0.6] * 12]  # the last begins at frame 44
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5)
    np.testing.assert_array_equal(found.times_s, np.arange(60) / 25)
    assert found.end_s == 60 / 25


def test_of_a_shorter_truth_the_rest_of_the_curve_is_left_out(tmp_path):
    found, mismatch = judged(tmp_path, Truth("a", 50, ((16, 32),), "Abuse", "hall"))
    assert mismatch == Mismatch("a", 50, 64, 0)
    assert (len(found.scores), found.end_s) == (50, 50 / 25)
    assert found.truth == Truth("a", 50, ((16, 32),), "Abuse", "hall")


def test_of_a_longer_truth_the_rest_is_left_out(tmp_path):
    found, mismatch = judged(tmp_path, Truth("a", 80, ((10, 20), (60, 70), (70, 80))))
    assert mismatch == Mismatch("a", 80, 64, 16)
    assert found.truth == Truth("a", 64, ((10, 20), (60, 64)))
    assert found.end_s == 64 / 25


@pytest.mark.parametrize("n_frames", [47, 81])
def test_more_than_a_snippet_is_refused_unless_any_length_will_do(tmp_path, n_frames):
    truth = Truth("a", n_frames, ((16, 32),))
    with pytest.raises(FeatureError, match=rf"has 64 frames, but the truth says {n_frames}\n.*--lengths any"):
        judged(tmp_path, truth)
    found, mismatch = judged(tmp_path, truth, lengths="any")
    assert len(found.scores) == min(n_frames, 64)
    assert mismatch == Mismatch("a", n_frames, 64, 0)


def test_an_abnormal_video_never_becomes_a_normal_one(tmp_path):
    for lengths in ("near", "any"):
        with pytest.raises(FeatureError, match="but the truth says 70, and all anomalous ones lie beyond"):
            judged(tmp_path, Truth("a", 70, ((64, 70),)), lengths)


def test_what_could_not_be_decoded_has_no_score(tmp_path):
    found, _ = judged(tmp_path, Truth("a", 64, ()), gaps=((20, 21),))
    np.testing.assert_array_equal(np.isnan(found.scores), np.arange(64) // 16 == 1)
    with pytest.raises(FeatureError, match="has no score for any frame"):
        judged(tmp_path, Truth("a", 64, ()), gaps=((0, 64),))


def test_features_that_do_not_fit_the_head_are_refused(tmp_path):
    with pytest.raises(FeatureError, match="does not fit the head"):
        judged(tmp_path, Truth("a", 64, ()), backbone="x3d_s")
