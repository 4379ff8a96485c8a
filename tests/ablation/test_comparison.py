"""Means, deviations, paired differences and both intervals equal slow, independent computations."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel
from sklearn.metrics import average_precision_score, roc_auc_score

from support.labelled_features import QUICK, write_labelled_features
from vadpipe.ablation.comparison import Comparison, Measured, mean_over, t_interval
from vadpipe.ablation.data import load_data
from vadpipe.ablation.folds import make_test_folds
from vadpipe.ablation.metrics import FIGURES
from vadpipe.ablation.runs import ATS, AblationJob, Run, TrainingRecord
from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import drawn
from vadpipe.evaluation.metrics import frame_metrics

ROWS = ("mil", "second head", "other")
N_SEEDS, N_FOLDS, R = 3, 2, 40


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    truth = write_labelled_features(folder, normal=6, mixed=6, full=3)
    return load_data(folder / "features", truth)


@pytest.fixture(scope="module")
def runs(data):
    """Runs with random scores, the better the higher the row."""
    rng = np.random.default_rng(5)
    folds = make_test_folds(data.truths, N_FOLDS)
    made = {}
    for level, row in enumerate(ROWS):
        for seed, (fold, test) in itertools.product(range(N_SEEDS), enumerate(folds)):
            samples = [data.samples[name] for name in test]
            scores = {}
            for at in ATS:
                scores[at] = []
                for sample in samples:
                    marks = sample.truth.frames().reshape(-1, 16).any(axis=1)
                    noise = rng.random(len(marks)).round(1)
                    scores[at].append((noise + 0.2 * level * marks).astype(np.float32))
            record = TrainingRecord(
                key="k", settings=QUICK, fold=fold, seed=seed, videos=tuple(test), threshold=0.7,
                n_snippets=tuple(len(sample.spans) for sample in samples),
                steps=dict.fromkeys(ATS, 2), test_auc={2: 0.5}, history=[],
            )  # fmt: skip
            job = AblationJob(row, fold, seed, QUICK, tuple(test), "k", Path("nowhere"))
            made[row, seed, fold] = Measured.of(job, Run(record, scores), data)
    return made


@pytest.fixture(scope="module")
def comparison(data, runs):
    return Comparison(list(runs.values()), data, (N_SEEDS, N_FOLDS), resamples=R, seed=3)


def curves(measured, data, at="selected"):
    """Return (marks, scores) of each test video, the slow way."""
    for name, scores in zip(measured.run.record.videos, measured.run.scores[at], strict=True):
        yield name, data.samples[name].truth.frames(), np.repeat(scores, 16)


def slow_auc(measured, data, copies=None, at="selected"):
    """Return the frame AUC and AP with each video as many times as it was drawn; None if undefined."""
    marks, scores = [], []
    for name, own, curve in curves(measured, data, at):
        for _ in range(1 if copies is None else copies[name]):
            marks.append(own)
            scores.append(curve)
    if not marks or len(set(np.concatenate(marks).tolist())) < 2:
        return None
    marks, scores = np.concatenate(marks), np.concatenate(scores)
    return roc_auc_score(marks, scores), average_precision_score(marks, scores)


def test_figures_are_those_of_evaluation(data, runs):
    measured = runs["other", 1, 0]
    for at in ATS:
        judged = [
            data.samples[name].judged(scores)
            for name, scores in zip(measured.run.record.videos, measured.run.scores[at], strict=True)
        ]
        expected = frame_metrics(judged).figures | tally(judged, 0.7).totals()
        assert measured.figures[at] == {name: expected[name] for name in FIGURES}
        auc, ap = slow_auc(measured, data, at=at)
        assert measured.figures[at]["auc"] == pytest.approx(auc)
        assert measured.figures[at]["ap"] == pytest.approx(ap)


def test_a_summary_is_the_mean_over_seeds_of_the_mean_over_folds(data, runs, comparison):
    for row, at in itertools.product(ROWS, ATS):
        per_seed = [
            sum(slow_auc(runs[row, seed, fold], data, at=at)[0] for fold in range(N_FOLDS)) / N_FOLDS
            for seed in range(N_SEEDS)
        ]
        found = next(s for s in comparison.summaries() if (s.row, s.at, s.figure) == (row, at, "auc"))
        assert found.mean == pytest.approx(np.mean(per_seed))
        assert found.deviation == pytest.approx(np.std(per_seed, ddof=1))
        assert found.n_seeds == N_SEEDS


def difference(comparison, row="other", reference="mil", figure="auc", at="selected"):
    return next(
        d
        for d in comparison.differences()
        if (d.row, d.reference, d.figure, d.at) == (row, reference, figure, at)
    )


def test_the_interval_over_seeds_is_that_of_a_paired_t_test(data, runs, comparison):
    per_seed = {
        row: [
            np.mean([slow_auc(runs[row, seed, fold], data)[0] for fold in range(N_FOLDS)])
            for seed in range(N_SEEDS)
        ]
        for row in ROWS
    }
    found = difference(comparison)
    test = ttest_rel(per_seed["other"], per_seed["mil"]).confidence_interval(0.95)
    assert found.over_seeds == pytest.approx((test.low, test.high))
    assert found.mean == pytest.approx(np.mean(per_seed["other"]) - np.mean(per_seed["mil"]))
    assert found.per_seed == pytest.approx(np.subtract(per_seed["other"], per_seed["mil"]).tolist())
    assert found.mean > 0.1
    assert difference(comparison, "mil", "second head").mean < 0


@pytest.mark.parametrize(("figure", "which"), [("auc", 0), ("ap", 1)])
def test_the_interval_over_scenes_is_that_of_copied_videos(data, runs, comparison, figure, which):
    names = list(data.samples)
    blank = [data.samples[name].judged(np.zeros(5, np.float32)) for name in names]
    apart = []
    for draw in drawn(blank, R, 3):
        copies = dict(zip(names, draw.tolist(), strict=True))
        seeds = []
        for seed in range(N_SEEDS):
            pairs = [
                (
                    slow_auc(runs["other", seed, fold], data, copies),
                    slow_auc(runs["mil", seed, fold], data, copies),
                )
                for fold in range(N_FOLDS)
            ]
            seeds.append(np.mean([mine[which] - other[which] for mine, other in pairs if mine and other]))
        apart.append(np.mean(seeds))
    found = difference(comparison, figure=figure)
    assert (found.over_scenes.low, found.over_scenes.high) == pytest.approx(
        tuple(np.quantile(apart, [0.025, 0.975]))
    )
    assert found.n_groups == len(names)


def test_the_best_step_on_the_test_videos_is_never_compared(comparison):
    assert {item.at for item in comparison.differences()} == {"selected", "last"}
    assert {item.at for item in comparison.summaries()} == set(ATS)


def test_every_row_is_compared_with_both_references_and_not_with_itself(comparison):
    pairs = {(item.row, item.reference) for item in comparison.differences()}
    assert pairs == {
        ("second head", "mil"), ("other", "mil"), ("mil", "second head"), ("other", "second head"),
    }  # fmt: skip


def test_a_seed_that_lacks_a_fold_is_left_out_of_both_sides(data, runs):
    kept = [item for place, item in runs.items() if place != ("other", 1, 0)]
    found = Comparison(kept, data, (N_SEEDS, N_FOLDS), resamples=R, seed=3)
    whole = Comparison(list(runs.values()), data, (N_SEEDS, N_FOLDS), resamples=R, seed=3)
    partial, full = difference(found), difference(whole)
    assert partial.per_seed == [full.per_seed[0], full.per_seed[2]]
    assert partial.over_scenes != full.over_scenes
    n_seeds = {s.row: s.n_seeds for s in found.summaries() if (s.at, s.figure) == ("selected", "auc")}
    assert n_seeds == {"mil": 3, "second head": 3, "other": 2}


def test_one_seed_has_no_deviation_and_no_interval_over_seeds(data, runs):
    one = [item for (_, seed, _), item in runs.items() if seed == 0]
    found = Comparison(one, data, (1, N_FOLDS), resamples=0)
    assert all(summary.deviation is None for summary in found.summaries())
    assert difference(found).over_seeds is None
    assert difference(found).over_scenes is None
    assert difference(found).mean is not None


def test_a_figure_that_no_run_has_is_none(data, runs):
    bare = [replace(item, figures={at: dict.fromkeys(FIGURES) for at in ATS}) for item in runs.values()]
    found = Comparison(bare, data, (N_SEEDS, N_FOLDS), resamples=0)
    assert {(s.mean, s.deviation, s.n_seeds) for s in found.summaries()} == {(None, None, N_SEEDS)}
    assert {(d.mean, d.over_seeds) for d in found.differences()} == {(None, None)}


def test_t_interval():
    values = np.array([0.1, 0.3, -0.2, 0.4])
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert t_interval(values) == pytest.approx((expected.low, expected.high))
    assert t_interval(values[:1]) is None
    assert t_interval(np.array([0.5, 0.5])) == (0.5, 0.5)


def test_mean_of_what_is_defined():
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [2.0, 4.0]])
    np.testing.assert_array_equal(mean_over(values, 1), [1, np.nan, 3])
    np.testing.assert_array_equal(mean_over(values, 0), [1.5, 4])
