"""``evaluate`` repeats, beside the test videos, what the training said of the head."""

import json

from support.feature_files import write_features
from support.head_settings import SMALL
from support.logistic_head import make_head
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.features.folder import FeatureFolder
from vadpipe.training.fit import fit
from vadpipe.training.report import training_rows

QUICK = SMALL.model_copy(update={"steps": 4, "checks": 2, "folds": 2, "hidden": 8, "cluster_dim": 4})


def write_videos(folder):
    """Write features of 8 normal and 8 abnormal videos, and the truth about them."""
    for kind in ("normal", "fight"):
        write_features(folder / "features", kind, 8)
    loaded = FeatureFolder(folder / "features").load()
    truths = [
        Truth(item.source.video, item.n_frames, ((0, 8),) if "fight" in item.source.video else ())
        for item in loaded
    ]
    write_truth(folder / "truth.csv", truths)


def test_the_rows_of_fit_stand_in_the_table_and_the_figures_in_the_record(
    tmp_path, command_line, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_videos(tmp_path)
    trained = fit("features", output="head", settings=QUICK)
    options = ["--truth", "truth.csv", "--head", "head", "--bootstrap", 0, "--include-training-videos"]
    done = command_line("evaluate", *options)
    assert done.exit_code == 0, done.output
    rows = training_rows(trained.threshold, trained.held_out)
    assert trained.held_out.auc is not None
    for name, text in rows.items():
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"training: {name}")]
        assert line.rstrip().endswith(text)
    written = json.loads((tmp_path / "evaluation/metrics.json").read_text())["training"]
    assert written["held_out"] == trained.held_out.model_dump()
    assert written["calibration"]["threshold"] == trained.threshold.threshold


def test_a_head_that_does_not_know_says_so(tmp_path, command_line, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_videos(tmp_path)
    recipe = FeatureFolder(tmp_path / "features").load()[0].recipe
    make_head(**{name: getattr(recipe, name) for name in ("view", "crops", "resize_px")}).save(
        tmp_path / "head/head.safetensors"
    )
    done = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", 0)
    assert "AUC of held-out videos" in done.stdout, done.output
    assert "-, the head was trained before this was recorded" in done.stdout
    assert json.loads((tmp_path / "evaluation/metrics.json").read_text())["training"]["held_out"] is None
