"""Several processes on one folder: no work is lost, and where there are locks none is done twice."""

import json
import os
import subprocess
import sys

import pytest

from support.commands import start
from support.forked_writers import run_forked_writers
from support.videos import write_video
from support.waiting import wait_until
from vadpipe.extract.extraction import extract_features

RACING = """
import filelock
folder, n_rounds = Path(sys.argv[1]), int(sys.argv[2])
if sys.argv[3] != "locks":
    def refuse(*args, **options):
        raise {"OSError": OSError(37, "No locks available"), "NotImplementedError": NotImplementedError()}[sys.argv[3]]
    filelock.FileLock.acquire = refuse
videos, _ = find_videos([folder / f"{number}/v" for number in range(4)])

def race(output, video, go):
    store = FeatureStore(output)
    features = features_of(video)
    while time.monotonic() < go:
        pass
    store.write(features, video)

lost = 0
for _ in range(n_rounds):
    go = time.monotonic() + 0.02
    pids = [forked(race, folder / "output", video, go) for video in videos]
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * len(pids)
    places = {Features.load(path).source.place for path in (folder / "output").rglob("*.safetensors")}
    lost += places != {video.place for video in videos}
    lost += any(".part-" in path.name for path in (folder / "output").rglob("*"))
    shutil.rmtree(folder / "output")
json.dump(lost, sys.stdout)
"""


@pytest.mark.parametrize("locks", ["locks", "OSError", "NotImplementedError"])
def test_processes_that_write_videos_of_one_name_at_once_lose_none(tmp_path, locks):
    for number in range(4):
        (tmp_path / f"{number}/v").mkdir(parents=True)
        (tmp_path / f"{number}/v/a.mp4").write_text(f"{number}")
    assert run_forked_writers(RACING, tmp_path, 12, locks) == 0


RENAMING = """
folder, n_rounds = Path(sys.argv[1]), int(sys.argv[2])
from vadpipe.extract.video.discovery import named_video
videos, _ = find_videos([folder / "v"])

def rename(output, go):
    store = FeatureStore(output)
    while time.monotonic() < go:
        pass
    for video in videos:
        stored = store.find(video)
        if stored is None or store.refresh(stored, video) is None:  # another was faster
            assert store.refresh(store.find_anew(video), video) is not None

unlike = 0
for _ in range(n_rounds):
    output = folder / "output"
    work(output, [named_video(video.path) for video in videos])
    go = time.monotonic() + 0.02
    pids = [forked(rename, output, go) for _ in range(4)]
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
    unlike += sorted(content(output)) != sorted(f"{video.name}.safetensors" for video in videos)
    shutil.rmtree(output)
json.dump(unlike, sys.stdout)
"""


def test_processes_that_bring_names_up_to_date_at_once_agree(tmp_path):
    for name in "abc":
        (tmp_path / "v/cam").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"v/cam/{name}.mp4").write_text(name)
    assert run_forked_writers(RENAMING, tmp_path, 10) == 0


# One of several processes: it loads all that it needs, waits for the others, and extracts.
EXTRACTING = """
import json, sys, time
from pathlib import Path
import filelock, torch
from vadpipe.errors import VadpipeError
from vadpipe.extract.extraction import extract_features
from vadpipe.extract.settings import ExtractSettings

folder, number, weights, without = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4]
inputs = sys.argv[5:]
def refuse(*args, **options):
    raise OSError(37, "No locks available")
if without:
    filelock.FileLock.acquire = refuse
(folder / f"{number} is ready").touch()
while not (folder / "go").exists():
    time.sleep(0.01)
result = extract_features(inputs, folder / "features", settings=ExtractSettings(backbone="x3d_xs", weights=weights))
json.dump(
    {
        "written": [path.name for path in result.written],
        "skipped": [path.name for path in result.skipped],
        "failed": [failure.error.reason for failure in result.failed],
    },
    sys.stdout,
)
"""


@pytest.fixture
def extract_at_once(tmp_path, tiny, x3d_weights):
    def run(*inputs_of_each, without=""):
        running = [
            start(EXTRACTING, tmp_path, number, x3d_weights, without, *inputs, cwd=tmp_path)
            for number, inputs in enumerate(inputs_of_each)
        ]
        wait_until(lambda: len([*tmp_path.glob("* is ready")]) == len(running), "all are ready")
        (tmp_path / "go").touch()
        done = [process.wait() for process in running]
        assert [process.returncode for process in done] == [0] * len(running), done
        return [json.loads(process.stdout) for process in done]

    return run


@pytest.fixture
def whole(tmp_path, tiny):
    """Eight videos, and the feature files that an undisturbed run makes of them."""
    for name in "abcdefgh":
        write_video(tmp_path / f"v/{name}.mp4", 32)
    result = extract_features([tmp_path / "v"], tmp_path / "whole", settings=tiny())
    return {path.name: path.read_bytes() for path in result.written}


def features_in(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.suffix == ".safetensors"}


def test_four_processes_extract_each_video_once(tmp_path, extract_at_once, whole):
    broken = write_video(tmp_path / "v/broken.mp4", 60)
    os.truncate(broken, broken.stat().st_size // 2)
    forwards = sorted((tmp_path / "v").iterdir())
    results = extract_at_once(forwards, forwards[::-1], [tmp_path / "v"], forwards[::-1])
    assert sorted(name for result in results for name in result["written"]) == sorted(whole)
    for result in results:
        assert sorted(result["written"] + result["skipped"]) == sorted(whole)
    assert features_in(tmp_path / "features") == whole
    # The broken one was tried by one of them, and the others were told.
    reasons = [result["failed"] for result in results]
    assert sorted(map(len, reasons)) == [1] * 4
    assert sum("failed in an earlier run" in reason for (reason,) in reasons) == 3
    left = {path.name for path in (tmp_path / "features").rglob("*") if path.is_file()} - {*whole}
    records = {name for name in left if not name.endswith(".failed.json")}
    assert "run.json" in records
    assert records <= {f"run{number}.json" for number in ("", "-1", "-2", "-3")}  # one of each that had work


def test_without_locks_work_is_done_twice_at_worst(tmp_path, extract_at_once, whole):
    first, second = extract_at_once([tmp_path / "v"], [tmp_path / "v"], without="locks")
    assert {*first["written"], *second["written"]} == {*whole}
    assert first["failed"] == second["failed"] == []
    assert features_in(tmp_path / "features") == whole


def test_features_of_another_recipe_are_replaced_once(tmp_path, extract_at_once, whole, tiny):
    extract_features([tmp_path / "v"], tmp_path / "features", settings=tiny(stride=16))
    results = extract_at_once(*[[tmp_path / "v"]] * 2)
    assert sorted(name for result in results for name in result["written"]) == sorted(whole)
    assert features_in(tmp_path / "features") == whole


HOLDING = """
import sys
from pathlib import Path
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.video.discovery import named_video
claim = FeatureStore(Path(sys.argv[1])).claim(named_video(sys.argv[2]))
assert claim.take(wait=False)
print("taken", flush=True)
sys.stdin.read()
"""


def test_the_claims_of_a_killed_process_are_free(tmp_path, tiny, caplog):
    video = write_video(tmp_path / "v/a.mp4", 16)
    write_video(tmp_path / "v/b.mp4", 16)
    command = [sys.executable, "-c", HOLDING, tmp_path / "features", video]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"taken\n"
        caplog.set_level("INFO", logger="vadpipe")
        result = extract_features(
            [tmp_path / "v"],
            tmp_path / "features",
            settings=tiny(),
            on_progress=lambda progress: holder.kill(),  # while the other video is done
        )
    assert [path.name for path in result.written] == ["b.mp4.safetensors", "a.mp4.safetensors"]
    assert "a.mp4: another process is working on it" in caplog.text
