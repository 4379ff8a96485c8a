"""Runs on a Ray cluster: the same bytes as on one machine, whatever is killed meanwhile."""

import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec

import psutil
import pytest

from support import poisoned_task
from support.ray_clusters import busy_workers, raylet_of, start_cluster, start_quickly
from support.videos import write_video
from support.waiting import wait_until
from vadpipe.errors import FeatureError, UsageError, WeightsError
from vadpipe.extract import extraction
from vadpipe.extract.cluster_worker import current_versions
from vadpipe.extract.extraction import extract_features
from vadpipe.runs.record import read_record


@pytest.fixture(scope="module", autouse=True)
def quick_start(tmp_path_factory):
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed (pip install 'vadpipe[ray]')")
    with pytest.MonkeyPatch.context() as patch:
        start_quickly(patch, tmp_path_factory.mktemp("ray"))
        yield


@pytest.fixture(scope="module")
def cluster(quick_start):
    running = start_cluster()
    yield running
    running.shutdown()


@pytest.fixture
def whole(tmp_path, tiny):
    """Twelve videos, and the feature files that a run on one machine makes of them."""
    for name in "abcdefghijkl":
        write_video(tmp_path / f"v/{name}.mp4", 32)
    result = extract_features([tmp_path / "v"], tmp_path / "whole", settings=tiny())
    return {path.name: path.read_bytes() for path in result.written}


def features_in(folder):
    return {
        path.name: path.read_bytes() for path in folder.rglob("*.safetensors") if ".part-" not in path.name
    }


def of_a_run(record):
    """What a record says, but for what differs between two runs of the same."""
    known = record.model_dump(exclude={"times", "started_in"})
    known["resolved"] = {
        name: value for name, value in known["resolved"].items() if name not in ("ray", "output")
    }
    return known


class OnceAtWork:
    """Does something at the first report of a video in work, and keeps all reports."""

    def __init__(self, act):
        self.act, self.reports = act, []

    def __call__(self, report):
        self.reports.append(report)
        if len(self.reports) == 1:
            self.act()


def links_elsewhere(process):
    """The addresses beyond this machine on which a process or its children listen, or to which they are connected."""
    family = [process, *process.children(recursive=True)]
    links = []
    for one in family:
        with suppress(psutil.NoSuchProcess):  # a decoder that has ended meanwhile
            links += [(one.pid, link) for link in one.net_connections("inet")]
    assert links
    return [
        (pid, address)
        for pid, link in links
        for address in (link.laddr if link.status == psutil.CONN_LISTEN else link.raddr,)
        if address and address.ip not in ("127.0.0.1", "::1", "::ffff:127.0.0.1")
    ]


def test_a_cluster_of_one_s_own_gives_the_same_bytes_listens_on_loopback_alone_and_ends(
    tmp_path, tiny, capfd
):
    for name in ("a", "b"):
        write_video(tmp_path / f"v/{name}.mp4", 16)
    (tmp_path / "v/broken.mp4").write_bytes((tmp_path / "v/a.mp4").read_bytes()[:2000])
    plain = extract_features([tmp_path / "v"], tmp_path / "plain", settings=tiny())
    elsewhere, failed = [], []
    look = OnceAtWork(lambda: elsewhere.extend(links_elsewhere(psutil.Process())))
    result = extract_features(
        [tmp_path / "v"],
        tmp_path / "ray",
        settings=tiny(),
        ray="local",
        on_progress=look,
        on_failure=failed.append,
    )
    assert features_in(tmp_path / "ray") == features_in(tmp_path / "plain") != {}
    assert [path.name for path in result.written] == [path.name for path in plain.written]
    assert [str(one.error) for one in result.failed] == [str(one.error) for one in plain.failed] != []
    assert failed == result.failed
    assert of_a_run(read_record(tmp_path / "ray/run.json")) == of_a_run(
        read_record(tmp_path / "plain/run.json")
    )
    assert {report.n_videos for report in look.reports} == {3}
    assert elsewhere == []
    assert not sys.modules["ray"].is_initialized()
    assert capfd.readouterr().out == ""
    assert {path.name for path in (tmp_path / "ray").iterdir()} == {
        path.name for path in (tmp_path / "plain").iterdir()
    }


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(tmp_path, tiny, whole, cluster, caplog):
    kill = OnceAtWork(lambda: busy_workers(cluster)[0].kill())
    result = extract_features(
        [tmp_path / "v"], tmp_path / "features", settings=tiny(), ray=cluster.address, on_progress=kill
    )
    assert "lost a worker" in caplog.text
    assert result.failed == []
    assert features_in(tmp_path / "features") == whole


@pytest.mark.slow
def test_a_node_that_is_killed_costs_nothing(tmp_path, tiny, whole, cluster, caplog):
    node = next(node for node in cluster.list_all_nodes() if not node.is_head())

    def kill():
        wait_until(lambda: len(busy_workers(cluster)) == 2, "both nodes are at work")
        raylet_of(node).kill()

    result = extract_features(
        [tmp_path / "v"],
        tmp_path / "features",
        settings=tiny(),
        ray=cluster.address,
        on_progress=OnceAtWork(kill),
    )
    cluster.remove_node(node)
    cluster.add_node(num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20)
    assert result.failed == []
    assert features_in(tmp_path / "features") == whole


DRIVER = """
import sys
from pathlib import Path
from vadpipe.extract.extraction import extract_features
from vadpipe.extract.settings import ExtractSettings
videos, features, weights, address = sys.argv[1:]
settings = ExtractSettings(backbone="x3d_xs", weights=Path(weights))
extract_features([videos], features, settings=settings, ray=address)
"""


@pytest.mark.slow
def test_after_a_kill_of_the_driver_the_next_run_goes_on(tmp_path, tiny, whole, cluster, x3d_weights):
    features = tmp_path / "features"
    command = [sys.executable, "-c", DRIVER, tmp_path / "v", features, x3d_weights, cluster.address]
    with subprocess.Popen(command) as driver:
        wait_until(lambda: features_in(features), "a first video is done")
        driver.kill()
    wait_until(lambda: not busy_workers(cluster), "its workers have ended")
    before = {path: path.stat().st_ino for path in features.rglob("*.safetensors")}
    result = extract_features([tmp_path / "v"], features, settings=tiny(), ray=cluster.address)
    assert features_in(features) == whole
    assert {*result.skipped} >= {path for path in before if ".part-" not in path.name}
    assert {path: path.stat().st_ino for path in before if path.exists()} == before  # none was written again
    assert len(result.written) + len(result.skipped) == len(whole)


@pytest.mark.slow
def test_a_video_that_kills_its_workers_is_set_aside_and_remembered(
    tmp_path, tiny, whole, cluster, monkeypatch
):
    write_video(tmp_path / "v" / f"{poisoned_task.POISON}.mp4", 32)
    monkeypatch.setattr(extraction, "_ExtractionTask", poisoned_task.PoisonedTask)
    result = extract_features([tmp_path / "v"], tmp_path / "features", settings=tiny(), ray=cluster.address)
    (failure,) = result.failed
    assert failure.path.stem == poisoned_task.POISON
    assert failure.error.reason == "ended the process that worked on it, 3 times"
    assert features_in(tmp_path / "features") == whole
    monkeypatch.undo()
    (again,) = extract_features([tmp_path / "v"], tmp_path / "features", settings=tiny()).failed
    assert (
        again.error.reason == f"{failure.error.reason} (failed in an earlier run; use --retry to try again)"
    )
    record = read_record(
        tmp_path / "features/run-1.json"
        if (tmp_path / "features/run-1.json").exists()
        else tmp_path / "features/run.json"
    )
    assert record.counts.failed == 1


@pytest.mark.slow
def test_what_is_wrong_on_a_node_ends_the_run(tmp_path, tiny, cluster, monkeypatch):
    write_video(tmp_path / "v/a.mp4", 16)
    monkeypatch.setattr(
        "vadpipe.extract.cluster.current_versions", lambda: current_versions() | {"av": "1.0"}
    )
    with pytest.raises(UsageError, match=r"the node .* has av .*, and this machine 1\.0"):
        extract_features([tmp_path / "v"], tmp_path / "f", settings=tiny(), ray=cluster.address)
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["run.json"]
    assert read_record(tmp_path / "f/run.json").outcome == "failed"


@pytest.mark.slow
def test_missing_weights_end_the_run_as_on_one_machine(tmp_path, tiny, cluster):
    write_video(tmp_path / "v/a.mp4", 16)
    settings = tiny(weights=tmp_path / "none.pyth")
    told = []
    for ray in (None, cluster.address):
        with pytest.raises(WeightsError) as caught:
            extract_features([tmp_path / "v"], tmp_path / "f", settings=settings, ray=ray)
        told.append(str(caught.value))
    assert told[0] == told[1]


@pytest.mark.slow
def test_scores_are_the_same_bytes(tmp_path, scorer, cluster):
    import vadpipe

    for name in "abcd":
        write_video(tmp_path / f"v/{name}.mp4", 48)
    (tmp_path / "v/broken.mp4").write_bytes(b"no video")
    outputs = vadpipe.Outputs(formats=("csv", "json"), plot="png", report=True)
    told = []
    plain = vadpipe.score_videos([tmp_path / "v"], scorer, output=tmp_path / "plain", outputs=outputs)
    result = vadpipe.score_videos(
        [tmp_path / "v"],
        scorer,
        output=tmp_path / "ray",
        outputs=outputs,
        ray=cluster.address,
        on_scored=told.append,
    )
    files = [{path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "run.json"}
             for folder in (tmp_path / "plain", tmp_path / "ray")]  # fmt: skip
    assert files[0] == files[1] != {}
    assert [one.video for one in result.scored] == [one.video for one in plain.scored]
    assert {one.video for one in told} == {one.video for one in result.scored}
    assert [str(one.error) for one in result.failed] == [str(one.error) for one in plain.failed] != []
    records = [read_record(tmp_path / folder / "run.json") for folder in ("plain", "ray")]
    assert of_a_run(records[0]) == of_a_run(records[1])


@pytest.mark.slow
def test_a_head_that_a_node_does_not_have_ends_the_run_with_its_error(
    tmp_path, x3d_head, x3d_weights, cluster
):
    import vadpipe

    write_video(tmp_path / "v/a.mp4", 16)
    here = tmp_path / "head.safetensors"
    shutil.copy(x3d_head, here)
    scorer = vadpipe.Scorer(here, weights=x3d_weights)
    here.unlink()
    with pytest.raises(FeatureError) as caught:
        vadpipe.score_videos([tmp_path / "v"], scorer, output=tmp_path / "out", ray=cluster.address)
    assert caught.value.reason == "no such head"
    assert caught.value.file == str(here)


def test_an_address_where_nothing_listens(tmp_path, tiny):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UsageError, match=f"no Ray cluster answers at 127.0.0.1:{port}"):
        extract_features([tmp_path], tmp_path / "f", settings=tiny(), ray=f"127.0.0.1:{port}")
