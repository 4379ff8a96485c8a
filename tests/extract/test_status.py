"""What is done, failed and missing, and a run that is split into shards."""

import pytest

from support.commands import run
from support.videos import write_video
from vadpipe.extract.extraction import extract_features
from vadpipe.extract.plan import plan_extraction
from vadpipe.extract.status import extraction_status
from vadpipe.extract.video.shards import Shard


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    for name in ("a", "b", "c", "d", "e"):
        write_video(folder / f"{name}.mp4", 20)
    (folder / "f.mp4").write_text("no video")
    return folder


def states(folder, output, **more):
    return {item.path.name: item.state for item in extraction_status([folder], output, **more)}


def test_status_follows_a_run_in_shards(videos, tmp_path, tiny):
    output = tmp_path / "features"
    before = states(videos, output)
    assert before == dict.fromkeys(before, "missing") | {"f.mp4": "failed"}
    planned = []
    for number in (1, 2):
        shard = Shard(number, 2)
        asked = tiny()
        plan = list(plan_extraction([videos], output, settings=asked, shard=shard))
        planned += [item.path.name for item in plan]
        mine = set(states(videos, output, shard=shard))
        result = extract_features([videos], output, settings=asked, shard=shard)
        done = {path.stem for path in result.written}  # without .safetensors
        assert done == mine - {"f.mp4"}
        assert {failure.path.name for failure in result.failed} == mine & {"f.mp4"}
    assert sorted(planned) == sorted(path.name for path in videos.iterdir())
    assert states(videos, output) == dict.fromkeys(("a.mp4", "b.mp4", "c.mp4", "d.mp4", "e.mp4"), "done") | {
        "f.mp4": "failed"
    }
    write_video(videos / "a.mp4", 24)  # another file of that name
    assert states(videos, output)["a.mp4"] == "missing"


def test_what_was_named_and_is_not_there_fails_once(videos, tmp_path, tiny):
    asked = [videos, tmp_path / "nothing" / "*.mp4"]
    failures = [
        extract_features(asked, tmp_path / "f", settings=tiny(), shard=Shard(number, 3)).failed
        for number in (1, 2, 3)
    ]
    assert sum(failure.path.name == "*.mp4" for failed in failures for failure in failed) == 1
    told = [
        item.path.name
        for number in (1, 2, 3)
        for found in (
            extraction_status(asked, tmp_path / "f", shard=Shard(number, 3)),
            plan_extraction(asked, tmp_path / "f", settings=tiny(), shard=Shard(number, 3)),
        )
        for item in found
    ]
    assert told.count("*.mp4") == 2  # once by each


def test_the_command_says_what_is_missing(videos, tmp_path):
    done = run("extract", videos, "-o", tmp_path / "f", "--status", cwd=tmp_path)
    assert done.returncode == 4
    assert done.stdout.splitlines()[0] == f"missing\t{videos / 'a.mp4'}\t"
    assert done.stderr == f"0 done, 1 failed, 5 missing: {tmp_path / 'f'}\n"
    assert not (tmp_path / "f").exists()
    done = run("extract", videos, "--durations", "d.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "--durations has no effect without --shard" in done.stderr
    done = run("extract", videos, "--shard", "9/8", "--status", cwd=tmp_path)
    assert done.returncode == 2
    assert "'9/8' is not a shard" in done.stderr
