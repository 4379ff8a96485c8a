"""The table, the CSV, the JSON and the picture hold what the runs gave."""

import csv
import json

import numpy as np
import pytest

from support.ablations import TWO_ROWS
from support.labelled_features import QUICK
from vadpipe.ablation.runs import ATS


def test_the_table_has_every_row_its_seeds_and_how_to_read_it(finished):
    folder, result, _ = finished
    text = (folder / "ablation/ablation.md").read_text()
    assert "10 videos (4 normal, 6 abnormal, 4 of these with normal frames too) in 10 groups" in text
    for row in ("mil", "second head", r"\+ guided score".replace("\\", "")):
        assert f"| {row} | 2 |" in text
    for part in (
        "Above `mil`, run by run", "over scenes (10 groups)", "best-on-test (no result)", "How to read this",
        "drawn with replacement (20 times)", "again on the same folds",
    ):  # fmt: skip
        assert part in text
    summary = result.summary("mil")
    assert f"{summary.mean:.3f} ({summary.deviation:.3f})" in text
    found = result.difference("second head", "mil")
    assert f"{found.mean:+.3f}".replace("-", "−") in text


def test_the_csv_has_a_line_for_each_figure_of_each_run(finished):
    folder, result, _ = finished
    with (folder / "ablation/ablation.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 12 * len(ATS) * 6
    for row in TWO_ROWS:
        for seed in ("0", "1"):
            values = [
                float(line["value"])
                for line in lines
                if (line["row"], line["seed"], line["at"], line["figure"]) == (row, seed, "selected", "auc")
            ]
            assert len(values) == 2
    means = [float(line["value"]) for line in lines if line["row"] == "mil" and line["at"] == "last"
             and line["figure"] == "auc"]  # fmt: skip
    assert result.summary("mil", at="last").mean == pytest.approx(np.mean(means), abs=1e-6)


def test_the_json_holds_everything(finished):
    folder, result, _ = finished
    record = json.loads((folder / "ablation/ablation.json").read_text())
    assert record["settings"]["seeds"] == 2
    assert record["settings"]["base"] == QUICK.model_dump(mode="json")
    assert [row["name"] for row in record["rows"]] == [*TWO_ROWS, "+ guided score"]
    assert record["rows"][2]["changes"] == {}
    assert record["rows"][0]["changes"] == {"clustering": False, "guided": False}
    assert len(record["runs"]) == 12
    assert all((folder / "ablation" / run["file"]).is_file() for run in record["runs"])
    assert record["differences"][0]["n_groups"] == 10
    assert record["test_videos"] == result.plan.partitions


def test_the_picture_is_one(finished):
    folder, result, _ = finished
    assert (folder / "ablation/ablation.png").read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in result.files] == [
        "ablation.md", "ablation.csv", "ablation.json", "ablation.png",
    ]  # fmt: skip
