"""HDF5 files: what lies in them comes out bit for bit, and nothing leads out of them."""

import ctypes
import os
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from vadpipe.errors import FeatureError
from vadpipe.published import hdf5_process
from vadpipe.published.containers import Containers
from vadpipe.published.hdf5_process import Hdf5Process

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def containers():
    with Containers() as containers:
        yield containers


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return what makes a file whose array ``a`` is made by the given function."""
    monkeypatch.chdir(tmp_path)

    def make(fill, **options):
        with h5py.File("set.h5", "w", **options) as file:
            fill(file)
        return Path("set.h5")

    return make


class Opened:
    """Knows whether a file was opened, by inotify."""

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        in_open_or_access = 0x20 | 0x1
        assert libc.inotify_add_watch(self._descriptor, os.fsencode(path), in_open_or_access) >= 0

    def __del__(self):
        os.close(self._descriptor)

    def __bool__(self):
        try:
            return bool(os.read(self._descriptor, 4096))
        except BlockingIOError:
            return False


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "<i2", "u1", ">i8"])
def test_numbers_of_every_type_are_read_as_they_are(made, containers, libver, dtype):
    wanted = RNG.integers(0, 100, (7, 5)).astype(dtype)
    path = made(lambda file: file.create_dataset("a", data=wanted), libver=libver)
    array = containers.read(path, ("a",))
    assert array.dtype == wanted.dtype
    np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (3, 2)},
        {"chunks": (3, 2), "maxshape": (None, None)},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"compression": "lzf", "chunks": (7, 1)},
        {"chunks": (100, 100), "maxshape": (None, None), "compression": "gzip"},
    ],
)
def test_chunks_and_filters(made, containers, options):
    wanted = RNG.normal(size=(7, 5)).astype(np.float32)
    path = made(lambda file: file.create_dataset("a", data=wanted, **options))
    np.testing.assert_array_equal(containers.read(path, ("a",)), wanted)


def test_an_array_that_comes_in_pieces(made, containers):
    wanted = np.arange(2**23 + 2**12, dtype=np.float64).reshape(-1, 4)  # one piece is of 64 MiB
    path = made(lambda file: file.create_dataset("a", data=wanted))
    np.testing.assert_array_equal(containers.read(path, ("a",)), wanted)


def test_what_a_file_holds(made, containers):
    def fill(file):
        file["b/é/features"] = file["a"] = np.ones((2, 3))
        file["b/again"] = file["a"]
        file["b/back"] = file["/"]
        file["type"] = np.dtype("f4")
        file["empty/group"] = file.create_group("c")

    listing = containers.listing(made(fill))
    assert (listing.arrays, listing.left_out) == ([("a",), ("b", "again"), ("b", "é", "features")], [])


def test_names_that_are_no_utf8_are_read_all_the_same(made, containers):
    def fill(file):
        space = h5py.h5s.create_simple((4,))
        h5py.Dataset(h5py.h5d.create(file.id, b"a\xff", h5py.h5t.IEEE_F64LE, space))[:] = 1

    path = made(fill)
    assert containers.listing(path).arrays == [("a\udcff",)]
    np.testing.assert_array_equal(containers.read(path, ("a\udcff",)), np.ones(4))


def links(file):
    file.create_group("inner")["a"] = np.ones((2, 3))
    file["a"] = np.ones((2, 3))
    file["away"] = h5py.ExternalLink("canary.h5", "/a")
    file["far"] = h5py.ExternalLink(str(Path("canary.h5").absolute()), "/a")
    file["group"] = h5py.ExternalLink("canary.h5", "/")
    file["through"] = h5py.SoftLink("/group/a")
    file["inside"] = h5py.SoftLink("/a")
    file["loop"] = h5py.SoftLink("/loop")
    file["nowhere"] = h5py.SoftLink("/gone")


def virtual(file):
    layout = h5py.VirtualLayout((2, 3), "f8")
    layout[:] = h5py.VirtualSource("canary.h5", "a", (2, 3))
    file.create_virtual_dataset("a", layout)


def growing_virtual(file):
    layout = h5py.VirtualLayout((2, 3), "f8", maxshape=(None, 3))
    source = h5py.VirtualSource("canary.h5", "a", (2, 3), maxshape=(None, 3))
    layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    file.create_virtual_dataset("a", layout)


def external(file):
    file.create_dataset("a", (2, 3), "f8", external=[("canary.h5", 0, h5py.h5f.UNLIMITED)])


@pytest.fixture
def canary(tmp_path):
    with h5py.File(tmp_path / "canary.h5", "w") as file:
        file.create_dataset("a", data=np.full((2, 3), 7.0), maxshape=(None, 3))
    return tmp_path / "canary.h5"


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (virtual, "is a virtual dataset: its numbers lie in other files, which are never opened"),
        (growing_virtual, "is a virtual dataset: .*"),
        (external, "keeps its numbers in another file, which is never opened"),
    ],
)
def test_numbers_in_other_files_are_never_read(made, canary, containers, fill, message):
    path = made(fill)
    opened = Opened(canary)
    assert containers.listing(path).arrays == [("a",)]
    with pytest.raises(FeatureError, match=rf"set\.h5/a: {message}\nSave it again"):
        containers.read(path, ("a",))
    assert not opened
    with h5py.File(path) as file:
        assert file["a"][:].any()
    assert opened  # the canary is alive


def test_links_are_never_followed(made, canary, containers):
    path = made(links)
    opened = Opened(canary)
    listing = containers.listing(path)
    assert listing.arrays == [("a",), ("inner", "a")]
    assert {"/".join(address): reason for address, reason, _ in listing.left_out} == {
        "away": "is a link to another file, which is never followed",
        "far": "is a link to another file, which is never followed",
        "group": "is a link to another file, which is never followed",
        "inside": "is a soft link, which is never followed",
        "loop": "is a soft link, which is never followed",
        "nowhere": "is a soft link, which is never followed",
        "through": "is a soft link, which is never followed",
    }
    for address in (("away",), ("far",), ("group", "a"), ("through",), ("inside",), ("loop",)):
        with pytest.raises(FeatureError, match=r"link.*, which is never followed\nImport what it leads to"):
            containers.read(path, address)
    assert not opened
    with h5py.File(path) as file:
        assert file["through"][:].any()
    assert opened


def test_a_name_that_is_a_path_is_not_followed(made, canary, containers):
    def fill(file):
        file["away"] = h5py.ExternalLink("canary.h5", "/")
        file["away+a"] = file["inner+a"] = file["+a+a+"] = np.ones((2, 3))
        file["inner"] = h5py.SoftLink("/away")

    path = made(fill, libver="earliest")
    path.write_bytes(path.read_bytes().replace(b"+a", b"/a"))
    opened = Opened(canary)
    listing = containers.listing(path)
    assert listing.arrays == []
    reasons = {"/".join(address): reason for address, reason, _ in listing.left_out}
    assert reasons["away/a"] == reasons["inner/a"] == "has a name that HDF5 does not allow"
    for address in (("away/a",), ("inner/a",)):
        with pytest.raises(FeatureError, match="has a name that HDF5 does not allow"):
            containers.read(path, address)
    assert not opened
    with h5py.File(path) as file:
        assert file["away/a"][:].any()
    assert opened


def deep(file):
    group = file
    for _ in range(40):
        group = group.create_group("g")
    group["a"] = np.ones((2, 3))


def test_groups_in_groups_without_end(made, containers):
    listing = containers.listing(made(deep))
    assert listing.arrays == []
    assert [reason for _, reason, _ in listing.left_out] == ["lies below more than 32 groups"]


def references(file):
    file["x"] = np.ones((2, 3))
    file["a"] = np.array([[file["x"].ref]], dtype=h5py.ref_dtype)


def regions(file):
    file["x"] = np.ones((2, 3))
    file["a"] = np.array([file["x"].regionref[0, :]], dtype=h5py.regionref_dtype)


def unequal(file):
    rows = file.create_dataset("a", (2,), h5py.vlen_dtype("f4"))
    rows[0], rows[1] = [1, 2], [3]


def foreign_filter(file):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((2, 3))
    plan.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (2, 2, 4))  # Blosc, which is not installed
    h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((2, 3)), plan)


def one_chunk_of_two(file):
    dataset = file.create_dataset("a", (4, 3), "f4", chunks=(2, 3))
    dataset[:2] = 1


def bomb(file):
    """A chunk of 24 bytes that unpacks to 3 GiB."""
    dataset = file.create_dataset("a", (2, 3), "f4", chunks=(2, 3), compression="gzip")
    packer = zlib.compressobj(1)
    block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    dataset.id.write_direct_chunk((0, 0), block + again * 191)


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda file: file.create_dataset("a", data=["x", "y"]), "holds text, not numbers"),
        (lambda file: file.create_dataset("a", data=np.array([b"x"])), "holds text, not numbers"),
        (lambda file: file.create_dataset("a", data=np.zeros((2, 3), bool)), "truth values or names, not"),
        (lambda file: file.create_dataset("a", data=np.zeros((2, 3), "c8")), "holds .*not numbers"),
        (lambda file: file.create_dataset("a", data=np.zeros(2, [("x", "f4")])), "holds records, not"),
        (lambda file: file.create_dataset("a", data=np.zeros(2, "V8")), "holds bytes without meaning"),
        (lambda file: file.create_dataset("a", (2,), np.dtype(("f4", (3,)))), "holds arrays in arrays"),
        (references, "holds references, not"),
        (regions, "holds references, not"),
        (unequal, "holds rows of different lengths, not"),
        (lambda file: file.create_dataset("a", data=3.0), "holds no rows but a single value"),
        (lambda file: file.create_dataset("a", data=h5py.Empty("f4")), "holds no rows but a single value"),
        (lambda file: file.create_dataset("a", (2, 3), "f4"), r"cut short: .* needs 24 bytes, and 0 are"),
        (one_chunk_of_two, r"cut short: 1 of the 2 chunks of its shape \(4, 3\) are there"),
        (
            lambda file: file.create_dataset("a", (2**40, 2**20), "f4", chunks=(8, 8)),
            "holds 4294967296 GiB, above the limit of 8",
        ),
        (
            lambda file: file.create_dataset("a", (2**32, 2**31), "f4", chunks=(1, 2**29 + 1)),
            "above the limit of 8",
        ),
        (
            lambda file: file.create_dataset("a", (2, 3), "f4", chunks=(2**14, 2**15), maxshape=(None, None)),
            r"has chunks of the shape \(16384, 32768\), larger than can be unpacked",
        ),
        (foreign_filter, "is packed by the filter number 32001, which is not at hand\nUnpack it with 'h5re"),
    ],
)
def test_hostile_arrays(made, containers, fill, message):
    path = made(fill)
    with pytest.raises(FeatureError, match=rf"set\.h5/a: .*{message}") as caught:
        containers.read(path, ("a",))
    assert caught.value.next_step
    assert len(str(caught.value).splitlines()) <= 3


def test_a_chunk_that_unpacks_to_more_than_its_reader_may_have(made, monkeypatch):
    monkeypatch.setattr(hdf5_process, "MEMORY_BYTES", 2**30)
    path = made(bomb)
    with Containers() as containers, pytest.raises(FeatureError, match=r"set\.h5/a: (is damaged|needs more)"):
        containers.read(path, ("a",))


def test_broken_files(made, containers, tmp_path):
    path = made(lambda file: file.create_dataset("a", data=np.ones((50, 50)), compression="gzip"))
    whole = path.read_bytes()
    for n_bytes in (8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(FeatureError, match=r"^set\.h5: is damaged: .*\nFetch the file again"):
            containers.listing(path)
    start = whole.index(b"\x78\x5e") if b"\x78\x5e" in whole else whole.index(b"\x78\x01")
    path.write_bytes(whole[: start + 8] + bytes(20) + whole[start + 28 :])
    assert containers.listing(path).arrays == [("a",)]
    with pytest.raises(FeatureError, match=r"^set\.h5/a: is damaged: "):
        containers.read(path, ("a",))
    path.unlink()
    with pytest.raises(FeatureError, match=r"set\.h5: cannot be read: No such file"):
        containers.read(path, ("a",))


def test_what_is_no_array_of_the_file(made, containers):
    path = made(links)
    with pytest.raises(FeatureError, match=r"set\.h5/inner: is no array"):
        containers.read(path, ("inner",))
    with pytest.raises(FeatureError, match=r"set\.h5/gone: is damaged: .*doesn't exist"):
        containers.read(path, ("gone",))


def test_a_file_that_changes_is_opened_anew(made, containers):
    for number in range(3):
        path = made(lambda file, number=number: file.create_dataset("a", data=np.full((2, 3), number)))
        path = path.rename("renamed.h5")
        os.utime(path, ns=(0, 0))
        np.testing.assert_array_equal(containers.read(path, ("a",)), np.full((2, 3), number))


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
        ("parent.send_bytes(b'nonsense')", "sent an answer that makes no sense"),
        ("parent.send_bytes(b'[1]')", "sent an answer that makes no sense"),
        ("parent.send_bytes(b'[' * 100000)", "sent an answer that makes no sense"),
        ("parent.send_bytes(b'{}')", "sent an answer that makes no sense"),
        ('parent.send_bytes(b\'{"dtype": "O", "shape": [2]}\')', "sent an answer that makes no sense"),
        (
            'parent.send_bytes(b\'{"dtype": "<f4", "shape": [2]}\'); parent.send_bytes(bytes(9))',
            "sent an answer that makes no sense",
        ),
        (
            'parent.send_bytes(b\'{"dtype": "<f4", "shape": [2]}\'); parent.send_bytes(bytes(4)); os.abort()',
            r"crashed \(SIGABRT\)",
        ),
        ("import time; time.sleep(60)", "gave no answer for 0.3 s and was ended"),
    ],
)
def test_a_process_that_is_lost_costs_one_array(tmp_path, monkeypatch, code, message):
    monkeypatch.setattr(hdf5_process, "STALL_S", 0.3 if "sleep" in code else 60)
    reader = process(tmp_path, monkeypatch, code)
    with pytest.raises(
        FeatureError, match=rf"set\.h5/a: is damaged: the process that reads HDF5 {message}\n"
    ):
        reader.read(Path("/set.h5"), 0, ("a",), "set.h5/a")
    reader.close()


@pytest.mark.parametrize("shape", ["[1000000000000, 1000000000000]", "[-1]"])
def test_no_memory_is_taken_for_what_the_process_states(tmp_path, monkeypatch, shape):
    code = f'parent.send_bytes(b\'{{"dtype": "<f4", "shape": {shape}}}\'); parent.recv_bytes()'
    reader = process(tmp_path, monkeypatch, code)
    with pytest.raises(FeatureError, match=r"above the limit of 8|states a shape of \(-1,\)"):
        reader.read(Path("/set.h5"), 0, ("a",), "set.h5/a")
    reader.close()


def test_a_process_that_cannot_be_started(monkeypatch):
    monkeypatch.setattr(hdf5_process, "PROGRAM", ("/nowhere/python",))
    with pytest.raises(
        FeatureError, match=r"set\.h5: cannot be read: no process could be started for it: No such"
    ):
        Hdf5Process().listing(Path("set.h5"), 0)


def test_the_next_file_is_read_by_another_process(made, monkeypatch, tmp_path):
    program = hdf5_process.PROGRAM
    reader = process(tmp_path, monkeypatch, "os.abort()")
    path = made(lambda file: file.create_dataset("a", data=np.ones((2, 3)))).absolute()
    with pytest.raises(FeatureError, match="crashed"):
        reader.listing(path, 0)
    monkeypatch.setattr(hdf5_process, "PROGRAM", program)
    assert reader.listing(path, 0).arrays == [("a",)]
    reader.close()


def test_without_h5py_the_next_step_says_what_to_install(made, monkeypatch, tmp_path):
    path = made(lambda file: file.create_dataset("a", data=np.ones((2, 3))))
    (tmp_path / "lib/h5py").mkdir(parents=True)
    (tmp_path / "lib/h5py/__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'h5py'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    with Containers() as containers, pytest.raises(FeatureError) as caught:
        containers.listing(path)
    assert str(caught.value) == (
        "set.h5: is an HDF5 file, which h5py reads, and that cannot be imported: No module named 'h5py'\n"
        "Run: pip install 'vadpipe[hdf5]'"
    )
