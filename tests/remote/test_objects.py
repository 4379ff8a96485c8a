"""Objects of stores: conditions under which they are written, and what is said where that fails."""

import sys

import pytest

from vadpipe.errors import InputError, OutputError, UsageError
from vadpipe.remote import failures, objects
from vadpipe.remote.address import Address
from vadpipe.remote.failures import TakenError
from vadpipe.remote.objects import State, download, listed, read, remove, state_of, upload


@pytest.fixture(params=["s3", "memory"])
def folder(request):
    """A folder of a store, S3's or the one that fsspec's contract is written for."""
    if request.param == "s3":
        return Address.parse(request.getfixturevalue("bucket").address("folder"))
    request.getfixturevalue("memory")
    return Address.parse("memory://folder")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


def test_an_object_is_written_found_read_and_removed(folder, file, tmp_path):
    address = folder.below("a/b.bin")
    state = upload(file, address, replacing=None)
    assert state.n_bytes == 3
    assert state.version
    assert state_of(address) == state
    assert listed(folder) == {"a/b.bin": state}
    assert listed(address) == {"": state}
    assert read(address) == b"one"
    assert read(address, 2) == b"on"
    assert download(address, tmp_path / "copy", lambda known: None) == state
    assert (tmp_path / "copy").read_bytes() == b"one"
    remove(address)
    remove(address)
    assert state_of(address) is None
    assert listed(folder) == {}


def test_what_another_has_written_is_not_replaced(folder, file):
    address = folder.below("a.bin")
    first = upload(file, address, replacing=None)
    file.write_bytes(b"second")
    with pytest.raises(TakenError):
        upload(file, address, replacing=None)
    second = upload(file, address, replacing=first)
    file.write_bytes(b"third")
    with pytest.raises(TakenError):
        upload(file, address, replacing=first)
    assert read(address) == b"second"
    assert state_of(address) == second
    upload(file, address, replacing=None, always=True)
    assert read(address) == b"third"


@pytest.mark.parametrize("there", [False, True])
def test_the_store_itself_refuses_what_was_written_in_the_same_instant(bucket, file, there):
    address = Address.parse(bucket.address("a.bin"))
    known = upload(file, address, replacing=None) if there else None
    # After this side has asked what is there, and before it writes.
    bucket.store.once(f"PUT /{bucket.name}/a.bin", lambda: bucket.put("a.bin", b"theirs"))
    file.write_bytes(b"ours")
    with pytest.raises(TakenError):
        upload(file, address, replacing=known)
    assert bucket.get("a.bin") == b"theirs"


def test_a_large_object_comes_in_parts_and_whole(bucket, tmp_path):
    objects._filesystem("s3").default_block_size = 2**16
    content = bytes(range(256)) * 2**10
    bucket.put("large.bin", content)
    bucket.store.once(f"GET /{bucket.name}/large.bin", "cut")
    download(Address.parse(bucket.address("large.bin")), tmp_path / "copy", lambda state: None)
    assert (tmp_path / "copy").read_bytes() == content


@pytest.mark.parametrize("fault", ["503", "cut", "short"])
def test_an_upload_is_tried_again(bucket, file, fault):
    bucket.store.once(f"PUT /{bucket.name}/a.bin", fault)
    upload(file, Address.parse(bucket.address("a.bin")), replacing=None, always=True)
    assert bucket.get("a.bin") == b"one"


def test_an_outage_ends_after_five_attempts_and_names_the_next_step(bucket, file):
    bucket.store.faults.append(lambda line: "503")
    address = Address.parse(bucket.address("a.bin"))
    with pytest.raises(OutputError) as caught:
        upload(file, address, replacing=None, always=True)
    assert str(caught.value) == (
        f"{address.path}: cannot be written: the server is too busy\nTry again later; what was finished is kept."
    )
    assert len(bucket.requests("PUT")) == 1 + len(failures.DELAYS_S)


def test_waits_grow_between_attempts(monkeypatch):
    waited = []
    monkeypatch.setattr(failures.time, "sleep", waited.append)

    def fail():
        raise ConnectionResetError

    with pytest.raises(InputError, match="cannot be read: the connection failed"):
        failures.retried(Address.parse("s3://b/x"), fail)
    assert waited == [0.5, 2.0, 8.0, 30.0]


@pytest.mark.parametrize("error", [PermissionError("s3cret"), OSError("Forbidden: https://x?sig=s3cret")])
def test_what_is_denied_is_not_tried_again_and_told_in_our_words(error):
    asked = []

    def ask():
        asked.append(1)
        raise error

    with pytest.raises(InputError) as caught:
        failures.retried(Address.parse("gs://b/x"), ask)
    assert str(caught.value).startswith("gs://b/x: cannot be read: access is denied\nSet GOOGLE_APPLICATION")
    assert len(asked) == 1


def test_missing_credentials_are_told(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(InputError) as caught:
        listed(Address.parse(bucket.address("x")))
    assert str(caught.value) == (
        f"{bucket.address('x')}: cannot be listed: no credentials were found\n"
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and AWS_ENDPOINT_URL if needed."
    )


def test_a_server_that_is_not_there_is_told(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    objects.forget()
    with pytest.raises(InputError, match="cannot be listed: the connection failed\nTry again later"):
        listed(Address.parse(bucket.address("x")))


@pytest.mark.parametrize("module", ["fsspec", "s3fs"])
def test_without_the_extra_it_says_how_to_install_it(bucket, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError) as caught:
        listed(Address.parse(bucket.address()))
    assert str(caught.value) == (
        f"s3:// needs {module}, which is not installed\nRun: pip install 'vadpipe[remote]'"
    )


def test_a_full_disk_is_told(bucket, tmp_path):
    bucket.put("a.bin", b"one")
    address = Address.parse(bucket.address("a.bin"))
    with pytest.raises(OutputError) as caught:
        failures.retried(address, lambda: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert str(caught.value) == (
        f"{address.path}: cannot be kept in the cache meanwhile: No space left on device\n"
        "Free disk space, or set VADPIPE_CACHE."
    )


def test_versions_are_what_the_store_has():
    from vadpipe.remote.objects import _state

    address = Address.parse("gs://b/x")
    assert _state({"size": 1, "generation": "17", "etag": "x"}, address).version == "17"
    assert _state({"size": 1, "ETag": 'W/"abc"'}, address).version == "abc"
    assert _state({"size": 1, "Last-Modified": "Mon"}, address).version == "Mon"
    assert State(1, "a").as_numbers != State(1, "b").as_numbers
