"""Published arrays: every layout comes out as rows, crops, numbers; nothing in a file is trusted."""

import io
import os
import pickle
import re
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.errors import FeatureError
from vadpipe.published.arrays import read_array
from vadpipe.published.axes import in_order


def header(shape, descr="<f4", payload=b"\0" * 32, version=b"\x01\x00"):
    """An array file that states anything."""
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + payload


class Canary:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


LENGTHS = st.integers(1, 12)
WIDTHS = st.integers(2, 12)  # a last axis of size 1 is one that was pooled
NOT_CROPS = LENGTHS.filter(lambda length: length not in (1, 5, 10))


@given(rows=LENGTHS, width=LENGTHS, dtype=st.sampled_from(["<f2", "<f4", ">f4", "<f8", "<i2", "u1"]))
def test_two_axes_are_rows_and_numbers(tmp_path_factory, rows, width, dtype):
    path = tmp_path_factory.getbasetemp() / "two.npy"
    array = np.random.default_rng(rows).integers(0, 100, (rows, width)).astype(dtype)
    np.save(path, array)
    values = in_order(read_array(path), path)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, array[:, None].astype(np.float64))


@given(rows=NOT_CROPS, crops=st.sampled_from([1, 5, 10]), width=WIDTHS, fortran=st.booleans())
def test_crops_are_recognised_wherever_they_are(tmp_path_factory, rows, crops, width, fortran):
    path = tmp_path_factory.getbasetemp() / "three.npy"
    wanted = np.random.default_rng(rows).normal(size=(rows, crops, width)).astype(np.float32)
    for array in (wanted, wanted.transpose(1, 0, 2)):
        np.save(path, np.asfortranarray(array) if fortran else array)
        np.testing.assert_array_equal(in_order(read_array(path), path), wanted)


@given(rows=LENGTHS, crops=st.sampled_from([1, 5, 10]), width=LENGTHS)
def test_a_layout_that_is_told_is_followed(rows, crops, width):
    wanted = np.random.default_rng(rows).normal(size=(rows, crops, width)).astype(np.float32)
    np.testing.assert_array_equal(in_order(wanted, "x", layout="tcd"), wanted)
    np.testing.assert_array_equal(in_order(wanted.transpose(1, 0, 2), "x", layout="ctd"), wanted)


@pytest.mark.parametrize("shape", [(10, 10, 8), (5, 10, 8), (1, 10, 8), (10, 1, 8)])
def test_where_both_axes_can_be_crops_nothing_is_guessed(shape):
    with pytest.raises(FeatureError, match=r"a\.npy: has the shape .*either.*\n.*--layout tcd"):
        in_order(np.zeros(shape, np.float32), "a.npy")


def test_a_number_of_crops_tells_two_axes_apart():
    array = np.arange(1 * 10 * 8, dtype=np.float32).reshape(1, 10, 8)
    assert in_order(array, "x", crops=10).shape == (1, 10, 8)
    assert in_order(array, "x", crops=1).shape == (10, 1, 8)


@pytest.mark.parametrize(
    ("shape", "told", "message"),
    [
        ((7, 7, 8), {}, r"shape \(7, 7, 8\), which is not \[rows, numbers\] or .* with 1, 5 or 10 crops"),
        ((8,), {}, r"shape \(8,\), which is not"),
        ((2, 3, 10, 8), {}, r"which is not"),
        ((7, 8), {"crops": 10}, r"not \[rows, crops, numbers\] with 10 crops or \[crops"),
        ((7, 5, 8), {"crops": 10}, "with 10 crops"),
        ((7, 8), {"layout": "tcd"}, r"not \[rows, crops, numbers\] with 1, 5 or 10 crops$"),
        ((7, 5, 8), {"layout": "td"}, r"not \[rows, numbers\]$"),
        ((7, 5, 8), {"layout": "ctd"}, r"not \[crops, rows, numbers\]"),
        ((7, 8), {"feature_dim": 9}, "last axis is not 9"),
        ((8, 5, 7), {"feature_dim": 8}, "last axis is not 8"),
    ],
)
def test_axes_that_are_not_as_told(shape, told, message):
    with pytest.raises(FeatureError) as caught:
        in_order(np.zeros(shape, np.float32), "x", **told)
    assert re.search(message, caught.value.reason)
    assert caught.value.next_step


def test_a_transposed_array_is_turned_only_where_its_width_is_told():
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(in_order(array.T, "x", feature_dim=4)[:, 0], array)
    np.testing.assert_array_equal(in_order(array, "x", feature_dim=4)[:, 0], array)
    np.testing.assert_array_equal(in_order(array.T, "x")[:, 0], array.T)


@pytest.mark.parametrize(("delimiter", "end"), [(" ", "\n"), ("\t", "\r\n"), (",", "\n"), (", ", "\n\n")])
def test_text_of_spaces_or_commas(tmp_path, delimiter, end):
    array = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    lines = (delimiter.join(repr(float(number)) for number in row) for row in array)
    (tmp_path / "a.txt").write_bytes((end.join(lines) + end).encode())
    np.testing.assert_array_equal(read_array(tmp_path / "a.txt"), array)


def test_comments_in_text_decide_nothing(tmp_path):
    np.savetxt(tmp_path / "a.txt", np.eye(3), header="x, y, z")
    np.testing.assert_array_equal(read_array(tmp_path / "a.txt"), np.eye(3))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_one_array_of_an_archive_or_the_named_one(tmp_path, save):
    array = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    save(tmp_path / "one.npz", anything=array)
    np.testing.assert_array_equal(read_array(tmp_path / "one.npz"), array)
    save(tmp_path / "two.npz", rgb=array, flow=-array)
    np.testing.assert_array_equal(read_array(tmp_path / "two.npz", "flow"), -array)
    with pytest.raises(FeatureError, match=r"two\.npz: holds 2 arrays: rgb, flow\n.*--array NAME"):
        read_array(tmp_path / "two.npz")
    with pytest.raises(FeatureError, match=r"no array named 'x'\nIt contains: rgb, flow"):
        read_array(tmp_path / "two.npz", "x")


def test_pickled_objects_are_never_loaded(tmp_path):
    hatched = tmp_path / "hatched"
    array = np.array([[Canary(hatched)]], dtype=object)
    np.save(tmp_path / "array.npy", array, allow_pickle=True)
    np.savez(tmp_path / "archive.npz", array)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Canary(hatched)))
    (tmp_path / "bare.txt").write_bytes(pickle.dumps(Canary(hatched)))
    with zipfile.ZipFile(tmp_path / "bare.npz", "w") as archive:
        archive.writestr("a.npy", pickle.dumps(Canary(hatched)))
    for name in ("array.npy", "archive.npz", "bare.npy", "bare.txt"):
        with pytest.raises(FeatureError, match="pickled objects, which can run code and are never loaded"):
            read_array(tmp_path / name)
    with pytest.raises(FeatureError, match="has no valid NumPy array"):
        read_array(tmp_path / "bare.npz")
    assert not hatched.exists()
    np.load(tmp_path / "array.npy", allow_pickle=True)  # the canary is alive
    assert hatched.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an array file"),
        (b"hello", "is not an array file"),
        (b"\x93NUMPY", "has no valid NumPy array"),
        (header((2, 4))[:20], "has no valid NumPy array"),
        (header((2, 4), version=b"\x03\x00"), "version 3.0"),
        (header((2, 4), version=b"\x09\x00"), "version 9.0"),
        (
            header((2**40, 2**40)),
            "is truncated: its shape .* needs 4835703278458516698824704 bytes, but only 32",
        ),
        (header((3, 4)), r"is truncated: its shape \(3, 4\) needs 48 bytes, but only 32 are present"),
        (header((-2, -4)), "has an invalid shape"),
        (header((0, 4)), r"is empty: its shape is \(0, 4\)"),
        (header((2,), descr="<c16"), "holds complex128, not numbers"),
        (header((2,), descr="<U4"), "holds <U4, not numbers"),
        (header((2,), descr=[("a", "<f4"), ("b", "<f4")]), "not numbers"),
        (header((2,), descr=[("a", "O")]), "pickled objects"),
        (header((2,), descr="nonsense"), "has no valid NumPy array"),
        (header("__import__('os').abort()"), "has no valid NumPy array"),
        (b"PK\x03\x04" + b"\0" * 40, "is damaged"),
    ],
)
def test_hostile_and_broken_arrays(tmp_path, content, message):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(FeatureError, match=rf"a\.npy: .*{message}") as caught:
        read_array(path)
    assert len(str(caught.value).splitlines()) <= 2


def test_an_archive_that_holds_less_than_it_states(tmp_path):
    np.savez_compressed(tmp_path / "good.npz", np.zeros((100, 100), np.float32))
    content = bytearray((tmp_path / "good.npz").read_bytes())
    content[60:90] = bytes(30)
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(FeatureError, match=r"bad\.npz: is damaged"):
        read_array(tmp_path / "bad.npz")
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as archive:
        archive.writestr("a.npy", header((2**20, 2**10)))
    with pytest.raises(FeatureError, match=r"short\.npz: is truncated"):
        read_array(tmp_path / "short.npz")
    with zipfile.ZipFile(tmp_path / "packed.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", header((2, 4)))
    with pytest.raises(FeatureError, match="unlike files written by NumPy"):
        read_array(tmp_path / "packed.npz")
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    with pytest.raises(FeatureError, match="holds 0 arrays"):
        read_array(tmp_path / "empty.npz")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_are_not_finite_are_refused(tmp_path, number):
    np.save(tmp_path / "a.npy", np.array([[0.0, number]]))
    np.savetxt(tmp_path / "a.txt", np.array([[0.0, number]]))
    for name in ("a.npy", "a.txt"):
        with pytest.raises(FeatureError, match=rf"{name}: contains values that are not finite"):
            read_array(tmp_path / name)


def test_more_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("vadpipe.published.array_checks.MAX_BYTES", 2**10)
    monkeypatch.setattr("vadpipe.published.tables.MAX_TEXT_BYTES", 2**10)
    np.save(tmp_path / "a.npy", np.zeros((10, 100)))
    np.savez_compressed(tmp_path / "a.npz", np.zeros((10, 100)))
    np.savetxt(tmp_path / "a.txt", np.zeros((10, 100)))
    for suffix in ("npy", "npz", "txt"):
        with pytest.raises(FeatureError, match=r"above the limit of"):
            read_array(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty: its shape is \(0, 1\)"),
        (b"\n# nothing\n", "is empty"),
        (b"1 2\n3\n", "is not a table of numbers: .*columns changed from 2 to 1"),
        (b"Abuse001 @ 23\n", "is not a table of numbers: could not convert string 'Abuse001'"),
        (b"1 2\n\xff\xfe\n", "is not a table of numbers"),
    ],
)
def test_text_that_is_no_table(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(FeatureError, match=rf"a\.txt: {message}"):
        read_array(tmp_path / "a.txt")


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(FeatureError, match=r"gone\.npy: cannot be read: No such file"):
        read_array(tmp_path / "gone.npy")
    with pytest.raises(FeatureError, match="cannot be read: Is a directory"):
        read_array(tmp_path)


def test_the_content_decides_not_the_name(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.ones((2, 3), np.float32))
    (tmp_path / "a.txt").write_bytes(buffer.getvalue())
    assert read_array(tmp_path / "a.txt").shape == (2, 3)
