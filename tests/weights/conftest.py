"""An empty cache, and a server that publishes weights."""

import pytest

from support.weights_files import published_file
from support.weights_server import Server


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache, and no proxy between the test and its server."""
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("VADPIPE_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server():
    with Server(published_file()) as running:
        yield running
