"""The state of a training: what is put comes back, damage is noticed, and nothing in it is run."""

import hashlib
import io
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.errors import OutputError
from vadpipe.training.resume import Resume


def test_a_state_that_cannot_be_read_starts_anew(tmp_path, caplog):
    (tmp_path / "state").mkdir()
    assert Resume(tmp_path / "state", "key").get("part") is None
    assert "state: cannot be read; restarting the training (Is a directory)" in caplog.text


def test_it_gives_back_what_was_put(tmp_path):
    part = {"tensor": torch.arange(3.0), "list": [1, (2, None, "text")], "number": 0.1}
    Resume(tmp_path / "state", "key").put("part", part, now=True)
    again = Resume(tmp_path / "state", "key")
    found = again.get("part")
    assert torch.equal(found["tensor"], part["tensor"])
    assert (found["list"], found["number"]) == (part["list"], part["number"])
    assert again.get("other") is None
    again.drop("part")
    again.drop("never there")
    again.put("other", 1, now=True)
    third = Resume(tmp_path / "state", "key")
    assert (third.get("part"), third.get("other")) == (None, 1)


def test_it_is_written_when_it_is_time(tmp_path, monkeypatch):
    now_s = 100.0
    monkeypatch.setattr("vadpipe.training.resume.time.monotonic", lambda: now_s)
    resume = Resume(tmp_path / "state", "key", every_s=20)
    written = []
    for step, now_s in enumerate((100, 119, 120, 121, 139, 141, 190)):  # noqa: B007
        resume.put("step", step)
        written.append(Resume(tmp_path / "state", "key").get("step"))
    assert written == [None, None, 2, 2, 2, 5, 6]


def test_without_a_file_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resume = Resume(None, "key", every_s=0)
    resume.put("part", 1, now=True)
    assert resume.get("part") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="state: cannot be written"):
        Resume(tmp_path / "file" / "state", "key", every_s=0).put("part", 1)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "state"
    Resume(path, "key").put("part", torch.arange(20.0), now=True)
    return path, path.read_bytes()


@given(data=st.data())
def test_no_damage_passes(written, data):
    path, whole = written
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ 1 << data.draw(st.integers(0, 7))]) + whole[at + 1 :]
    path.write_bytes(data.draw(st.sampled_from([flipped, whole[:at], whole + whole[: at + 1]])))
    assert Resume(path, "key").get("part") is None
    path.write_bytes(whole)
    assert torch.equal(Resume(path, "key").get("part"), torch.arange(20.0))


def test_nothing_in_it_is_run(tmp_path, caplog):
    """Even where the digest fits."""

    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    body = io.BytesIO()
    torch.save({"key": "k", "parts": {"part": Runs()}}, body)
    (tmp_path / "state").write_bytes(hashlib.sha256(body.getvalue()).digest() + body.getvalue())
    assert Resume(tmp_path / "state", "k").get("part") is None
    assert "state: is damaged; restarting the training" in caplog.text
    assert not (tmp_path / "ran").exists()
