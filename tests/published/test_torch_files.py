"""Files that ``torch.save`` wrote: tensors come out bit for bit, and nothing else is ever loaded."""

import io
import os
import pickle
import re
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from vadpipe.errors import FeatureError
from vadpipe.published.containers import Containers, kind_of

ARRAY = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
TENSOR = torch.from_numpy(ARRAY)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def containers():
    with Containers() as containers:
        yield containers


def quantized():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch gives up quantized tensors; files have them all the same
        return torch.quantize_per_tensor(TENSOR, 0.1, 0, torch.qint8)


def saved(content, **options):
    torch.save(content, "set.pt", **options)
    return Path("set.pt")


def fails(content, containers, **options):
    path = content if isinstance(content, Path) else saved(content, **options)
    with pytest.raises(FeatureError) as caught:
        for address in containers.listing(path).arrays:
            containers.read(path, address)
    assert caught.value.next_step
    assert len(str(caught.value).splitlines()) == 2
    return str(caught.value)


class Canary:
    """Leaves a folder behind where it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("hatched",))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("content", "arrays"),
    [
        (TENSOR, [()]),
        (torch.nn.Parameter(TENSOR), [()]),
        ({"v1": TENSOR, "v2": TENSOR}, [("v1",), ("v2",)]),
        (OrderedDict(v1=TENSOR), [("v1",)]),
        ({"v1": {"features": TENSOR, "fps": 30.0}, "v2": {"features": TENSOR}}, [("v1", "features"), ("v2", "features")]),
        ({"features": TENSOR, "fps": 30, "name": "v1", "labels": None, "ok": True}, [("features",)]),
        ({1: TENSOR, 2: TENSOR}, [("1",), ("2",)]),
    ],
)  # fmt: skip
def test_what_a_file_holds(containers, content, arrays, zipped):
    path = saved(content, _use_new_zipfile_serialization=zipped)
    assert containers.listing(path).arrays == arrays
    for address in arrays:
        np.testing.assert_array_equal(containers.read(path, address), ARRAY)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int16", "int64", "uint8"])
def test_numbers_of_every_type(containers, dtype, zipped):
    tensor = (TENSOR * 100).abs().to(getattr(torch, dtype))
    array = containers.read(saved(tensor, _use_new_zipfile_serialization=zipped), ())
    assert str(array.dtype) == dtype.replace("bfloat16", "float32")
    np.testing.assert_array_equal(array.astype(np.float64), tensor.double().numpy())


@pytest.mark.parametrize("view", [TENSOR.T, TENSOR[::2, 1:], TENSOR[:, None], torch._neg_view(TENSOR)])
def test_views_of_a_tensor(containers, view):
    np.testing.assert_array_equal(containers.read(saved(view), ()), view.resolve_neg().numpy())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        Canary(),
        [Canary()],
        {"features": TENSOR, "more": Canary()},
        {"v1": {"features": TENSOR, "more": Canary()}},
        {"v1": torch.nn.Linear(2, 2)},
    ],
)
def test_a_pickle_that_wants_more_is_refused_and_nothing_runs(containers, content, zipped):
    path = saved(content, _use_new_zipfile_serialization=zipped)
    asks = r"set.pt: contains pickled objects, which can run code and are never loaded: it refers to "
    assert fails(path, containers).startswith(asks)
    assert not Path("hatched").exists()
    if "Linear" not in str(content):
        torch.load(path, weights_only=False)  # the canary is alive
        assert Path("hatched").exists()


def test_the_canary_in_other_wrappings(containers):
    path = Path("set.pt")
    for protocol in (0, 1, 2, 4):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("set/data.pkl", pickle.dumps(Canary(), protocol=protocol))
            archive.writestr("set/version", "3\n")
        fails(path, containers)
    saved(TENSOR, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    start = io.BytesIO(whole)
    for _ in range(2):
        pickle.load(start)
    path.write_bytes(whole[: start.tell()] + pickle.dumps(Canary(), protocol=2))
    assert "it refers to posix.mkdir" in fails(path, containers)
    path.write_bytes(pickle.dumps({"a": ARRAY}))
    assert kind_of(path) is None  # no file of torch: read, and refused, as any pickle
    assert not Path("hatched").exists()


def test_memory_is_not_taken_for_what_a_pickle_asks(containers):
    class Zeros:
        def __reduce__(self):
            return (bytearray, (2**45,))  # torch would allow for it

    assert "it refers to __builtin__.bytearray" in fails({"a": TENSOR, "b": Zeros()}, containers)


def test_a_size_beyond_the_file_is_refused_before_memory_is_taken(containers):
    path = saved(torch.zeros(1000, 4), _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    stated = pickle.dumps(4000, protocol=2)[2:-1]
    assert stated in whole
    path.write_bytes(whole.replace(stated, b"J" + (2**31 - 1).to_bytes(4, "little"), 1))
    assert "is truncated: it declares a size of 2147483647, but has" in fails(path, containers)
    saved(torch.zeros(1000, 4))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part.replace(stated, b"J" + (2**31 - 1).to_bytes(4, "little")))
    assert "set.pt: is damaged: the sizes of its tensors are wrong" in fails(path, containers)


def test_more_than_the_limit(containers, monkeypatch):
    monkeypatch.setattr("vadpipe.published.array_checks.MAX_BYTES", 2**10)
    for zipped in (True, False):
        assert "above the limit of" in fails(
            torch.zeros(100, 100), containers, _use_new_zipfile_serialization=zipped
        )
        containers = Containers()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TENSOR.to_sparse(), "contains a tensor that is sparse, quantized, nested or without data"),
        (quantized(), "contains a tensor that is sparse, quantized"),
        (torch.empty(2, 3, device="meta"), "contains a tensor that is sparse, quantized, nested or without"),
        (TENSOR.to(torch.complex64), "holds complex64, not numbers"),
        (TENSOR > 0, "holds bool, not numbers"),
        (TENSOR[:1].expand(2**40, 8), r"is truncated: its shape \(1099511627776, 8\) needs"),
        ({"a": ARRAY}, "it refers to numpy._core.multiarray._reconstruct"),
        ([TENSOR], "contains a list, not a tensor or a dict of tensors"),
        (3, "contains a int, not a tensor"),
        ({"a": [TENSOR]}, "holds a list as a, not a single tensor"),
        ({"a": {"b": {"c": TENSOR}}}, "holds a dict as a/b, not a single tensor"),
        ({"a": TENSOR, 1: TENSOR, "1": TENSOR}, "holds two tensors as 1, not a single tensor"),
        (torch.nn.Linear(3, 4).state_dict(), r"contains the weights of a network \(weight\), not features"),
        ({"model": torch.nn.Conv1d(3, 4, 1).state_dict()}, r"the weights of a network \(model/weight\)"),
    ],
)
def test_what_is_no_plain_tensor(containers, content, message):
    assert re.search(message, fails(content, containers))


def test_programs_and_packed_archives(containers):
    path = Path("set.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.ones(2)), path)
    assert "contains a TorchScript program, which is never loaded" in fails(path, containers)
    saved(TENSOR)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    assert "is encrypted or compressed, unlike files written by torch" in fails(path, containers)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", parts["set/data.pkl"])
        archive.writestr("b/data.pkl", parts["set/data.pkl"])
    assert "does not have the layout of a torch file" in fails(path, containers)


@pytest.mark.parametrize("zipped", [True, False])
def test_broken_files(containers, zipped):
    path = saved({"a": TENSOR, "b": TENSOR}, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for n_bytes in (len(whole) // 4, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:n_bytes])
        assert fails(path, containers).startswith("set.pt: is ")


def test_numbers_that_are_cut_off_in_an_archive_are_missed(containers):
    saved(TENSOR)
    with zipfile.ZipFile("set.pt") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile("set.pt", "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part[:16] if name.endswith("data/0") else part)
    assert "set.pt: is damaged" in fails(Path("set.pt"), containers)


def test_what_is_gone_or_changed(containers):
    path = saved({"a": TENSOR, "b": TENSOR})
    containers.read(path, ("b",))
    torch.save({"a": TENSOR}, "new.pt")
    Path("new.pt").rename(path)
    with pytest.raises(FeatureError, match="set.pt/b: no longer exists\nRun again"):
        containers.read(path, ("b",))
    np.save("new.npy", ARRAY)
    Path("new.npy").rename(path)
    with pytest.raises(FeatureError, match="set.pt/b: no longer exists\nRun again"):
        containers.read(path, ("b",))
    path.unlink()
    with pytest.raises(FeatureError, match=r"set\.pt: cannot be read: No such file"):
        containers.read(path, ("b",))
