"""A store in memory."""

import pytest

from vadpipe.remote import failures, objects


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
