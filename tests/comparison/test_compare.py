"""The whole command: heads, curves and evaluations in, paired differences, a record and a page out."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

import vadpipe
from support.comparisons import SCORES, TRUTHS, curve_of
from support.logistic_head import make_head
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.errors import FeatureError, InputError, UsageError


def frames(turned=False):
    scores = np.concatenate([np.repeat(each, 16) for each in SCORES.values()])
    return np.concatenate([truth.frames() for truth in TRUTHS]), 1 - scores if turned else scores


def test_two_heads_are_compared(folder):
    result = vadpipe.compare("head", "worse", truth="truth.csv", bootstrap=50)
    assert [(each.name, each.kind, each.threshold, each.threshold_from) for each in result.candidates] == [
        ("head", "head", 0.5, "head"),
        ("worse", "head", 0.6, "head"),
    ]
    marks, scores = frames()
    auc, ap = roc_auc_score(marks, scores), average_precision_score(marks, scores)
    assert result.figures["head"]["auc"].value == pytest.approx(auc)
    assert result.figures["worse"]["auc"].value == pytest.approx(1 - auc)
    assert result.differences["worse"]["auc"].value == pytest.approx(1 - 2 * auc)
    turned = average_precision_score(*frames(turned=True))
    assert result.differences["worse"]["ap"].value == pytest.approx(turned - ap)
    assert [item.category for item in result.classes] == ["Abuse", "Arson"]
    assert {item.video for item in result.videos} == {truth.video for truth in TRUTHS}
    apart = [item.apart for item in result.videos]
    assert apart == sorted(apart, reverse=True)
    assert (result.frames.n_videos, result.frames.n_frames, result.n_groups) == (4, len(marks), 4)


def test_the_figures_are_those_of_evaluate(folder):
    result = vadpipe.compare("head", "worse", truth="truth.csv", output=None, bootstrap=30, seed=2)
    for name in ("head", "worse"):
        alone = vadpipe.evaluate(truth="truth.csv", head=name, output=None, bootstrap=30, seed=2)
        for figure, found in result.figures[name].items():
            expected = alone.figures[figure]
            assert found.value == pytest.approx(expected.value), figure
            assert found.interval.low == pytest.approx(expected.interval.low), figure
            assert found.interval.high == pytest.approx(expected.interval.high), figure


def test_a_head_its_evaluation_and_its_curves_are_the_same(folder):
    vadpipe.evaluate(truth="truth.csv", head="head", output="evaluation", threshold=0.3)
    for video, scores in SCORES.items():
        curve_of(video, np.repeat(scores, 16), 0.4).to_json(folder / "curves" / f"{video}.scores.json")
    result = vadpipe.compare(
        "head", "evaluation", "curves", "arrays", truth="truth.csv", output=None, bootstrap=20
    )
    assert [(each.kind, each.threshold, each.threshold_from) for each in result.candidates] == [
        ("head", 0.5, "head"),
        ("evaluation", 0.3, "evaluation"),
        ("curves", 0.4, "curves"),
        ("curves", None, None),
    ]
    for name in ("evaluation", "curves", "arrays"):
        difference = result.differences[name]["auc"]
        assert (difference.value, difference.interval.low, difference.interval.high) == (0, 0, 0)
    assert result.differences["arrays"]["recall"].value is None
    assert max(item.apart for item in result.videos) < 1e-9


def test_the_record_holds_it_all(folder):
    result = vadpipe.compare("head", "worse", truth="truth.csv", bootstrap=20)
    written = json.loads((folder / "comparison" / "comparison.json").read_text())
    assert written["schema_version"] == 1
    assert written["reference"] == "head"
    assert written["candidates"][1] == {
        "name": "worse",
        "path": "worse/head.safetensors",
        "kind": "head",
        "threshold": 0.6,
        "threshold_from": "head",
        "sha256": hashlib.sha256((folder / "worse" / "head.safetensors").read_bytes()).hexdigest(),
    }
    assert written["counts"]["n_videos"] == written["counts"]["n_groups"] == 4
    difference = result.differences["worse"]["auc"]
    assert written["differences"]["worse"]["auc"] == {
        "value": difference.value,
        "interval": vars(difference.interval),
        "reason": None,
    }
    assert [item["video"] for item in written["videos"]] == [item.video for item in result.videos]
    assert written["videos"][0]["auc"].keys() == {"head", "worse"}
    assert written["left_out"]["head"]["missing"] == []
    again = vadpipe.compare("head", "worse", truth="truth.csv", bootstrap=20, output="again")
    assert again.files[0].read_bytes() == result.files[0].read_bytes()
    assert again.files[1].read_bytes() == result.files[1].read_bytes()


def test_the_command_prints_differences_and_files(folder, command_line):
    result = command_line("compare", "head", "worse", "--truth", "truth.csv", "--bootstrap", 50)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    auc = roc_auc_score(*frames())
    row = next(line for line in lines if line.startswith("frame ROC-AUC 0"))
    assert row.startswith(f"frame ROC-AUC {auc:.3f} {1 - auc:.3f} −{2 * auc - 1:.3f} −")
    assert any(line.startswith("worse is worse than head by") for line in lines) == row.endswith("*")
    assert "head head, threshold 0.500, the head's" in lines
    assert any(line.startswith("Abuse 1 ") for line in lines)
    assert lines[-2:] == ["comparison/comparison.json", "comparison/comparison.html"]


def test_without_a_threshold_the_tables_say_so_once(folder, command_line):
    result = command_line("compare", "head", "arrays", "worse", "--truth", "truth.csv", "--bootstrap", 0)
    without = "alarms and events are not compared: no threshold is known; --threshold sets one (arrays)"
    assert result.stdout.splitlines().count(without) == 1
    assert result.stdout.count("event recall, overlap 0.1 or more") == 1  # of head and worse
    page = (folder / "comparison" / "comparison.html").read_text()
    assert page.count(without) == page.count("event recall, overlap 0.1 or more") == 1


def test_quiet_prints_only_the_files(folder, command_line):
    result = command_line("compare", "head", "arrays", "--truth", "truth.csv", "--bootstrap", 0, "-q")
    assert result.stdout.splitlines() == ["comparison/comparison.json", "comparison/comparison.html"]


def test_a_video_that_one_head_was_trained_on_is_left_out_for_all(folder, trained_head, caplog):
    trained_head("trained", "calm.mp4", "Abuse028_x264.mp4")
    result = vadpipe.compare("head", "trained", truth="truth.csv", output=None, bootstrap=0)
    assert {item.video for item in result.videos} == {"Arson011_x264", "other$1$"}
    assert result.left_out["trained"].trained_on == ["Abuse028_x264", "calm"]
    assert result.left_out["head"].trained_on == []
    assert (
        "left out for all, because trained was trained on them (--include-training-videos compares them): 2 "
        "(Abuse028_x264, calm)"
    ) in caplog.messages
    both = vadpipe.compare(
        "head", "trained", truth="truth.csv", output=None, bootstrap=0, include_training_videos=True
    )
    assert len(both.videos) == 4
    assert "trained was trained on videos of the truth: 2 (Abuse028_x264, calm)" in caplog.messages


def test_an_evaluation_remembers_what_its_head_was_trained_on(folder, trained_head):
    trained_head("trained", "calm.mp4")
    vadpipe.evaluate(truth="truth.csv", head="trained", output="without")
    vadpipe.evaluate(truth="truth.csv", head="trained", output="with", include_training_videos=True)
    for evaluation in ("with", "without"):
        result = vadpipe.compare("head", evaluation, truth="truth.csv", output=None, bootstrap=0)
        assert result.left_out[evaluation].trained_on == ["calm"]
        assert result.left_out[evaluation].missing == []
        assert len(result.videos) == 3


def test_where_training_videos_are_all_the_way_out_is_named(folder, trained_head):
    trained_head("trained", *SCORES)
    with pytest.raises(InputError) as caught:
        vadpipe.compare("head", "trained", truth="truth.csv")
    assert str(caught.value) == (
        "truth.csv: none of its 4 videos has a curve of every candidate; 4 are left out because a head was trained on "
        "them\nCompare on videos that no head has seen, or pass --include-training-videos."
    )


def test_a_video_without_a_curve_is_left_out_for_all(folder, command_line, caplog):
    (folder / "arrays" / "calm.npy").unlink()
    np.save(folder / "arrays" / "other$1$.npy", np.full(2, 0.5))
    result = command_line("compare", "head", "arrays", "--truth", "truth.csv", "--bootstrap", 0)
    assert result.exit_code == 3
    assert "arrays: videos of the truth without a curve: 1 (calm)" in caplog.messages
    assert (
        "arrays/other$1$.npy: has 2 scores for 32 frames, which looks like one score per 16" in result.stderr
    )
    assert "1 without a curve" in result.stdout
    assert "1 could not be used" in result.stdout
    written = json.loads((folder / "comparison" / "comparison.json").read_text())
    assert written["counts"]["n_videos"] == 2
    assert written["left_out"]["arrays"]["missing"] == ["calm"]
    assert [*written["left_out"]["arrays"]["failed"]] == ["arrays/other$1$.npy"]


def test_only_frames_that_all_score_are_compared(folder):
    scores = np.repeat(np.array(SCORES["Abuse028_x264.mp4"], np.float32), 16)[:60]
    scores[:10] = np.nan
    np.save(folder / "arrays" / "Abuse028_x264.npy", scores)
    result = vadpipe.compare("arrays", "head", truth="truth.csv", output=None, bootstrap=0)
    for name in ("head", "arrays"):
        video = result.judged[name][0]
        assert len(video.scores) == 60
        assert np.isnan(video.scores).tolist() == [True] * 10 + [False] * 50
        assert video.end_s == pytest.approx(60 / 25)  # of the features, since arrays have no times
    assert result.differences["head"]["auc"].value == 0
    assert result.frames.n_unscored == 10
    assert result.left_out["arrays"].mismatches[0].n_shown == 60


def test_without_any_times_a_frame_rate_is_assumed_and_told(folder, caplog):
    shutil.copytree("arrays", "others")
    result = vadpipe.compare("arrays", "others", truth="truth.csv", output=None, bootstrap=0, assume_fps=10)
    assert result.judged["arrays"][0].end_s == 6.4
    assert "videos taken to have 10 frames per second (--assume-fps): 4 (Abuse028_x264, " in caplog.text


def test_thresholds_are_one_for_all_or_one_each(folder, command_line):
    result = vadpipe.compare("head", "arrays", truth="truth.csv", output=None, bootstrap=0, threshold=0.35)
    assert [(each.threshold, each.threshold_from) for each in result.candidates] == [(0.35, "user")] * 2
    command_line(
        "compare", "head", "arrays", "--truth", "truth.csv", "--bootstrap", 0, "--threshold", "0.2,0.3"
    )
    written = json.loads((folder / "comparison" / "comparison.json").read_text())
    assert [each["threshold"] for each in written["candidates"]] == [0.2, 0.3]
    result = vadpipe.compare(
        "head", "arrays", truth="truth.csv", output=None, bootstrap=0, threshold=[None, 0.9]
    )
    assert [each.threshold_from for each in result.candidates] == ["head", "user"]


def test_a_candidate_that_detects_nothing_is_told(folder, caplog):
    result = vadpipe.compare(
        "head", "arrays", truth="truth.csv", output=None, bootstrap=0, threshold=[0.5, 0.95]
    )
    assert result.remarks == [
        "arrays: no score reaches the threshold 0.950; the highest is 0.900, so nothing is detected. "
        "--threshold sets a lower one"
    ]
    assert result.remarks[0] in caplog.messages
    assert result.differences["arrays"]["precision"].reason == "no frame reaches the threshold"
    vadpipe.compare("head", "arrays", truth="truth.csv", bootstrap=0, threshold=[0.5, 0.95])
    page = (folder / "comparison" / "comparison.html").read_text()
    assert f'<p class="message">{result.remarks[0]}.</p>' in page


def test_names_are_as_long_as_it_needs(folder):
    for place in ("monday", "tuesday"):
        shutil.copytree("head", f"{place}/head")
    (folder / "head" / "last.safetensors").write_bytes((folder / "head" / "head.safetensors").read_bytes())
    result = vadpipe.compare(
        "monday/head", "tuesday/head", "head/last.safetensors", truth="truth.csv", output=None, bootstrap=0
    )
    assert [each.name for each in result.candidates] == ["monday/head", "tuesday/head", "head/last"]
    result = vadpipe.compare("monday/head", "arrays", truth="truth.csv", output=None, bootstrap=0)
    assert [each.name for each in result.candidates] == ["head", "arrays"]


@pytest.mark.parametrize(
    ("candidates", "options", "message"),
    [
        (["head"], {}, "a comparison needs two candidates or more\n'vadpipe evaluate' is for one head alone."),
        (["head", "head/"], {}, "head/head.safetensors: is given twice\nPass each candidate once."),
        (["head", "head/head.safetensors"], {}, "head/head.safetensors: is given twice"),
        (["head", "gone"], {}, "gone: no such file or folder\nPass a head, a folder of curves, results of 'vadpipe"),
        (["head", "old"], {}, "old: contains no scores.npz, as results of 'vadpipe evaluate' do\nEvaluate again, or"),
        (["head", "worse"], {"threshold": 5}, "threshold 5 is out of range\nScores lie in [0, 1]."),
        (["head", "worse"], {"threshold": [0.1] * 3}, "3 thresholds for 2 candidates\nGive one for all, or one for"),
        (["head", "worse"], {"lengths": "some"}, "lengths must be 'near' or 'any', not 'some'"),
        (["head", "worse"], {"bootstrap": -1}, "bootstrap -1 or seed 0 is negative"),
        (["head", "worse"], {"assume_fps": 0}, "a frame rate of 0 is out of range"),
        (["head", "worse"], {"truth": "gone.csv"}, "gone.csv: cannot be read"),
    ],
)  # fmt: skip
def test_what_is_off_is_refused(folder, candidates, options, message):
    (folder / "old").mkdir()
    (folder / "old" / "metrics.json").write_text("{}")
    with pytest.raises(UsageError) as caught:
        vadpipe.compare(*candidates, **({"truth": "truth.csv"} | options))
    assert str(caught.value).startswith(message)
    assert not (folder / "comparison").exists()


def test_a_threshold_that_is_no_number_is_refused(folder, command_line):
    result = command_line("compare", "head", "worse", "--truth", "truth.csv", "--threshold", "high")
    assert str(result.exception) == (
        "--threshold must be a number, or one for each candidate, not 'high'\nFor example 0.5, or 0.5,0.62."
    )


def test_curves_of_other_names_are_refused_with_examples(folder):
    write_truth(folder / "truth.csv", [Truth("Fight7", 64, ((0, 9),))])
    with pytest.raises(FeatureError) as caught:
        vadpipe.compare("arrays", "head", truth="truth.csv")
    assert str(caught.value) == (
        "arrays: no curve is named like a video of the truth: it has 'Abuse028_x264', say, and the truth 'Fight7'\n"
        "Name each curve like its video, with or without suffix and folders."
    )


def test_damaged_results_of_evaluate_are_refused(folder):
    vadpipe.evaluate(truth="truth.csv", head="head")
    (folder / "evaluation" / "metrics.json").write_text("{}")
    with pytest.raises(
        FeatureError, match=r"evaluation/metrics.json: cannot be read, or is not of 'vadpipe evaluate'"
    ):
        vadpipe.compare("head", "evaluation", truth="truth.csv")


def test_the_included_head_has_a_word(folder):
    with pytest.raises(
        FeatureError, match="contains no feature file that fits the head"
    ):  # these are of 8 numbers
        vadpipe.compare("head", "included", truth="truth.csv")
    make_head().save(folder / "included" / "head.safetensors")
    result = vadpipe.compare("head", "included", truth="truth.csv", output=None, bootstrap=0)
    assert result.differences["included"]["auc"].value == 0


@pytest.mark.parametrize(
    ("candidates", "wrong", "message"),
    [
        ((1, 2), {}, "candidate 1 is 1\nPass a path as candidate 1"),
        (("head", None), {}, "candidate 2 is None\nPass a path as candidate 2"),
        (("head", "worse"), {"threshold": {1}}, "threshold is of type set\nPass a number, or one for each"),
        (
            ("head", "worse"),
            {"threshold": ["a", 0.5]},
            "threshold is 'a'\nPass a number, or None as threshold",
        ),
        (("head", "worse"), {"threshold": "ab"}, "threshold is 'ab'\nPass a number, or one for each"),
        (("head", "worse"), {"features": 3}, "features is 3\nPass a path as features"),
        (("head", "worse"), {"bootstrap": True}, "bootstrap is True\nPass a whole number as bootstrap"),
        (("head", "worse"), {"truth": 3}, "truth is 3\nPass a path or a data frame"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_by_name(folder, candidates, wrong, message):
    with pytest.raises(UsageError, match=message):
        vadpipe.compare(*candidates, **{"truth": "truth.csv", **wrong})


def test_results_of_other_candidates_or_another_truth_are_kept_unless_forced(folder, command_line):
    given = ["--truth", "truth.csv", "--bootstrap", 0]
    for _ in range(2):  # of the same inputs
        assert command_line("compare", "head", "worse", *given).exit_code == 0
    held = (folder / "comparison" / "comparison.json").read_bytes()
    with pytest.raises(UsageError) as caught:
        vadpipe.compare("head", "arrays", truth="truth.csv", bootstrap=0)
    assert str(caught.value) == (
        "comparison/comparison.json: already exists, and is of other candidates (head/head.safetensors, "
        "worse/head.safetensors)\nChoose another folder with -o, or overwrite it with --force."
    )
    write_truth(folder / "part.csv", TRUTHS[1:])
    with pytest.raises(UsageError, match=r"and is of another truth \(truth.csv\)"):
        vadpipe.compare("head", "worse", truth="part.csv", bootstrap=0)
    assert (folder / "comparison" / "comparison.json").read_bytes() == held
    assert command_line("compare", "head", "arrays", *given, "--force").exit_code == 0


def test_videos_in_another_folder_are_named_once_for_all_heads(folder, caplog):
    write_truth(folder / "moved.csv", [replace(truth, video=f"away/{truth.video}") for truth in TRUTHS])
    vadpipe.compare("head", "worse", truth="moved.csv", output=None, bootstrap=0)
    assert caplog.text.count("videos of the truth found in another folder: 4 (") == 1
