"""The benchmark of the three claims: what a condition changes, what a run is known by, what a gain is."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.metrics import average_precision_score, roc_auc_score

from vadpipe.evaluation.bootstrap import drawn
from vadpipe.head.settings import HeadSettings

TRUE = {f"n{number:03d}": 0 for number in range(286)} | {f"a{number:03d}": 1 for number in range(342)}


def wrong(labels):
    return {name for name, label in labels.items() if label != TRUE[name]}


@pytest.mark.parametrize(
    ("condition", "normal", "abnormal"), [("noise 10 %", 29, 34), ("noise 20 %", 57, 68)]
)
def test_noise_flips_its_share_of_either_label(condition, normal, abnormal):
    from claims import CONDITIONS

    flipped = [wrong(CONDITIONS[condition].labels(TRUE, seed)) for seed in range(2)]
    for names in flipped:
        assert Counter(TRUE[name] for name in names) == {0: normal, 1: abnormal}
    assert flipped[0] != flipped[1]
    assert wrong(CONDITIONS["noise 10 %"].labels(TRUE, 0)) <= wrong(CONDITIONS["noise 20 %"].labels(TRUE, 0))


def test_few_abnormal_videos_are_exactly_so_many_beside_every_normal_one():
    from claims import CONDITIONS

    kept = [CONDITIONS["30 abnormal"].labels(TRUE, seed) for seed in range(2)]
    for labels in kept:
        assert Counter(labels.values()) == {0: 286, 1: 30}
        assert not wrong(labels)
    assert kept[0] != kept[1]


def test_other_conditions_leave_the_labels_as_they_are():
    from claims import CONDITIONS

    for name in ("16+16", "8+8", "4+4"):
        assert CONDITIONS[name].labels(TRUE, 0) == TRUE


def jobs(videos, work, condition="noise 20 %", **changed):
    from claims import VARIANTS, jobs_of

    options = SimpleNamespace(seeds=2, work=work, device="cpu")
    return [*jobs_of(condition, [*VARIANTS], videos, HeadSettings(steps=2, **changed), options)]


def test_a_run_is_known_by_its_condition_variant_seed_settings_and_videos(videos, tmp_path):
    from claims import CONDITIONS, VARIANTS

    keys = [job.key for name in CONDITIONS for job in jobs(videos, tmp_path, name)]
    assert len({*keys}) == len(keys) == len(CONDITIONS) * len(VARIANTS) * 2
    again = [job.key for name in CONDITIONS for job in jobs(videos, tmp_path, name)]
    assert again == keys
    other = replace(videos, digests=dict(videos.digests) | {"v3": "other"})
    for changed in (jobs(other, tmp_path), jobs(videos, tmp_path, dropout=0.5)):
        assert not {*keys} & {job.key for job in changed}


def test_settings_are_those_of_the_condition_the_variant_and_the_number_of_videos(videos, tmp_path):
    found = {job.variant: job.settings for job in jobs(videos, tmp_path, "4+4") if job.seed == 0}
    assert {settings.batch_bags for settings in found.values()} == {4}
    assert {settings.context for settings in found.values()} == {"auto"}
    switches = {name: (s.clustering, s.second_head, s.memory, s.guided) for name, s in found.items()}
    assert switches["second head"] == (False, True, "queue", True)
    assert switches["mil"] == (False, False, "queue", False)
    assert switches["+ batch clustering"] == (True, False, "none", False)
    assert switches["+ cross-batch"] == (True, False, "queue", False)
    assert switches["full without memory"] == (True, False, "none", True)
    assert switches["+ guided score"] == (True, False, "queue", True)


def test_all_variants_learn_from_the_same_labels_and_a_run_is_done_once(videos, tmp_path, monkeypatch):
    import claims

    learned = []

    class Watched(claims.Training):
        def __init__(self, data, rows, settings, *, seed):
            learned.append((seed, [bag.label for bag in data.bags]))
            super().__init__(data, rows, settings, seed=seed)

    monkeypatch.setattr(claims, "Training", Watched)
    monkeypatch.setattr(claims, "videos_of", lambda data: videos)
    monkeypatch.setattr(claims, "LOOKS", (1, 2))
    claims.training_set.cache_clear()
    todo = jobs(videos, tmp_path)
    found = [claims.do(tmp_path, job) for job in todo]
    assert [seed for seed, _ in learned] == [job.seed for job in todo]
    of_seed = {seed: {tuple(labels) for own, labels in learned if own == seed} for seed in range(2)}
    assert [len(distinct) for distinct in of_seed.values()] == [1, 1]
    assert of_seed[0] != of_seed[1]
    for (labels,) in of_seed.values():
        assert sum(label != number % 2 for number, label in enumerate(labels)) == 4  # 2 of 10 of either label

    again = [claims.do(tmp_path, job) for job in todo]
    assert len(learned) == len(todo)
    for scores, kept in zip(found, again, strict=True):
        assert [*scores] == [*kept] == [1, 2]
        np.testing.assert_array_equal(scores[2], kept[2])
    assert np.ptp([scores[2] for scores in found], axis=0).max() > 0


@pytest.fixture
def runs(videos):
    rng = np.random.default_rng(1)
    return {
        name: {seed: {2: [*rng.random((8, 6), dtype=np.float32)]} for seed in range(3)}
        for name in ("mil", "second head", "+ guided score")
    }


def slow(videos, scores, times):
    marks = [np.tile(s.truth.frames(), n) for s, n in zip(videos.samples.values(), times, strict=True)]
    curves = [np.tile(np.repeat(own, 16), n) for own, n in zip(scores, times, strict=True)]
    pools = np.concatenate(marks), np.concatenate(curves)
    return [roc_auc_score(*pools), average_precision_score(*pools)]


def test_differences_and_both_intervals_are_those_of_a_slow_way(videos, runs):
    from gains import gains

    samples = [*videos.samples.values()]
    found = gains(samples, runs, 15)
    assert [*found.gains] == [("+ guided score", "mil"), ("+ guided score", "second head")]
    gain, ones = found.gains["+ guided score", "mil"], np.ones(8, int)
    full, mil = (
        np.array([slow(videos, run[2], ones) for run in runs[name].values()])
        for name in ("+ guided score", "mil")
    )
    np.testing.assert_allclose(found.figures["mil"][2], mil)
    np.testing.assert_allclose(gain.mean, (full - mil).mean(axis=0))
    for figure in range(2):
        limits = ttest_rel(full[:, figure], mil[:, figure]).confidence_interval(0.95)
        np.testing.assert_allclose(gain.over_seeds[figure], limits)

    unscored = [video.judged(np.zeros(6, np.float32)) for video in samples]
    apart = [
        np.mean(
            [
                np.subtract(
                    slow(videos, runs["+ guided score"][seed][2], row),
                    slow(videos, runs["mil"][seed][2], row),
                )
                for seed in range(3)
            ],
            axis=0,
        )
        for row in drawn(unscored, 15, seed=0)
    ]
    np.testing.assert_allclose(np.transpose(gain.over_videos), np.quantile(apart, [0.025, 0.975], axis=0))


def test_a_gain_is_one_by_both_intervals(videos, runs):
    from gains import Compared, Gain, table

    def of(seeds, video_draws):
        return Gain(np.zeros(2), (seeds, (-0.1, 0.1)), (video_draws, (-0.1, 0.1)))

    above, below, around = (0.01, 0.02), (-0.02, -0.01), (-0.01, 0.01)
    pair, figures = ("+ guided score", "mil"), {"mil": {2: np.zeros((3, 2))}}
    cases = {
        "both": (above, above),
        "worse": (below, below),
        "split": (above, around),
        "none": (around, None),
    }
    text = table({name: Compared(figures, {pair: of(*limits)}) for name, limits in cases.items()})
    assert (
        "- all claims (`+ guided score` - `mil`): a gain: both AUC; a loss: worse AUC; "
        "by one interval alone: split AUC (above over seeds).\n"
    ) in text
    assert "8 differences were looked at" in text
    assert "batch clustering, alone" not in text


def test_one_seed_has_no_interval_over_seeds(videos, runs):
    from gains import gains, table

    found = gains([*videos.samples.values()], {name: {0: of_seed[0]} for name, of_seed in runs.items()}, 0)
    gain = found.gains["+ guided score", "mil"]
    assert gain.over_seeds == gain.over_videos == (None, None)
    text = table({"16+16": found})
    assert "nan" not in text
    assert "(0." not in text
