"""A confined process tries what a decoder has no use for, and the kernel refuses."""

import errno
import json
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from vadpipe.extract.video.sandbox import confine, landlock, seccomp

PROGRAM = """
import ctypes, json, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from vadpipe.extract.video.sandbox.confine import confine_this_process
from vadpipe.extract.video.sandbox.landlock import READ, READ_FOLDER, WRITE, Grant

folder, parent = Path(sys.argv[1]), int(sys.argv[2])
opened = os.open(folder / "video.mp4", os.O_RDONLY)
grants = [Grant(opened, READ), Grant(os.open(folder / "output", os.O_PATH), WRITE)]
grants.append(Grant(os.open(folder / "images", os.O_PATH), READ_FOLDER))
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "call")


def write(path, text):
    with open(path, "r+") as file:
        file.write(text)


def thread():
    done = []
    one = threading.Thread(target=done.append, args=[1])
    one.start()
    one.join()
    assert done


TRIED = {
    "read the video": lambda: Path(f"/dev/fd/{opened}").read_bytes(),
    "read an image": lambda: (folder / "images/1.png").read_bytes(),
    "list the images": lambda: os.listdir(folder / "images"),
    "write the output": lambda: write(folder / "output", "done"),
    "start a thread": thread,
    "signal itself": lambda: os.kill(os.getpid(), 0),
    "import a package": lambda: __import__("wave"),
    "read another file": lambda: (folder / "secret").read_bytes(),
    "read a system file": lambda: Path("/etc/passwd").read_bytes(),
    "list another folder": lambda: os.listdir(folder),
    "write the video": lambda: write(folder / "video.mp4", "x"),
    "create a file": lambda: (folder / "new").write_text("x"),
    "create a folder": lambda: (folder / "new").mkdir(),
    "remove a file": lambda: (folder / "secret").unlink(),
    "rename a file": lambda: (folder / "secret").rename(folder / "other"),
    "link a file": lambda: os.link(folder / "secret", folder / "images/2.png"),
    "open a TCP socket": lambda: socket.socket(),
    "open a UDP socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "open a Unix socket": lambda: socket.socket(socket.AF_UNIX),
    "connect an inherited socket": lambda: call({"x86_64": 42, "aarch64": 203}[os.uname().machine], 0, None, 0),
    "run a program": lambda: subprocess.run([sys.executable, "-c", ""]),
    "become a program": lambda: os.execv("/bin/true", ["true"]),
    "fork": lambda: os._exit(0) if os.fork() == 0 else None,
    "signal its parent": lambda: os.kill(parent, 0),
    "trace its parent": lambda: call({"x86_64": 101, "aarch64": 117}[os.uname().machine], 16, parent, None, None),
    "enter a name space": lambda: os.unshare(0) if hasattr(os, "unshare") else call(
        {"x86_64": 272, "aarch64": 97}[os.uname().machine], 0
    ),
    "use io_uring": lambda: call(425, 1, ctypes.create_string_buffer(120)),
    "load a kernel program": lambda: call({"x86_64": 321, "aarch64": 280}[os.uname().machine], 0, None, 0),
}
confine_this_process(None, 1000, files=grants)
outcome = {}
for what, trial in TRIED.items():
    try:
        trial()
        outcome[what] = 0
    except OSError as error:
        outcome[what] = error.errno
print(json.dumps(outcome))
"""
ALLOWED = {
    *("read the video", "read an image", "list the images", "write the output"),
    *("start a thread", "signal itself", "import a package"),
}
BY_LANDLOCK = {
    *("read another file", "read a system file", "list another folder", "write the video", "create a file"),
    *("create a folder", "remove a file", "rename a file", "link a file"),
}


@pytest.fixture
def folder(tmp_path):
    for name in ("video.mp4", "output", "secret", "images/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def unmeasured():
    """Return the environment without what has coverage start in a child, which could not write what it found."""
    return {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"}


def tried(folder, program=PROGRAM):
    """Return what the process tried, and the number of the error that it met, or 0."""
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), str(os.getpid())],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, env=unmeasured(),
    )  # fmt: skip
    return json.loads(done.stdout)


def test_the_kernel_of_every_machine_that_tests_this_has_both_layers():
    assert landlock.landlock_version() >= 1
    assert seccomp.can_refuse_calls()


def test_a_confined_process_can_do_its_work_and_nothing_else(folder):
    outcome = tried(folder)
    assert {what for what, number in outcome.items() if number == 0} == ALLOWED
    assert {what for what, number in outcome.items() if number == errno.EACCES} == BY_LANDLOCK
    assert set(outcome.values()) == {0, errno.EACCES, errno.EPERM}
    assert sorted(path.name for path in folder.iterdir()) == ["images", "output", "secret", "video.mp4"]
    assert (folder / "secret").read_text() == "secret"
    assert (folder / "output").read_text().startswith("done")


def test_without_the_sandbox_the_same_process_can_do_all_of_that(folder):
    """What is refused is refused by the sandbox, not by what tries."""
    program = PROGRAM.replace("confine_this_process(None, 1000, files=grants)", "")
    kept = {"become a program", "fork", "run a program", "remove a file", "rename a file", "create a folder"}
    kept |= {"trace its parent", "connect an inherited socket", "use io_uring", "load a kernel program"}
    outcome = tried(
        folder, "\n".join(line for line in program.splitlines() if not any(k in line for k in kept))
    )
    assert set(outcome.values()) == {0}
    assert (BY_LANDLOCK | {"open a TCP socket", "signal its parent"}) - kept <= outcome.keys()


IMPORTING = """
import sys
from vadpipe.extract.video.sandbox.confine import confine_this_process

confine_this_process(None, files=[])
try:
    import lazily_imported
except PermissionError:
    print("refused")
"""


@pytest.mark.parametrize(
    ("recorded", "printed"), [("lazily_imported-1.0.dist-info", b""), ("notes", b"refused\n")]
)
def test_packages_may_be_installed_in_a_folder_of_their_own(tmp_path, recorded, printed):
    """As ``pip install --target`` does; a folder of modules in which pip has installed nothing stays closed."""
    (tmp_path / "lazily_imported.py").touch()
    (tmp_path / recorded).mkdir()
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING],
        stdout=subprocess.PIPE, check=True, env=unmeasured() | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout == printed


@pytest.mark.parametrize("missing", ["landlock", "seccomp"])
def test_a_kernel_without_a_layer_still_has_the_other(folder, missing):
    seam = {
        "landlock": "landlock.landlock_version = lambda: 0",
        "seccomp": "seccomp.can_refuse_calls = lambda: False",
    }[missing]
    program = f"from vadpipe.extract.video.sandbox import landlock, seccomp\n{seam}\n"
    kept = ("remove a file", "rename a file", "become a program", "fork", "run a program")
    lines = [line for line in PROGRAM.splitlines() if not any(k in line for k in kept)]
    outcome = tried(folder, program + "\n".join(lines))
    assert outcome["open a TCP socket"] == (errno.EPERM if missing == "landlock" else 0)
    assert outcome["read another file"] == (0 if missing == "landlock" else errno.EACCES)


LIMITED = """
import ctypes, json, resource, sys
from vadpipe.extract.video.sandbox.confine import confine_this_process
confine_this_process(*json.loads(sys.argv[1]))
limits = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in ("FSIZE", "CORE", "NOFILE", "AS")}
print(json.dumps(limits | {"no new privileges": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)}))
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([3 << 30], {"FSIZE": [0, 0], "AS": [3 << 30, 3 << 30]}),
        ([1 << 70, 1000], {"FSIZE": [1000, 1000], "AS": [sys.maxsize, sys.maxsize]}),
        ([3 << 30, 1 << 70], {"FSIZE": [sys.maxsize, sys.maxsize], "AS": [3 << 30, 3 << 30]}),
        ([None], {"FSIZE": [0, 0], "AS": [*resource.getrlimit(resource.RLIMIT_AS)]}),
    ],
)
def test_the_limits_of_a_confined_process(given, expected):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, json.dumps(given)],
        stdout=subprocess.PIPE,
        check=True,
        env=unmeasured(),
    )
    always = {"CORE": [0, 0], "NOFILE": [64, 64], "no new privileges": 1}
    assert json.loads(done.stdout) == always | expected


def test_layers_say_what_is_on(monkeypatch):
    monkeypatch.setattr(confine, "landlock_version", lambda: 7)
    monkeypatch.setattr(confine, "can_refuse_calls", lambda: True)
    assert {layer: text.split(":")[0] for layer, text in confine.sandbox_layers().items()} == {
        "limits": "on",
        "seccomp": "on",
        "landlock": "on (version 7)",
    }
    monkeypatch.setattr(confine, "landlock_version", lambda: 3)
    assert "too old to deny TCP" in confine.sandbox_layers()["landlock"]
    monkeypatch.setattr(confine, "landlock_version", lambda: 0)
    monkeypatch.setattr(confine, "can_refuse_calls", lambda: False)
    layers = confine.sandbox_layers()
    assert layers["landlock"].startswith("off: not in this kernel")
    assert layers["seccomp"].startswith("off: ")


def test_a_decoding_process_reaches_no_server(tmp_path, monkeypatch):
    from support.faulty_decoders import faulty_decoder
    from support.videos import write_video
    from vadpipe.errors import DecodeError
    from vadpipe.extract.video.frame import Size
    from vadpipe.extract.video.job import DecodeJob
    from vadpipe.extract.video.process import Decoding

    video = write_video(tmp_path / "a.mp4", 20)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        body = (
            "import socket\n"
            f"try: socket.create_connection(('127.0.0.1', {server.getsockname()[1]}))\n"
            "except PermissionError: os._exit(42)"
        )
        faulty_decoder(monkeypatch, tmp_path, body, "import socket")
        with (
            Decoding(video, DecodeJob(Size(120, square=False), decoder="decord")) as decoding,
            pytest.raises(DecodeError, match="status 42"),
        ):
            list(decoding.frames())
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_picture_that_is_a_link_is_read_where_it_leads(tmp_path):
    from PIL import Image

    from vadpipe.extract.video.child import files_of

    Image.new("RGB", (64, 48)).save(tmp_path / "elsewhere.png")
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "1.png").symlink_to(tmp_path / "elsewhere.png")
    (folder / "2.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "3.png").symlink_to(tmp_path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        grants = files_of(descriptor)
        assert next(grants) == (descriptor, landlock.READ_FOLDER)
        link = next(grants)
        assert Path(f"/dev/fd/{link.descriptor}").samefile(tmp_path / "elsewhere.png")
        assert next(grants, None) is None
    finally:
        os.close(descriptor)


def test_a_folder_may_hold_more_links_than_a_process_may_open_files(tmp_path):
    from PIL import Image

    from support.decoding import decode

    Image.new("RGB", (64, 48), "red").save(tmp_path / "elsewhere.png")
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(1200):
        (folder / f"{number:04}.png").symlink_to(tmp_path / "elsewhere.png")
    assert len(decode(folder, "pyav")[1]) == 1200
