"""Heads whose records and headers claim absurd things are refused by name, in little memory."""

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from support.calibrations import make_calibration
from support.feature_files import make_recipe
from support.refusals import refusals
from vadpipe.errors import FeatureError
from vadpipe.head.building import build_head
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.expected_features import expected_recipe
from vadpipe.head.record import HeadRecord
from vadpipe.head.settings import HeadSettings
from vadpipe.weights import SHIPPED_HEAD

METHODS = ("cbcg", "deepmil", "rtfm", "ur-dmu", "bn-wvad", "mgfn")
LIMIT_MB = 150
"""Beyond what reading a good head takes, of which PyTorch is 300 MB."""


def changed(place, **changes):
    """Return what changes a part of a record."""
    return lambda record: json.dumps({**record, place: record[place] | changes})


def extended(text):
    """Return what adds text to a record, before its end."""
    return lambda record: f"{json.dumps(record)[:-1]}, {text}}}"


SETTINGS = {
    f"settings.{name}={value:.0e}": changed("settings", **{name: value})
    for name in ("hidden", "cluster_dim", "queue_batches", "segments", "steps", "batch_bags", "folds")
    for value in (10**9, 10**30)
}
CLAIMS = {
    **SETTINGS,
    "a layer of 65,536": changed("settings", hidden=2**16),
    "a memory of a million": changed("settings", queue_batches=2**20),
    **{f"a wide {method}": changed("settings", method=method, hidden=2**15) for method in METHODS},
    **{f"feature_dim={dim:.0e}": changed("recipe", feature_dim=dim) for dim in (10**6, 10**9, 10**30)},
    "a billion views": changed("recipe", crops=10**9, view="unknown"),
    "pictures of 10^9 px": changed("recipe", resize_px=10**9, input_px=10**9),
    "10^9 frames per second": changed("recipe", fps=1e9),
    "frames per second without end": changed("recipe", target_fps=float("inf")),
    "a mean that is no number": changed("recipe", mean=[float("nan")] * 3),
    "a threshold that is no number": changed("calibration", threshold=float("nan")),
    "a threshold without end": changed("calibration", threshold=float("inf")),
    "a table of thresholds": changed("calibration", threshold=[0.5] * 10**6),
    "100,000 windows": changed("recipe", window_frames=[16] * 100_000),
    "3,000 members": lambda record: json.dumps(record | {"members": [{"seed": 0, "step": 0}] * 3000}),
    "400,000 members": lambda record: json.dumps(record | {"members": [{"seed": 0, "step": 0}] * 400_000}),
    "digests that are none": lambda record: json.dumps(record | {"training_sha256": [0] * 400_000}),
    "lists in lists": lambda _: "[" * 10**6,
    "lists in a record": extended('"x": ' + "[" * 50_000 + "]" * 50_000),
    "empty objects": extended(f'"x": [{"{}, " * 3 * 10**6}0]'),
    "empty lists": extended(f'"x": [{"[], " * 3 * 10**6}0]'),
    "200,000 names": extended(", ".join(f'"{number}": 0' for number in range(200_000))),
}


def make_head(path, **settings) -> None:
    torch.manual_seed(0)
    settings = HeadSettings(hidden=8, cluster_dim=4, **settings)
    network = build_head(torch.zeros(8), torch.ones(8), settings)
    calibration = make_calibration(0.5)
    record = HeadRecord(settings=settings, recipe=make_recipe(), calibration=calibration, seed=3, step=7)
    TrainedHead(network.eval(), record).save(path)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Return what was said of each file that is not as it should be, and how much more memory it took in MB."""
    folder = tmp_path_factory.mktemp("heads")
    make_head(folder / "good")
    tensors = load_file(folder / "good")
    with safe_open(folder / "good", framework="pt") as file:
        written = file.metadata()["vadpipe.head"]
    files = {"good": folder / "good"}
    for what, change in CLAIMS.items():
        files[what] = folder / str(len(files))
        save_file(tensors, files[what], metadata={"vadpipe.head": change(json.loads(written))})
    files["tensors of another kind"] = folder / "foreign"
    many = {f"{number}": torch.zeros(0) for number in range(250_000)}
    save_file(many, files["tensors of another kind"], metadata={"vadpipe.head": written})
    for what, header in HEADERS.items():
        files[what] = folder / str(len(files))
        files[what].write_bytes(header + bytes(64))
    told = refusals(
        "from pathlib import Path; from vadpipe.head.checkpoint import TrainedHead",
        "TrainedHead.load(Path(path))",
        files.values(),
    )
    (said, usual_mb), *_ = told
    assert said is None
    return {what: (text, files[what], mb - usual_mb) for what, (text, mb) in zip(files, told, strict=True)}


def header(tensors):
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


HEADERS = {
    "a header of 10^15 bytes": struct.pack("<Q", 10**15),
    "a header of 80 MB": struct.pack("<Q", 80 * 10**6) + b"{" + b" " * 80 * 10**6,
    "a tensor beyond the file": header({"x": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}),
    "a tensor longer than its place": header({"x": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 64]}}),
    "tensors one upon the other": header(
        {name: {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]} for name in ("x", "y")}
    ),
    "a tensor that ends before it begins": header(
        {"x": {"dtype": "F32", "shape": [4], "data_offsets": [64, 48]}}
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", [*CLAIMS, *HEADERS, "tensors of another kind"])
def test_absurd_claims_are_refused_in_little_memory(hostile, what):
    said, path, more_mb = hostile[what]
    assert said is not None
    assert said.startswith(f"{path}: is not a vadpipe head, or is damaged\n")
    assert more_mb < LIMIT_MB


@pytest.mark.parametrize("method", METHODS)
def test_a_head_is_read_as_it_was_written(tmp_path, method):
    """Though it is built without numbers: none is left out, and none is that of another type."""
    make_head(tmp_path / "head", method=method)
    network, written = TrainedHead.load(tmp_path / "head").network, load_file(tmp_path / "head")
    assert not network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    read = network.state_dict()
    assert read.keys() == written.keys()
    for name, tensor in written.items():
        assert (read[name].dtype, read[name].device.type) == (tensor.dtype, "cpu")
        assert torch.equal(read[name], tensor)
    for tensor in (*network.parameters(), *network.buffers()):
        assert not tensor.is_meta


def test_the_numbers_of_a_head_stay_when_its_file_does_not(tmp_path):
    make_head(tmp_path / "head")
    before = TrainedHead.load(tmp_path / "head").network.state_dict()
    expected = {name: tensor.clone() for name, tensor in before.items()}
    content = (tmp_path / "head").read_bytes()
    (tmp_path / "head").write_bytes(bytes(len(content)))  # in place
    assert all(torch.equal(tensor, expected[name]) for name, tensor in before.items())


@pytest.mark.parametrize("what", ["lists in lists", "lists in a record", "a billion views", "200,000 names"])
def test_the_features_that_a_hostile_head_expects(tmp_path, what):
    make_head(tmp_path / "head")
    with safe_open(tmp_path / "head", framework="pt") as file:
        record = json.loads(file.metadata()["vadpipe.head"])
    save_file(load_file(tmp_path / "head"), tmp_path / "bad", metadata={"vadpipe.head": CLAIMS[what](record)})
    with pytest.raises(FeatureError, match="bad: is not a vadpipe head, or is damaged"):
        expected_recipe(tmp_path / "bad")


def test_the_included_head_keeps_to_these_limits():
    assert expected_recipe(Path(SHIPPED_HEAD)) == TrainedHead.load(SHIPPED_HEAD).record.recipe
