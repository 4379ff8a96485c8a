"""``vadpipe licenses`` lists every part that is installed, as the parts state it themselves."""

import json
import re
from email.message import Message
from importlib import metadata

import av
import pytest

from support.environment import ROOT
from vadpipe.diagnostics import licences as module
from vadpipe.diagnostics.licences import UNKNOWN, licences
from vadpipe.weights import I3D_INT8, SHIPPED_HEAD
from vadpipe.weights.registry import WEIGHTS


@pytest.fixture(scope="module")
def found():
    return {licence.name: licence for licence in licences()}


def test_included_weights_are_licensed_as_their_cards_say(found):
    for weights in (SHIPPED_HEAD, I3D_INT8):
        card, licence = weights.with_suffix(".md").read_text(), found[weights.stem]
        for name in re.findall(r"Apache-2\.0|MIT", licence.licence):
            assert name in card
        assert licence.detail.startswith("included; ")
        assert weights.with_suffix(".md").name in licence.detail
    assert "licence of this head | Apache-2.0" in SHIPPED_HEAD.with_suffix(".md").read_text()
    assert {name: found[name].licence for name in WEIGHTS} == {
        name: record.licence for name, record in WEIGHTS.items()
    }


def test_no_script_of_others_is_bundled_with_reports(found):
    assert found["scripts and styles of reports"].licence == "Apache-2.0"
    for path in (ROOT / "vadpipe/output/report").glob("*.*s"):
        assert not re.search(r"licen[cs]ed|@license|copyright", path.read_text(), re.IGNORECASE), path


def test_the_ffmpeg_in_a_wheel_is_licensed_as_it_says_itself(found):
    licence = found["FFmpeg in av"]
    assert licence.licence == av._core.library_meta["libavutil"]["license"]
    configuration = av._core.library_meta["libavutil"]["configuration"]
    assert ("version3" in licence.detail) == ("--enable-version3" in configuration)
    assert ("x264" in licence.detail) == ("--enable-libx264" in configuration)
    assert found["FFmpeg in decord2"].version == metadata.version("decord2")


def test_every_dependency_is_listed_and_none_for_development(found):
    dependencies = {name for name, licence in found.items() if licence.kind == "dependency"}
    assert {
        "torch",
        "numpy",
        "typer",
        "av",
        "decord2",
        "openvino",
        "h5py",
        "certifi",
        "urllib3",
    } <= dependencies
    assert not {"pytest", "ruff", "mypy", "hypothesis", "vadpipe"} & dependencies
    assert found["numpy"].version == metadata.version("numpy")
    assert found["av"].licence == metadata.metadata("av")["License-Expression"]
    assert sum(licence.licence == UNKNOWN for licence in found.values()) <= 3


class Package:
    """A package with nothing but metadata."""

    def __init__(self, requires=(), **metadata):
        self.requires, self.metadata, self.name, self.version = requires, headers(metadata), "p", "1"


def dependencies_of(packages, monkeypatch):
    """Return the licences of the dependencies, where these packages alone are installed."""

    def distribution(name):
        if name not in packages:
            raise metadata.PackageNotFoundError(name)
        packages[name].name = name
        return packages[name]

    monkeypatch.setattr(module, "distribution", distribution)
    return [licence for licence in module.licences() if licence.kind == "dependency"]


def headers(fields):
    message = Message()  # as importlib.metadata has it
    for name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            message[name] = value
    return message


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"License-Expression": "MIT", "License": "BSD"}, "MIT"),
        ({"License": "BSD", "Classifier": ["License :: OSI Approved :: MIT License"]}, "BSD"),
        ({"License": "OSI Approved :: BSD License"}, "BSD License"),
        ({"License": "Copyright me\nall of it", "Classifier": ["License :: OSI Approved :: MIT License"]}, "MIT License"),
        ({"License": "UNKNOWN", "Classifier": ["License :: OSI Approved"]}, "UNKNOWN"),
        ({"License": "Copyright me\nall of it"}, "Copyright me"),
        ({}, UNKNOWN),
    ],
)  # fmt: skip
def test_what_metadata_say_is_taken_in_order(monkeypatch, stated, expected):
    packages = {"vadpipe": Package(["p"]), "p": Package(**stated)}
    assert [licence.licence for licence in dependencies_of(packages, monkeypatch)] == [expected]


def test_requirements_are_followed_through_extras_and_circles(monkeypatch):
    packages = {
        "vadpipe": Package(["a>=1", 'b[x]; extra == "cpu"', 'c; extra == "dev"', "gone"]),
        "a": Package(["vadpipe", 'd; extra == "never"']),
        "b": Package(['E_e.f (>=2); python_version > "3" and extra == "x"', 'g; extra == "y"']),
        "e-e-f": Package(["a"]),
    }
    assert [licence.name for licence in dependencies_of(packages, monkeypatch)] == ["a", "b", "e-e-f"]


def test_the_command_prints_them_by_kind_and_as_json(command_line, found):
    done = command_line("licenses")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "vadpipe:"
    assert [line for line in lines if not line.startswith(" ")][1:] == [
        "Scripts of reports:",
        "Weights:",
        "FFmpeg inside the decoders' wheels:",
        "Dependencies:",
    ]
    assert len(lines) == len(found) + 5
    records = json.loads(command_line("licenses", "--json").stdout)
    assert {record["name"]: record["licence"] for record in records} == {
        name: licence.licence for name, licence in found.items()
    }
