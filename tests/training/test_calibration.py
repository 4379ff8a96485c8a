"""The threshold, its floor and what it is lowered to, against slow searches through every score by hand."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.feature_files import make_features, make_recipe
from vadpipe.curves.curve import snippets_to_frames
from vadpipe.curves.events import EventRule, find_events
from vadpipe.features.file import Features
from vadpipe.head.bags import Bag
from vadpipe.training.calibration import calibrate
from vadpipe.training.fit import bag_of
from vadpipe.training.report import threshold_warnings

ABOVE_1 = float(np.nextafter(np.float32(1), np.float32(2)))


def normal(scores, snippet_s=0.64, start_s=0.0) -> tuple[Bag, np.ndarray]:
    """A normal video whose snippets have these scores."""
    scores = np.array(scores, np.float32)
    times_s = start_s + snippet_s * np.arange(len(scores))
    values = np.zeros((1, len(scores), 1), np.float32)
    return Bag("normal", values, 0, "normal", times_s, start_s + snippet_s * len(scores)), scores


def abnormal(scores, **options) -> tuple[Bag, np.ndarray]:
    """The same, but abnormal."""
    bag, scores = normal(scores, **options)
    return replace(bag, name="abnormal", label=1, group="abnormal"), scores


FOUND = abnormal([2.0])  # whatever the threshold, so that it is not lowered


def slow_alarms(normals, threshold):
    """Begin an alarm at a snippet that reaches the threshold, unless one ended less than a second before."""
    alarms = 0
    for bag, scores in normals:
        ended_s = -math.inf
        edges_s = [*bag.times_s, bag.end_s]
        for at, score in enumerate(scores):
            if score >= np.float32(threshold):
                alarms += edges_s[at] - ended_s >= 1.0
                ended_s = edges_s[at + 1]
    return alarms


def slow_threshold(normals, allowed):
    """Return the last score, from the highest down, up to which no more alarms are raised than allowed."""
    scores = sorted({float(score) for _, own in normals for score in own}, reverse=True)
    found = float(np.nextafter(np.float32(scores[0]), np.float32(np.inf)))
    for score in scores:
        if slow_alarms(normals, score) > allowed:
            break
        found = score
    return found


def slow_quantile(normals, quantile):
    """Between the two scores on either side of the place that the quantile has among all, in proportion."""
    scores = sorted(float(score) for _, own in normals for score in own)
    place = quantile * (len(scores) - 1)
    below = math.floor(place)
    above = min(below + 1, len(scores) - 1)
    return scores[below] + (place - below) * (scores[above] - scores[below])


def calibrated(normals, abnormals=(FOUND,), *, allowed, **options):
    """Calibrate to a rate that allows so many alarms in all, with next to no floor unless one is asked for."""
    hours = sum(bag.end_s - bag.times_s[0] for bag, _ in normals) / 3600
    options = {"quantile": 1e-9, "unseen": True, **options}
    return calibrate(normals, abnormals, per_hour=(allowed + 0.5) / hours, **options)


# Scores and quantiles are binary fractions, so that places between two scores are exact.
videos = st.lists(st.lists(st.integers(0, 16), min_size=1, max_size=30), min_size=1, max_size=5)


@settings(max_examples=100)
@given(
    videos=videos, allowed=st.integers(0, 8), quantile=st.sampled_from([1 / 64, 1 / 2, 3 / 4, 15 / 16]),
    snippet_s=st.sampled_from([0.25, 0.64, 2.0]), start_s=st.sampled_from([0, 3]),
)  # fmt: skip
def test_it_is_that_of_the_slow_search_and_never_below_the_quantile(
    videos, allowed, quantile, snippet_s, start_s
):
    normals = [normal(np.array(scores) / 16, snippet_s, start_s) for scores in videos]
    found = calibrated(normals, allowed=allowed, quantile=quantile)
    by_rate, floor = slow_threshold(normals, allowed), slow_quantile(normals, quantile)
    assert found.alarms == slow_alarms(normals, found.threshold)
    if allowed < 1:
        assert (found.method, found.threshold) == ("quantile", floor)
        return
    assert found.threshold == max(by_rate, floor)
    assert found.method == ("rate" if by_rate >= floor else "quantile")
    assert found.alarms <= allowed  # the floor raises no more than the rate
    lower = [score for _, scores in normals for score in scores.tolist() if score < found.threshold]
    if found.method == "rate" and lower:
        assert slow_alarms(normals, max(lower)) > allowed


def test_with_scores_of_full_precision():
    rng = np.random.default_rng(0)
    normals = [normal(rng.random(60)) for _ in range(12)]
    for allowed in (1, 5, 40):
        found = calibrated(normals, allowed=allowed)
        assert found.threshold == slow_threshold(normals, allowed)
        assert found.alarms == slow_alarms(normals, found.threshold)


def test_alarms_that_grow_together_further_down_are_no_excuse():
    """At 0.2 the whole video is one alarm; at 0.8 it is two, one more than wanted."""
    scores = [0.9, 0.2, 0.2, 0.2, 0.8, 0.2, 0.2, 0.2, 0.7, 0.2, 0.2]
    assert calibrated([normal(scores)], allowed=1).threshold == pytest.approx(0.9)


@pytest.mark.parametrize(("n_videos", "allowed"), [(3, 2), (2, 1)])
def test_where_too_many_share_the_highest_score_it_lies_above_all(n_videos, allowed):
    found = calibrated([normal([0.1, 1.0, 0.3])] * n_videos, allowed=allowed)
    assert found.threshold == ABOVE_1
    assert found.alarms == 0
    assert found.method == "rate"


def test_as_many_as_may_share_the_highest_score():
    found = calibrated([normal([0.1, 0.9, 0.1])] * 2, allowed=2)
    assert found.threshold == pytest.approx(0.1)  # lower, the same videos are in alarm, only for longer
    assert found.alarms == 2


def test_what_was_found_is_told():
    normals = [normal(np.linspace(0, 1, 5625)), normal([0.5] * 5625, start_s=100.0)]
    found = calibrate(normals, [FOUND, abnormal([0.0])], per_hour=0.5, quantile=0.9, unseen=True)
    assert (found.per_hour, found.quantile, found.unseen) == (0.5, 0.9, True)
    assert found.hours == pytest.approx(2.0)
    assert found.alarms <= 1  # floor(0.5 * 2)
    assert found.threshold > 0.5
    assert (found.n_normal, found.n_normal_flagged) == (2, 1)
    assert (found.n_abnormal, found.n_abnormal_flagged) == (2, 1)
    above = sum((scores >= np.float32(found.threshold)).sum() for _, scores in normals)
    assert 0 < found.alarm_share == pytest.approx(above / 11250)


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95])
def test_with_too_little_footage_for_one_alarm_it_is_the_quantile(quantile):
    rng = np.random.default_rng(0)
    normals = [normal(rng.random(90)) for _ in range(10)]  # 576 s, where 6 an hour are 0.96
    found = calibrate(normals, [FOUND], per_hour=6, quantile=quantile, unseen=True)
    every = np.sort(np.concatenate([scores for _, scores in normals]))
    assert found.method == "quantile"
    assert found.threshold == pytest.approx(np.interp(quantile * 899, np.arange(900), every), abs=1e-6)
    assert found.alarms == slow_alarms(normals, found.threshold) > 0
    assert calibrate(normals * 2, [FOUND], per_hour=6, quantile=quantile, unseen=True).method == "rate"


def test_a_video_in_alarm_throughout_is_held_off_by_the_quantile():
    """It raises one alarm only, and so would the lowest of all scores."""
    normals = [normal(np.linspace(0.5, 0.6, 200))]
    assert calibrated(normals, allowed=1).threshold == pytest.approx(0.5)
    found = calibrated(normals, allowed=1, quantile=0.95)
    assert found.method == "quantile"
    assert found.threshold == pytest.approx(slow_quantile(normals, 0.95), abs=1e-6)
    assert (normals[0][1] >= found.threshold).mean() == 0.05


def test_where_both_fall_on_one_score_the_rate_is_kept():
    assert calibrated([normal([0.5, 0.5, 0.5])], allowed=1, quantile=0.95).method == "rate"


def test_a_threshold_from_training_videos_is_warned_of():
    for unseen in (True, False):
        found = calibrate([normal([0.5])], [FOUND], per_hour=6, quantile=0.95, unseen=unseen)
        assert found.unseen == unseen
        assert ("the threshold was set on training videos" in warnings_of(found)) != unseen


def test_a_second_threshold_is_told_from_the_first():
    found = calibrate(
        [normal([0.1] * 9), normal([0.9] * 9)], [abnormal([0.5])], per_hour=6, quantile=0.75, unseen=False
    )
    assert [warning[:60] for warning in threshold_warnings(found, "at the last step, ")] == [
        "at the last step, no abnormal training video reached the thr"
    ]


def test_normal_videos_of_no_length_have_no_share_in_alarm():
    still = replace(normal([0.5])[0], end_s=0.0)
    found = calibrate([(still, np.float32([0.5]))], [FOUND], per_hour=6, quantile=0.95, unseen=True)
    assert (found.hours, found.alarm_share) == (0, 0)


def warnings_of(found) -> str:
    return "\n".join(threshold_warnings(found))


# ---- lowered where no abnormal video reaches it ---------------------------------------------------


def slow_balanced(normals, abnormals):
    """Try every score there is, from the highest down, and count a video where any of its scores reaches it."""
    scores = sorted({float(score) for _, own in [*normals, *abnormals] for score in own}, reverse=True)

    def accuracy(threshold):
        flagged = [[any(score >= np.float32(threshold) for score in own) for _, own in kind]
                   for kind in (normals, abnormals)]  # fmt: skip
        spared, found = (
            Fraction(flagged[0].count(False), len(normals)),
            Fraction(sum(flagged[1]), len(abnormals)),
        )
        return (spared + found) / 2

    best = max(scores, key=accuracy)  # the first of several, which is the highest
    return best if accuracy(best) > Fraction(1, 2) else None


@settings(max_examples=100)
@given(
    normals=videos, abnormals=videos, allowed=st.integers(0, 3), quantile=st.sampled_from([1 / 2, 3 / 4, 15 / 16]),
    highest=st.sampled_from([8, 16]),
)  # fmt: skip
def test_it_is_lowered_only_where_no_abnormal_video_reaches_it(
    normals, abnormals, allowed, quantile, highest
):
    normals = [normal(np.array(scores) / 16) for scores in normals]
    abnormals = [abnormal(np.minimum(scores, highest) / 16) for scores in abnormals]
    kept = calibrated(normals, allowed=allowed, quantile=quantile)
    found = calibrated(normals, abnormals, allowed=allowed, quantile=quantile)
    balanced = slow_balanced(normals, abnormals)
    if slow_alarms(abnormals, kept.threshold) or balanced is None:
        assert (found.method, found.threshold) == (kept.method, kept.threshold)
    else:
        assert (found.method, found.threshold) == ("balanced", balanced)
        assert found.threshold < kept.threshold
    assert found.alarms == slow_alarms(normals, found.threshold)
    for kind, n, n_flagged in (
        (normals, found.n_normal, found.n_normal_flagged),
        (abnormals, found.n_abnormal, found.n_abnormal_flagged),
    ):
        assert n == len(kind)
        assert n_flagged == sum(bool(slow_alarms([video], found.threshold)) for video in kind)


def nine_and_nine():
    """Nine videos of two minutes of each label: quiet ones, one that is not, and abnormal ones in between."""
    rng = np.random.default_rng(0)
    quiet = [normal(rng.random(188) * 0.3) for _ in range(8)]
    odd = normal(np.r_[rng.random(94) * 0.3, rng.uniform(0.6, 1.0, 94)])
    found = [
        abnormal(np.r_[rng.random(180) * 0.3, 0.4 + 0.02 * place, rng.random(7) * 0.3]) for place in range(8)
    ]
    return [*quiet, odd], [*found, abnormal(rng.random(188) * 0.2)]


def test_nine_and_nine_clips_of_which_none_would_be_found():
    """One normal video is in alarm for a minute: it alone sets both the rate and the quantile."""
    normals, abnormals = nine_and_nine()
    found = calibrate(normals, abnormals, per_hour=6, quantile=0.95, unseen=True)
    assert found.hours * found.per_hour >= 1
    assert found.method == "balanced"
    assert found.threshold == pytest.approx(0.4)
    assert (found.n_abnormal_flagged, found.n_normal_flagged) == (8, 1)
    assert found.alarm_share == pytest.approx(94 / (9 * 188))
    assert warnings_of(found) == (
        "no held-out abnormal video reached the threshold found on normal videos; it was lowered "
        "to 0.400, at which 8 of 9 abnormal videos are found and 1 of 9 normal videos raise an alarm"
    )


def test_one_abnormal_video_that_reaches_it_is_enough():
    normals, abnormals = nine_and_nine()
    kept = calibrate(normals, [FOUND], per_hour=6, quantile=0.95, unseen=True)
    touching = abnormal([0.0, kept.threshold, 0.0])
    found = calibrate(normals, [*abnormals, touching], per_hour=6, quantile=0.95, unseen=True)
    assert (found.method, found.threshold) == (kept.method, kept.threshold)
    assert (found.n_abnormal_flagged, found.n_abnormal) == (1, 10)
    assert warnings_of(found) == ""


@pytest.mark.parametrize("unseen", [True, False])
def test_the_warning_names_the_threshold_and_the_videos_it_comes_from(unseen):
    normals, abnormals = [normal([0.1] * 9), normal([0.9] * 9)], [abnormal([0.5])]
    said = warnings_of(calibrate(normals, abnormals, per_hour=6, quantile=0.75, unseen=unseen))
    kind = "held-out abnormal" if unseen else "abnormal training"
    assert said.splitlines()[-1] == (
        f"no {kind} video reached the threshold found on normal videos; it was lowered to 0.500, "
        "at which 1 of 1 abnormal videos are found and 1 of 2 normal videos raise an alarm"
    )
    assert len(said.splitlines()) == 2 - unseen


@pytest.mark.parametrize("scores", [[0.2], [0.1, 0.1]])
def test_where_lowering_it_would_tell_nothing_apart_it_stays(scores):
    """Every normal video is in alarm before the first abnormal one is found, or just as it is."""
    normals, abnormals = [normal([0.2, 0.8, 0.9]), normal([0.2, 0.7])], [abnormal(scores)]
    found = calibrate(normals, abnormals, per_hour=6, quantile=0.95, unseen=True)
    assert (found.method, found.n_abnormal_flagged) == ("quantile", 0)
    assert found.threshold == pytest.approx(0.88)
    assert warnings_of(found) == (
        "no held-out abnormal video reached the threshold found on normal videos, and no lower threshold "
        "flags a larger share of the abnormal than of the normal videos: the head cannot tell them apart, "
        "and will hardly raise an alarm; check the labels, train on more videos, or score with a lower "
        "--threshold"
    )


def test_abnormal_videos_are_seen_as_users_see_their_curves():
    """Where snippets overlap, a frame has their mean, and no frame has the highest score of a snippet."""
    bag, scores = abnormal([0.4, 0.8, 0.0])
    bag = replace(bag, spans=np.array([[0, 2], [1, 3], [2, 3]]))
    normals = [normal([0.7] * 4), normal([0.1] * 4)]
    found = calibrate(normals, [(bag, scores)], per_hour=6, quantile=0.95, unseen=True)
    assert (found.method, found.n_abnormal_flagged) == ("balanced", 1)
    assert found.threshold == pytest.approx(0.6)  # of the frames 0.4, (0.4 + 0.8) / 2, (0.8 + 0.0) / 2


# ---- snippets that overlap -----------------------------------------------------------------------


@pytest.mark.parametrize("gaps", [(), ((20, 21),), ((90, 100),)])
def test_alarms_are_those_of_the_curve_that_a_user_sees(gaps):
    """Against the frames of the feature file, one by one, and events of these."""
    rng = np.random.default_rng(1)
    recipe = make_recipe(stride_frames=8)
    for seed in range(20):
        features = Features(
            values=rng.normal(size=(recipe_rows(recipe, 100), 1, 8)).astype(np.float32),
            frame_times_s=np.arange(100) / 5,
            end_s=20.0,
            recipe=recipe,
            source=make_features().source.model_copy(update={"gaps": gaps}),
        )
        bag = bag_of(features, 0, str(seed))
        scores = rng.random(bag.values.shape[1]).astype(np.float32)
        found = calibrated([(bag, scores)], allowed=2)
        rows = np.full(len(features.values), np.nan, np.float32)
        rows[~features.lost] = scores
        frames = snippets_to_frames(rows, features.spans, features.n_frames)

        def alarms(threshold, frames=frames, features=features):
            rule = EventRule(hysteresis=0.0)
            return len(find_events(frames, features.frame_times_s, features.end_s, threshold, rule))

        assert found.alarms == alarms(found.threshold)
        seen = sorted({score for score in frames.tolist() if score == score}, reverse=True)
        expected = next(
            score for score, lower in itertools.pairwise([*seen, None]) if lower is None or alarms(lower) > 2
        )
        assert found.threshold == max(expected, float(np.quantile(scores, 1e-9)))


def recipe_rows(recipe, n_frames):
    return recipe.sampling.n_snippets(np.arange(n_frames) / 5, n_frames / 5)
