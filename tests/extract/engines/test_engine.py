"""Every engine agrees with eager torch in float32, and keeps the order of what it is given."""

import threading

import numpy as np
import pytest
import torch

from support.waiting import LONG_S
from vadpipe.errors import UsageError
from vadpipe.extract.backbones.loading import ClipNetwork
from vadpipe.extract.backbones.registry import BACKBONES
from vadpipe.extract.engines import engine as engines
from vadpipe.extract.engines.engine import build_engine, choose_engine
from vadpipe.extract.engines.overlap import run_engine
from vadpipe.extract.pooling import positions

CPU = torch.device("cpu")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:torch.jit.*")


def loaded(name):
    torch.manual_seed(0)
    backbone = BACKBONES[name]
    return ClipNetwork(backbone, backbone.build()).eval().requires_grad_(False)


def clips(n, frames=4, side=64):
    return np.random.default_rng(0).integers(0, 256, (n, frames, side, side, 3), dtype=np.uint8)


def eager(network, batch):
    with torch.inference_mode():
        return network(torch.from_numpy(batch)).numpy()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("engine", ["torch", "openvino"])
@pytest.mark.parametrize("name", ["x3d_s", "i3d_r50"])  # I3D: tests/extract/test_window_features.py
def test_features_agree_with_eager_float32(name, engine):
    if engine == "openvino":
        pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install 'vadpipe[cpu]')")
    network, batch = loaded(name), clips(3, frames=16)
    built = build_engine(engine, lambda: network, batch.shape[1:4], CPU, key=name)
    assert "float32 on cpu" in built.name
    found, expected = np.stack(list(run_engine(built, batch))), eager(network, batch)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-4
    if name == "x3d_s":  # and the same clips give the same bits
        again = build_engine(engine, lambda: network, batch.shape[1:4], CPU, key=name)
        np.testing.assert_array_equal(list(run_engine(again, batch)), found)


def test_threads_of_torch_are_left_as_they_were():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        list(run_engine(build_engine("torch", lambda: loaded("x3d_xs"), (4, 64, 64), CPU, key="x"), clips(3)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


class Small(torch.nn.Module):
    """A network that is converted in an instant."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = torch.nn.Conv3d(3, 8, 3)

    def forward(self, clips):
        return self.convolution(clips.permute(0, 4, 1, 2, 3).float() / 255).relu().mean((2, 3, 4))


class TestConversion:
    @pytest.fixture(autouse=True)
    def openvino(self):
        pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install 'vadpipe[cpu]')")

    def build(self, load=Small, key="small-digest"):
        return build_engine("openvino", load, (4, 64, 64), CPU, key=key)

    def test_it_is_kept_and_the_weights_are_not_read_again(self):
        expected = list(run_engine(self.build(), clips(2)))
        again = self.build(load=lambda: pytest.fail("loaded again"))
        np.testing.assert_array_equal(list(run_engine(again, clips(2))), expected)

    def test_other_weights_or_sizes_are_converted_apart(self, cache):
        self.build()
        self.build(key="small-other")
        build_engine("openvino", Small, (4, 96, 96), CPU, key="small-digest")
        assert len(list((cache / "openvino").iterdir())) == 3

    @pytest.mark.parametrize("file", ["model.xml", "model.bin", "sha256"])
    def test_one_that_is_damaged_is_made_anew(self, cache, file):
        expected = list(run_engine(self.build(), clips(2)))
        (path,) = (cache / "openvino").rglob(file)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        calls = []
        built = self.build(load=lambda: calls.append(1) or Small())
        assert calls == [1]
        np.testing.assert_array_equal(list(run_engine(built, clips(2))), expected)

    def test_a_cache_that_cannot_be_written_costs_only_time(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "file"))
        assert len(list(run_engine(self.build(), clips(2)))) == 2


class Plain:
    """An engine whose features are the numbers of the clips."""

    name, batch = "plain", 1

    def __init__(self, workers):
        self.workers = workers

    def __call__(self, batch):
        return batch[:, 0, 0, 0, :1].astype(np.float32)


class Gathering(Plain):
    """Each of its calls goes on when as many run as there are workers."""

    def __init__(self, workers):
        super().__init__(workers)
        self.all_here = threading.Barrier(workers, timeout=LONG_S)

    def __call__(self, batch):
        self.all_here.wait()
        return super().__call__(batch)


def numbered(n):
    for number in range(n):
        yield np.full((1, 1, 1, 3), number, np.uint8)


@pytest.mark.parametrize("batch", [1, 3])
def test_all_workers_are_busy(batch):
    engine = Gathering(3)
    engine.batch = batch
    assert [int(row[0]) for row in run_engine(engine, numbered(18))] == list(range(18))


def test_features_come_in_order_whichever_is_done_first():
    done = [threading.Event() for _ in range(20)]

    class Backwards(Plain):
        def __call__(self, batch):
            number = int(batch[0, 0, 0, 0, 0])
            if number % 3 < 2 and number < 19:
                assert done[number + 1].wait(LONG_S)
            done[number].set()
            return super().__call__(batch)

    assert [int(row[0]) for row in run_engine(Backwards(3), numbered(20))] == list(range(20))


def test_clips_are_drawn_only_a_few_ahead():
    drawn = []

    def watched():
        for clip in numbered(50):
            drawn.append(1)
            yield clip

    found = run_engine(Plain(2), watched())
    next(found)
    assert len(drawn) <= 2 + 2
    found.close()


def test_an_error_of_an_engine_or_of_the_clips_ends_the_run():
    class Broken(Plain):
        def __call__(self, batch):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        list(run_engine(Broken(2), numbered(5)))

    def failing():
        yield from numbered(3)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(run_engine(Plain(2), failing()))


def test_auto_takes_openvino_on_a_processor_and_says_so(caplog):
    pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install 'vadpipe[cpu]')")
    with caplog.at_level("INFO", logger="vadpipe"):
        assert choose_engine("auto", CPU) == "openvino"
    assert "engine openvino" in caplog.text
    assert choose_engine("auto", torch.device("cuda:0")) == "torch"


def test_auto_takes_torch_without_openvino_and_tells_the_way(monkeypatch, caplog):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    with caplog.at_level("INFO", logger="vadpipe"):
        assert choose_engine("auto", CPU) == "torch"
    assert "pip install 'vadpipe[cpu]'" in caplog.text
    with pytest.raises(UsageError, match="openvino is not installed\npip install"):
        choose_engine("openvino", CPU)


def test_engines_that_are_not_there_are_refused():
    with pytest.raises(UsageError, match="unknown engine 'tensorrt'\nChoose one of: auto, torch, openvino"):
        choose_engine("tensorrt", CPU)
    with pytest.raises(UsageError, match="openvino cannot run on cuda:0"):
        choose_engine("openvino", torch.device("cuda:0"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("name", ["i3d", "x3d_s"])
def test_features_of_a_gpu_agree_with_those_of_a_processor(name, half):
    network, batch = loaded(name), clips(3, frames=16)
    expected = np.stack([positions(output) for output in eager(network, batch)])
    gpu = torch.device("cuda:0")
    built = build_engine("torch", lambda: network, batch.shape[1:4], gpu, key=name, half=half)
    found = np.stack([positions(output) for output in run_engine(built, batch)])
    assert half or "float32" in built.name
    tolerance = 1e-3 if "float16" in built.name else 1e-4
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < tolerance
