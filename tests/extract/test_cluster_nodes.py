"""Where workers of a Ray cluster have room, and addresses."""

import sys

import pytest

from vadpipe.errors import UsageError
from vadpipe.extract import cluster_nodes
from vadpipe.extract.cluster_nodes import RayCluster, connected, seats_of
from vadpipe.extract.extraction import extract_features
from vadpipe.extract.plan import plan_extraction


def node(name, **resources):
    return {"NodeID": name, "NodeManagerAddress": f"{name}.example", "Resources": resources}


HEAD, SMALL, LARGE = node("head", memory=1.0), node("small", CPU=4.0), node("large", CPU=32.0)
WITH_GPUS = node("gpus", CPU=48.0, GPU=4.0)


def seats(nodes, device="auto", cpus=None):
    return [(seat.node, seat.number, seat.of, seat.cpus, seat.gpus) for seat in seats_of(nodes, device, cpus)]


def test_a_node_without_a_gpu_has_one_worker_that_takes_all_cpus_and_a_head_without_cpus_none():
    assert seats([HEAD, SMALL, LARGE]) == [("small", 0, 1, 4.0, 0), ("large", 0, 1, 32.0, 0)]


def test_each_gpu_has_a_worker_and_its_part_of_the_cpus():
    assert seats([WITH_GPUS, SMALL]) == [
        *[("gpus", number, 4, 12.0, 1) for number in range(4)],
        ("small", 0, 1, 4.0, 0),
    ]


def test_a_device_leaves_out_gpus_or_nodes_without_one():
    assert seats([WITH_GPUS], "cpu") == [("gpus", 0, 1, 48.0, 0)]
    assert [seat[0] for seat in seats([WITH_GPUS, SMALL], "cuda:0")] == ["gpus"] * 4


def test_workers_of_some_cpus_share_a_node_and_a_smaller_node_has_none():
    assert seats([SMALL, LARGE, node("tiny", CPU=2.0)], cpus=4) == [
        ("small", 0, 1, 4, 0), *[("large", number, 8, 4, 0) for number in range(8)],
    ]  # fmt: skip


@pytest.mark.parametrize("address", ["auto", "local", "10.0.0.1:6379", "head.example:6379", "[fd00::1]:6379"])
def test_addresses(address):
    assert RayCluster(address).address == address


@pytest.mark.parametrize(
    ("arguments", "message", "step"),
    [
        (("videos/",), "'videos/' is not the address of a Ray cluster", "Use HOST:PORT, auto or local."),
        (("ray://h:10001",), "'ray://h:10001' is the address of a Ray client", "submit it as a job"),
        (("auto", 0.5), "0.5 CPUs for a worker are out of range", "Use 1 or more."),
    ],
)
def test_what_is_refused(arguments, message, step):
    with pytest.raises(UsageError) as caught:
        RayCluster(*arguments)
    assert caught.value.reason == message
    assert step in caught.value.next_step


@pytest.mark.parametrize(
    ("inputs", "output", "named"),
    [(["s3://bucket/videos/a.mp4"], "features", "a.mp4"), ([], "s3://bucket/features", "features")],
)
def test_nodes_share_folders_and_no_addresses(inputs, output, named, tiny):
    with pytest.raises(UsageError) as caught:
        extract_features(inputs, output, settings=tiny(), ray="local")
    with pytest.raises(UsageError) as planned:
        list(plan_extraction(inputs, output, settings=tiny(), ray="local"))
    assert str(planned.value) == str(caught.value)
    assert caught.value.reason == "workers of a Ray cluster read and write folders alone, no addresses"
    assert str(caught.value.file).endswith(named)
    assert "--shard" in caught.value.next_step


def test_without_ray_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError) as caught, connected(RayCluster()):
        pass
    assert (caught.value.reason, caught.value.next_step) == (
        "Ray is not installed",
        "pip install 'vadpipe[ray]'",
    )


@pytest.mark.parametrize(
    ("running", "latest", "address"),
    [
        ((), None, "local"),
        (("127.0.0.1:6379",), "127.0.0.1:6379", "local"),  # another run has started it for itself
        (("127.0.0.1:6379", "10.0.0.1:6379"), "127.0.0.1:6379", "10.0.0.1:6379"),
        (("10.0.0.1:6379", "10.0.0.1:6380"), "10.0.0.1:6380", "10.0.0.1:6380"),
        (("10.0.0.1:6379",), "10.0.0.1:7000", "10.0.0.1:6379"),  # which has ended
    ],
)
def test_which_cluster_of_this_machine_is_used(monkeypatch, running, latest, address):
    services = pytest.importorskip(
        "ray._private.services", reason="Ray is not installed (pip install 'vadpipe[ray]')"
    )
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(services, "find_gcs_addresses", lambda: {*running})
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _: latest)
    assert cluster_nodes._address_here() == address


def test_the_address_of_the_environment(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert cluster_nodes._address_here() == "10.0.0.1:6379"
