"""The benchmark of few videos: which ones are drawn, what the logistic regression scores, what is compared."""

import numpy as np
import pytest
from scipy.optimize import minimize

from vadpipe.ablation.data import Sample
from vadpipe.annotations.truth import Truth
from vadpipe.head.bags import Bag
from vadpipe.head.settings import HeadSettings


def bag(name, label, rng, n_snippets=6):
    values = rng.random((2, n_snippets, 4), dtype=np.float32) + np.float32(label) / 4
    return Bag(name, values, label, name, np.arange(float(n_snippets)), float(n_snippets))


def sample(name, marks):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marks, [0]])))
    truth = Truth(name, len(marks), tuple(map(tuple, edges.reshape(-1, 2).tolist())))
    starts = np.arange(0, len(marks), 16)
    spans = np.stack([starts, starts + 16], axis=1)
    times_s = np.arange(len(marks)) / 30
    return Sample(truth, name, spans, len(marks), np.zeros(len(spans), bool), times_s, len(marks) / 30, name)


@pytest.fixture
def videos():
    """40 training videos, 15 of them abnormal, and 6 test videos of 6 snippets."""
    from protocols import Videos

    rng = np.random.default_rng(0)
    bags = {f"v{number:02d}": bag(f"v{number:02d}", int(number % 8 < 3), rng) for number in range(40)}
    samples = {}
    for number in range(6):
        marks = np.zeros(96, int)
        marks[32 : 64 * (number % 2)] = 1
        samples[f"t{number}"] = sample(f"t{number}", marks)
        bags[f"t{number}"] = bag(f"t{number}", number % 2, rng)
    return Videos(samples, bags, {name: name for name in bags})


def split(videos, seed=0, fold=0):
    from protocols import Split

    return Split(fold, seed, tuple(n for n in videos.bags if n not in videos.samples), (*videos.samples,))


def test_fewer_videos_are_a_part_of_more_and_have_labels_in_the_proportion_of_all(videos):
    from learning_curves import draw

    whole = split(videos)
    drawn = {size: draw(videos, whole, size) for size in (2, 8, 16, 40, 98)}
    assert [sum(videos.bags[name].label for name in of_size) for of_size in drawn.values()] == [
        1,
        3,
        6,
        15,
        15,
    ]
    assert [len(of_size) for of_size in drawn.values()] == [2, 8, 16, 40, 40]
    assert {*drawn[2]} < {*drawn[8]} < {*drawn[16]} < {*drawn[40]}
    assert drawn[98] == whole.train
    for of_size in drawn.values():
        assert [*of_size] == sorted(of_size)  # in the order of the whole


def test_seeds_and_folds_draw_other_videos_and_the_same_ones_again(videos):
    from learning_curves import draw

    splits = [split(videos, seed, fold) for seed in range(2) for fold in range(2)]
    assert len({draw(videos, one, 10) for one in splits}) == 4
    assert [draw(videos, one, 10) for one in splits] == [draw(videos, one, 10) for one in splits]


def test_a_single_abnormal_video_is_always_drawn(videos):
    from dataclasses import replace

    from learning_curves import draw

    bags = {name: replace(own, label=int(name == "v31")) for name, own in videos.bags.items()}
    assert "v31" in draw(replace(videos, bags=bags), split(videos), 3)


def test_logistic_regression_is_fitted_to_pooled_rows_and_scores_smoothed_snippets_by_their_highest_view():
    from learning_curves import Linear, linear_scores

    rng = np.random.default_rng(3)
    train = [bag(f"v{number}", number % 2, rng, n_snippets=4 + number) for number in range(12)]
    test = bag("t", 0, rng, n_snippets=7)
    (found,) = linear_scores(Linear(c=0.5, smoothing=0.7), train, [test]).values()

    rows = np.array([[own.values[..., d].mean() for d in range(4)] for own in train])
    signs = np.array([2 * own.label - 1 for own in train])
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)

    def loss(numbers):
        odds = (rows - mean) / deviation @ numbers[:4] + numbers[4]
        return numbers[:4] @ numbers[:4] / 2 + 0.5 * np.log1p(np.exp(-signs * odds)).sum()

    best = minimize(loss, np.zeros(5), tol=1e-10).x
    expected = []
    for at in range(7):
        weights = [np.exp(-0.5 * ((at - other) / 0.7) ** 2) * (abs(at - other) <= 3) for other in range(7)]
        odds = (test.values - mean) / deviation @ best[:4] + best[4]
        expected.append(max(np.average(of_view, weights=weights) for of_view in odds))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.ptp(found) > 0.1


def test_all_learners_get_the_same_videos_and_a_training_is_done_once(videos, tmp_path, monkeypatch):
    import learning_curves
    from learning_curves import LINEAR, do, jobs_of

    learned = []

    class Watched(learning_curves.Training):
        def __init__(self, data, rows, settings, *, seed):
            learned.append(([data.bags[row].name for row in rows], settings, seed))
            super().__init__(data, rows, settings, seed=seed)

    def fitted(learner, train, test):
        learned.append(([own.name for own in train], learner, None))
        return {own.name: own.values[0, :, 0] for own in test}

    monkeypatch.setattr(learning_curves, "Training", Watched)
    monkeypatch.setattr(learning_curves, "linear_scores", fitted)
    monkeypatch.setattr(learning_curves, "videos_of", lambda *_: videos)
    head, linear = HeadSettings(steps=3), next(iter(LINEAR.values()))
    drawn = [learning_curves.replace(split(videos, seed), train=("v00", "v03", "v07")) for seed in range(2)]
    todo = [job for learner in (head, linear) for job in jobs_of(learner, drawn, videos, tmp_path)]
    source = ("x", tmp_path, tmp_path, tmp_path)
    found = [do(source, job) for job in todo]
    train = ["v00", "v03", "v07"]
    assert learned == [(train, head, 0), (train, head, 1), (train, linear, None), (train, linear, None)]
    assert [*found[0]] == [*videos.samples]
    assert found[0]["t0"].shape == (6,)
    assert not np.array_equal(found[0]["t0"], found[1]["t0"])  # another seed

    again = [do(source, job) for job in todo]
    assert len(learned) == 4
    for scores, kept in zip(found, again, strict=True):
        for name in videos.samples:
            np.testing.assert_array_equal(scores[name], kept[name])


def test_a_training_is_known_by_its_learner_seed_and_videos(videos, tmp_path):
    from learning_curves import LINEAR, draw, jobs_of, replace

    learners = [HeadSettings(), HeadSettings(dropout=0.5), *LINEAR.values()]

    def keys(known, size=10):
        drawn = [
            replace(whole, train=draw(known, whole, size)) for whole in (split(videos), split(videos, 1))
        ]
        return [job.key for learner in learners for job in jobs_of(learner, drawn, known, tmp_path)]

    assert len({*keys(videos)}) == 2 * len(learners)
    assert keys(videos) == keys(videos)
    other = replace(videos, digests=dict(videos.digests) | {"t3": "other"})
    assert not {*keys(videos)} & {*keys(other)}
    assert not {*keys(videos)} & {*keys(videos, 11)}


def test_the_tables_have_figures_and_paired_differences_of_every_size():
    from learning_curves import LINEAR, table
    from protocols import Protocol
    from verdict import Tested

    def reached(auc, shift=0.0):
        values = np.array([auc, *np.linspace(auc - 0.1, auc + 0.1, 41) + shift])
        return Tested({"auc": values}, {"auc": np.array([auc - 0.01, auc + 0.01])}, 7)

    names = [*LINEAR]
    text = table(
        Protocol("x", "Town", ("auc",)),
        {
            "10": {"head": reached(0.8), names[0]: reached(0.75), names[1]: reached(0.9, shift=0.02)},
            "72 to 75": {"head": reached(0.9), names[0]: reached(0.9), names[1]: reached(0.9)},
        },
        2,
    )
    lines = text.splitlines()
    assert lines[0] == "2 seeds, 7 test videos or recordings."
    assert lines[4] == "| 10 | 0.800 (0.014) | 0.750 (0.014) | 0.900 (0.014) |"
    assert lines[9] == "| 10 | +0.050 (+0.050 to +0.050) | -0.100 (-0.120 to -0.120) |"
    assert lines[10] == "| 72 to 75 | +0.000 (+0.000 to +0.000) | +0.000 (+0.000 to +0.000) |"
