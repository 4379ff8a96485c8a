"""Where results go, what a run writes, and that every result of a video says the same."""

import csv
import json
import logging
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest

import vadpipe
from support.videos import write_video
from vadpipe import EventRule, Outputs
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.errors import OutputError, UsageError, WeightsError
from vadpipe.extract import stills
from vadpipe.extract.video.discovery import find_videos
from vadpipe.extract.video.limits import Limits
from vadpipe.output.formats import FORMATS
from vadpipe.scoring.outputs import INDEX_NAME, OutputPaths


def test_a_clip_never_takes_the_place_of_a_video_of_the_run(tmp_path):
    names = ["cam.mp4", "cam.event-001.mp4"]
    with pytest.raises(
        UsageError,
        match=r"cam\.event-001\.mp4: could be overwritten by a clip .*\nUse another folder for --clips",
    ):
        places(tmp_path, names, clips=tmp_path)
    places(tmp_path, names, clips=tmp_path / "clips")
    places(tmp_path, ["other.mp4", "cam.event-001.mp4"], clips=tmp_path)


def test_reasons_need_a_place():
    with pytest.raises(UsageError, match=r"none.* can hold explanations\nAdd --report or --format json"):
        Outputs(explain=True)
    assert Outputs(explain=True, report=True, clips="x").n_readings == 3


EVERYTHING = dict(plot="png", report=True, explain=True)


def places(tmp_path, names, output=None, **outputs):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    videos, _ = find_videos([tmp_path / name for name in names])
    return videos, OutputPaths(videos, output, Outputs(**outputs))


def test_an_annotated_video_is_the_file_that_was_named(tmp_path):
    (video,), found = places(tmp_path, ["a.mp4"], annotate=tmp_path / "x/annotated.mkv")
    assert found.film(video) == tmp_path / "x/annotated.mkv"


def test_annotated_videos_of_several_go_into_a_folder(tmp_path):
    videos, found = places(tmp_path, ["c1/a.mp4", "c2/a.mp4", "c2/b.mkv"], annotate=tmp_path / "annotated")
    names = ["c1/a.annotated.mp4", "c2/a.annotated.mp4", "b.annotated.mp4"]
    assert [found.film(video) for video in videos] == [tmp_path / "annotated" / name for name in names]
    with pytest.raises(
        UsageError, match=r"annotated\.mp4: 2 annotated videos cannot be written to one file\nPass a"
    ):
        places(tmp_path, ["a.mp4", "b.mp4"], annotate=tmp_path / "annotated.mp4")


def test_a_video_is_never_overwritten_by_its_annotated_copy(tmp_path):
    with pytest.raises(UsageError, match=r"a\.mp4: would be overwritten .*\nUse another name for --annotate"):
        places(tmp_path, ["a.mp4"], annotate=tmp_path / "x/../a.mp4")


@pytest.mark.parametrize("outputs", [dict(output="walk"), dict(annotate="walk/a.mp4"), dict(clips="walk")])
def test_results_never_lie_among_the_pictures_of_a_sequence(tmp_path, monkeypatch, outputs):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "walk").mkdir()
    for number in range(3):
        (tmp_path / f"walk/{number}.jpg").touch()
    videos, _ = find_videos([tmp_path])
    output = Path(outputs["output"]) if "output" in outputs else None
    rest = {name: value for name, value in outputs.items() if name != "output"}
    with pytest.raises(
        UsageError, match=r"walk: is an image sequence, so no results can be written to it\nUse other"
    ):
        OutputPaths(videos, output, Outputs(**rest))
    found = OutputPaths(videos, Path("walk/scores"), Outputs())
    assert found.file(videos[0], ".csv") == Path("walk/scores/walk.csv")


def test_the_index_lies_above_all_reports(tmp_path, monkeypatch):
    _, found = places(tmp_path, ["c1/a.mp4", "c2/x/a.mp4"])
    assert found.index == tmp_path / INDEX_NAME
    _, found = places(tmp_path, ["c1/a.mp4", "c2/x/a.mp4"], output=Path("out"))
    assert found.index == Path("out") / INDEX_NAME
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")  # below: nobody would look above it
    assert places(tmp_path, ["c1/a.mp4", "c2/x/a.mp4"])[1].index == tmp_path / "work" / INDEX_NAME
    assert places(tmp_path, ["work/b/a.mp4", "work/c/a.mp4"])[1].index == tmp_path / "work" / INDEX_NAME


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match=r"unknown format 'xls'\nChoose from: csv, json, npy,"):
        Outputs(formats=("csv", "xls"))
    with pytest.raises(UsageError, match=r"unknown plot format 'gif'"):
        Outputs(plot="gif")
    for pad_s in (-1.0, float("nan")):
        with pytest.raises(UsageError, match=rf"a padding of {pad_s} s around events is out of range"):
            Outputs(pad_s=pad_s)


def test_every_place_is_checked_before_the_work(scorer, tmp_path, monkeypatch):
    video = write_video(tmp_path / "clip.mp4", 16)
    (tmp_path / "file").write_text("a file")
    monkeypatch.setattr(scorer, "begin", lambda *args: pytest.fail("scored first"))
    for outputs in (Outputs(clips=tmp_path / "file"), Outputs(annotate=tmp_path / "file/x.mp4")):
        with pytest.raises(OutputError, match="file: cannot be written"):
            vadpipe.score_videos([video], scorer, outputs=outputs)


def test_progress_never_goes_back_whatever_is_made(scorer, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 40)
    scorer.threshold, told = 0.0, []
    outputs = Outputs(formats=("json",), explain=True, annotate=tmp_path / "a.mp4", clips=tmp_path / "c")
    vadpipe.score_videos([video], scorer, outputs=outputs, on_progress=told.append)
    assert list(dict.fromkeys(report.doing for report in told)) == ["", "explaining", "annotating", "cutting"]
    shares = [report.share_of_all for report in told]
    assert shares == sorted(shares)
    firsts = [
        next(one for one in told if one.doing == what) for what in ("explaining", "annotating", "cutting")
    ]
    assert [one.share_of_all for one in firsts] == [0.25, 0.5, 0.75]


def test_a_folder_that_is_not_there_fails_alone(scorer, tmp_path):
    good = write_video(tmp_path / "a/clip.mp4", 16)
    long = tmp_path / ("x" * 300) / "clip.mp4"
    result = vadpipe.score_videos([tmp_path / "gone/clip.mp4", long, good], scorer)
    assert [scored.video for scored in result.scored] == [good]
    assert [failure.path for failure in result.failed] == [tmp_path / "gone/clip.mp4", long]
    assert not (tmp_path / "gone").exists()


@pytest.fixture(scope="module")
def run(tmp_path_factory, x3d_head, x3d_weights):
    """A rendered video of which everything was written, at a threshold that parts it."""
    folder = tmp_path_factory.mktemp("everything")
    video = write_video(folder / "in/clip.mp4", 200)
    curve = vadpipe.Scorer(x3d_head, weights=x3d_weights).score(video)
    threshold = float(np.median(curve.scores))
    scorer = vadpipe.Scorer(x3d_head, weights=x3d_weights, threshold=threshold, rule=EventRule(0.0, 0.1, 0.2))
    outputs = Outputs(
        formats=tuple(FORMATS),
        annotate=folder / "out/annotated.mp4", clips=folder / "clips", pad_s=0.2, **EVERYTHING,
    )  # fmt: skip
    (scored,) = vadpipe.score_videos([video], scorer, output=folder / "out", outputs=outputs).scored
    return scored, folder


def tracks_of(path, n_frames):
    """Return the frames [start, stop) of each track; one without a box outside reaches the end."""
    for track in ElementTree.parse(path).getroot().iter("track"):
        boxes = {box.get("outside"): int(box.get("frame")) for box in track.iter("box")}
        yield boxes["0"], boxes.get("1", n_frames)


def check_agreement(scored, out, stem):
    """Read the scores and events back from every file that has them, and compare."""
    curve = scored.curve
    assert curve.events
    with (out / f"{stem}.scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    document = json.loads((out / f"{stem}.scores.json").read_text())
    for scores in (
        [row["score"] or "nan" for row in rows],
        [np.nan if score is None else score for score in document["curve"]["scores"]],
        np.load(out / f"{stem}.scores.npy"),
        vadpipe.Curve.from_json(out / f"{stem}.scores.json").scores,
    ):
        np.testing.assert_array_equal(np.array(scores, np.float32), curve.scores)
    np.testing.assert_array_equal(np.load(out / f"{stem}.times_s.npy"), curve.times_s)
    np.testing.assert_allclose([float(row["time_s"]) for row in rows], curve.times_s, atol=1e-6)
    spans = np.array([(event.start_s, event.end_s) for event in curve.events])
    with (out / f"{stem}.events.csv").open() as file:
        written = [(float(row["start_s"]), float(row["end_s"])) for row in csv.DictReader(file)]
    np.testing.assert_allclose(written, spans, atol=1e-6)
    frames = [(event.start, event.stop) for event in curve.events]
    assert list(tracks_of(out / f"{stem}.cvat.xml", len(curve))) == frames
    detections = json.loads((out / f"{stem}.fiftyone.json").read_text())["labels"][stem]
    assert [(one["support"][0] - 1, one["support"][1]) for one in detections] == frames
    (task,) = json.loads((out / f"{stem}.labelstudio.json").read_text())
    ranges = [one["value"]["ranges"][0] for one in task["predictions"][0]["result"]]
    assert [(one["start"] - 1, one["end"]) for one in ranges] == frames
    for suffix in ("srt", "vtt"):
        with av.open(out / f"{stem}.events.{suffix}") as subtitles:
            stream = subtitles.streams[0]
            cues = [packet for packet in subtitles.demux(stream) if packet.size]
            times = [
                (float(cue.pts * stream.time_base), float((cue.pts + cue.duration) * stream.time_base))
                for cue in cues
            ]
        np.testing.assert_allclose(times, spans, atol=0.0011)


def test_every_result_of_a_rendered_clip_says_the_same(run):
    scored, folder = run
    check_agreement(scored, folder / "out", "clip")
    names = {path.name for path in scored.files}
    assert {"clip.png", "clip.report.html", "annotated.mp4", "clip.event-001.mp4"} <= names
    assert all(path.is_file() for path in scored.files)
    assert len([name for name in names if ".event-" in name]) == len(scored.curve.events)


def test_the_annotated_video_has_the_frames_and_times_of_the_curve(run):
    scored, folder = run
    with av.open(folder / "out/annotated.mp4") as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, scored.curve.times_s, atol=1e-4)


def test_reasons_are_in_the_document(run):
    scored, folder = run
    document = json.loads((folder / "out/clip.scores.json").read_text())
    explained = [event for event in document["events"] if event["explanation"]]
    assert len(explained) == min(5, len(scored.curve.events))
    assert np.array(explained[0]["explanation"]["heat"]).shape == (8, 8)


def test_every_result_of_a_real_clip_says_the_same(data, i3d_weights, tmp_path):
    scorer = vadpipe.Scorer(threshold=0.1)  # an event, whatever the included head thinks of this clip
    outputs = Outputs(
        formats=tuple(FORMATS), annotate=tmp_path / "annotated.mp4", clips=tmp_path, plot="svg", report=True,
    )  # fmt: skip
    video = data / "fight_surv/fight/fi028.mp4"
    (scored,) = vadpipe.score_videos([video], scorer, output=tmp_path, outputs=outputs).scored
    check_agreement(scored, tmp_path, "fi028")
    with av.open(tmp_path / "annotated.mp4") as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, scored.curve.times_s, atol=1e-4)
    with av.open(tmp_path / "fi028.event-001.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) >= scored.curve.events[0].stop


def test_the_page_of_all_reports_is_written_for_several(scorer, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / "in" / name, 20)
    (tmp_path / "in/bad.mp4").write_text("text")
    result = vadpipe.score_videos(
        [tmp_path / "in"], scorer, output=tmp_path / "out", outputs=Outputs(report=True)
    )
    assert result.index == tmp_path / "out" / INDEX_NAME
    page = result.index.read_text()
    assert page.count("a.report.html") == page.count("b.report.html") >= 1
    assert "bad" not in page
    alone = vadpipe.score_videos([tmp_path / "in/a.mp4"], scorer, outputs=Outputs(report=True))
    assert alone.index is None


def test_what_is_known_is_shown(scorer, tmp_path, caplog):
    video = write_video(tmp_path / "in/clip.mp4", 50)
    write_truth(tmp_path / "truth.csv", [Truth("clip.mp4", 50, ((10, 25), (40, 50)))])
    outputs = Outputs(plot="svg", report=True)
    vadpipe.score_videos([video], scorer, outputs=outputs, truth=tmp_path / "truth.csv")
    assert "ground truth" in (tmp_path / "in/clip.svg").read_text()
    page = (tmp_path / "in/clip.report.html").read_text()
    assert '"truth":[[0.4,1.0],[1.6,2.0]]' in page
    assert not caplog.records
    write_truth(tmp_path / "truth.csv", [Truth("clip.mp4", 60, ((10, 25), (45, 55), (55, 60)))])
    vadpipe.score_videos([video], scorer, outputs=outputs, truth=tmp_path / "truth.csv")
    assert "has 50 frames, but 60 in the truth" in caplog.text


def test_a_truth_of_other_videos_is_said(scorer, tmp_path, caplog):
    video = write_video(tmp_path / "clip.mp4", 20)
    write_truth(tmp_path / "truth.csv", [Truth("other.mp4", 50, ())])
    with caplog.at_level(logging.WARNING):
        vadpipe.score_videos([video], scorer, truth=tmp_path / "truth.csv")
    assert "truth.csv: contains none of these videos" in caplog.text


def test_data_is_there_though_reasons_cannot_be_found(x3d_head, x3d_weights, tmp_path, caplog, monkeypatch):
    video = write_video(tmp_path / "clip.mp4", 30)
    keeper = vadpipe.Scorer(x3d_head, weights=x3d_weights, features=tmp_path / "features", threshold=0.0)
    keeper.score(video)
    outputs = Outputs(formats=("json",), explain=True)

    def no_weights(*args):
        raise WeightsError("cannot be had", file="x.pyth")

    monkeypatch.setattr(keeper, "run_backbone", no_weights)
    result = vadpipe.score_videos([video], keeper, output=tmp_path / "out", outputs=outputs)
    assert "not explained: x.pyth: cannot be had" in caplog.text
    assert (result.failed, len(result.scored)) == ([], 1)
    assert json.loads((tmp_path / "out/clip.scores.json").read_text())["events"][0]["explanation"] is None


def test_limits_hold_for_stills_too(x3d_head, x3d_weights, tmp_path, monkeypatch):
    seen, real = [], stills.Decoding
    monkeypatch.setattr(
        stills, "Decoding", lambda path, job: seen.append(job.limits.streams) or real(path, job)
    )
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / "in" / name, 20)
    scorer = vadpipe.Scorer(x3d_head, weights=x3d_weights, threshold=0.0, limits=Limits(streams=3))
    outputs = Outputs(plot="png", report=True)
    vadpipe.score_videos([tmp_path / "in"], scorer, output=tmp_path / "out", outputs=outputs)
    assert seen == [3] * 2


def test_a_second_run_over_the_same_folder_leaves_its_own_products_out(scorer, tmp_path, caplog):
    video = write_video(tmp_path / "in/clip.mp4", 40)
    scorer.threshold = 0.0
    outputs = Outputs(annotate=tmp_path / "in", clips=tmp_path / "in")
    for _ in range(2):
        result = vadpipe.score_videos([tmp_path / "in"], scorer, outputs=outputs)
        assert [scored.video for scored in result.scored] == [video]
    assert "in: skipped 2 videos written by vadpipe, such as clip.annotated.mp4" in caplog.text
    named = vadpipe.score_videos([tmp_path / "in/clip.annotated.mp4"], scorer)
    assert len(named.scored) == 1


def test_a_picture_that_fails_keeps_the_data_and_is_a_failure(scorer, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 20)
    begun = scorer.begin

    def begin(found):
        result = begun(found)
        features = scorer.features

        def and_lose_it(*args):
            made = features(*args)
            video.unlink()
            return made

        scorer.features = and_lose_it
        return result

    scorer.begin = begin
    outputs = Outputs(annotate=tmp_path / "annotated.mp4")
    result = vadpipe.score_videos([video], scorer, outputs=outputs)
    assert result.scored == []
    assert str(result.failed[0].error).startswith(f"{video}: no such file")
    assert (tmp_path / "clip.scores.csv").is_file()
    assert not (tmp_path / "annotated.mp4").exists()
