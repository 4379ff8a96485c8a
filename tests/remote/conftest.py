"""Fixtures for remote files: a web server, and a store in memory."""

import os

import pytest

from support.https_server import HttpsServer, certificate
from vadpipe.remote import failures, objects


@pytest.fixture(scope="session")
def certificate_file(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def web(certificate_file, monkeypatch):
    """A web server that clients trust, and no waits between attempts."""
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate_file))
    monkeypatch.setattr(failures, "DELAYS_S", (0.0,) * 4)
    objects.forget()
    with HttpsServer(certificate_file) as server:
        yield server
    objects.forget()


@pytest.fixture
def memory(monkeypatch):
    """fsspec's own file system in memory, as a scheme."""
    from vadpipe.remote import address

    monkeypatch.setitem(address.SCHEMES, "memory", "fsspec")
    monkeypatch.setattr(failures, "DELAYS_S", (0.0,) * 4)
    objects.forget()
    import fsspec

    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    objects.forget()
