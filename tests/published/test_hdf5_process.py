"""The process that reads HDF5 may crash, hang or send nonsense: that costs one array."""

import json
from pathlib import Path

import numpy as np
import pytest

from vadpipe.errors import FeatureError
from vadpipe.published import hdf5_process
from vadpipe.published.containers import Containers
from vadpipe.published.hdf5_process import Hdf5Process


@pytest.fixture
def file(tmp_path):
    """Return a file that can be opened; the processes of these tests do not read it."""
    (tmp_path / "set.h5").write_bytes(b"HDF5")
    return tmp_path / "set.h5"


def process(tmp_path, monkeypatch, code):
    """Return a reader whose process runs the given code when it is asked."""
    program = tmp_path / "child.py"
    program.write_text(
        "import os, sys\nfrom multiprocessing.connection import Connection\n"
        f"parent = Connection(int(sys.argv[1]))\nparent.recv_bytes()\n{code}\n"
    )
    monkeypatch.setattr(hdf5_process, "PROGRAM", (hdf5_process.PROGRAM[0], "-S", "-E", str(program)))
    return Hdf5Process()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os.abort()", r"crashed \(SIGABRT\)"),
        ("os.kill(os.getpid(), 11)", r"crashed \(SIGSEGV\)"),
        ("sys.exit(3)", r"ended early \(status 3\)"),
        ("parent.send_bytes(b'nonsense')", "sent an invalid answer"),
        ("parent.send_bytes(b'[1]')", "sent an invalid answer"),
        ("parent.send_bytes(b'[' * 100000)", "sent an invalid answer"),
        ("parent.send_bytes(b'{}')", "sent an invalid answer"),
        ('parent.send_bytes(b\'{"dtype": "O", "shape": [2]}\')', "sent an invalid answer"),
        (
            'parent.send_bytes(b\'{"dtype": "<f4", "shape": [2]}\'); parent.send_bytes(bytes(9))',
            "sent an invalid answer",
        ),
        (
            'parent.send_bytes(b\'{"dtype": "<f4", "shape": [2]}\'); parent.send_bytes(bytes(4)); os.abort()',
            r"crashed \(SIGABRT\)",
        ),
        ("import time; time.sleep(60)", "did not answer for 0.3 s and was ended"),
    ],
)
def test_a_process_that_is_lost_costs_one_array(tmp_path, file, monkeypatch, code, message):
    monkeypatch.setattr(hdf5_process, "STALL_S", 0.3 if "sleep" in code else 60)
    reader = process(tmp_path, monkeypatch, code)
    with pytest.raises(
        FeatureError, match=rf"set\.h5/a: is damaged: the process that reads HDF5 {message}\n"
    ):
        reader.read(file, 0, ("a",), "set.h5/a")
    reader.close()


@pytest.mark.parametrize("shape", ["[1000000000000, 1000000000000]", "[-1]"])
def test_no_memory_is_taken_for_what_the_process_states(tmp_path, file, monkeypatch, shape):
    code = f'parent.send_bytes(b\'{{"dtype": "<f4", "shape": {shape}}}\'); parent.recv_bytes()'
    reader = process(tmp_path, monkeypatch, code)
    with pytest.raises(FeatureError, match=r"above the limit of 8|has an invalid shape \(-1,\)"):
        reader.read(file, 0, ("a",), "set.h5/a")
    reader.close()


def test_a_process_that_cannot_be_started(file, monkeypatch):
    monkeypatch.setattr(hdf5_process, "PROGRAM", ("/nowhere/python",))
    with pytest.raises(
        FeatureError, match=r"set\.h5: cannot be read: no process could be started for it: No such"
    ):
        Hdf5Process().listing(file, 0)


def test_a_file_that_cannot_be_opened():
    with pytest.raises(FeatureError, match=r"^/nowhere/set\.h5: cannot be read: No such file or directory$"):
        Hdf5Process().listing(Path("/nowhere/set.h5"), 0)


def test_the_next_file_is_read_by_another_process(write_hdf5, monkeypatch, tmp_path):
    program = hdf5_process.PROGRAM
    reader = process(tmp_path, monkeypatch, "os.abort()")
    path = write_hdf5(lambda file: file.create_dataset("a", data=np.ones((2, 3)))).absolute()
    with pytest.raises(FeatureError, match="crashed"):
        reader.listing(path, 0)
    monkeypatch.setattr(hdf5_process, "PROGRAM", program)
    assert reader.listing(path, 0).arrays == [("a",)]
    reader.close()


ATTEMPTS = """
import errno, json, os, socket, sys
from vadpipe.published import hdf5_child

def answer(self, asked, descriptor):
    path, outcome = {path!r}, {{}}
    for what, attempt in {{
        "read the file": lambda: os.pread(descriptor, 4, 0),
        "read another file": lambda: open(path),
        "read the file by its name": lambda: open(asked["path"]),
        "read the file anew": lambda: open(f"/dev/fd/{{descriptor}}"),
        "list a folder": lambda: os.listdir("/"),
        "write a file": lambda: open(path, "r+"),
        "remove a file": lambda: os.unlink(path),
        "open a socket": socket.socket,
        "fork": os.fork,
    }}.items():
        try:
            attempt()
            outcome[what] = "done"
        except OSError as error:
            outcome[what] = errno.errorcode[error.errno]
    self._tell({{"reason": json.dumps(outcome), "next_step": None}})

hdf5_child._Server.answer = answer
{seam}
hdf5_child.main()
"""


def attempts(tmp_path, file, monkeypatch, seam=""):
    """Return what came of attempts that the process makes, after it has been confined, instead of its work."""
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "child.py").write_text(ATTEMPTS.format(path=str(tmp_path / "kept"), seam=seam))
    monkeypatch.setattr(hdf5_process, "PROGRAM", (hdf5_process.PROGRAM[0], str(tmp_path / "child.py")))
    reader = Hdf5Process()
    with pytest.raises(FeatureError) as caught:
        reader.listing(file, 0)
    reader.close()
    return json.loads(caught.value.reason)


BY_LANDLOCK = (
    *("read another file", "read the file by its name", "read the file anew"),
    *("list a folder", "write a file", "remove a file"),
)


def test_the_process_reads_the_file_that_it_was_given_and_does_nothing_else(tmp_path, file, monkeypatch):
    outcome = attempts(tmp_path, file, monkeypatch)
    assert outcome == {
        "read the file": "done",
        **dict.fromkeys(BY_LANDLOCK, "EACCES"),
        **dict.fromkeys(("open a socket", "fork"), "EPERM"),
    }
    assert (tmp_path / "kept").read_text() == "kept"


def test_without_the_sandbox_the_same_process_can_open_files(tmp_path, file, monkeypatch):
    seam = "hdf5_child.confine_this_process = lambda *_, **__: setattr(os, 'fork', lambda: None)"
    outcome = attempts(tmp_path, file, monkeypatch, seam)
    assert {*outcome.values()} == {"done"}
    assert outcome.keys() >= {*BY_LANDLOCK}
    assert not (tmp_path / "kept").exists()


def test_without_h5py_the_next_step_says_what_to_install(write_hdf5, monkeypatch, tmp_path):
    path = write_hdf5(lambda file: file.create_dataset("a", data=np.ones((2, 3))))
    (tmp_path / "lib/h5py").mkdir(parents=True)
    (tmp_path / "lib/h5py/__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'h5py'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    with Containers() as containers, pytest.raises(FeatureError) as caught:
        containers.listing(path)
    assert str(caught.value) == (
        "set.h5: is an HDF5 file, and h5py cannot be imported: No module named 'h5py'\n"
        "Run: pip install 'vadpipe[hdf5]'"
    )
