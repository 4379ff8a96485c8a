"""Videos that a head was trained on are known by their content, named, and left out."""

import json
from dataclasses import replace

import pytest

import vadpipe
from support.head_settings import QUICK
from support.labelled_features import write_labelled_features
from support.logistic_head import make_head, write_scored_features
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.errors import InputError
from vadpipe.features.file import Features
from vadpipe.head.checkpoint import TrainedHead

SCORES = {"seen.mp4": [0.9, 0.2], "renamed.mp4": [0.8, 0.1], "new.mp4": [0.7, 0.3]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three videos, two of which the head was trained on; one of them under another name."""
    monkeypatch.chdir(tmp_path)
    digests = []
    for video, scores in SCORES.items():
        path = write_scored_features(tmp_path / "features", video, scores)
        digests.append(Features.load(path).source.sha256)
    head = make_head()
    record = head.record.model_copy(update={"training_sha256": tuple(digests[:2])})
    replace(head, record=record).save(tmp_path / "head" / "head.safetensors")
    write_truth(tmp_path / "truth.csv", [Truth(video, 32, ((0, 16),)) for video in SCORES])
    return tmp_path


def test_they_are_left_out_and_named(folder, caplog):
    result = vadpipe.evaluate(truth="truth.csv", head="head", bootstrap=0)
    assert [video.truth.video for video in result.judged] == ["new.mp4"]
    assert result.trained_on == ["seen.mp4", "renamed.mp4"]
    assert result.missing == []
    assert (
        "left out, because the head was trained on them (--include-training-videos evaluates them): 2 (seen.mp4, "
        "renamed.mp4)"
    ) in caplog.messages
    written = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert written["trained_on"] == {"videos": ["seen.mp4", "renamed.mp4"], "evaluated": False}


def test_they_can_be_evaluated_all_the_same(folder, command_line, caplog):
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--include-training-videos")
    assert result.exit_code == 0, result.output
    assert "the head was trained on videos of the truth: 2 (seen.mp4, renamed.mp4)" in caplog.messages
    assert "trained on, evaluated all the same  2" in result.stdout
    written = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert written["counts"]["n_videos"] == 3
    assert written["trained_on"]["evaluated"] is True


def test_they_are_no_failure(folder, command_line):
    result = command_line("evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", 0)
    assert result.exit_code == 0
    assert "trained on, left out  2" in result.stdout


def test_where_none_is_left_the_way_out_is_named(folder):
    write_truth(folder / "truth.csv", [Truth(video, 32, ((0, 16),)) for video in list(SCORES)[:2]])
    with pytest.raises(InputError) as caught:
        vadpipe.evaluate(truth="truth.csv", head="head")
    assert str(caught.value) == (
        "truth.csv: none of its 2 videos could be evaluated; the head was trained on 2 of them (renamed.mp4, seen.mp4)\n"
        "Evaluate on videos that the head has not seen, or pass --include-training-videos."
    )


def test_a_head_that_does_not_know_says_nothing(folder, caplog):
    make_head().save(folder / "head" / "head.safetensors")
    result = vadpipe.evaluate(truth="truth.csv", head="head", bootstrap=0)
    assert result.trained_on == []
    assert len(result.judged) == 3
    assert "trained on" not in caplog.text


def test_fit_keeps_the_content_that_it_learned_from(tmp_path):
    write_labelled_features(tmp_path)
    labels = "video,label\n" + "".join(
        f"{kind}{index}.mp4,{int(kind != 'normal')}\n" for kind in ("normal", "mixed") for index in range(4)
    )
    (tmp_path / "labels.csv").write_text(labels)  # not the two that are anomalous throughout
    result = vadpipe.fit(
        tmp_path / "features", labels=tmp_path / "labels.csv", output=tmp_path / "head", settings=QUICK
    )
    digests = {
        path.name.removesuffix(".safetensors"): Features.load(path).source.sha256
        for path in (tmp_path / "features").rglob("*.safetensors")
    }
    expected = sorted(digest for video, digest in digests.items() if not video.startswith("full"))
    for path in (result.head, result.last):
        record = TrainedHead.load(path).record
        assert list(record.training_sha256) == expected
        assert record.was_trained_on(digests["mixed1.mp4"])
        assert not record.was_trained_on(digests["full0.mp4"])
