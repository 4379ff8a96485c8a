"""--ray, whose address may be left out."""

import pytest

from vadpipe.cli.ray_option import with_address


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["v/", "--ray"], ["v/", "--ray=auto"]),
        (["--ray", "v/"], ["--ray=auto", "v/"]),
        (["--ray", "-o", "f", "v/"], ["--ray=auto", "-o", "f", "v/"]),
        (["v/", "--ray", "head.example:6379"], ["v/", "--ray", "head.example:6379"]),
        (["--ray", "local", "v/"], ["--ray", "local", "v/"]),
        (["--ray=10.0.0.1:6379", "v/"], ["--ray=10.0.0.1:6379", "v/"]),
        (["--", "--ray"], ["--", "--ray"]),
    ],
)
def test_only_what_looks_like_an_address_is_one(given, read):
    assert with_address(given) == read


@pytest.mark.parametrize("command", ["extract", "score"])
def test_cpus_alone_are_refused(tmp_path, command_line, command):
    done = command_line(command, tmp_path, "--ray-cpus", 2)
    assert done.exit_code == 1
    assert str(done.exception) == "--ray-cpus has no effect without --ray\nAdd --ray."


@pytest.mark.parametrize("command", ["extract", "score"])
def test_an_address_is_checked_before_the_work(tmp_path, command_line, command):
    done = command_line(command, tmp_path, "--ray=nonsense/here")
    assert "'nonsense/here' is not the address of a Ray cluster" in str(done.exception)
