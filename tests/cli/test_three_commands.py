"""Extract, fit and score in one process that has imported nothing yet: no network, and the bytes of the API."""

import json
import os
import signal
import subprocess
import sys

import pytest

import vadpipe
from support.head_settings import QUICK
from support.videos import write_video
from vadpipe.output.formats import parse_formats

# Python imports this in every process that it finds it in the path of: it notes what asks for the network.
NOTING = """
import os, socket, sys

def note(event, arguments):
    asks = event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
    if asks or (event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6)):
        with open(os.environ["NOTED"], "a") as file:
            file.write(f"{event} {arguments[1:]}\\n")

sys.addaudithook(note)
"""

# Whatever opens an internet socket past Python is killed by the kernel, and so is what it starts.
KILLING = """
import ctypes, struct

class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06  # of classic BPF
socket_call = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
code = b"".join(struct.pack("=HBBI", *step) for step in [
    (LOAD, 0, 0, 0),  # the number of the call
    (JUMP_EQUAL, 0, 4, socket_call),
    (LOAD, 0, 0, 16),  # its first argument
    (JUMP_EQUAL, 1, 0, 2),  # AF_INET
    (JUMP_EQUAL, 0, 1, 10),  # AF_INET6
    (RETURN, 0, 0, 0x80000000),  # killed
    (RETURN, 0, 0, 0x7FFF0000),  # allowed
])
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges
assert libc.prctl(22, 2, ctypes.byref(Program(len(code) // 8, code))) == 0
"""

COMMANDS = """
import json, os, sys
{killing}
from vadpipe.cli import app
for arguments in json.loads(sys.argv[1]):
    assert not app(arguments, standalone_mode=False), arguments
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Return what runs a program that is watched, and the folder in which it runs and is written of."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "path").mkdir()
    (folder / "path/sitecustomize.py").write_text(NOTING)
    (folder / "home").mkdir()
    (folder / "noted").touch()
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {
        "NOTED": str(folder / "noted"),
        "HOME": str(folder / "home"),
        "VADPIPE_CACHE": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join([str(folder / "path"), os.environ["PYTHONPATH"]]),
    }

    def run(program, *arguments):
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    return run, folder


OUTPUTS = vadpipe.Outputs(formats=parse_formats("all"), plot="png", report=True)


@pytest.fixture(scope="module")
def three_commands(watched, x3d_weights):
    """A folder in which they were run in their bare forms, with an empty cache."""
    run, folder = watched
    for name, size in (("normal/a", (160, 120)), ("fight/b", (120, 160))):
        write_video(folder / f"videos/{name}.mp4", 32, size=size)
    write_video(folder / "clip.mp4", 40)
    (folder / "quick.json").write_text(QUICK.model_dump_json())
    weights = ["--weights", str(x3d_weights)]
    commands = [
        ["extract", "videos", "--backbone", "x3d_xs", *weights],
        ["fit", "--settings", "quick.json"],
        [
            "score",
            "clip.mp4",
            "--head",
            "head",
            *weights,
            "-o",
            "out",
            "--format",
            "all",
            "--plot",
            "--report",
        ],
    ]
    done = run(COMMANDS.format(killing=KILLING), json.dumps(commands))
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_asks_for_the_network(three_commands):
    assert (three_commands / "noted").read_text() == ""
    assert not (three_commands / "home/intel").exists()  # where OpenVINO's telemetry keeps its number
    assert {path.suffix for path in (three_commands / "out").iterdir()} >= {".csv", ".html", ".png"}


def test_what_asks_for_the_network_is_noted_and_what_opens_a_socket_is_killed(watched):
    run, folder = watched
    before = (folder / "noted").read_text()
    run("import socket; socket.socket(); socket.getaddrinfo('127.0.0.1', 80)")
    noted = (folder / "noted").read_text().removeprefix(before).splitlines()
    assert [line.split()[0] for line in noted] == ["socket.__new__", "socket.getaddrinfo"]
    (folder / "noted").write_text(before)
    opening = "libc.socket(1, 1, 0); print('still here', flush=True); libc.socket(2, 1, 0)"
    done = run(f"import os\n{KILLING}\n{opening}")
    assert (done.returncode, done.stdout) == (-signal.SIGSYS, "still here\n")


def contents(folder, *suffixes):
    return {
        path.name: path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in suffixes and path.name != "run.json"
    }


def test_the_api_writes_the_same_bytes_in_another_process(three_commands, tmp_path, monkeypatch, x3d_weights):
    monkeypatch.chdir(three_commands)
    monkeypatch.setenv("VADPIPE_CACHE", str(three_commands / "cache"))
    settings = vadpipe.ExtractSettings(backbone="x3d_xs", weights=x3d_weights)
    vadpipe.extract_features(["videos"], tmp_path / "features", settings=settings)
    mine, theirs = (contents(place / "features", ".safetensors") for place in (tmp_path, three_commands))
    assert (len(mine), mine) == (2, theirs)
    head = vadpipe.fit("features", output=tmp_path / "head", settings=QUICK).head
    mine, theirs = (contents(place / "head", ".safetensors", ".json") for place in (tmp_path, three_commands))
    assert (len(mine), mine) == (4, theirs)  # without the records, which have their times
    scorer = vadpipe.Scorer(head, weights=x3d_weights)
    (scored,) = vadpipe.score_videos(["clip.mp4"], scorer, output=tmp_path / "out", outputs=OUTPUTS).scored
    mine, theirs = (
        {path.name: path.read_bytes() for path in (place / "out").iterdir() if path.name != "clip.run.json"}
        for place in (tmp_path, three_commands)
    )
    assert mine.keys() == theirs.keys() == {path.name for path in scored.files}
    assert [name for name in mine if mine[name] != theirs[name]] == []
