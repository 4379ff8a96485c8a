"""Several seeds: each as if it were alone, their spread, and the ensemble that averages them."""

import json
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from support.bags import make_bags
from support.feature_files import make_features, write_features
from support.head_settings import SMALL
from vadpipe.errors import UsageError
from vadpipe.evaluation.evaluate import evaluate
from vadpipe.head.bags import TrainingSet
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.platt_scaling import fit_platt_scaling
from vadpipe.training.calibration import calibrate
from vadpipe.training.cross_validation import train_on, train_with_cross_validation
from vadpipe.training.ensembling import ensemble_of
from vadpipe.training.fit import fit
from vadpipe.training.folds import all_but, make_folds
from vadpipe.training.loop import Training

QUICK = SMALL.model_copy(update={"steps": 6, "checks": 3, "folds": 3, "hidden": 8, "cluster_dim": 4})


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds") / "features"
    write_features(folder, "normal", 9)
    write_features(folder, "fight", 8)
    return folder


# ---- ensembles -----------------------------------------------------------------------------------


def unseen_log_odds(bags, data, settings, seed, step):
    """Return the log odds of each snippet of each bag by a head of that seed that was trained without it."""
    odds = {}
    folds = make_folds(bags, settings.folds, seed)
    for fold, rows in enumerate(folds):
        training = Training(data, all_but(folds, fold), settings, seed=seed)
        training.advance(step)
        for row in rows:
            scores = training.head.score(torch.from_numpy(bags[row].values)[None])[0].double()
            odds[row] = [math.log(score / (1 - score)) for score in scores.tolist()]
    return odds


def test_an_ensemble_is_judged_by_the_mean_of_heads_that_have_not_seen_a_video():
    """Retrained fold by fold: AUC, scale and threshold, from each video's mean log odds."""
    bags = make_bags(9, length=8)
    data = TrainingSet(bags, QUICK.segments)
    results = [train_on(data, QUICK, seed=seed, keep_judges=True) for seed in (3, 4, 5)]
    network, found = ensemble_of(data, results, seed=0)

    steps = {seed: result.step for seed, result in zip((3, 4, 5), results, strict=True)}
    odds = [unseen_log_odds(bags, data, QUICK, seed, step) for seed, step in steps.items()]
    means = [np.mean([of_seed[row] for of_seed in odds], axis=0) for row in range(len(bags))]
    labels = [bag.label for bag in bags]
    top = [np.sort(own)[-3:] for own in means]
    raw = [float((1 / (1 + np.exp(-own))).mean()) for own in top]
    assert found.held_out.auc == pytest.approx(roc_auc_score(labels, raw), abs=1e-9)
    scale = fit_platt_scaling([float(own.mean()) for own in top], labels)
    torch.testing.assert_close(found.scale, scale, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network.scale, found.scale)
    scores = [
        (1 / (1 + np.exp(-(own * float(scale[0]) + float(scale[1]))))).astype(np.float32) for own in means
    ]
    scored = list(zip(bags, scores, strict=True))
    expected = calibrate(
        [pair for pair in scored if not pair[0].label],
        [pair for pair in scored if pair[0].label],
        per_hour=QUICK.false_alarms_per_hour,
        quantile=QUICK.normal_quantile,
        unseen=True,
    )
    assert found.threshold.threshold == pytest.approx(expected.threshold, abs=1e-3)
    assert found.threshold.n_abnormal_flagged == expected.n_abnormal_flagged
    for member, result in zip(network.heads, results, strict=True):
        numbers = result.selected.state_dict()
        assert all(torch.equal(value, numbers[name]) for name, value in member.state_dict().items())


def test_an_ensemble_without_folds_is_judged_by_what_it_learned_from():
    bags = make_bags(2)[:3]
    data = TrainingSet(bags, QUICK.segments)
    results = [train_on(data, QUICK, seed=seed, keep_judges=True) for seed in (0, 1)]
    _, found = ensemble_of(data, results, seed=0)
    assert not found.threshold.unseen
    assert found.held_out.auc is None


def test_an_ensemble_is_a_head_like_any_other(features, tmp_path):
    result = fit(features, output=tmp_path / "head", settings=QUICK, seed=3, seeds=2, ensemble=True)
    head = TrainedHead.load(result.head)
    assert [(member.seed, member.step) for member in head.record.members] == [
        (run.seed, run.step) for run in result.runs
    ]
    assert (head.record.calibration, head.record.held_out) == (result.threshold, result.held_out)
    assert result.last is None
    assert sorted(path.name for path in result.head.parent.iterdir()) == [
        "head.safetensors", "history.csv", "metrics.json", "run.json", "settings.json", "training.png",
    ]  # fmt: skip
    event = make_features(96, "videos/fight/new.mp4", seed=999)
    event.values[2:4, :, :3] += 4.0
    event.save(tmp_path / "test" / "new.safetensors")
    (tmp_path / "truth.csv").write_text("video,frames,anomalies\nnew.mp4,96,32:64\n")
    evaluation = evaluate(
        tmp_path / "test", truth=tmp_path / "truth.csv", head=tmp_path / "head", output=None, bootstrap=0
    )
    assert evaluation.figures["auc"].value > 0.9
    assert evaluation.threshold == result.threshold.threshold


def test_an_ensemble_of_one_is_refused(features, tmp_path):
    with pytest.raises(UsageError) as caught:
        fit(features, output=tmp_path / "head", settings=QUICK, ensemble=True)
    assert str(caught.value) == "an ensemble needs several heads\nTrain some: --seeds 5 --ensemble."


# ---- the spread ----------------------------------------------------------------------------------


def test_each_seed_is_trained_as_if_it_were_alone(features, tmp_path):
    result = fit(features, output=tmp_path / "both", settings=QUICK, seed=3, seeds=2)
    assert [run.seed for run in result.runs] == [3, 4]
    for run, folder in zip(result.runs, (tmp_path / "both", tmp_path / "both" / "seed-4"), strict=True):
        alone = fit(features, output=tmp_path / f"{run.seed}", settings=QUICK, seed=run.seed)
        assert (run.step, run.threshold, run.held_out, run.history) == (
            alone.step, alone.threshold, alone.held_out, alone.history,
        )  # fmt: skip
        for name in ("head.safetensors", "last.safetensors"):
            assert (folder / name).read_bytes() == (tmp_path / f"{run.seed}" / name).read_bytes()
    assert (result.head, result.auc) == (tmp_path / "both" / "head.safetensors", result.runs[0].held_out.auc)
    metrics = json.loads((tmp_path / "both" / "metrics.json").read_text())
    assert [run["held_out"]["auc"] for run in metrics["runs"]] == [run.held_out.auc for run in result.runs]


def test_every_seed_is_reported_with_its_share_of_the_work(features, tmp_path):
    told = []
    fit(features, output=tmp_path / "head", settings=QUICK, seed=3, seeds=2, on_progress=told.append)
    stages = [(report.seed, report.training.stage, report.training.step) for report in told]
    steps = [("cross-validation", step) for step in (0, 2, 4, 6)] + [
        ("on all videos", step) for step in (0, 2, 4, 6)
    ]
    assert stages == [(seed, *stage) for seed in (3, 4) for stage in steps]
    # Three folds and the training on all: of eight heads to train, three are done with the first stage.
    assert [report.share for report in told[:8]] == pytest.approx(
        [0, 1 / 8, 2 / 8, 3 / 8, 3 / 8, 10 / 24, 11 / 24, 0.5]
    )
    assert told[-1].share == 1
    assert [report.training.check.auc for report in told[1:4]] == [
        check.auc for check in fit(features, output=tmp_path / "3", settings=QUICK, seed=3).history
    ]
    assert not any(report.training.resumed for report in told)


@pytest.mark.parametrize(("seed", "seeds"), [(0, 0), (0, -1), (2**63 - 1, 2)])
def test_numbers_of_seeds_out_of_range(features, tmp_path, seed, seeds):
    with pytest.raises(UsageError, match=f"seeds {seeds} is out of range"):
        fit(features, output=tmp_path / "head", settings=QUICK, seed=seed, seeds=seeds)


def test_judges_are_kept_only_where_they_are_asked_for():
    bags = make_bags(3)
    assert train_with_cross_validation(bags, QUICK).judges == []


# ---- interrupted ---------------------------------------------------------------------------------


class StopError(Exception):
    pass


@pytest.mark.parametrize("ensemble", [False, True])
def test_what_is_done_of_the_seeds_is_not_done_again(features, tmp_path, ensemble):
    """Interrupted in the second of three, over results of another training that were given up by then."""
    options = {"settings": QUICK, "seed": 3, "seeds": 3, "ensemble": ensemble}
    fit(features, output=tmp_path / "head", settings=QUICK.model_copy(update={"steps": 1}))

    def stop(report):
        if (report.seed, report.training.stage) == (4, "on all videos"):
            raise StopError

    with pytest.raises(StopError):
        fit(features, output=tmp_path / "head", force=True, on_progress=stop, **options)
    told = []
    result = fit(features, output=tmp_path / "head", on_progress=told.append, **options)
    assert [
        (report.seed, report.training.stage, report.training.step, report.training.resumed)
        for report in told[:3]
    ] == [
        (3, "on all videos", 0, True),
        (3, "on all videos", 2, False),
        (3, "on all videos", 4, False),
    ]
    assert next(report.training.stage for report in told if report.seed == 4) == "on all videos"
    assert not next(report.training.resumed for report in told if report.seed == 5)
    whole = fit(features, output=tmp_path / "whole", **options)
    assert result.runs == whole.runs
    for path in (tmp_path / "whole").rglob("*.*"):
        if path.is_file() and path.name != "run.json":
            assert (
                tmp_path / "head" / path.relative_to(tmp_path / "whole")
            ).read_bytes() == path.read_bytes()
    assert not list((tmp_path / "head").glob("*.state"))


def test_an_ensemble_of_more_heads_than_are_read_again_is_refused(features, tmp_path):
    with pytest.raises(UsageError) as caught:
        fit(features, output=tmp_path / "head", settings=QUICK, ensemble=True, seeds=101)
    assert str(caught.value) == "an ensemble of 101 heads is too large\nUse at most 100."
