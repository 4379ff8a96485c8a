"""Scores of remote videos, and results in a remote folder."""

import json
import re

import pytest

from support.object_store import local_copies
from support.videos import write_video
from vadpipe.errors import UsageError
from vadpipe.extract.video.shards import Shard
from vadpipe.scoring.outputs import Outputs
from vadpipe.scoring.run import score_videos
from vadpipe.scoring.status import scoring_status
from vadpipe.weights import layout


@pytest.fixture
def videos(bucket, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / "videos" / name, 32)
        bucket.put(f"videos/{name}", tmp_path / "videos" / name)
    return tmp_path / "videos"


def test_results_in_a_remote_folder_are_those_of_a_local_one(bucket, videos, scorer, tmp_path):
    outputs = Outputs(("csv", "json"), plot="png", report=True)
    score_videos([videos], scorer, output=tmp_path / "local", outputs=outputs)
    result = score_videos(
        [bucket.address("videos")], scorer, output=bucket.address("scores"), outputs=outputs
    )
    assert result.failed == []
    names = {key.removeprefix("scores/") for key in bucket.names() if key.startswith("scores/")}
    (record,) = [name for name in names if re.fullmatch(r"run-\d{8}T\d{6}Z-\w{6}\.json", name)]
    expected = {path.name for path in (tmp_path / "local").iterdir()} - {"run.json"}
    assert names - {record} == expected
    assert {"a.scores.csv", "b.png", "a.report.html", "vadpipe-reports.html"} < expected
    for name in expected:
        assert bucket.get(f"scores/{name}") == (tmp_path / "local" / name).read_bytes(), name
    assert [str(path) for path in result.scored[0].files][:2] == [
        bucket.address("scores/a.scores.csv"),
        bucket.address("scores/a.events.csv"),
    ]
    assert str(result.index) == bucket.address("scores/vadpipe-reports.html")
    written = json.loads(bucket.get(f"scores/{record}"))
    assert {video["file"] for video in written["videos"]} == {bucket.address(f"videos/{n}.mp4") for n in "ab"}
    assert str(layout.folder()) not in json.dumps(written)
    assert not local_copies()


def test_a_report_that_does_not_hold_its_video_has_a_copy_beside_it(bucket, videos, scorer):
    outputs = Outputs((), report=True, embed=False)
    score_videos([bucket.address("videos/a.mp4")], scorer, output=bucket.address("scores"), outputs=outputs)
    page = bucket.get("scores/a.report.html").decode()
    assert "a.preview.mp4" in page
    assert bucket.get("scores/a.preview.mp4")[4:8] == b"ftyp"
    assert str(layout.folder()) not in page


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_report_in_a_remote_folder_refers_to_no_local_video(bucket, videos, scorer, name):
    write_video(videos / name, 32)
    outputs = Outputs((), report=True, embed=False)
    score_videos([videos / name], scorer, output=bucket.address("scores"), outputs=outputs)
    assert re.search(r'"video": ?"a\.preview\.mp4"', bucket.get("scores/a.report.html").decode())
    assert bucket.get("scores/a.preview.mp4")[4:8] == b"ftyp"


@pytest.mark.parametrize("remote", ["videos", "scores", "both"])
def test_status_looks_at_addresses(bucket, videos, scorer, tmp_path, remote):
    inputs = videos if remote == "scores" else bucket.address("videos")
    output = tmp_path / "scores" if remote == "videos" else bucket.address("scores")
    outputs = Outputs(plot="png")

    def states():
        return {item.path.name: item.state for item in scoring_status([inputs], output, outputs=outputs)}

    assert states() == {"a.mp4": "missing", "b.mp4": "missing"}
    part = Shard(1, 2, {"videos/a.mp4": 1.0})  # balanced, so that it has one of the two
    (done,) = score_videos([inputs], scorer, output=output, outputs=outputs, shard=part).scored
    assert states() == {"a.mp4": "missing", "b.mp4": "missing"} | {done.video.name: "done"}
    (item,) = scoring_status([inputs], output, outputs=outputs, shard=part)
    assert item.detail == str(done.files[0])
    bucket.requests()
    states()
    assert not bucket.requests("GET", ".mp4 ")
    assert not bucket.requests("GET", ".scores.csv")


def test_status_of_a_remote_video_that_is_gone_and_of_one_without_a_place(bucket, tmp_path):
    gone = bucket.address("videos/gone.mp4")
    (item,) = scoring_status([gone], tmp_path / "scores")
    assert (item.state, item.detail) == ("failed", "no such file")
    with pytest.raises(UsageError, match="no results can be written beside a remote video"):
        [*scoring_status([gone])]


def test_features_are_not_kept_in_a_local_folder_that_is_called_like_an_address(
    x3d_head, x3d_weights, tmp_path, monkeypatch
):
    import vadpipe

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="s3://bucket/kept: features are kept in local folders only"):
        vadpipe.Scorer(x3d_head, weights=x3d_weights, features="s3://bucket/kept")


def test_a_remote_video_needs_a_folder_for_its_results(bucket, videos, scorer):
    with pytest.raises(UsageError, match="no results can be written beside a remote video\nAdd -o FOLDER"):
        score_videos([bucket.address("videos/a.mp4")], scorer)


def test_the_api_scores_and_explains_a_remote_video(bucket, videos, scorer):
    curve = scorer.score(bucket.address("videos/a.mp4"))
    assert (curve.scores == scorer.score(videos / "a.mp4").scores).all()
    again, _ = scorer.explain(bucket.address("videos/a.mp4"))
    assert (again.scores == curve.scores).all()
    assert not local_copies()


def test_pictures_of_a_video_whose_features_are_kept_are_fetched(
    bucket, videos, x3d_head, x3d_weights, tmp_path
):
    import vadpipe

    keeping = vadpipe.Scorer(x3d_head, weights=x3d_weights, features=tmp_path / "features")
    address = bucket.address("videos/a.mp4")
    score_videos([address], keeping, output=tmp_path / "one", outputs=Outputs(("csv",)))
    bucket.requests()
    score_videos([address], keeping, output=tmp_path / "two", outputs=Outputs(("csv",)))
    assert not bucket.requests("GET", "/videos/a.mp4")
    score_videos([address], keeping, output=tmp_path / "two", outputs=Outputs(("csv",), report=True))
    assert len(bucket.requests("GET", "/videos/a.mp4")) == 1
    assert (tmp_path / "two/a.report.html").is_file()
