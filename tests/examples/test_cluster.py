"""The sample jobs take each part once."""

import os
import subprocess

import yaml

from support.environment import ROOT
from support.videos import write_video
from vadpipe.extract.video.discovery import find_videos
from vadpipe.extract.video.shards import Shard

CLUSTER = ROOT / "examples/cluster"
FAKE = '#!/bin/sh\nprintf "%s\\n" "$*" >> "$CALLS"\n'


def calls(tmp_path, *command, **environment):
    """Run a job in which vadpipe and the scheduler's own programs only note what they are called with."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    for name in ("vadpipe", "srun", "parallel"):
        (folder / name).write_text(FAKE)
        (folder / name).chmod(0o755)
    noted = tmp_path / "calls"
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, check=True, env={"PATH": path, "CALLS": str(noted), **environment})
    return noted.read_text().splitlines()


def test_slurm_gives_each_task_its_shard(tmp_path):
    job = ("bash", CLUSTER / "extract.sbatch", "/data/videos", "/data/features")
    (call,) = calls(
        tmp_path, *job, SLURM_CPUS_PER_TASK="4", SLURM_ARRAY_TASK_ID="3", SLURM_ARRAY_TASK_MAX="32"
    )
    assert call == "vadpipe extract /data/videos -o /data/features --shard 3/32 --progress plain"


def test_kubernetes_gives_each_index_its_shard(tmp_path):
    job = yaml.safe_load((CLUSTER / "extract.yaml").read_text())
    container = job["spec"]["template"]["spec"]["containers"][0]
    n_parts = job["spec"]["completions"]
    command = [*container["command"], *container["args"]]
    for index in range(n_parts):
        *_, call = calls(tmp_path, *command, JOB_COMPLETION_INDEX=str(index))
        assert f"--shard {index + 1}/{n_parts} " in call


def test_parallel_is_given_every_number(tmp_path):
    (call,) = calls(tmp_path, "sh", CLUSTER / "extract_parallel.sh", "4", "videos", "features")
    assert call.startswith("-j 4 ")
    assert call.endswith("vadpipe extract videos -o features --shard {}/4 --progress plain")


def test_names_on_two_machines_agree(tmp_path):
    """The part of a video does not change with where its folder is mounted."""
    parts = []
    for mount in ("here", "there/mnt"):
        for name in ("a", "b", "c", "d", "e", "f"):
            write_video(tmp_path / mount / "videos/cam" / f"{name}.mp4", 2)
        videos, _ = find_videos([tmp_path / mount / "videos"])
        parts.append([[video.name for video in Shard(number, 3).of_videos(videos)] for number in (1, 2, 3)])
    assert parts[0] == parts[1]


SCORE = "vadpipe score {} -o {} --features {} --shard {} --progress {}"


def test_slurm_gives_each_task_its_shard_to_score(tmp_path):
    job = ("bash", CLUSTER / "score.sbatch", "/data/videos", "/data/scores", "/data/kept")
    (call,) = calls(
        tmp_path, *job, SLURM_CPUS_PER_TASK="4", SLURM_ARRAY_TASK_ID="3", SLURM_ARRAY_TASK_MAX="32"
    )
    assert call == SCORE.format("/data/videos", "/data/scores", "/data/kept", "3/32", "plain")


def test_kubernetes_gives_each_index_its_shard_to_score(tmp_path):
    job = yaml.safe_load((CLUSTER / "score.yaml").read_text())
    container = job["spec"]["template"]["spec"]["containers"][0]
    n_parts = job["spec"]["completions"]
    command = [*container["command"], *container["args"]]
    expected = [
        SCORE.format("/data/videos", "/data/scores", "/data/scored-features", f"{number}/{n_parts}", "json")
        for number in range(1, n_parts + 1)
    ]
    for index in range(n_parts):
        heard = calls(tmp_path, *command, JOB_COMPLETION_INDEX=str(index))
    assert [f"vadpipe {call}" for call in heard] == expected


def test_parallel_is_given_every_number_to_score(tmp_path):
    (call,) = calls(tmp_path, "sh", CLUSTER / "score_parallel.sh", "4", "videos", "scores", "kept")
    assert call.startswith("-j 4 ")
    assert call.endswith(SCORE.format("videos", "scores", "kept", "{}/4", "plain"))
