"""Ray clusters of several nodes on this machine, and their processes."""

import os
import sys

import psutil

from support.environment import ROOT


def start_quickly(monkeypatch, folder):
    """Keep Ray's processes from parsing a grammar of 3 CPU seconds that jsonschema uses where it is installed.

    On a busy machine they would take longer than Ray waits for them.
    """
    (folder / "rfc3987_syntax.py").write_text("raise ImportError")
    monkeypatch.setitem(sys.modules, "rfc3987_syntax", None)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{ROOT}:{ROOT / 'tests'}")


def start_cluster():
    """Return a cluster of two nodes with a CPU each, the first of which is the head."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_agent_register_timeout_ms", "120000")
    options = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=options)
    cluster.add_node(**options)
    return cluster


def busy_workers(cluster):
    """Return the processes of a cluster's workers that have videos."""
    below = [child for node in cluster.list_all_nodes() for child in raylet_of(node).children(recursive=True)]
    return [process for process in below if "ray::Worker.work" in _command(process)]


def _command(process):
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def raylet_of(node):
    """Return the process of a node's raylet."""
    return psutil.Process(node.all_processes["raylet"][0].process.pid)
