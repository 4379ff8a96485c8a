"""Files on web servers, over TLS and with faults."""

import hashlib
from base64 import b64encode

import pytest

from vadpipe.errors import InputError, OutputError
from vadpipe.remote.address import Address
from vadpipe.remote.objects import download, state_of, upload

BODY = bytes(range(256)) * 1000


@pytest.fixture
def clip(web):
    """The address of a file of the server."""
    web.files["/a/clip.mp4"] = BODY
    web.headers["ETag"] = '"one"'
    return Address.parse(f"https://name:s3cret@{web.host}/a/clip.mp4?X-Amz-Signature=s3cret&id=7")


def fetched(address, tmp_path):
    state = download(address, tmp_path / "file", lambda state: None)
    return state, (tmp_path / "file").read_bytes()


def test_a_file_is_fetched_whole_with_its_query(web, clip, tmp_path):
    state, content = fetched(clip, tmp_path)
    assert content == BODY
    assert (state.n_bytes, state.version) == (len(BODY), "one")
    assert {line.partition(" ")[2] for line in web.requests} == {"/a/clip.mp4?X-Amz-Signature=s3cret&id=7"}


@pytest.mark.parametrize("fault", [500, 503, 429, 408, "cut"])
def test_what_may_pass_is_tried_again(web, clip, tmp_path, fault):
    web.faults = [fault]
    assert fetched(clip, tmp_path)[1] == BODY


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (503, "cannot be read: the server answers 503\nTry again later; what was finished is kept."),
        (403, "cannot be read: access is denied\nCheck the address; one that is signed may have expired."),
        (410, "cannot be read: the server answers 410\nCheck the address."),
        (
            "cut",
            "cannot be read: the connection broke off in the middle\nTry again later; what was finished is kept.",
        ),
    ],
)
def test_what_stays_is_told_without_a_secret(web, clip, tmp_path, fault, told):
    web.faults = [fault] * 99
    with pytest.raises(InputError) as caught:
        fetched(clip, tmp_path)
    assert str(caught.value) == f"https://{web.host}/a/clip.mp4: {told}"
    assert caught.value.__context__ is None  # of which a traceback would show the address
    assert not (tmp_path / "file").exists()
    assert len([line for line in web.requests if line.startswith("GET")]) == (
        5 if fault in (503, "cut") else 1
    )


def test_a_missing_file_is_no_failure_of_the_server(web, clip):
    assert state_of(Address.parse(f"https://{web.host}/none.mp4")) is None


def test_a_server_that_forbids_to_ask_is_asked_as_for_the_file(web, clip, tmp_path):
    web.no_head = True
    assert fetched(clip, tmp_path)[1] == BODY


def test_a_live_stream_has_no_length_and_is_refused(web, clip, tmp_path):
    web.no_head, web.faults = True, ["no length"] * 9
    with pytest.raises(InputError, match="does not say how long it is, as a live stream does not"):
        fetched(clip, tmp_path)


def test_a_checksum_is_compared(web, clip, tmp_path):
    web.headers["Content-MD5"] = b64encode(hashlib.md5(BODY).digest()).decode()
    assert fetched(clip, tmp_path)[0].md5 == hashlib.md5(BODY).hexdigest()
    web.files["/a/clip.mp4"] = BODY[:-1] + b"x"
    with pytest.raises(InputError, match="the content does not have the checksum that the store states"):
        fetched(clip, tmp_path)


def test_a_redirection_without_encryption_is_not_followed(web, clip, tmp_path):
    web.redirect = f"http://{web.host}/a/clip.mp4"
    with pytest.raises(InputError, match="cannot be read: it leads to an address without encryption"):
        fetched(clip, tmp_path)


def test_a_certificate_that_nobody_trusts_is_refused(web, clip, tmp_path, monkeypatch):
    from vadpipe.remote import objects

    monkeypatch.delenv("SSL_CERT_FILE")
    objects.forget()
    with pytest.raises(InputError, match="the certificate of the server was not accepted"):
        fetched(clip, tmp_path)


def test_nothing_is_written_to_a_web_server(web, clip, tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(OutputError, match="web servers are only read from"):
        upload(tmp_path / "file", clip, replacing=None)
    assert web.requests == []
