"""Features, a head and the truth in, figures and pictures out."""

import hashlib
import json
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

import vadpipe
from support.evaluation_sets import FILES, VIDEOS, expected_frames, write_test_set
from support.logistic_head import make_head, write_scored_features
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.errors import FeatureError, InputError, OutputError, UsageError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_test_set(tmp_path)
    return tmp_path


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


def test_features_that_two_videos_could_mean_are_not_evaluated(folder):
    write_scored_features(folder / "features", "copy/Abuse028_x264.mp4", [0.5])
    result = vadpipe.evaluate(truth="truth.csv", head="head", output=None, bootstrap=0)
    assert [*result.ambiguous] == ["Abuse028_x264"]
    assert len(result.judged) == 3


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


def test_none_evaluated_is_an_input_error_for_python(folder):
    write_truth(folder / "truth.csv", [Truth("Abuse028_x264", 500, ((16, 40),))])
    with pytest.raises(InputError, match="none of its 1 videos could be evaluated") as caught:
        vadpipe.evaluate(truth="truth.csv", head="head")
    assert caught.value.next_step is None


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
            f"evaluation/metrics.json: already exists, and is of another {what}\n"
            "Choose another folder with -o, or overwrite it with --force."
        )
    assert (folder / "evaluation" / "metrics.json").read_bytes() == held
    vadpipe.evaluate(truth="truth.csv", head="other", bootstrap=0, force=True)
    assert (folder / "evaluation" / "metrics.json").read_bytes() != held


def test_what_a_fit_wrote_is_kept(folder):
    (folder / "head" / "metrics.json").write_text('{"seed": 0}')
    with pytest.raises(UsageError, match="already exists, and was not written by 'vadpipe evaluate'"):
        vadpipe.evaluate(truth="truth.csv", head="head", output="head", bootstrap=0)
    assert (folder / "head" / "metrics.json").read_text() == '{"seed": 0}'
