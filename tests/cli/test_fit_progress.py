"""How far a fit is, as lines of text and of JSON, and what the command says of interrupted and finished ones."""

import json

import pytest

from support.commands import assert_clean_error, run
from support.feature_files import write_features
from vadpipe.cli.terminal import StepLines, resumed
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.training.history import FitProgress, StepMetrics, TrainingProgress

CHECK = StepMetrics(40, 0.5123, 2.0, 0.1, 0.1, 0.9124)


def make_report(
    stage="cross-validation", step=40, share=0.32, check=CHECK, resumed=False, index=0, n_seeds=1
):
    return FitProgress(7 + index, index, n_seeds, TrainingProgress(stage, step, 100, share, check, resumed))


def lines_of(reports, as_json):
    lines = []
    show = StepLines("fitting", lines.append, as_json=as_json)
    for report in reports:
        show(report)
    return lines


def test_lines_of_text_are_for_people():
    first, second, third = lines_of(
        [make_report(), make_report(step=60, share=0.48), make_report("on all videos", 100, 1.0, None)], False
    )
    assert first == (
        "fitting cross-validation: step 40 of 100, loss 0.512, AUC of held-out videos 0.912 (32% of all)"
    )
    assert second.startswith(
        "fitting cross-validation: step 60 of 100, loss 0.512, AUC of held-out videos 0.912 (48%"
    )
    assert second.endswith(" left")
    assert third == "fitting on all videos: step 100 of 100 (100% of all)"


def test_a_seed_of_several_is_named_and_an_auc_that_there_is_not_left_out():
    report = make_report(check=StepMetrics(40, 0.5, 0, 0, 0, None), index=1, n_seeds=4)
    assert lines_of([report], False) == [
        "fitting seed 2/4, cross-validation: step 40 of 100, loss 0.500 (33% of all)"
    ]


def test_lines_of_json_say_all_of_it():
    (line,) = lines_of([make_report(index=1, n_seeds=2)], True)
    assert json.loads(line) == {
        "kind": "progress", "doing": "fitting", "stage": "cross-validation", "seed": 8, "index": 1, "n_seeds": 2,
        "step": 40, "n_steps": 100, "loss": 0.5123, "auc": 0.9124, "share_of_all": 0.66, "left_s": None,
    }  # fmt: skip


def test_what_goes_on_says_where():
    assert resumed(make_report()) is None
    assert resumed(make_report(resumed=True, check=None)) == (
        "resuming the interrupted training: cross-validation, step 40 of 100"
    )
    assert resumed(make_report("on all videos", 0, 0.8, None, True, 1, 2)) == (
        "resuming the interrupted training: seed 2/2, on all videos, step 0 of 100"
    )


# ---- the command ---------------------------------------------------------------------------------

QUICK = [
    "--set",
    "steps=4",
    "--set",
    "checks=2",
    "--set",
    "hidden=4",
    "--set",
    "folds=2",
    "--set",
    "batch_bags=2",
]


@pytest.fixture
def folder(tmp_path):
    write_features(tmp_path / "features", "normal", 3)
    write_features(tmp_path / "features", "fight", 3)
    return tmp_path


def test_progress_is_the_same_option_as_that_of_extract(folder):
    plain = run("fit", *QUICK, "-o", "a", "--progress", "plain", cwd=folder)
    steps = [line for line in plain.stderr.splitlines() if line.startswith("fitting ")]
    assert [line.split(",")[0].split(" (")[0] for line in steps] == [
        f"fitting {stage}: step {step} of 4"
        for stage in ("cross-validation", "on all videos")
        for step in (0, 2, 4)
    ]
    as_json = run("fit", *QUICK, "-o", "b", "--progress", "json", cwd=folder)
    told = [json.loads(line) for line in as_json.stderr.splitlines()]
    assert [report["step"] for report in told if report["kind"] == "progress"] == [0, 2, 4, 0, 2, 4]
    assert told[-1] == {
        "kind": "summary", "head": "b/head.safetensors", "trained": True, "auc": None, "auc_low": None, "auc_high": None,
        "threshold": TrainedHead.load(folder / "b").record.threshold,
    }  # fmt: skip
    for mode in ("none", "auto"):
        silent = run("fit", *QUICK, "-o", mode, "--progress", mode, cwd=folder)
        assert "fitting" not in silent.stderr
        assert "AUC of held-out videos" in silent.stdout


def test_a_finished_fit_is_shown_again_and_another_one_is_refused(folder):
    first = run("fit", *QUICK, cwd=folder)
    again = run("fit", *QUICK, cwd=folder)
    assert again.stdout == first.stdout
    assert (
        "head: was trained before on equal features and labels, with equal settings; not run again"
        in again.stderr
    )
    assert_clean_error(
        run("fit", *QUICK, "--seed", "1", cwd=folder),
        2,
        "error: head: holds the results of another training (head.s",
    )
    forced = run("fit", *QUICK, "--seed", "1", "--force", cwd=folder)
    assert forced.returncode == 0
    assert "was trained before" not in forced.stderr


def test_seeds_have_rows_and_an_ensemble_says_how_many_it_averages(folder):
    done = run("fit", *QUICK, "--seeds", "2", "--ensemble", cwd=folder)
    rows = {line[:6]: line for line in done.stdout.splitlines()}
    assert "step 4 of 4, AUC -, see below" in rows["seed 1"]
    assert "head/head.safetensors, averages 2 heads" in rows["head  "]
    assert_clean_error(
        run("fit", *QUICK, "--ensemble", "-o", "x", cwd=folder), 2, "an ensemble needs several heads"
    )


def test_a_head_is_fine_tuned_with_its_own_settings(folder):
    run("fit", *QUICK, cwd=folder)
    done = run("fit", "--from-head", "head", "-o", "tuned", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "was trained on 6 of these videos" in done.stderr
    assert (folder / "tuned" / "settings.json").read_bytes() == (
        folder / "head" / "settings.json"
    ).read_bytes()
    assert_clean_error(
        run("fit", "--from-head", "gone", "-o", "x", cwd=folder),
        2,
        "error: gone: no such head\nPass a head file, its folder or the word included as --from-head.",
    )
