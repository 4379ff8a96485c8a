"""Whatever ends a run, and when: files are whole or absent, and the next run finishes."""

import json
import signal

import pytest

from support.commands import start
from support.forked_writers import run_forked_writers
from support.processes import has_ended
from support.videos import write_video
from support.waiting import wait_until
from vadpipe.extract.extraction import extract_features
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder

# Python tells audit hooks of every step that changes a file system, before it is done. A process that dies at
# the first of them, at the second, and so on has died everywhere.
KILLING = """
import safetensors.numpy
import vadpipe.features.file

folder, before = Path(sys.argv[1]), sys.argv[2]
STEPS = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.chmod", "fcntl.flock", "halfway"}

def write_in_two_steps(arrays, path, metadata):  # safetensors writes behind the back of audit hooks
    content = safetensors.numpy.save(arrays, metadata)
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        sys.audit("halfway")
        file.write(content[len(content) // 2 :])

vadpipe.features.file.save_file = write_in_two_steps

def work_until(step, told, output, videos):
    n_steps = 0

    def count(event, arguments):
        nonlocal n_steps
        if event in STEPS or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            n_steps += 1
            if n_steps == step:
                os.write(told, event.encode())
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    run(output, videos)

def run(output, videos):
    work(output, videos)
    store = FeatureStore(output, places=[video.place for video in videos])
    for video in videos:
        assert store.refresh(store.find_anew(video), video) is not None

def prepare(output):
    if before == "another recipe":
        work(output, videos, stride=8)
    elif before == "shorter names":
        work(output, [named_video(video.path) for video in videos])

from vadpipe.extract.video.discovery import named_video
videos, _ = find_videos([folder / "one/v", folder / "two/v"])
prepare(folder / "whole")
run(folder / "whole", videos)
expected, output = content(folder / "whole"), folder / "output"
died_at, left, unlike, status = [], [], [], signal.SIGKILL
while status == signal.SIGKILL:
    prepare(output)
    receive, told = os.pipe()
    pid = forked(work_until, len(died_at) + 1, told, output, videos)
    _, status = os.waitpid(pid, 0)
    os.close(told)
    died_at.append(os.read(receive, 100).decode())
    os.close(receive)
    found = [Features.load(output / name) for name in content(output)]
    left.append(sum(features.recipe.stride_frames == 16 for features in found))
    run(output, videos)
    if content(output) != expected:
        unlike.append((len(died_at), died_at[-1]))
    shutil.rmtree(output)
assert status == 0
assert "torch" not in sys.modules
json.dump({"died_at": died_at, "left": left, "unlike": unlike, "names": sorted(expected)}, sys.stdout)
"""
STEPS = {"open", "halfway", "os.mkdir", "os.chmod", "os.rename", "os.remove", "fcntl.flock"}


@pytest.mark.parametrize(
    ("before", "steps"),
    [("nothing", STEPS | {"os.link"}), ("another recipe", STEPS), ("shorter names", STEPS | {"os.link"})],
)
def test_a_kill_at_any_point_leaves_whole_files_and_the_next_run_finishes(tmp_path, before, steps):
    for name in ("one/v/a.mp4", "one/v/c/b.mp4", "two/v/a.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    found = run_forked_writers(KILLING, tmp_path, before)
    assert found["names"] == [f"{name}.mp4.safetensors" for name in ("two/v/a", "v/a", "v/c/b")]
    assert found["unlike"] == []
    *died_at, finished = found["died_at"]
    assert ({*died_at}, finished) == (steps, "")
    if before != "shorter names":
        assert found["left"] == sorted(found["left"])
        assert {*found["left"]} == {0, 1, 2, 3}


# The command line in a process that dies when it is about to write the features of a video.
DYING = """
import json, os, signal, sys
import psutil
from vadpipe.cli import main
from vadpipe.extract.store import FeatureStore

real, n_left = FeatureStore.write, int(sys.argv.pop(1))

def write(self, features, video):
    global n_left
    if n_left == 0:
        print(json.dumps([child.pid for child in psutil.Process().children(recursive=True)]), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    n_left -= 1
    return real(self, features, video)

FeatureStore.write = write
main()
"""


def test_a_killed_run_leaves_nothing_half_done_and_the_next_one_finishes(tmp_path, tiny):
    for name in "abcd":
        write_video(tmp_path / f"v/{name}.mp4", 64)
    whole = extract_features([tmp_path / "v"], tmp_path / "whole", settings=tiny()).written
    expected = [path.read_bytes() for path in whole]
    options = ["extract", tmp_path / "v", "--backbone", "x3d_xs", "--weights", tiny().weights]
    for n_files in (0, 2):
        output = tmp_path / f"killed after {n_files}"
        done = start(DYING, n_files, *options, "-o", output, cwd=tmp_path).wait()
        assert done.returncode == -signal.SIGKILL
        decoding = json.loads(done.stdout)
        assert decoding  # the next video
        for number in decoding:  # what decoded has died with it
            wait_until(lambda n=number: has_ended(n), "a decoding process has ended")
        assert len([Features.load(path) for path in FeatureFolder(output).files()]) == n_files
        result = extract_features([tmp_path / "v"], output, settings=tiny())
        assert len(result.skipped) == n_files
        assert [path.read_bytes() for path in FeatureFolder(output).files()] == expected
