"""A Ray cluster: the connection to it, and where on its nodes there is room for workers."""

from __future__ import annotations

import importlib
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from vadpipe.errors import UsageError
from vadpipe.files.arguments import NUMBER, TEXT, check_arguments

AUTO, LOCAL = "auto", "local"
_ADDRESS = re.compile(r"auto|local|ray://.*|[A-Za-z0-9._-]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")
_LOOPBACK = re.compile(r"127\.|localhost|\[?::1")
_ANSWER_S = 10.0
_N_STARTS = 3
_STARTED_WITH = {
    "RAY_ADDRESS": None,  # which would take the place of the one that was given
    "RAY_worker_niceness": "0",  # as a run without Ray has; by default whatever else runs goes first
    "RAY_agent_register_timeout_ms": "120000",  # a busy machine takes longer than the 30 s that are given
    # Ray asks the metadata service of a cloud for its name, to be reported, and only then looks whether
    # reports are wanted. These requests, the only ones by HTTP here, end at a closed port of this machine.
    "http_proxy": "http://127.0.0.1:9",
}
_OBJECT_STORE_BYTES = 128 * 2**20
"""Of a cluster that is started here. Records and curves pass it, no frames and no features."""


@dataclass(frozen=True)
class RayCluster:
    """Which Ray cluster is used, and how.

    Attributes:
        address: ``HOST:PORT`` of its head; ``"auto"`` for the cluster of ``RAY_ADDRESS`` or one that runs on
            this machine, or else one that is started here and ended with the run; ``"local"`` always for the
            last.
        cpus: of one worker on a node without a GPU; all that the node offers where it is None.

    Raises:
        UsageError: if one of them is off.
    """

    address: str = AUTO
    cpus: float | None = None

    def __post_init__(self) -> None:
        check_arguments(address=(self.address, TEXT), cpus=(self.cpus, NUMBER.or_none))
        if self.address.startswith("ray://"):
            raise UsageError(
                f"{self.address!r} is the address of a Ray client",
                next_step="Run vadpipe on a node of the cluster, as HOST:PORT, or submit it as a job.",
            )
        if not _ADDRESS.fullmatch(self.address):
            raise UsageError(
                f"{self.address!r} is not the address of a Ray cluster",
                next_step="Use HOST:PORT, auto or local.",
            )
        if self.cpus is not None and not 1 <= self.cpus <= 10_000:
            raise UsageError(f"{self.cpus:g} CPUs for a worker are out of range", next_step="Use 1 or more.")


@dataclass(frozen=True)
class Seat:
    """Room for one worker.

    Attributes:
        node, name: identifier and address of the node.
        number, of: which of how many on this node.
        cpus, gpus: that it takes.
    """

    node: str
    name: str
    number: int
    of: int
    cpus: float
    gpus: int


def seats_of(nodes: Iterable[Mapping[str, Any]], device: str, cpus: float | None) -> list[Seat]:
    """Return where workers can be.

    A node with GPUs has room for one worker on each, unless the device is the CPU. One without has room for
    one, since a process uses all cores that it is given; or for as many as ``cpus`` says. A node that offers
    no CPU, as many a head, has none.

    Args:
        nodes: as ``ray.nodes()`` lists them.
        device: as :class:`vadpipe.ExtractSettings` has it.
        cpus: of one worker; all of its node where it is None.
    """
    seats: list[Seat] = []
    for node in nodes:
        offered, name = node["Resources"], str(node.get("NodeManagerAddress", ""))
        n_cpus, n_gpus = float(offered.get("CPU", 0)), int(offered.get("GPU", 0))
        if n_gpus and device != "cpu":
            of, each, gpus = n_gpus, n_cpus // n_gpus, 1
        elif device.startswith("cuda") or n_cpus < (cpus or 1):
            continue
        else:
            of = 1 if cpus is None else int(n_cpus // cpus)
            each, gpus = cpus or n_cpus, 0
        seats += [Seat(node["NodeID"], name, number, of, each, gpus) for number in range(of)]
    return seats


@contextmanager
def connected(cluster: RayCluster) -> Iterator[ModuleType]:
    """Yield Ray, connected to a cluster; a connection that the program made before is used and kept.

    Raises:
        UsageError: if Ray is not installed, or the cluster cannot be reached.
    """
    ray = _import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = cluster.address if cluster.address != AUTO else _address_here()
    _check_answers(address)
    main = threading.current_thread() is threading.main_thread()
    ours = signal.getsignal(signal.SIGTERM) if main else None
    try:
        _init(ray, address)
        if ours is not None:  # Ray sets its own, with another exit code
            signal.signal(signal.SIGTERM, ours)
        yield ray
    finally:
        ray.shutdown()


def _import_ray() -> ModuleType:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read as a cluster is started
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of a change to come
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.util.scheduling_strategies")
    except ImportError as error:
        raise UsageError("Ray is not installed", next_step="pip install 'vadpipe[ray]'") from error
    return ray


def _check_answers(address: str) -> None:
    """Raise UsageError where nothing listens; Ray itself would try for minutes, and then end the process."""
    host, _, port = address.rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"no Ray cluster answers at {address}: {error}",
            next_step="Start one there with ray start --head, or pass the address that it prints.",
        ) from error


def _init(ray: ModuleType, address: str) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    # Whatever else Ray's nodes report is printed on standard output, among results.
    setattr(importlib.import_module("ray._private.worker"), "_worker_logs_enabled", False)  # noqa: B010
    if address == LOCAL:
        _start(ray, quiet)
        return
    try:
        with _environment(RAY_ADDRESS=None):  # which would take the place of the one that was given
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray has no kind of its own for this
        ray.shutdown()
        raise UsageError(
            f"cannot connect to the Ray cluster at {address}: {error}",
            next_step="Run vadpipe on a node of it; ray status says what it finds there.",
        ) from error


def _address_here() -> str:
    """Return the address of the environment, or of a cluster that runs on this machine; else ``"local"``.

    One that listens on loopback alone belongs to a run that has started it and will end it.
    """
    given = os.environ.get("RAY_ADDRESS") or AUTO
    if given != AUTO:
        return RayCluster(given).address
    services = importlib.import_module("ray._private.services")
    running = [found for found in services.find_gcs_addresses() if not _LOOPBACK.match(found)]
    latest = services.find_bootstrap_address(None)
    return str(latest) if latest in running else min(running, default=LOCAL)


def _start(ray: ModuleType, options: Mapping[str, Any]) -> None:
    """Start a cluster of this machine alone."""
    for attempt in range(_N_STARTS):  # Ray gives its processes 30 s, which on a busy machine are not enough
        try:
            with _on_loopback(), _environment(**_STARTED_WITH):
                ray.init(
                    address=LOCAL,
                    include_dashboard=False,
                    object_store_memory=_OBJECT_STORE_BYTES,
                    **options,
                )
        except Exception as error:
            ray.shutdown()
            if attempt == _N_STARTS - 1:
                raise UsageError(
                    f"Ray could not be started here: {error}",
                    next_step="Start a cluster with ray start --head, and pass the address that it prints.",
                ) from error
        else:
            return


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Have a cluster that is started listen on loopback alone: who reaches its ports can run programs on it.

    Ray does so itself on systems for which it supports no more than one machine.
    """
    constants = importlib.import_module("ray._private.ray_constants")
    before = constants.ENABLE_RAY_CLUSTER
    try:
        setattr(constants, "ENABLE_RAY_CLUSTER", False)  # noqa: B010
        with _environment(**{constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0"}):
            yield
    finally:
        setattr(constants, "ENABLE_RAY_CLUSTER", before)  # noqa: B010


@contextmanager
def _environment(**changes: str | None) -> Iterator[None]:
    """Change the environment for a while; None removes a variable."""
    before = {name: os.environ.get(name) for name in changes}
    try:
        _set_environment(changes)
        yield
    finally:
        _set_environment(before)


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
