"""Learning: unseen videos pick the step and the threshold, and then a head is trained on all."""

import io
import logging
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from support.bags import D, make_bag, make_bags
from support.head_settings import SMALL
from vadpipe.head.bags import TrainingSet, squeeze
from vadpipe.head.platt_scaling import fit_platt_scaling
from vadpipe.training.calibration import calibrate
from vadpipe.training.cross_validation import train_with_cross_validation
from vadpipe.training.folds import all_but, make_folds
from vadpipe.training.judging import snippet_scores
from vadpipe.training.loop import Training
from vadpipe.training.resume import Resume
from vadpipe.training.stages import check_steps
from vadpipe.training.step_selection import TOLERANCE, WINDOW, Selection

QUICK = SMALL.model_copy(update={"steps": 24, "checks": 8, "segments": 12})


@pytest.fixture(scope="module")
def bags():
    """Enough groups to judge, some longer than T; the short ones are labelled the wrong way round.

    So the longer a head learns, the worse it judges.
    """
    wrong = [replace(bag, label=1 - bag.label) for bag in make_bags(3, seed=300, length=9)]
    return [*make_bags(6, length=20), *wrong]


@pytest.fixture(scope="module")
def learned(bags):
    return train_with_cross_validation(bags, QUICK, seed=3)


def trainings_by_hand(bags, settings, seed, until):
    """Yield the rows of each fold and a head that was trained on the others only."""
    folds = make_folds(bags, settings.folds, seed)
    for number, fold in enumerate(folds):
        kept = [bags[row] for row in all_but(folds, number)]
        training = Training(TrainingSet(kept, settings.segments), range(len(kept)), settings, seed=seed)
        training.advance(until)
        yield fold, training.head


# ---- judged by heads that have not seen it -------------------------------------------------------


def test_every_video_is_scored_by_a_head_that_has_not_seen_it(bags, learned):
    for check in learned.history[::3]:
        scores, labels = [], []
        for fold, head in trainings_by_hand(bags, QUICK, 3, check.step):
            for row in fold:
                segments = head.score(torch.from_numpy(squeeze(bags[row].values, QUICK.segments))[None])[0]
                k = min(max(len(segments) // 16 + 1, 3), len(segments))
                scores.append(float(segments.sort().values[-k:].mean()))
                labels.append(bags[row].label)
        assert check.auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)


def test_the_auc_at_the_picked_step_has_an_interval_over_groups(bags):
    """That of a bootstrap which copies groups, on the scores of heads that are trained by hand."""
    bags = [replace(bag, group=f"{bag.label}{place // 4}") for place, bag in enumerate(bags * 2)]
    found = train_with_cross_validation(bags, QUICK.model_copy(update={"steps": 3, "checks": 1}), seed=3)
    scores, labels, groups = [], [], []
    for fold, head in trainings_by_hand(bags, QUICK.model_copy(update={"steps": 3, "checks": 1}), 3, 3):
        for row in fold:
            segments = head.score(torch.from_numpy(squeeze(bags[row].values, QUICK.segments))[None])[0]
            scores.append(float(segments.sort().values[-3:].mean()))
            labels.append(bags[row].label)
            groups.append(bags[row].group)
    names = list(dict.fromkeys(groups))
    assert len(names) == found.held_out.n_groups == 18
    rng, aucs = np.random.default_rng(99), []
    for _ in range(1000):
        drawn = [
            place
            for name in rng.choice(names, len(names))
            for place, group in enumerate(groups)
            if group == name
        ]
        if len({labels[place] for place in drawn}) == 2:
            aucs.append(roc_auc_score([labels[place] for place in drawn], [scores[place] for place in drawn]))
    low, high = np.quantile(aucs, [0.025, 0.975])
    assert found.held_out.auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert found.held_out.auc == found.history[-1].auc
    assert found.held_out.auc_low == pytest.approx(low, abs=0.03)
    assert found.held_out.auc_high == pytest.approx(high, abs=0.03)
    assert (found.held_out.n_videos, found.held_out.n_normal_groups) == (36, 9)


@pytest.mark.parametrize("rate", [6.0, 60.0])
def test_the_threshold_comes_from_heads_that_have_not_seen_the_videos(bags, learned, rate):
    """Little footage and so a quantile, or a rate high enough for an alarm in it."""
    settings = QUICK.model_copy(update={"false_alarms_per_hour": rate})
    found = train_with_cross_validation(bags, settings, seed=3)
    assert found.step == learned.step
    scored = [
        (bags[row], snippet_scores(head, bags[row]))
        for fold, head in trainings_by_hand(bags, settings, 3, found.step)
        for row in fold
    ]
    normals, abnormals = ([pair for pair in scored if pair[0].label == label] for label in (0, 1))
    assert (len(normals), len(abnormals)) == (9, 9)
    quantile = settings.normal_quantile
    assert found.threshold == calibrate(normals, abnormals, per_hour=rate, quantile=quantile, unseen=True)
    assert found.threshold.method == ("quantile" if rate == 6 else "rate")


def test_training_videos_would_set_the_threshold_too_low():
    """In noise with as many channels, a head knows its own normal videos by heart."""
    bags = make_bags(10, length=6)
    found = train_with_cross_validation(
        bags, SMALL.model_copy(update={"steps": 100, "checks": 1, "dropout": 0.0})
    )
    fresh = np.concatenate(
        [snippet_scores(found.last, bag) for bag in make_bags(40, seed=900) if not bag.label]
    )
    own = np.concatenate([snippet_scores(found.last, bag) for bag in bags if not bag.label])
    assert found.threshold.unseen
    assert (fresh > np.quantile(own, 0.95)).mean() > 0.1
    assert (fresh > found.threshold.threshold).mean() < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_two_videos_of_each_label_are_enough_for_folds(seed):
    found = train_with_cross_validation(make_bags(2), SMALL, seed=seed)
    assert found.threshold.unseen
    assert found.step == SMALL.steps  # but they are too few to pick a step
    assert {check.auc for check in found.history} == {None}


@pytest.mark.parametrize("n_abnormal", [1, 3])
def test_too_few_videos_for_folds_are_warned_of(n_abnormal, caplog):
    bags = [make_bag(0, 0)[0], *(make_bag(1, 10 + seed)[0] for seed in range(n_abnormal))]
    with caplog.at_level(logging.WARNING, logger="vadpipe"):
        found = train_with_cross_validation(bags, SMALL)
    assert not found.threshold.unseen
    assert "the threshold was set on training videos" in caplog.text
    assert found.step == SMALL.steps
    scores = snippet_scores(found.last, bags[0])
    assert found.threshold.threshold == pytest.approx(np.quantile(scores, SMALL.normal_quantile), abs=1e-6)
    assert (found.threshold.n_normal, found.threshold.n_abnormal) == (1, n_abnormal)
    flagged = [snippet_scores(found.last, bag).max() >= found.threshold.threshold for bag in bags[1:]]
    assert found.threshold.n_abnormal_flagged == sum(flagged) > 0


def odd_one_out():
    """Abnormal videos, and a normal one that is in the same way odd, far more so and throughout."""
    odd, _ = make_bag(0, 99)
    odd.values[:, :, :3] += 12.0
    return [*make_bags(6), odd]


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_threshold_that_was_lowered_is_warned_of_once(caplog, tmp_path, interrupted):
    """Not also for the last step, and again where the training had been interrupted after it was set."""
    settings, state = SMALL.model_copy(update={"folds": 2, "steps": 16, "checks": 2}), tmp_path / "state"
    if interrupted:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Resume, "put", interrupt_training_on_all)
            train_with_cross_validation(odd_one_out(), settings, state=state)
        assert state.exists()
    with caplog.at_level(logging.WARNING, logger="vadpipe"):
        found = train_with_cross_validation(odd_one_out(), settings, state=state)
    assert (found.threshold.method, found.last_threshold.method) == ("balanced", "balanced")
    said = [message for message in caplog.messages if "it was lowered to" in message]
    assert len(said) == 1
    assert f"it was lowered to {found.threshold.threshold:.3f}, at which " in said[0]


PUT = Resume.put


def interrupt_training_on_all(resume, name, part, **options):
    if name == "all":
        raise KeyboardInterrupt
    PUT(resume, name, part, **options)


# ---- the picked step -----------------------------------------------------------------------------


def last_of_the_best(aucs):
    """The place of the last check whose mean, with those just before it, is about the best; without means the last."""
    means = {
        at: sum(map(Fraction, aucs[at - WINDOW + 1 : at + 1])) / WINDOW for at in range(WINDOW - 1, len(aucs))
    }
    best = max(means.values(), default=None)
    near = [at for at, mean in means.items() if best - mean <= Fraction(str(TOLERANCE))]
    return max(near, default=len(aucs) - 1)


def select(aucs, cut=None):
    """Return the place that is picked; at ``cut`` the selection is written and read again."""
    selection = Selection()
    for place, auc in enumerate(aucs):
        if place == cut:
            file = io.BytesIO()
            torch.save(selection.state(), file)
            file.seek(0)
            selection = Selection()
            selection.restore(torch.load(file, weights_only=True))
        selection.see(place, auc, [{"place": torch.tensor(place)}])
    step, heads = selection.best
    assert int(heads[0]["place"]) == step  # the heads are those of that step
    return step


@st.composite
def rational_aucs(draw):
    """AUCs as there are: fractions of the pairs of a normal and an abnormal video."""
    pairs = draw(st.sampled_from([4, 20, 81, 600]))
    lowest = draw(st.sampled_from([0, pairs // 2, pairs * 9 // 10]))
    return [Fraction(n, pairs) for n in draw(st.lists(st.integers(lowest, pairs), min_size=1, max_size=25))]


@settings(max_examples=100)
@given(aucs=rational_aucs(), data=st.data())
def test_the_last_of_the_best_checks_is_picked_also_where_it_went_on_in_between(aucs, data):
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(aucs) - 1)))
    assert select([float(auc) for auc in aucs], cut) == last_of_the_best(aucs)


def test_a_mean_that_is_just_so_far_below_the_best_counts_whatever_rounding_says():
    # One of 20 pairs in one of five checks is a mean of 0.01.
    for n in range(10, 20):
        assert select([(n + 1) / 20] * WINDOW + [n / 20]) == WINDOW
        assert select([(n + 1) / 20] * WINDOW + [n / 20] * 2) == WINDOW
        assert select([n / 20] * WINDOW + [(n + 1) / 20] + [n / 20] * 9) == WINDOW + 9


def test_one_lucky_check_is_not_picked_for_it():
    assert select([0.7] * 4 + [1.0] + [0.8, 0.9, 0.9, 0.9, 0.9, 0.6, 0.6]) == 8
    assert select([1.0, 0.5, 0.5, 0.5, 0.5, 0.7, 0.8, 0.8, 0.8, 0.5, 0.4]) == 9


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_of_too_few_checks_for_a_mean_the_last_is_taken(n):
    assert select([0.9, 0.8, 0.1, 0.2][:n]) == n - 1


def test_a_selection_holds_the_heads_of_one_check():
    selection = Selection()
    for step in range(3 * WINDOW):
        selection.see(step, 0.5, [{"weight": torch.zeros(100_000)}])
    file = io.BytesIO()
    torch.save(selection.state(), file)
    assert len(file.getvalue()) < 500_000


def test_without_held_out_videos_the_last_check_is_taken():
    assert [select([None] * n) for n in (1, 3, WINDOW, 9)] == [0, 2, WINDOW - 1, 8]


def test_the_history_holds_every_check_and_the_step_is_picked_by_it(learned):
    assert [check.step for check in learned.history] == [3, 6, 9, 12, 15, 18, 21, 24]
    picked = learned.history[last_of_the_best([check.auc for check in learned.history])]
    assert learned.step == picked.step < QUICK.steps
    for check in learned.history:
        assert np.isfinite([check.mil, check.cluster, check.cosine, check.spread]).all()
        assert 0 <= check.auc <= 1


@pytest.mark.parametrize(
    ("steps", "checks", "expected"),
    [(200, 20, list(range(10, 201, 10))), (7, 20, list(range(1, 8))), (10, 3, [3, 7, 10]), (1, 1, [1])],
)
def test_checks_are_spread_evenly_and_end_with_the_last_step(steps, checks, expected):
    assert check_steps(SMALL.model_copy(update={"steps": steps, "checks": checks})) == expected


# ---- trained on all ------------------------------------------------------------------------------


def test_both_heads_are_trained_on_all_videos(bags, learned):
    training = Training(TrainingSet(bags, QUICK.segments), range(len(bags)), QUICK, seed=3)
    for step, head in ((learned.step, learned.selected), (QUICK.steps, learned.last)):
        training.advance(step)
        expected = training.snapshot()
        assert all(torch.equal(value, expected[name]) for name, value in head.state_dict().items())
        assert not head.training


def test_same_seed_same_numbers_and_another_seed_others(bags, learned):
    again, other = (
        train_with_cross_validation(bags, QUICK, seed=3),
        train_with_cross_validation(bags, QUICK, seed=4),
    )
    assert (again.history, again.threshold, again.step) == (learned.history, learned.threshold, learned.step)
    for name, value in again.selected.state_dict().items():
        assert torch.equal(value, learned.selected.state_dict()[name])
    assert not torch.equal(other.last.embedding.conv.weight, again.last.embedding.conv.weight)
    assert other.history != again.history


def test_watched_bags_are_scored_at_every_check_and_choose_nothing(bags, learned):
    watch = [make_bag(1, 2000, length=7)[0], make_bag(0, 2001, length=40)[0]]
    found = train_with_cross_validation(bags, QUICK, seed=3, watch=watch)
    assert list(found.watched) == [check.step for check in found.history]
    assert [len(scores) for scores in found.watched[3]] == [7, 40]
    for step, head in ((found.step, found.selected), (QUICK.steps, found.last)):
        for bag, scores in zip(watch, found.watched[step], strict=True):
            np.testing.assert_array_equal(scores, snippet_scores(head, bag))
    assert (found.step, found.threshold) == (learned.step, learned.threshold)
    assert torch.equal(found.last.embedding.conv.weight, learned.last.embedding.conv.weight)


def test_every_check_is_reported_as_it_comes(bags, learned):
    seen = []
    train_with_cross_validation(bags, QUICK, seed=3, on_check=seen.append)
    assert seen == learned.history


def test_collapsed_clusters_are_reported(caplog):
    # A weight of zero leaves the clusters where they fell, all in one place.
    settings = SMALL.model_copy(update={"cluster_weight": 0.0, "guided": False, "steps": 5, "checks": 1})
    with caplog.at_level(logging.WARNING, logger="vadpipe"):
        found = train_with_cross_validation(make_bags(2), settings)
    assert found.history[-1].cosine > 0.9
    assert "the normal and the abnormal cluster are not separated at step 5: cosine 0.9" in caplog.text


def test_clusters_that_are_apart_are_not(caplog):
    with caplog.at_level(logging.WARNING, logger="vadpipe"):
        found = train_with_cross_validation(
            make_bags(4), SMALL.model_copy(update={"cluster_weight": 1.0, "checks": 1})
        )
    assert found.history[-1].cosine < 0.5
    assert "not separated" not in caplog.text


@pytest.mark.parametrize("crops", [1, 3])
@pytest.mark.parametrize("lengths", [(1, 1), (2, 40)])
def test_odd_bags(crops, lengths):
    bags = [make_bag(i % 2, i, length=lengths[i // 2 % 2], crops=crops)[0] for i in range(18)]
    found = train_with_cross_validation(
        bags, SMALL.model_copy(update={"steps": 6, "checks": 3, "batch_bags": 2})
    )
    assert np.isfinite(found.threshold.threshold)
    assert all(np.isfinite([check.mil, check.cluster, check.auc]).all() for check in found.history)
    assert found.last.score(torch.zeros(1, crops, 4, D)).shape == (1, 4)


def test_the_scale_is_that_of_unseen_videos_log_odds():
    """Each bag by a head trained without its fold, the mean over its top k segments, all put into one fit."""
    bags, settings = make_bags(6), SMALL
    learned = train_with_cross_validation(bags, settings, seed=2)
    folds = make_folds(bags, settings.folds, 2)
    data, odds, labels = TrainingSet(bags, settings.segments), [], []
    for fold, rows in enumerate(folds):
        training = Training(data, all_but(folds, fold), settings, seed=2)
        training.advance(learned.step)
        for row in rows:
            scores = np.sort(snippet_scores(training.head, bags[row]).astype(np.float64))[::-1]
            k = int(settings.top_k.counts(torch.tensor([len(scores)]))[0])
            clipped = np.clip(scores[:k], 1e-9, 1 - 1e-9)
            odds.append(float(np.log(clipped / (1 - clipped)).mean()))
            labels.append(bags[row].label)
    expected = fit_platt_scaling(odds, labels)
    for head in (learned.selected, learned.last):
        torch.testing.assert_close(head.scale, expected, rtol=1e-4, atol=1e-4)
