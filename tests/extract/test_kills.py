"""Whatever ends a run, and when: files are whole or absent, and the next run finishes."""

import os
import signal
import subprocess
import sys
import time

import psutil
from conftest import write_video
from forking import run_forking

from vadpipe.extract.extraction import extract_features
from vadpipe.extract.store import feature_files
from vadpipe.features import Features

KILLING = """
folder, n_kills = Path(sys.argv[1]), int(sys.argv[2])
videos, _ = find_videos([folder / "one/v", folder / "two/v"])
for _ in range(2):
    shutil.rmtree(folder / "whole", ignore_errors=True)
    began_s = time.monotonic()
    work(folder / "whole", videos)
    took_s = time.monotonic() - began_s
expected = content(folder / "whole")
rng, left, unlike = random.Random(0), [], 0
for kill in range(n_kills):
    output = folder / "output"
    if kill % 2:  # features of another recipe are there and are replaced
        work(output, videos, stride=8)
    receive, send = os.pipe()
    pid = forked(work, output, videos, 16, lambda: os.write(send, b"."))
    for _ in range(rng.randrange(len(videos))):
        os.read(receive, 1)
    time.sleep(rng.uniform(0, took_s / len(videos)))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(receive), os.close(send)
    found = [Features.load(output / name) for name in content(output)]
    left.append(sum(features.recipe.stride_frames == 16 for features in found))
    work(output, videos)
    unlike += content(output) != expected
    shutil.rmtree(output)
assert "torch" not in sys.modules
json.dump({"left": left, "unlike": unlike, "names": sorted(expected)}, sys.stdout)
"""


def test_a_kill_at_any_point_leaves_whole_files_and_the_next_run_finishes(tmp_path):
    for name in ("one/v/a.mp4", "one/v/c/b.mp4", "two/v/a.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    found = run_forking(KILLING, tmp_path, 200)
    assert found["names"] == [f"{name}.mp4.safetensors" for name in ("two/v/a", "v/a", "v/c/b")]
    assert found["unlike"] == 0
    assert {*found["left"]} >= {0, 1, 2, 3}  # the kills did come at different points


def test_a_killed_run_leaves_nothing_half_done_and_the_next_one_finishes(tmp_path, tiny, cache_folder):
    for name in "abcd":
        write_video(tmp_path / f"v/{name}.mp4", 64)
    whole = extract_features([tmp_path / "v"], tmp_path / "whole", settings=tiny()).written
    expected = [path.read_bytes() for path in whole]
    command = [sys.executable, "-m", "vadpipe", "extract", tmp_path / "v", "--backbone", "x3d_xs"]
    for n_files in (0, 2):
        output = tmp_path / f"killed after {n_files}"
        running = subprocess.Popen(
            [*command, "--weights", tiny().weights, "-o", output],
            env={**os.environ, "VADPIPE_CACHE": str(cache_folder)},
        )
        process, children = psutil.Process(running.pid), []
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            children = process.children(recursive=True)
            if children and len([*feature_files(output)]) >= n_files:
                break
            time.sleep(0.002)
        running.kill()
        assert running.wait() == -signal.SIGKILL
        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []  # what decoded has died with it
        n_left = len([Features.load(path) for path in feature_files(output)])
        assert n_files <= n_left < 4
        result = extract_features([tmp_path / "v"], output, settings=tiny())
        assert len(result.skipped) == n_left
        assert [path.read_bytes() for path in feature_files(output)] == expected
