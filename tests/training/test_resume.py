"""The state of a training: what is put comes back, damage is noticed, and nothing in it is run."""

import hashlib
import io
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.errors import OutputError
from vadpipe.training.resume import EVERY_S, Resume, code_digest, has_state


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


def test_whether_there_is_a_state_of_that_training_is_known_without_reading_on(tmp_path):
    path = tmp_path / "state"
    assert has_state(path, "key") is False
    Resume(path, "key").put("part", 1, now=True)
    assert has_state(path, "key") is True
    assert has_state(path, "other") is False
    path.write_bytes(path.read_bytes()[:-1])
    assert has_state(path, "key") is False
    assert has_state(tmp_path, "key") is False


def test_a_state_of_another_training_is_left_and_said(tmp_path, caplog):
    caplog.set_level("INFO", logger="vadpipe")
    Resume(tmp_path / "state", "key").put("part", 1, now=True)
    assert Resume(tmp_path / "state", "other").get("part") is None
    assert caplog.messages == [f"{tmp_path}/state: belongs to another training; restarting"]
    assert Resume(tmp_path / "state", "key").get("part") == 1


def test_it_begins_with_the_digest_of_the_rest_and_holds_no_key_in_clear(tmp_path):
    Resume(tmp_path / "state", "secret key").put("part", 1, now=True)
    written = (tmp_path / "state").read_bytes()
    assert written[:32] == hashlib.sha256(written[32:]).digest()
    assert b"secret key" not in written
    content = torch.load(io.BytesIO(written[32:]), weights_only=True)
    assert content == {"key": hashlib.sha256(b"secret key").hexdigest(), "parts": {"part": 1}}


def test_warnings_of_a_damaged_state_are_not_the_users(tmp_path, recwarn):
    body = io.BytesIO()
    torch.save({"key": "k"}, body)  # without parts
    (tmp_path / "state").write_bytes(hashlib.sha256(body.getvalue()).digest() + body.getvalue())
    assert Resume(tmp_path / "state", "k").get("part") is None
    assert [*recwarn] == []


def test_the_code_that_makes_a_head_has_a_digest(tmp_path, monkeypatch):
    monkeypatch.setattr("vadpipe.training.resume.PACKAGE_FOLDER", tmp_path)
    for name in (
        "features/a.py",
        "head/b.py",
        "head/peers/c.py",
        "curves/d.py",
        "training/e.py",
        "output/f.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    digests = [code_digest()]
    assert len(digests[0]) == 64
    (tmp_path / "output/f.py").write_text("changed")
    (tmp_path / "head/note.txt").write_text("new")
    assert code_digest() == digests[0]
    for name in ("features/a.py", "head/b.py", "head/peers/c.py", "curves/d.py", "training/e.py"):
        (tmp_path / name).write_text("changed")
        digests.append(code_digest())
    monkeypatch.setattr("torch.__version__", "9.9")
    digests.append(code_digest())
    assert len({*digests}) == 7


def test_it_is_written_every_twenty_seconds_unless_another_time_is_given(tmp_path, monkeypatch):
    now_s = 0.0
    monkeypatch.setattr("vadpipe.training.resume.time.monotonic", lambda: now_s)
    resume = Resume(tmp_path / "state", "key")
    for now_s, there in ((19.9, False), (20.0, True)):  # noqa: B007
        resume.put("part", 1)
        assert (tmp_path / "state").exists() is there
    assert EVERY_S == 20
