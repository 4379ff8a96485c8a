"""The fast figures of weighted videos are scikit-learn's of frames that are there as often."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from support.judged_videos import judged_videos, make_judged
from vadpipe.evaluation.metrics import pooled
from vadpipe.evaluation.ranking import Ranking


def naive(judged, weights):
    repeated = [video for video, weight in zip(judged, weights, strict=True) for _ in range(weight)]
    marks, scores = pooled(repeated)
    if marks.all() or not marks.any():
        return np.nan, np.nan
    return roc_auc_score(marks, scores), average_precision_score(marks, scores)


@given(judged_videos(), st.data())
def test_a_weight_is_as_many_copies(judged, data):
    weights = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(judged), max_size=len(judged))))
    chosen = data.draw(st.lists(st.booleans(), min_size=len(judged), max_size=len(judged)))
    np.testing.assert_allclose(Ranking(judged).auc_and_ap(weights), naive(judged, weights), rtol=1e-12)
    np.testing.assert_allclose(
        Ranking(judged, chosen).auc_and_ap(weights), naive(judged, weights * chosen), rtol=1e-12
    )


def test_many_frames_of_few_scores_are_exact():
    rng = np.random.default_rng(5)
    judged = [
        make_judged(str(index), np.repeat(rng.random(40), 16), [(100, 300)] * (index % 2))
        for index in range(8)
    ]
    for weights in rng.integers(0, 3, (5, 8)):
        np.testing.assert_allclose(Ranking(judged).auc_and_ap(weights), naive(judged, weights), rtol=1e-12)


def test_nothing_to_rank_has_no_figures():
    unscored = make_judged("a", [np.nan, np.nan], [(0, 1)])
    assert np.isnan(Ranking([unscored]).auc_and_ap(np.array([1]))).all()
    assert np.isnan(Ranking([]).auc_and_ap(np.zeros(0, int))).all()
