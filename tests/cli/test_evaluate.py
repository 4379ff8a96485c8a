"""``vadpipe evaluate``: its table, its files, what it says, and how it ends."""

import csv
import json

import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from support.evaluation_sets import FILES, VIDEOS, expected_frames, write_test_set
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.errors import UsageError
from vadpipe.evaluation.video_table import COLUMNS


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_test_set(tmp_path)
    return tmp_path


def test_the_command_prints_a_table_and_the_files(folder, command_line, caplog):
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", 50)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    auc = roc_auc_score(*expected_frames())
    assert any(line.split()[:3] == ["frame", "ROC-AUC", f"{auc:.3f}"] for line in lines)
    assert "threshold 0.500, the head's" in " ".join(result.stdout.split())
    assert "with another length  1" in result.stdout
    assert any(line.split()[:2] == ["Abuse", "1"] for line in lines)
    assert lines[-5:] == [f"evaluation/{name}" for name in FILES]
    assert caplog.messages[:1] == ["videos whose length differs from the truth: 1 (Arson011_x264)"]


def test_quiet_prints_only_the_files(folder, command_line):
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", 0, "-q")
    assert result.stdout.splitlines() == [f"evaluation/{name}" for name in FILES]


def test_what_could_not_be_evaluated_is_told_by_the_exit_code(folder, command_line):
    truths = [truth for _, truth in VIDEOS.values()]
    long = Truth("Abuse028_x264", 164, ((16, 40),))
    write_truth(folder / "truth.csv", [long, *truths[1:], Truth("gone", 9, ())])
    (folder / "features" / "broken.safetensors").write_bytes(b"text")
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", 0)
    assert result.exit_code == 3
    assert "features/broken.safetensors: is not a readable feature file" in result.stderr
    assert "Abuse028_x264.mp4.safetensors: has 64 frames, but the truth says 164" in result.stderr
    written = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert written["counts"]["n_videos"] == 3
    assert written["not_evaluated"]["no_features"] == ["gone"]
    assert [*written["not_evaluated"]["failed"]] == [
        "features/broken.safetensors",
        "features/test/Abuse/Abuse028_x264.mp4.safetensors",
    ]
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--lengths", "any", "-q")
    assert json.loads((folder / "evaluation" / "metrics.json").read_text())["counts"]["n_videos"] == 4


def test_where_nothing_could_be_evaluated_the_code_is_4(folder, command_line):
    write_truth(folder / "truth.csv", [Truth("gone", 9, ())])
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head")
    assert result.exception.exit_code == 4  # main prints it and ends with it
    assert "none of its 1 videos could be evaluated\nExtract these videos" in str(result.exception)
    assert not (folder / "evaluation").exists()


def test_a_line_per_video_goes_to_standard_output_and_to_a_file(folder, command_line):
    result = command_line(
        "evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", 0, "--format", "csv"
    )
    assert result.exit_code == 0, result.output
    assert result.stdout == (folder / "evaluation" / "videos.csv").read_text()
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [float(row.pop("peak")) for row in rows] == pytest.approx([0.9, 0.6, 0.55, 0.3])
    assert [",".join(row.values()) for row in rows] == [
        # 16 of 24 anomalous frames are above all 40 others, and 8 above 32 and on a par with 8
        f"Abuse028_x264,Abuse,,1,1,64,24,0,{(16 * 40 + 8 * 36) / (24 * 40):.6f},24,8,0,32,1",
        f"Arson011_x264,Arson,,1,1,47,20,0,{(16 * 27 + 4 * 6) / (20 * 27):.6f},16,0,4,27,1",
        "Normal003,,,0,1,48,0,0,,0,16,0,32,1",
        "other$1$,,,0,0,32,0,0,,0,0,0,32,0",
    ]
    assert [*rows[0]] == [column for column in COLUMNS if column != "peak"]


def test_counts_at_the_threshold_are_told(folder, command_line):
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", 0)
    marks, scores = expected_frames()
    tn, fp, fn, tp = confusion_matrix(marks, scores >= 0.5).ravel().tolist()
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["anomalous", "frames", str(tp), str(fn)] in lines
    assert ["normal", "frames", str(fp), str(tn)] in lines
    assert ["abnormal", "videos", "2", "0"] in lines
    assert ["normal", "videos", "1", "1"] in lines
    written = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert written["confusion"] == {
        "frames": {"tp": tp, "fp": fp, "fn": fn, "tn": tn},
        "videos": {"tp": 2, "fp": 1, "fn": 0, "tn": 1},
    }


def test_a_threshold_that_nothing_reaches_is_told_with_reasons(folder, command_line, caplog):
    result = command_line(
        "evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", 0, "--threshold", 0.95
    )
    assert any(
        text.startswith("no score reaches the threshold 0.950; the highest is 0.900")
        for text in caplog.messages
    )
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "anomalous share of frames at or above it - no frame reaches the threshold" in lines
    written = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert written["remarks"] == [
        "no score reaches the threshold 0.950; the highest is 0.900, so nothing is detected. --threshold sets a lower one"
    ]
    assert written["figures"]["precision"]["reason"] == "no frame reaches the threshold"


def test_a_second_head_leads_to_compare(folder, command_line):
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--head", "other head")
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == (
        "--head is given 2 times, but one head is evaluated at a time\n"
        "Compare them with: vadpipe compare head 'other head' --truth truth.csv --features features"
    )
    assert not (folder / "evaluation").exists()


def test_the_command_refuses_a_threshold_as_score_does(folder, command_line):
    refused = [
        str(command_line(*command, "--head", "head", "--threshold", 5).exception)
        for command in (("evaluate", "--truth", "truth.csv"), ("score", "clip.mp4"))
    ]
    assert refused == ["threshold 5.0 is out of range\nScores lie in [0, 1]."] * 2
