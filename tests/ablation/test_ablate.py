"""An ablation gives each row the same folds and seeds, and does no finished run again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import vadpipe
from support.ablations import TWO_ROWS, run_files, run_small
from support.labelled_features import QUICK, make_truth, write_video_features
from vadpipe.ablation.ablate import ablate, jobs_of
from vadpipe.ablation.data import load_data
from vadpipe.ablation.rows import parse_row
from vadpipe.ablation.runs import Run
from vadpipe.errors import UsageError
from vadpipe.training import automatic_context
from vadpipe.training.cross_validation import train_with_cross_validation


def test_every_row_fold_and_seed_leaves_a_file(finished):
    folder, result, reports = finished
    assert sorted(run_files(folder / "ablation")) == sorted(
        f"{row}/fold{fold}-seed{seed}.safetensors"
        for row in ("mil", "second-head", "guided-score")
        for fold in (0, 1)
        for seed in (0, 1)
    )
    assert [(report.n_done, report.n_jobs) for report in reports] == [(n, 12) for n in range(13)]
    assert reports[0].job is None
    assert all(0 <= report.auc <= 1 for report in reports[1:])
    assert (len(result.measured), result.n_kept, result.failed) == (12, 0, [])


def test_a_run_equals_training_on_the_other_folds(finished):
    folder, result, _ = finished
    item = next(item for item in result.measured if (item.job.row, item.job.seed) == ("+ guided score", 1))
    data = load_data(folder / "features", folder / "truth.csv")
    bags, test = data.bags(), item.job.test
    rest = [bag for name, bag in bags.items() if name not in test]
    learned = train_with_cross_validation(rest, QUICK, seed=1)
    record = item.run.record
    assert record.steps["selected"] == learned.step
    assert record.steps["last"] == QUICK.steps
    assert record.threshold == pytest.approx(learned.threshold.threshold, abs=1e-6)
    for at, head in (("selected", learned.selected), ("last", learned.last)):
        for name, scores in zip(test, item.run.scores[at], strict=True):
            expected = head.score(torch.from_numpy(np.array(bags[name].values))[None])[0].numpy()
            np.testing.assert_allclose(scores, expected, atol=1e-6)
    best = max(record.test_auc.values())
    assert record.test_auc[record.steps["best-on-test"]] == best
    assert item.figures["best-on-test"]["auc"] == pytest.approx(best)
    assert list(record.test_auc) == [2, 4, 6]


@pytest.mark.parametrize(("segments", "chosen"), [(1, "both"), (100, "none")])
def test_all_folds_of_a_row_see_the_whole_video_or_none_does(finished, monkeypatch, segments, chosen):
    """The number of long videos is that of all folds together, not of a fold's training videos."""
    _, result, _ = finished
    base = result.plan.base.model_copy(update={"context": "auto", "segments": segments})
    monkeypatch.setattr(automatic_context, "LONG_VIDEOS", len(result.data.samples))
    jobs = jobs_of(replace(result.plan, base=base), result.data, Path("runs"))
    assert {job.settings.context for job in jobs} == {chosen}


def test_no_group_is_both_tested_and_trained_on(finished):
    _, result, _ = finished
    for seed in (0, 1):
        tested = [name for fold in result.plan.folds(seed) for name in fold]
        assert sorted(tested) == sorted(result.data.samples)
    assert len({item.job.test for item in result.measured}) == 2  # the same folds for all rows and seeds


def test_finished_runs_are_not_done_again(finished):
    folder, first, _ = finished
    before = {path: path.stat().st_mtime_ns for path in (folder / "ablation/runs").rglob("*.safetensors")}
    reports = []
    again = run_small(folder, seeds=2, rows=[*TWO_ROWS, "+ guided score"], on_progress=reports.append)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (again.n_kept, len(reports)) == (12, 1)
    assert again.summaries == first.summaries
    assert again.differences == first.differences


def test_what_was_run_with_other_settings_features_or_truth_is_run_anew(copied, in_this_process):
    def n_kept(**changes):
        """Return how many of the two runs of ``mil`` and seed 0 are there already."""
        options = dict(rows=["mil"]) | changes
        return run_small(copied, **options).n_kept

    assert n_kept(rows=["mil", "slow"], own_rows=[parse_row("slow: learning_rate=1e-4")]) == 2
    before = run_files(copied / "ablation")
    assert n_kept(settings=QUICK.model_copy(update={"sparsity": 0.0})) == 0
    changed = run_files(copied / "ablation")
    assert {name for name in before if before[name] != changed[name]} == {
        "mil/fold0-seed0.safetensors", "mil/fold1-seed0.safetensors",
    }  # fmt: skip
    assert n_kept() == 0  # the others have taken their files
    assert run_files(copied / "ablation") == before
    write_video_features(copied, make_truth("mixed", 0), seed=999)
    assert n_kept() == 0


def test_a_broken_run_file_is_made_again(copied, finished, in_this_process):
    item = finished[1].measured[0]
    path = copied / "ablation/runs/mil" / item.job.file.name
    content = path.read_bytes()
    path.write_bytes(content[:-4])
    assert Run.find(path, item.job.key) is None
    assert run_small(copied, rows=["mil"]).n_kept == 1
    assert path.read_bytes() == content


def test_each_partition_has_folds_of_its_own(folder, in_this_process):
    result = run_small(folder, rows=["mil"], seeds=2, partitions=2)
    first, second = result.plan.folds(0), result.plan.folds(1)
    assert sorted(map(sorted, first)) != sorted(map(sorted, second))
    assert [item.job.test for item in result.measured] == [tuple(fold) for fold in [*first, *second]]
    text = (folder / "ablation/ablation.md").read_text()
    assert "in 2 partitions" in text
    assert not (folder / "ablation/ablation.png").exists()  # one row has nothing to be compared with
    assert "Above" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds must be 1 or more, not 0"),
        ({"workers": 0}, "workers must be 1 or more, not 0"),
        ({"partitions": 2}, "2 partitions need at least as many seeds, but there are 1"),
        ({"bootstrap": -1}, "bootstrap -1 is negative"),
        ({"lengths": "exact"}, "lengths must be 'near' or 'any'"),
        ({"folds": 9}, "fold 2 of 9 would have no anomalous frames to test"),
        ({"rows": ["x"]}, "unknown row 'x'"),
        ({"seeds": "3"}, "seeds is '3'\nPass a whole number as seeds"),
        ({"truth": 3}, "truth is 3\nPass a path as truth"),
        (
            {"settings": {"steps": 3}},
            "settings is of type dict\nPass vadpipe.HeadSettings, or None as settings",
        ),
    ],
)
def test_arguments_that_are_off_are_found_before_anything_is_written(finished, options, message):
    folder, _, _ = finished
    with pytest.raises(UsageError, match=message):
        run_small(folder, output=folder / "none", **options)
    assert not (folder / "none").exists()


def test_the_python_name_is_the_function():
    assert vadpipe.ablate is ablate
