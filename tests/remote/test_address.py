"""Addresses: what they name, how they are shown, and what identifies them."""

import pickle
from pathlib import Path

import pytest

from vadpipe.errors import UsageError
from vadpipe.remote.address import Address, AddressPath, shown


@pytest.mark.parametrize(
    ("text", "path", "parts"),
    [
        ("s3://bucket/videos/a.mp4", "s3://bucket/videos/a.mp4", ("bucket", "videos", "a.mp4")),
        ("s3:/bucket/videos/", "s3://bucket/videos", ("bucket", "videos")),  # as a path has it
        ("GS://bucket", "gs://bucket", ("bucket",)),
        ("az://c/../../etc/x.mp4", "az://c/%2E%2E/%2E%2E/etc/x.mp4", ("c", "%2E%2E", "%2E%2E", "etc", "x.mp4")),
        ("s3://b//x/./y.mp4", "s3://b/x/%2E/y.mp4", ("b", "x", "%2E", "y.mp4")),
        ("https://Me:s3cret@H.org:8/v/my%20clip.mp4?sig=s3cret#t", "https://h.org:8/v/my clip.mp4", ("h.org:8", "v", "my clip.mp4")),
        ("s3://b/a\nb\x1b[31m.mp4", "s3://b/a%0Ab%1B[31m.mp4", ("b", "a%0Ab%1B[31m.mp4")),
        ("https://h.org/a%2F..%2Fb.mp4", "https://h.org/a%2F..%2Fb.mp4", ("h.org", "a%2F..%2Fb.mp4")),
    ],
)  # fmt: skip
def test_what_an_address_is_called(text, path, parts):
    address = Address.parse(text)
    assert (str(address.path), address.parts) == (path, parts)
    assert "s3cret" not in repr(address)
    assert str(shown(text)) == str(shown(Path(path))) == path


@pytest.mark.parametrize(
    "text", ["videos/a.mp4", "C:/a.mp4", "http://h.org/a.mp4", "rtsp://cam/1", "s3:", "s3://"]
)
def test_what_is_none(text):
    assert Address.parse(text) is None


def test_a_folder_that_is_called_so_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:/bucket").mkdir(parents=True)
    assert Address.parse("s3://bucket") is None


def test_a_password_in_the_address_of_a_bucket_is_refused_and_not_shown():
    with pytest.raises(UsageError, match="^s3://bucket/x: holds a name or a password\n") as caught:
        Address.parse("s3://key:s3cret@bucket/x")
    assert "s3cret" not in str(caught.value)


def test_the_place_of_a_file_is_the_same_whatever_signs_it():
    base = "https://h.org/a.mp4"
    plain = Address.parse(base).place
    for query in (
        "X-Amz-Signature=1&X-Amz-Date=2",
        "sv=2024&sig=abc&se=2026",
        "Expires=1&Signature=2&Key-Pair-Id=3",
    ):
        assert Address.parse(f"{base}?{query}").place == plain
    others = {Address.parse(f"{base}?id={number}&sig=x").place for number in range(3)}
    assert len({plain, *others}) == 4
    assert Address.parse("https://me:pw@h.org/a.mp4").place == plain


def test_a_path_of_an_address_survives_what_paths_go_through():
    path = AddressPath("s3://bucket/features")
    assert str(path / "a/b.mp4") == "s3://bucket/features/a/b.mp4"
    assert str(pickle.loads(pickle.dumps(path))) == "s3://bucket/features"
    assert f"{path.with_name('x')}" == "s3://bucket/x"
