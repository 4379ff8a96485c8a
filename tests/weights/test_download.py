"""Weights that are published by address are fetched whole or not at all, verified, and pinned."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from filelock import FileLock

from support.environment import ROOT
from support.waiting import LONG_S
from support.weights_files import (
    Runs,
    assert_is,
    assert_three_lines,
    flip,
    make_state,
    names,
    published_file,
    saved,
    sha256,
)
from vadpipe.errors import OutputError, WeightsError
from vadpipe.weights import cache, download, layout, registry
from vadpipe.weights import cache_lock as locking

pytestmark = pytest.mark.usefixtures("folder")


def test_weights_are_fetched_once_and_pinned(server, folder):
    record = server.record()
    assert cache.known_digest(record) is None
    assert cache.location(record) is None
    ready = cache.ready(record)
    assert_is(ready, server.body, make_state())
    assert cache.ready(record) == ready
    assert server.n_requests == 1
    assert cache.known_digest(record) == ready.sha256
    assert cache.location(record) == ready.path
    assert cache.known_size(record) == len(server.body)
    pin = json.loads(layout.pin_file(record).read_text())
    assert pin.pop("date")
    assert pin == {
        "schema_version": 1,
        "name": "net-kinetics-400",
        "url": server.url,
        "sha256": sha256(server.body),
        "n_bytes": len(server.body),
    }


def test_another_file_is_refused_until_the_pin_is_deleted(server, folder):
    record = server.record()
    old = cache.ready(record)
    old.path.unlink()
    server.body = published_file(seed=1)
    with pytest.raises(WeightsError, match="is not the pinned file of net-kinetics-400") as caught:
        cache.ready(record)
    assert_three_lines(caught.value)
    for part in (server.url, old.sha256[:16], sha256(server.body)[:16], str(layout.pin_file(record))):
        assert part in str(caught.value)
    assert (folder / "NET.pyth.bad").read_bytes() == server.body
    assert not layout.kept(record)
    layout.pin_file(record).unlink()
    assert_is(cache.ready(record), server.body, make_state(seed=1))
    assert cache.known_digest(record) == sha256(server.body)


def test_one_flipped_bit_of_a_known_file_is_noticed(server, folder):
    good = server.body
    record = server.record(sha256=sha256(good), n_bytes=len(good))
    for position in (0, len(good) // 2, len(good) - 1):
        server.body = flip(good, position)
        with pytest.raises(WeightsError, match=rf"sha256 {sha256(server.body)[:16]}…, expected") as caught:
            cache.ready(record)
        assert_three_lines(caught.value)
        assert names(folder) == ["NET.pyth.bad"]
    server.body = good
    assert_is(cache.ready(record), good, make_state())
    assert not layout.pin_file(record).exists()  # the registry knows the digest already


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "HTTP 403 Forbidden"),
        (404, "HTTP 404 Not Found"),
        (500, "HTTP 500 Internal Server Error"),
        (204, "HTTP 204"),
    ],
)
def test_what_the_server_says_is_told_with_the_next_step(server, folder, status, reason):
    server.status = status
    with pytest.raises(WeightsError) as caught:
        cache.ready(server.record())
    assert str(caught.value).startswith(f"{server.url}: could not be fetched: {reason}")
    assert caught.value.next_step == (
        f"Download it elsewhere and save it as {folder / 'NET.pyth'}, or pass it with --weights FILE."
    )
    assert names(folder) == []


def test_a_body_that_stalls_ends_in_an_error(server, folder, monkeypatch):
    monkeypatch.setattr(download, "READ_TIMEOUT_S", 0.3)
    server.stall = True
    with pytest.raises(
        WeightsError, match=r"could not be fetched: no data for 0\.3 s\nDownload it elsewhere"
    ):
        cache.ready(server.record())
    assert names(folder) == []


def test_a_server_that_does_not_answer_ends_in_an_error(folder, monkeypatch, server):
    monkeypatch.setattr(download, "READ_TIMEOUT_S", 0.2)
    server.delay_s = 1.0
    with pytest.raises(WeightsError, match=r"could not be fetched: no data for 0\.2 s\n"):
        cache.ready(server.record())


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_connection_that_is_cut_leaves_nothing_and_starts_clean(server, folder, share):
    server.cut_after = int(share * len(server.body))
    with pytest.raises(
        WeightsError, match="could not be fetched: the connection was closed before the end\n"
    ):
        cache.ready(server.record())
    assert names(folder) == []
    server.cut_after = None
    assert_is(cache.ready(server.record()), server.body, make_state())


def test_no_server_at_all(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/NET.pyth"
        with pytest.raises(WeightsError, match="could not be fetched: no connection to the server\n"):
            cache.ready(registry.UrlWeights("net", url, "NET.pyth", "none", "none"))


@pytest.mark.parametrize("change", [-1, 1])
def test_the_size_has_to_be_the_known_one(server, change):
    record = server.record(sha256=sha256(server.body), n_bytes=len(server.body) + change)
    with pytest.raises(WeightsError, match="could not be fetched: the server sent .* bytes"):
        cache.ready(record)


def test_an_endless_body_is_not_read_to_the_end(server, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 100)
    with pytest.raises(WeightsError, match="the server sent more than 100 bytes"):
        cache.ready(server.record())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>Please log in</html>", "is not a weights file that can be loaded safely"),
        (saved({"model_state": {"weight": Runs(os.system, "touch canary")}}), "can be loaded safely"),
        (saved({"model_state": {}}), "has no state dict"),
        (saved({"epoch": 3}), "contains something other than a plain tensor: 'epoch'"),
    ],
    ids=["page", "hostile", "empty", "no tensors"],
)
def test_what_is_no_state_dict_is_neither_pinned_nor_kept(
    server, folder, tmp_path, monkeypatch, body, reason
):
    monkeypatch.chdir(tmp_path)
    server.body = body
    with pytest.raises(WeightsError, match=reason) as caught:
        cache.ready(server.record())
    assert caught.value.file == server.url
    assert f"kept as {folder / 'NET.pyth.bad'}" in caught.value.next_step
    assert_three_lines(caught.value)
    assert names(folder) == ["NET.pyth.bad"]
    assert not (tmp_path / "canary").exists()


def test_a_cache_that_cannot_be_written_is_found_before_the_download(server, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="file: cannot be written.*\nSet VADPIPE_CACHE"):
        cache.ready(server.record())
    assert server.n_requests == 0


def test_a_process_that_never_ends_its_download_is_named(server, folder, monkeypatch):
    monkeypatch.setattr(locking, "WAIT_S", 0.1)
    folder.mkdir()
    with (
        FileLock(folder / ".net-kinetics-400.lock"),
        pytest.raises(WeightsError, match="another process has been fetching net-kinetics-400") as caught,
    ):
        cache.ready(server.record())
    assert_three_lines(caught.value)
    assert server.n_requests == 0


def start_fetching(server, folder):
    code = (
        "import sys; from vadpipe.weights import cache, registry;"
        "print(cache.ready(registry.UrlWeights(sys.argv[1], sys.argv[2], 'NET.pyth', '', '')).sha256)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "net-kinetics-400", server.url],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_processes_that_fetch_at_once_share_one_download(server, folder):
    server.delay_s = 2.0
    running = [start_fetching(server, folder) for _ in range(2)]
    found = {process.communicate(timeout=LONG_S)[0].strip() for process in running}
    assert found == {sha256(server.body)}
    assert server.n_requests == 1
    assert_is(cache.ready(server.record(), offline=True), server.body, make_state())


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_fetches_is_in_nobodys_way(server, folder):
    server.stall = True
    process = start_fetching(server, folder)
    assert server.requested.wait(LONG_S)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LONG_S)
    assert names(folder) == []
    server.stall = False
    assert_is(cache.ready(server.record()), server.body, make_state())
    assert not list(folder.glob(".part-*"))
