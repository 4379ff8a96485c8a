"""The scripts in ``benchmarks/`` can be imported by name."""

import pytest

from support.environment import ROOT


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
