"""A file is absent, old or complete; never half-written."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from support.permissions import permissions_hold
from vadpipe.errors import OutputError
from vadpipe.files.atomic import (
    atomic_path,
    check_writable,
    fitting_name,
    move,
    write_bytes,
    write_text,
)


def test_target_appears_only_at_the_end(tmp_path):
    target = tmp_path / "new folder" / "scores.csv"
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.suffix == ".csv"
    assert target.read_text() == "half"


def test_failed_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    target = tmp_path / "scores.csv"
    write_text(target, "old")
    with pytest.raises(RuntimeError, match="midway"), atomic_path(target) as temporary:
        temporary.write_text("new, but")
        raise RuntimeError("midway")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_results_have_the_permissions_of_ordinary_files(tmp_path):
    write_text(tmp_path / "a.csv", "")
    (tmp_path / "ordinary").touch()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="taken.*cannot be written") as caught:
        write_text(tmp_path / "taken" / "scores.csv", "text")
    assert "-o" in caught.value.next_step
    with pytest.raises(OutputError, match="cannot be written"):
        check_writable(tmp_path / "taken")


def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with permissions_hold(), pytest.raises(OutputError, match="Permission denied"):
        check_writable(tmp_path / "features")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("s3://bucket/head", "s3://bucket/head"),
        ("GS:/bucket/x", "GS://bucket/x"),
        ("https://name:s3cret@host/a?sig=s3cret", "https://host/a"),
    ],
)
def test_no_folder_is_called_like_an_address(given, shown, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError) as caught:
        check_writable(Path(given))
    assert str(caught.value).startswith(
        f"{shown}: is an address, and this is written to local folders only\n"
    )
    Path(given).mkdir(parents=True)  # unless the user has one
    check_writable(Path(given))


def test_looking_whether_a_place_can_be_written_leaves_nothing(tmp_path):
    check_writable(tmp_path / "not" / "yet" / "there")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stem", ["short", "n" * 251, "я" * 200, "😀" * 100])
def test_names_fit_and_stay_apart(stem, tmp_path):
    names = {fitting_name(stem + end, ".scores.csv") for end in ("a", "b")}
    assert len(names) == 2
    for name in names:
        write_text(tmp_path / name, "")
        assert name.endswith(".scores.csv")


def test_no_descriptor_is_left_open(tmp_path):
    before = len([*Path("/proc/self/fd").iterdir()])
    for number in range(3):
        write_text(tmp_path / f"{number}", "text")
        write_bytes(tmp_path / f"{number}", b"bytes")
    with pytest.raises(OutputError):
        write_text(tmp_path / "0/none", "text")
    assert len([*Path("/proc/self/fd").iterdir()]) == before
    assert (tmp_path / "2").read_bytes() == b"bytes"


def test_the_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    target, seen = tmp_path / "a", []
    real = os.fsync
    monkeypatch.setattr(
        "os.fsync", lambda file: (seen.append((os.fstat(file).st_size, target.exists())), real(file))
    )
    write_text(target, "text")
    assert seen == [(4, False)]


def test_the_mask_of_the_process_holds_and_stays(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


@pytest.mark.parametrize("links", [True, False])
def test_a_name_is_taken_only_where_it_is_free(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*arguments):
            raise PermissionError(1, "no links here")

        monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    target = tmp_path / "deep/er/name"
    assert move(tmp_path / "a", target, replacing=False) is True
    assert move(tmp_path / "b", target, replacing=False) is False
    assert (target.read_text(), (tmp_path / "b").read_text()) == ("a", "b")
    assert move(tmp_path / "b", target, replacing=True) is True
    assert target.read_text() == "b"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "er", "name"]


def test_a_name_that_another_takes_in_the_same_instant_is_theirs(tmp_path, monkeypatch):
    for name in ("a", "target"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr("os.path.lexists", lambda path: False)  # it was not there a moment ago
    assert move(tmp_path / "a", tmp_path / "target", replacing=False) is False
    assert ((tmp_path / "target").read_text(), (tmp_path / "a").read_text()) == ("target", "a")


def test_what_cannot_be_moved_or_made_says_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    for replacing in (True, False):
        with pytest.raises(OutputError, match="name: cannot be written: ") as caught:
            move(tmp_path / "file", tmp_path / "file/name", replacing=replacing)
        assert caught.value.next_step == (
            "Choose another location with -o, free disk space, or change the permissions."
        )
    with pytest.raises(OutputError, match="file/a: cannot be written") as caught:
        check_writable(tmp_path / "file/a", next_step="Do something else.")
    assert caught.value.next_step == "Do something else."


def test_names_are_shortened_from_the_first_byte_too_many_on():
    room = 255 - len(".part-12345678")
    assert fitting_name("n" * (room - 4), ".csv") == "n" * (room - 4) + ".csv"
    short = fitting_name("n" * (room - 3), ".csv")
    digest = hashlib.sha256(b"n" * (room - 3)).hexdigest()[:12]
    assert short == "n" * (room - 4 - 13) + f"~{digest}.csv"
    assert len(short) == room
