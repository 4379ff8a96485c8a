"""The whole command: features, a head and the truth in, figures and pictures out."""

import csv
import hashlib
import json
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

import vadpipe
from support.judged_videos import make_judged
from support.logistic_head import make_head, write_scored_features
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.errors import FeatureError, InputError, OutputError, UsageError
from vadpipe.evaluation.breakdown import VideoMetrics, by_video
from vadpipe.evaluation.confusion import Confusion
from vadpipe.evaluation.plots import chosen_videos
from vadpipe.evaluation.video_table import COLUMNS

VIDEOS = {
    "test/Abuse/Abuse028_x264.mp4": ([0.1, 0.9, 0.7, 0.3], Truth("Abuse028_x264", 64, ((16, 40),), "Abuse")),
    "test/Arson/Arson011_x264.mp4": ([0.6, 0.2, 0.4], Truth("Arson011_x264", 47, ((0, 20),), "Arson")),
    "test/normal/Normal_Videos_003_x264.mp4": ([0.1, 0.55, 0.2], Truth("Normal003", 48, ())),
    "test/normal/other$1$.mp4": ([0.3, 0.1], Truth("other$1$", 32, ())),
}
FILES = ["metrics.json", "videos.csv", "scores.npz", "curves.png", "videos.png"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Features, a head and the truth under the names that the command looks for."""
    monkeypatch.chdir(tmp_path)
    for video, (scores, _) in VIDEOS.items():
        write_scored_features(tmp_path / "features", video, scores)
    make_head().save(tmp_path / "head" / "head.safetensors")
    write_truth(tmp_path / "truth.csv", [truth for _, truth in VIDEOS.values()])
    return tmp_path


def expected_frames():
    scores = [np.repeat(scores, 16)[: truth.n_frames] for scores, truth in VIDEOS.values()]
    marks = [truth.frames() for _, truth in VIDEOS.values()]
    return np.concatenate(marks), np.concatenate(scores)


def test_figures_are_those_of_scikit_learn(folder):
    result = vadpipe.evaluate(truth="truth.csv", head="head")
    marks, scores = expected_frames()
    assert result.figures["auc"].value == pytest.approx(roc_auc_score(marks, scores))
    assert result.figures["ap"].value == pytest.approx(average_precision_score(marks, scores))
    assert result.figures["recall"].value == (scores[marks] >= 0.5).mean()
    assert result.figures["false_alarm_rate"].value == 16 / 80
    for name, figure in result.figures.items():
        assert figure.interval.low <= figure.value <= figure.interval.high, name
    assert [video.truth.video for video in result.judged] == [truth.video for _, truth in VIDEOS.values()]
    assert [(item.video, item.n_shown - item.n_truth) for item in result.mismatches] == [("Arson011_x264", 1)]
    assert (result.failed, result.missing, result.unused, result.foreign) == ([], [], [], [])


def test_a_sheet_in_seconds_and_a_joined_array_give_the_figures_of_frames(folder):
    expected = vadpipe.evaluate(truth="truth.csv", head="head", output=None, bootstrap=0).figures
    truths = [truth for _, truth in VIDEOS.values()]
    rows = [
        f"{truth.video}\t{start / 25:.2f}\t{stop / 25:.2f}\t{truth.category or ''}"
        for truth in truths
        for start, stop in truth.anomalies or ((-25, -25),)
    ]
    (folder / "events.tsv").write_text("\n".join(["File\tstart_s\tend_s\tclass", *rows]) + "\n")
    np.save("gt.npy", np.concatenate([truth.frames() for truth in truths]))
    (folder / "gt.txt").write_text("".join(f"{truth.video}@{truth.n_frames}\n" for truth in truths))
    for sheet in ("events.tsv", "gt.npy"):
        found = vadpipe.evaluate(truth=sheet, head="head", output=None, bootstrap=0).figures
        assert found.keys() == expected.keys()
        if sheet == "gt.npy":
            assert found == expected
        else:  # the sheet does not say that one video has a frame less
            assert found["recall"] == expected["recall"]
            assert found["auc"].value == pytest.approx(expected["auc"].value, abs=0.01)


def test_copies_that_count_twice_are_named(folder, caplog):
    path = folder / "features" / "test/Abuse/Abuse028_x264.mp4.safetensors"
    features = vadpipe.Features.load(path)
    source = features.source.model_copy(update={"video": "test/again.mp4"})
    replace(features, source=source).save(folder / "features" / "again.safetensors")
    truths = [truth for _, truth in VIDEOS.values()]
    write_truth(folder / "truth.csv", [*truths, replace(truths[0], video="again")])
    vadpipe.evaluate(truth="truth.csv", head="head", output=None, bootstrap=0)
    assert "copies of another and count twice" in caplog.text
    assert "1 (Abuse028_x264 = again)" in caplog.text


def test_a_time_after_the_end_of_a_video_fails_that_video_alone(folder):
    (folder / "late.csv").write_text(
        "video,anomalies\nAbuse028_x264,0.5-70.5\nNormal003,\nArson011_x264,0-0.8\n"
    )
    result = vadpipe.evaluate(truth="late.csv", head="head", output=None, bootstrap=0)
    assert [str(failure.error).partition("\n")[0] for failure in result.failed] == [
        "the range 0.5 s to 70.5 s of 'Abuse028_x264' ends after its 2.56 s"
    ]
    assert [video.truth.video for video in result.judged] == ["Normal003", "Arson011_x264"]


def test_metrics_are_written_as_json(folder):
    result = vadpipe.evaluate(truth="truth.csv", head="head", seed=5, bootstrap=20, threshold=0.25)
    written = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert written["schema_version"] == 1
    head = (folder / "head" / "head.safetensors").read_bytes()
    assert written["head"] == {"file": "head/head.safetensors", "sha256": hashlib.sha256(head).hexdigest()}
    assert written["settings"]["threshold"] == 0.25
    assert written["settings"]["threshold_from"] == "user"
    assert (written["settings"]["seed"], written["settings"]["bootstrap"]) == (5, 20)
    assert written["counts"]["n_frames"] == 64 + 47 + 48 + 32
    assert written["figures"]["auc"]["value"] == result.figures["auc"].value
    assert written["figures"]["auc"]["interval"]["low"] == result.figures["auc"].interval.low
    assert [item["category"] for item in written["classes"]] == ["Abuse", "Arson"]
    assert [item["video"] for item in written["videos"]] == [truth.video for _, truth in VIDEOS.values()]
    assert written["videos"][0]["events"][0] == {
        "start": 16, "stop": 64, "start_s": 0.64, "end_s": 2.56, "peak": pytest.approx(0.9),
        "peak_frame": 23, "peak_s": 0.92, "mean": pytest.approx(0.6333333),
    }  # fmt: skip
    assert written["other_lengths"] == [
        {"video": "Arson011_x264", "n_truth": 47, "n_shown": 48, "n_anomalous_lost": 0}
    ]


def test_heads_among_the_features_are_none(folder):
    for name in ("head", "last"):
        make_head().save(folder / "features" / f"{name}.safetensors")
    assert vadpipe.evaluate(truth="truth.csv", head="head", bootstrap=0).failed == []


def test_the_same_seed_writes_the_same(folder):
    for name in ("a", "b"):
        vadpipe.evaluate(truth="truth.csv", head="head", output=name, bootstrap=50)
    assert (folder / "a" / "metrics.json").read_bytes() == (folder / "b" / "metrics.json").read_bytes()
    assert (folder / "a" / "videos.png").read_bytes() == (folder / "b" / "videos.png").read_bytes()


def test_pictures_are_drawn(folder):
    result = vadpipe.evaluate(truth="truth.csv", head="head", bootstrap=0)
    assert [path.name for path in result.files] == FILES
    assert sorted(path.name for path in (folder / "evaluation").iterdir()) == sorted(
        ["run.json", *(path.name for path in result.files)]
    )
    for path in result.files[-2:]:
        pixels = matplotlib.image.imread(path)
        assert pixels.shape[0] > 200
        assert pixels.shape[1] > 500
        assert pixels.std() > 0.05
    assert result.figures["auc"].interval is None


def test_without_an_output_nothing_is_written(folder):
    before = sorted(folder.rglob("*"))
    assert vadpipe.evaluate(truth="truth.csv", head="head", output=None, bootstrap=0).files == []
    assert sorted(folder.rglob("*")) == before


def test_one_kind_of_videos_alone_can_be_evaluated(folder):
    for videos in (slice(2), slice(2, 4)):
        write_truth(folder / "part.csv", [truth for _, truth in [*VIDEOS.values()][videos]])
        vadpipe.evaluate(truth="part.csv", head="head", bootstrap=20, force=True)
    written = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert written["figures"]["auc"] == {
        "value": None,
        "interval": {"low": None, "high": None, "n_undefined": 20},
        "reason": "no video is abnormal",
    }
    assert len(written["features_without_truth"]) == 2


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


def test_features_that_two_videos_could_mean_are_not_evaluated(folder):
    write_scored_features(folder / "features", "copy/Abuse028_x264.mp4", [0.5])
    result = vadpipe.evaluate(truth="truth.csv", head="head", output=None, bootstrap=0)
    assert [*result.ambiguous] == ["Abuse028_x264"]
    assert len(result.judged) == 3


def test_where_nothing_could_be_evaluated_the_code_is_4(folder, command_line):
    write_truth(folder / "truth.csv", [Truth("gone", 9, ())])
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head")
    assert result.exception.exit_code == 4  # main prints it and ends with it
    assert "none of its 1 videos could be evaluated\nExtract these videos" in str(result.exception)
    assert not (folder / "evaluation").exists()


def test_features_of_some_views_are_evaluated_and_not_mixed_with_others(folder, caplog):
    make_head(view="whole,centre", crops=2, resize_px=256).save(folder / "head/head.safetensors")
    whole = vadpipe.evaluate(truth="truth.csv", head="head", output=None, bootstrap=0)
    assert len(whole.judged) == len(VIDEOS)
    assert whole.foreign == []
    assert (
        "features: contains only some of the views that the head was trained on: whole, of whole, centre"
        in caplog.text
    )
    write_scored_features(
        folder / "features",
        "both/Abuse028_x264.mp4",
        [0.1, 0.9, 0.7, 0.3],
        view="whole,centre",
        crops=2,
        resize_px=256,
    )
    both = vadpipe.evaluate(truth="truth.csv", head="head", output=None, bootstrap=0)
    assert len(both.judged) == 1
    assert len(both.foreign) == len(VIDEOS)
    assert "feature files of another recipe (view: whole,centre / whole)" in caplog.text


def test_features_of_another_recipe_are_passed_over(folder, caplog):
    write_scored_features(folder / "features", "x3d/Abuse028_x264.mp4", [0.5], backbone="x3d_s")
    result = vadpipe.evaluate(truth="truth.csv", head="head", output=None, bootstrap=0)
    assert [path.parent.name for path in result.foreign] == ["x3d"]
    assert len(result.judged) == 4
    assert "feature files of another recipe (backbone: i3d / x3d_s): 1 (features/x3d/" in caplog.text


def test_where_no_features_fit_the_head_it_is_said_why(folder):
    make_head(backbone="x3d_s").save(folder / "other" / "head.safetensors")
    with pytest.raises(
        FeatureError, match=r"features: contains no feature file that fits the head \(backbone: x3d_s / i3d\)"
    ):
        vadpipe.evaluate(truth="truth.csv", head="other")
    with pytest.raises(FeatureError, match="empty: contains no feature file\nRun 'vadpipe extract"):
        vadpipe.evaluate("empty", truth="truth.csv", head="head")


def test_of_two_feature_files_of_a_video_one_is_used(folder, caplog):
    path = folder / "features" / "test/normal/other$1$.mp4.safetensors"
    (folder / "features" / "copy.safetensors").write_bytes(path.read_bytes())
    result = vadpipe.evaluate(truth="truth.csv", head="head", output=None)
    assert len(result.judged) == len(VIDEOS)
    assert "other$1$.mp4.safetensors: not used, because features/copy.safetensors holds" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": float("nan")}, r"threshold nan is out of range\nScores lie in \[0, 1\]\."),
        ({"threshold": 5}, r"^threshold 5 is out of range\nScores lie in \[0, 1\]\.$"),
        ({"threshold": -0.1}, r"threshold -0\.1 is out of range"),
        ({"lengths": "some"}, "lengths must be 'near' or 'any'"),
        ({"bootstrap": -1}, "is negative"),
        ({"seed": -1}, "is negative"),
        ({"truth": "gone.csv"}, "gone.csv: cannot be read"),
    ],
)
def test_what_is_off_is_refused(folder, options, message):
    with pytest.raises(UsageError, match=message):
        vadpipe.evaluate(**({"truth": "truth.csv", "head": "head"} | options))


def test_an_output_that_cannot_be_written_is_known_before_the_work(folder):
    (folder / "evaluation").write_text("")
    (folder / "features" / "broken.safetensors").write_bytes(b"text")
    seen = []
    with pytest.raises(OutputError):
        vadpipe.evaluate(truth="truth.csv", head="head", on_failure=seen.append)
    assert seen == []


def described(aucs):
    return [
        VideoMetrics(str(index), None, None, 2, 1, 0, auc, 0.5, 0.5, Confusion(1, 0, 0, 1), [])
        for index, auc in enumerate(aucs)
    ]


def test_the_best_and_the_worst_are_shown():
    videos = described([0.5, 0.9, 0.1, 0.7, 0.3])
    assert chosen_videos(videos, 5) == [1, 3, 0, 4, 2]
    assert chosen_videos(videos, 4) == [1, 3, 4, 2]
    assert chosen_videos(videos, 3) == [1, 3, 2]
    assert chosen_videos(videos, 1) == [1]


def test_videos_of_one_kind_fill_up_by_how_wrong_they_are():
    calm, loud = make_judged("calm", [0.1, 0.2]), make_judged("loud", [0.9, 0.2])
    missed, both = make_judged("missed", [0.1, 0.1], [(0, 2)]), make_judged("both", [0.1, 0.9], [(0, 1)])
    videos = by_video([calm, loud, missed, both], 0.5)
    assert chosen_videos(videos) == [3, 2, 1, 0]
    assert chosen_videos(videos, 2) == [3, 2]


def test_none_evaluated_is_an_input_error_for_python(folder):
    write_truth(folder / "truth.csv", [Truth("Abuse028_x264", 500, ((16, 40),))])
    with pytest.raises(InputError, match="none of its 1 videos could be evaluated") as caught:
        vadpipe.evaluate(truth="truth.csv", head="head")
    assert caught.value.next_step is None


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


def test_results_of_another_head_or_truth_are_kept_unless_forced(folder):
    vadpipe.evaluate(truth="truth.csv", head="head", bootstrap=0)
    vadpipe.evaluate(truth="truth.csv", head="head", bootstrap=0, threshold=0.3)  # of the same inputs
    held = (folder / "evaluation" / "metrics.json").read_bytes()
    make_head(threshold=0.7).save(folder / "other" / "head.safetensors")
    write_truth(folder / "part.csv", [truth for _, truth in list(VIDEOS.values())[1:]])
    for wrong, what in (
        ({"head": "other"}, "head (head/head.safetensors)"),
        ({"truth": "part.csv"}, "truth (truth.csv)"),
    ):
        with pytest.raises(UsageError) as caught:
            vadpipe.evaluate(**{"truth": "truth.csv", "head": "head", "bootstrap": 0, **wrong})
        assert str(caught.value) == (
            f"evaluation/metrics.json: is there already, and is of another {what}\n"
            "Choose another folder with -o, or overwrite it with --force."
        )
    assert (folder / "evaluation" / "metrics.json").read_bytes() == held
    vadpipe.evaluate(truth="truth.csv", head="other", bootstrap=0, force=True)
    assert (folder / "evaluation" / "metrics.json").read_bytes() != held


def test_what_a_fit_wrote_is_kept(folder):
    (folder / "head" / "metrics.json").write_text('{"seed": 0}')
    with pytest.raises(UsageError, match="is there already, and was not written by 'vadpipe evaluate'"):
        vadpipe.evaluate(truth="truth.csv", head="head", output="head", bootstrap=0)
    assert (folder / "head" / "metrics.json").read_text() == '{"seed": 0}'
