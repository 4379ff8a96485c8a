"""The benchmark of event settings: its heads are those of a fit, and its figures those of counting."""

import numpy as np
import pytest

from support.bags import make_bags
from support.head_settings import SMALL
from support.samples import sample
from vadpipe.curves.events import EventRule
from vadpipe.evaluation.alarms import tally
from vadpipe.training.calibration import calibrate
from vadpipe.training.cross_validation import train_with_cross_validation


@pytest.mark.parametrize("n_each", [3, 9])  # too few to pick a step by, and enough
@pytest.mark.parametrize("smoothing", [0.0, 1.5])
def test_heads_are_those_of_a_fit(n_each, smoothing):
    from event_fits import fit

    bags, watched = make_bags(n_each), make_bags(2, seed=100)
    settings = SMALL.model_copy(update={"smoothing": smoothing, "steps": 10, "checks": 8})
    learned = train_with_cross_validation(bags, settings, seed=3, watch=watched)
    found = fit(bags, watched, settings, (1.0, smoothing), seed=3)[smoothing]
    scored = list(zip(bags, found.unseen, strict=True))
    options = {"per_hour": 6.0, "quantile": 0.95, "unseen": True}
    normals, abnormals = ([pair for pair in scored if pair[0].label == label] for label in (0, 1))
    own, expected = calibrate(normals, abnormals, **options).model_dump(), learned.threshold.model_dump()
    assert own.pop("alarm_share") == pytest.approx(expected.pop("alarm_share"))  # summed in another order
    assert own == expected
    for own, other in zip(found.test, learned.watched[learned.step], strict=True):
        np.testing.assert_array_equal(own, other)


def test_smoothing_changes_scores_alone():
    from event_fits import fit

    bags = make_bags(3)
    settings = SMALL.model_copy(update={"steps": 4, "checks": 2})
    one, both = fit(bags, bags, settings, (1.5,), seed=0), fit(bags, bags, settings, (0.0, 1.5), seed=0)
    np.testing.assert_array_equal(np.concatenate(one[1.5].test), np.concatenate(both[1.5].test))
    assert not np.array_equal(np.concatenate(both[0.0].test), np.concatenate(both[1.5].test))


def test_what_was_fitted_is_kept(tmp_path, monkeypatch):
    import event_fits
    from protocols import Split, Videos

    bags = {bag.name: bag for bag in make_bags(3)}
    videos = Videos({}, bags, dict.fromkeys(bags, "digest"))
    split = Split(0, 0, tuple(bags)[:4], tuple(bags)[4:])
    small = SMALL.model_copy(update={"steps": 2, "checks": 1})
    monkeypatch.setattr(event_fits, "HeadSettings", lambda: small)
    first = event_fits.kept_fit(split, videos, (0.0, 0.7), tmp_path)
    monkeypatch.setattr(event_fits, "fit", None)
    again = event_fits.kept_fit(split, videos, (0.0, 0.7), tmp_path)
    for smoothing in (0.0, 0.7):
        for part, names in (("unseen", split.train), ("test", split.test)):
            lists = [getattr(found[smoothing], part) for found in (first, again)]
            assert [len(own) for own in lists[1]] == [bags[name].values.shape[1] for name in names]
            np.testing.assert_array_equal(np.concatenate(lists[0]), np.concatenate(lists[1]))


@pytest.fixture
def tested():
    """A protocol of two seeds, on four videos of eight snippets, of which two recordings have an event."""
    from event_fits import Fitted
    from event_settings import SMOOTHINGS, Tested, Trained
    from protocols import PROTOCOLS, Split, Videos

    rng, samples = np.random.default_rng(0), {}
    for number in range(4):
        marks = np.zeros(128, int)
        if number % 2:
            marks[32:96] = 1
        samples[f"v{number}"] = sample(f"v{number}", marks, f"recording {number // 2}")
    bags = {bag.name: bag for bag in make_bags(4)}
    videos, trained = Videos(samples, bags, {}), []
    for seed in range(2):
        for fold, test in enumerate((("v0", "v1"), ("v2", "v3"))):
            fitted = {
                smoothing: Fitted(
                    [rng.random(20, np.float32) for _ in bags], [rng.random(8, np.float32) for _ in test]
                )
                for smoothing in SMOOTHINGS
            }
            trained.append(Trained(Split(fold, seed, tuple(bags), test), videos, fitted))
    return Tested(PROTOCOLS[0], trained)


def test_videos_behind_each_other_are_one():
    from event_settings import joined

    first, second, third = (sample(str(n), marks, "x") for n, marks in enumerate(([0, 1], [1, 1, 0], [0, 1])))
    one = joined([each.judged(np.full(1, n, np.float32)) for n, each in enumerate((first, second, third))])
    assert one.truth.anomalies == ((1, 4), (6, 7))
    assert one.scores.tolist() == [0, 0, 1, 1, 1, 2, 2]
    np.testing.assert_allclose(one.times_s, np.arange(7) / 25)
    assert one.end_s == pytest.approx(7 / 25)


@pytest.mark.parametrize("alone", [True, False])
def test_counts_of_folds_are_summed_and_seeds_averaged(tested, alone):
    from event_settings import EventSetting, joined

    rule = EventRule(0.4, 0.0, 0.5)
    found, expected = tested.figures(EventSetting(1.5, rule), alone=alone), []
    for seed in range(2):
        counts = np.zeros(3)
        for one in tested.trained[2 * seed : 2 * seed + 2]:
            scored = one.scored(1.5)
            threshold = calibrate(
                [pair for pair in scored if not pair[0].label], [pair for pair in scored if pair[0].label],
                per_hour=6.0, quantile=0.95, unseen=True,
            ).threshold  # fmt: skip
            videos = [
                one.videos.samples[name].judged(scores)
                for name, scores in zip(one.split.test, one.fitted[1.5].test, strict=True)
            ]
            orders = [np.random.default_rng(order).permutation(2) for order in range(5)]
            if not alone:
                videos = [joined([videos[at] for at in order]) for order in orders]
            own = tally(videos, threshold, rule)
            counts += own.matched[:, 0].sum(), own.events.sum(), own.true_events.sum()
        expected.append(2 * counts[0] / (counts[1] + counts[2]))
    assert found["event_f1@0.1"] == pytest.approx(np.mean(expected))
    assert 0 < found["event_f1@0.1"] < 1
    each = [found[f"event_f1@{iou}"] for iou in (0.1, 0.3, 0.5)]
    assert found["event_f1"] == pytest.approx(np.mean(each))


def test_a_video_that_counts_twice_is_there_twice(tested):
    from event_settings import TODAY

    def counted(*counts):
        weights = dict(zip(("v0", "v1", "v2", "v3"), counts, strict=True))
        return tested.figures(TODAY, alone=True, weights=weights)

    once = pytest.approx(tested.figures(TODAY, alone=True), nan_ok=True)
    assert counted(1, 1, 1, 1) == once
    assert counted(2, 2, 2, 2) == once
    assert np.isnan(counted(1, 0, 1, 0)["recall"])  # nothing anomalous is left


def test_gains_are_differences_to_today(tested):
    from event_settings import TODAY, WITHOUT

    assert tested.gains(TODAY, 3).tolist() == [0, 0, 0, 0]
    gains = tested.gains(WITHOUT, 3)
    assert gains[0] == tested.figures(WITHOUT)["event_f1"] - tested.figures(TODAY)["event_f1"]


def test_the_tables_hold_today_and_every_single_change(tested):
    from event_settings import GRID, TODAY, WHOLE, tables

    assert TODAY in GRID
    reached, _, alone, differences, left_out = tables([tested, tested], 3).split("\n\n")
    rows = [line.split("|")[1].strip() for line in reached.splitlines()[2:]]
    assert rows[0] == str(TODAY) == "smoothing 0.7, hysteresis 0.5, gap 1 s, shortest 0 s"
    assert rows[-1] == str(WHOLE)
    assert len(rows) == len(set(rows)) >= 1 + 2 + 5 + 3 + 1 + 1
    assert f"| {tested.figures(TODAY)['event_f1']:.3f} / " in reached.splitlines()[2]
    assert f"| {tested.figures(TODAY, alone=True)['event_f1']:.3f} / " in alone.splitlines()[2]
    assert "hysteresis 0, gap 1 s" in differences.splitlines()[2]
    assert len(left_out.splitlines()) == 4
