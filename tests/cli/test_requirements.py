"""Packages that are older than the lower bounds are refused before anything is loaded."""

import configparser
import re
import subprocess
import sys
from importlib import metadata

import pytest

import vadpipe
from support.environment import ROOT
from vadpipe.diagnostics import environment, requirements
from vadpipe.errors import UsageError


@pytest.fixture
def installed(monkeypatch):
    """Return what sets the versions that are installed."""
    requirements.check_requirements.cache_clear()
    yield lambda **versions: monkeypatch.setattr(metadata, "version", versions.__getitem__)
    requirements.check_requirements.cache_clear()


def test_the_bounds_are_those_of_the_package():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    declared = dict(
        re.findall(r"^(numpy|torch)>=([\d.]+)$", parser["options"]["install_requires"], re.MULTILINE)
    )
    assert requirements.lower_bounds() == declared
    page = (ROOT / "docs/install.md").read_text()
    for name, bound in declared.items():
        assert f"| {name} | {bound} |" in page


@pytest.mark.parametrize("versions", [("2.0.0", "2.10.0"), ("2.4.6", "2.14.1+cpu"), ("3", "10.0")])
def test_what_is_new_enough_passes(installed, versions):
    installed(numpy=versions[0], torch=versions[1])
    requirements.check_requirements()


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        (
            ("1.26.4", "2.12.0"),
            "numpy 1.26.4 is installed, but vadpipe needs 2 or newer\nRun: pip install 'numpy>=2'. Where",
        ),
        (
            ("2.1.0", "2.9.1+cu128"),
            "torch 2.9.1+cu128 is installed, but vadpipe needs 2.10 or newer\nRun: pip install 'torch>=2.10'.",
        ),
    ],
)
def test_an_older_one_is_refused_with_the_command(installed, command_line, versions, message):
    installed(numpy=versions[0], torch=versions[1])
    with pytest.raises(UsageError) as caught:
        requirements.check_requirements()
    assert message in str(caught.value)
    with pytest.raises(UsageError):
        _ = vadpipe.Curve
    assert vadpipe.VadpipeError is not None  # it can be caught
    result = command_line("fit")
    assert isinstance(result.exception, UsageError)
    old = next(iter(requirements.too_old()))
    assert environment.environment()[old].endswith(
        f", too old: vadpipe needs {requirements.lower_bounds()[old]} or newer"
    )


def test_a_source_tree_that_is_not_installed_is_not_checked(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    assert requirements.lower_bounds() == {}


def test_the_check_loads_neither():
    code = (
        "import sys; from vadpipe.diagnostics.requirements import check_requirements; check_requirements(); "
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
