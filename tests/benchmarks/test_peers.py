"""The benchmark of published detectors: what a training may see, what it is known by, and its figures."""

import argparse

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from vadpipe.head.methods import settings_of


@pytest.fixture
def place(videos, tmp_path, monkeypatch):
    import peers

    monkeypatch.setattr(peers, "videos_of", lambda data: videos)
    return peers.Place(tmp_path, tmp_path / "runs", "cpu")


def short(method="cbcg", **changed):
    return settings_of(method).model_copy(update={"steps": 2, "checks": 2, "batch_bags": 4, **changed})


@pytest.fixture
def trainings(monkeypatch):
    """Return the names of the bags that each training was given, and of those it may learn from."""
    import peers

    begun = []

    class Watched(peers.Training):
        def __init__(self, data, rows, settings, *, seed):
            begun.append(([bag.name for bag in data.bags], [data.bags[row].name for row in rows]))
            super().__init__(data, rows, settings, seed=seed)

    monkeypatch.setattr(peers, "Training", Watched)
    return begun


@pytest.mark.parametrize("method", ["cbcg", "deepmil", "bn-wvad"])
def test_a_method_learns_from_seven_eighths_and_a_finished_run_is_not_done_again(place, trainings, method):
    from peers import run_of

    run = run_of(place, short(method), 0)
    ((given, learned),) = trainings
    assert {*given} == {f"v{number}" for number in range(20)}
    assert len({*given} - {*learned}) in (2, 3)
    assert run.record.videos == tuple(f"t{number}" for number in range(8))
    assert run.record.steps["last"] == 2
    again = run_of(place, short(method), 0)
    assert len(trainings) == 1
    for at in run.scores:
        np.testing.assert_array_equal(run.scores[at], again.scores[at])


def test_a_run_of_another_seed_settings_or_device_is_another(place, trainings):
    from dataclasses import replace

    from peers import run_of

    keys = {run_of(place, short(), seed).record.key for seed in (0, 1)}
    keys |= {
        run_of(place, short(steps=1), 0).record.key,
        run_of(replace(place, device="cpu:0"), short(), 0).record.key,
    }
    assert len(keys) == len(trainings) == 4


def test_figures_are_those_of_scikit_learn_on_frames(place, videos):
    from peers import figures_of, run_of

    run = run_of(place, short(), 0)
    times = np.array([[1] * 8, [2, 0, 1, 1, 3, 1, 0, 1]])
    found = figures_of(videos, run, times)
    for at, scores in run.scores.items():
        for row, given in zip(found[at], times, strict=True):
            marks = [np.tile(videos.samples[f"t{n}"].truth.frames(), count) for n, count in enumerate(given)]
            curves = [np.tile(np.repeat(own, 16), count) for own, count in zip(scores, given, strict=True)]
            pools = np.concatenate(marks), np.concatenate(curves)
            np.testing.assert_allclose(row, [roc_auc_score(*pools), average_precision_score(*pools)])


def test_the_table_has_each_method_and_what_cbcg_gains(place, videos):
    from peers import run_of, table

    runs = {name: [run_of(place, short(name), seed) for seed in (0, 1)] for name in ("cbcg", "deepmil")}
    text = table(videos, runs, 20)
    assert "8 test videos, 2 seeds." in text
    assert text.count("| DeepMIL |") == 2
    assert text.count("| CBCG |") == 1


def test_steps_of_one_method_count_more_than_those_of_all():
    from peers import steps_option, with_steps

    given = ["rtfm=7", "5"]
    assert with_steps(settings_of("rtfm"), given).steps == 7
    assert with_steps(settings_of("cbcg"), given).steps == 5
    assert [steps_option(text) for text in given] == given
    for text, message in (("x=3", "unknown method 'x'"), ("rtfm=0", "'0' is no number of steps")):
        with pytest.raises(argparse.ArgumentTypeError, match=message):
            steps_option(text)
