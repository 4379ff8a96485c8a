"""A worker of a cluster, without a cluster: what it checks and what it sends."""

import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from support.videos import write_video
from vadpipe.errors import UsageError
from vadpipe.extract.cluster import token_in
from vadpipe.extract.cluster_worker import Batch, Broken, Conditions, Ended, Said, Worker, current_versions
from vadpipe.extract.extraction import _ExtractionTask
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.run import RunProgress
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.video.discovery import find_videos


@pytest.fixture
def conditions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # and back in the end
    token = tmp_path / ".ray-token"
    token.touch()
    return Conditions(folder=tmp_path, token=token, versions=current_versions())


def refused(conditions):
    with pytest.raises(UsageError) as caught:
        Worker().enter(conditions)
    return caught.value


def test_a_node_without_the_folder_of_the_run(conditions, tmp_path):
    error = refused(replace(conditions, folder=tmp_path / "elsewhere"))
    assert "cannot enter the folder that the run was started in: No such file" in error.reason
    assert error.next_step.startswith("Start the run in a folder that all nodes share")


def test_a_node_that_does_not_share_the_output(conditions):
    conditions.token.unlink()
    assert "does not see the output folder of this machine" in refused(conditions).reason


@pytest.mark.parametrize(("name", "version"), [("numpy", "1.0"), ("no-such-library", "2.0")])
def test_a_node_with_another_version(conditions, name, version):
    error = refused(replace(conditions, versions=conditions.versions | {name: version}))
    assert f"has {name} {current_versions().get(name, 'none')}, and this machine {version}" in error.reason


def test_workers_of_one_node_share_its_cores_out(conditions, monkeypatch):
    taken = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8, 18)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: taken.append(cores))
    for number in range(3):
        Worker().enter(replace(conditions, cores=(number, 3)))
    assert taken == [[8, 9, 10], [11, 12, 13], [14, 15, 16, 17]]


@pytest.fixture
def items(tmp_path, tiny, conditions):
    """What a worker sends of two videos and a file that is none."""
    for name in "ac":
        write_video(tmp_path / f"v/{name}.mp4", 16)
    (tmp_path / "v/b.mp4").write_bytes(b"no video")
    videos, _ = find_videos([tmp_path / "v"])
    work = _ExtractionTask(
        Extractor(tiny()), FeatureStore(tmp_path / "f"), retry=False, tolerate=0.05, format="safetensors"
    )
    worker = Worker()
    worker.enter(replace(conditions, log_level=logging.INFO))
    worker.load(lambda: (Extractor(tiny()), frozenset(video.place for video in videos)))
    news = worker.work(Batch(videos, work.part_of(videos), look_ahead=True, n_readings=1))
    yield [item for items in news for item in items]
    logging.getLogger("vadpipe").setLevel(logging.NOTSET)


def test_what_is_sent_of_each_video(items, tmp_path):
    ended = {item.place: item for item in items if isinstance(item, Ended)}
    assert sorted(ended) == [0, 1, 2]
    assert [str(failure.path) for item in ended.values() for failure in item.failures] == [
        str(tmp_path / "v/b.mp4")
    ]
    for place, name in ((0, "a"), (2, "c")):
        (path,) = ended[place].noted.outputs
        assert path.name == f"{name}.mp4.safetensors"
        assert [video.status for video in ended[place].noted.videos] == ["done"]
        (extraction, busy) = ended[place].result
        assert (extraction.written, busy) == ([path], [])
    assert {item.video.path.stem for item in items if isinstance(item, RunProgress)} == {"a", "c"}
    assert any(isinstance(item, Said) and "a.mp4: 16 frames" in item.text for item in items)
    kinds = [(item["kind"], item["video"][-5:]) for item in items if isinstance(item, dict)]
    assert sorted(kinds) == [(kind, name) for kind in ("finished", "started") for name in ("a.mp4", "c.mp4")]


def test_what_ends_a_run_is_sent(tmp_path, tiny, x3d_weights, conditions):
    write_video(tmp_path / "v/a.mp4", 16)
    videos, _ = find_videos([tmp_path / "v"])
    missing = tiny(weights=tmp_path / "none.pyth")
    work = _ExtractionTask(
        Extractor(missing), FeatureStore(tmp_path / "f"), retry=False, tolerate=0.05, format="safetensors"
    )
    worker = Worker()
    worker.load(lambda: (Extractor(missing), frozenset()))
    news = worker.work(Batch(videos, work.part_of(videos), look_ahead=True, n_readings=1))
    (item,) = (item for items in news for item in items)
    assert isinstance(item, Broken)
    assert item.error.exit_code == 5


def test_a_token_of_a_killed_run_goes_with_the_next_and_none_of_one_that_runs(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from vadpipe.extract.cluster import token_in\n"
        "with token_in(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path]).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    with token_in(tmp_path) as first:
        assert [*tmp_path.iterdir()] == [first] != [left]
        with token_in(tmp_path) as second:
            assert {*tmp_path.iterdir()} == {first, second}
        assert [*tmp_path.iterdir()] == [first]
    assert [*tmp_path.iterdir()] == []
