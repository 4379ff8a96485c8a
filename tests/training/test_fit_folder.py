"""What lies in the folder of a fit: of an equal one, which is not run again, or of another, which is kept."""

import csv
import json

import pytest

from support.feature_files import make_features, write_features
from support.head_settings import SMALL
from vadpipe.errors import UsageError
from vadpipe.training.fit import fit

QUICK = SMALL.model_copy(update={"steps": 4, "checks": 2, "folds": 2, "hidden": 8, "cluster_dim": 4})


@pytest.fixture
def features(tmp_path):
    write_features(tmp_path / "features", "normal", 4)
    write_features(tmp_path / "features", "fight", 4)
    return tmp_path / "features"


def never(report):
    pytest.fail("trained again")


@pytest.mark.parametrize("options", [{}, {"seeds": 2}, {"seeds": 2, "ensemble": True}], ids=str)
@pytest.mark.parametrize("force", [False, True])
def test_an_equal_fit_is_not_run_again(features, tmp_path, options, force):
    first = fit(features, output=tmp_path / "head", settings=QUICK, **options)
    written = {path: path.read_bytes() for path in (tmp_path / "head").rglob("*.*") if path.is_file()}
    again = fit(
        features,
        output=tmp_path / "head",
        settings=QUICK,
        force=force,
        on_progress=never,
        on_check=never,
        **options,
    )
    assert (first.trained, again.trained) == (True, False)
    assert {**vars(again), "trained": True} == vars(first)
    assert {path: path.read_bytes() for path in (tmp_path / "head").rglob("*.*") if path.is_file()} == written


def change_labels(features):
    (features / "fight" / "3.mp4.safetensors").unlink()


def change_values(features):
    changed = make_features(96, "videos/fight/3.mp4", seed=1)
    changed.save(features / "fight" / "3.mp4.safetensors")


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (change_labels, {}),
        (change_values, {}),
        (None, {"settings": QUICK.model_copy(update={"margin": 0.1})}),
        (None, {"seed": 1}),
        (None, {"seeds": 2}),
        (None, {"seeds": 2, "ensemble": True}),
    ],
)
def test_results_of_another_training_are_overwritten_only_by_force(features, tmp_path, change, options):
    fit(features, output=tmp_path / "head", settings=QUICK)
    written = {path.name: path.read_bytes() for path in (tmp_path / "head").iterdir()}
    if change is not None:
        change(features)
    arguments = {"settings": QUICK, **options}
    with pytest.raises(UsageError) as caught:
        fit(features, output=tmp_path / "head", on_progress=never, **arguments)
    assert str(caught.value) == (
        f"{tmp_path / 'head'}: holds the results of another training (head.safetensors, last.safetensors, "
        "metrics.json): of other features, labels, settings or seeds, on another device, or by another version of vadpipe\n"
        "Choose another folder with -o, or overwrite them with --force."
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "head").iterdir()} == written
    forced = fit(features, output=tmp_path / "head", force=True, **arguments)
    fresh = fit(features, output=tmp_path / "fresh", **arguments)
    assert forced.head.read_bytes() == fresh.head.read_bytes()


def test_what_only_the_overwritten_fit_wrote_is_removed(features, tmp_path):
    fit(features, output=tmp_path / "head", settings=QUICK, seeds=3)
    (tmp_path / "head" / "seed-2" / "notes.txt").write_text("mine")
    fit(features, output=tmp_path / "head", settings=QUICK, seeds=2, ensemble=True, force=True)
    left = sorted(path.relative_to(tmp_path / "head").as_posix() for path in (tmp_path / "head").rglob("*"))
    assert left == [
        "head.safetensors", "history.csv", "metrics.json", "run-1.json", "run.json", "seed-2", "seed-2/notes.txt",
        "settings.json", "training.png",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["head.safetensors", "last.safetensors"])
def test_a_head_that_was_changed_since_is_not_taken_for_the_result(features, tmp_path, name):
    fit(features, output=tmp_path / "head", settings=QUICK)
    (tmp_path / "head" / name).write_bytes(b"another head")
    with pytest.raises(UsageError, match="holds the results of another training"):
        fit(features, output=tmp_path / "head", settings=QUICK)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"inputs": 1, "files": []}'])
def test_metrics_of_something_else_are_results_too(features, tmp_path, text):
    (tmp_path / "head").mkdir()
    (tmp_path / "head" / "metrics.json").write_text(text)
    with pytest.raises(UsageError, match=r"holds the results of another training \(metrics\.json\)"):
        fit(features, output=tmp_path / "head", settings=QUICK)
    assert fit(features, output=tmp_path / "head", settings=QUICK, force=True).trained


def test_no_file_beside_the_folder_is_removed(features, tmp_path):
    """Whatever names the metrics hold."""
    (tmp_path / "head").mkdir()
    (tmp_path / "head.safetensors").write_text("mine")
    (tmp_path / "head" / "mine.txt").write_text("mine")
    files = {"../head.safetensors": "", str(tmp_path / "head.safetensors"): "", "mine.txt": ""}
    (tmp_path / "head" / "metrics.json").write_text(json.dumps({"files": files}))
    fit(features, output=tmp_path / "head", settings=QUICK, force=True)
    assert (
        (tmp_path / "head.safetensors").read_text() == (tmp_path / "head" / "mine.txt").read_text() == "mine"
    )


def test_the_history_is_a_csv_with_a_line_for_each_check(features, tmp_path):
    result = fit(features, output=tmp_path / "head", settings=QUICK, seed=7, seeds=2)
    with (tmp_path / "head" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["step"]) for row in rows] == [("7", "2"), ("7", "4"), ("8", "2"), ("8", "4")]
    for row, check in zip(rows, [check for run in result.runs for check in run.history], strict=True):
        assert float(row["mil"]) == check.mil
        assert row["auc"] == ("" if check.auc is None else str(check.auc))
