"""A scoring that is split into shards: the same files as in one run, and none of one shard overwrites another's."""

import json
import os

import pytest

import vadpipe
from support.commands import run
from support.videos import write_video
from vadpipe import Outputs
from vadpipe.extract.video.discovery import find_videos
from vadpipe.extract.video.shards import Shard
from vadpipe.scoring.status import scoring_status

N_SHARDS = 3
NAMES = ("cam1/a.mp4", "cam2/a.mp4", "cam2/b.mp4", "cam3/c.mp4", "cam3/d.mp4", "cam4/e.mp4")
SHARDS = [Shard(number, N_SHARDS) for number in range(1, N_SHARDS + 1)]


@pytest.fixture
def videos(tmp_path):
    for name in NAMES:
        write_video(tmp_path / "videos" / name, 20)
    (tmp_path / "videos/cam4/bad.mp4").write_text("text")
    return tmp_path / "videos"


def results(folder):
    """Return the content of each file below a folder, but for records and indexes, which name the run."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("run", "vadpipe-reports"))
    }


def states(inputs, output, **more):
    return {item.path: item.state for item in scoring_status([inputs], output, **more)}


def test_shards_together_write_what_one_run_writes(videos, scorer, tmp_path):
    """Two of the videos have one name, and need not be of one shard to be told apart."""
    outputs = Outputs(report=True)
    whole = vadpipe.score_videos([videos], scorer, output=tmp_path / "whole", outputs=outputs)
    assert len(whole.scored) == len(NAMES)
    parts = []
    for shard in SHARDS:
        mine = {video.path for video in shard.of_videos(find_videos([videos])[0])}
        before = results(tmp_path / "parts")
        part = vadpipe.score_videos([videos], scorer, output=tmp_path / "parts", outputs=outputs, shard=shard)
        assert {scored.video for scored in part.scored} | {one.path for one in part.failed} == mine
        assert before.items() <= results(tmp_path / "parts").items()
        parts += part.scored
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    assert sorted(str(scored.video) for scored in parts) == sorted(str(one.video) for one in whole.scored)


def test_records_and_indexes_of_shards_stay_apart(videos, scorer, tmp_path):
    for _ in range(2):  # a shard that is repeated replaces its own
        for shard in SHARDS:
            done = vadpipe.score_videos(
                [videos], scorer, output=tmp_path / "out", outputs=Outputs(report=True), shard=shard
            )
            n = len(done.scored)
            record = json.loads((tmp_path / f"out/run-{shard.number}-of-3.json").read_text())
            assert record["counts"]["done"] == n
            assert record["resolved"]["shard"] == {"number": shard.number, "of": 3, "durations_s": None}
            page = (tmp_path / f"out/vadpipe-reports-{shard.number}-of-3.html").read_text()
            assert all(scored.files[-1].name in page for scored in done.scored)
    runs = {path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(("run", "vadpipe"))}
    each = ("run-{}-of-3.json", "vadpipe-reports-{}-of-3.html")
    assert runs == {name.format(number) for name in each for number in (1, 2, 3)}


def test_what_was_named_and_is_not_there_fails_once(videos, scorer, tmp_path):
    failures = [
        failure.path.name
        for shard in SHARDS
        for failure in vadpipe.score_videos(
            [videos / "cam1", tmp_path / "nothing/*.mp4"], scorer, output=tmp_path / "out", shard=shard
        ).failed
    ]
    assert failures == ["*.mp4"]
    asked = [videos / "cam1", tmp_path / "nothing/*.mp4"]
    told = [
        item.path.name for shard in SHARDS for item in scoring_status(asked, tmp_path / "out", shard=shard)
    ]
    assert sorted(told) == ["*.mp4", "a.mp4"]


def test_status_where_only_clips_are_wanted(videos, scorer, tmp_path):
    """Their number follows from the scores, so that only the record of a run tells."""
    out, names = tmp_path / "out", [videos / name for name in NAMES]
    outputs = Outputs(formats=(), clips=tmp_path / "clips")
    bad = {videos / "cam4/bad.mp4": "failed"}
    assert states(videos, out, outputs=outputs) == dict.fromkeys(names, "missing") | bad
    vadpipe.score_videos([videos], scorer, output=out)  # cuts none
    assert states(videos, out, outputs=outputs) == dict.fromkeys(names, "missing") | bad
    vadpipe.score_videos([videos], scorer, output=out, outputs=outputs, shard=Shard(1, 1))
    assert states(videos, out, outputs=outputs) == dict.fromkeys(names, "done") | bad
    write_video(names[0], 24)
    assert states(videos, out, outputs=outputs) == dict.fromkeys(names[1:], "done") | bad | {
        names[0]: "missing"
    }


def test_status_follows_a_run_in_shards(videos, scorer, tmp_path):
    out = tmp_path / "out"
    names, bad = [videos / name for name in NAMES], videos / "cam4/bad.mp4"
    assert states(videos, out) == dict.fromkeys(names, "missing") | {bad: "failed"}
    for shard in SHARDS:
        done = vadpipe.score_videos([videos], scorer, output=out, shard=shard)
        mine = states(videos, out, shard=shard)
        assert {path for path, state in mine.items() if state == "done"} == {one.video for one in done.scored}
    assert states(videos, out) == dict.fromkeys(names, "done") | {bad: "failed"}
    assert set(states(videos, out, outputs=Outputs(plot="png")).values()) == {"missing", "failed"}
    scores = out / "b.scores.csv"
    os.utime(names[2], ns=(0, scores.stat().st_mtime_ns + 1))  # it has been changed
    (out / "c.events.csv").unlink()
    assert states(videos, out) == dict.fromkeys(names, "done") | {
        bad: "failed",
        names[2]: "missing",
        names[3]: "missing",
    }


def test_a_video_that_failed_is_so_until_it_changes(videos, scorer, tmp_path):
    cut = videos / "cam1/a.mp4"
    cut.write_bytes(cut.read_bytes()[:300])  # the first bytes are a video's
    vadpipe.score_videos([videos], scorer, output=tmp_path / "out")
    (reason,) = (item.detail for item in scoring_status([videos], tmp_path / "out") if item.path == cut)
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert reason in {video["reason"] for video in record["videos"]}
    assert states(videos, tmp_path / "out")[cut] == "failed"
    write_video(cut, 20)
    assert states(videos, tmp_path / "out")[cut] == "missing"


def test_the_command_scores_a_shard_and_says_what_is_missing(videos, x3d_head, x3d_weights, tmp_path):
    options = ["score", videos, "-o", "out", "--head", x3d_head, "--weights", x3d_weights]
    mine = [
        video for video in Shard(2, 3).of_videos(find_videos([videos])[0]) if video.path.name != "bad.mp4"
    ]
    done = run(*options, "--shard", "2/3", "--progress", "none", cwd=tmp_path)
    assert sum(line.endswith(".scores.csv") for line in done.stdout.splitlines()) == len(mine)
    told = run("score", videos, "-o", "out", "--status", cwd=tmp_path)
    assert told.returncode == 3
    assert f"failed\t{videos / 'cam4/bad.mp4'}\t" in told.stdout
    assert told.stdout.count("missing\t") == len(NAMES) - len(mine)
    assert told.stderr == f"{len(mine)} done, 1 failed, {len(NAMES) - len(mine)} missing: out\n"
    told = run("score", videos, "--durations", "d.csv", cwd=tmp_path)
    assert told.returncode == 2
    assert "--durations has no effect without --shard" in told.stderr
