"""A file is absent, old or complete; never half-written."""

import stat

import pytest

from support.permissions import permissions_hold
from vadpipe.errors import OutputError
from vadpipe.files.atomic import atomic_path, check_writable, fitting_name, write_text


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
