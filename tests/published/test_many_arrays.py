"""HDF5 and PyTorch files: the same features as from ``.npy``, and nothing but what lies in the file itself."""

import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import torch
from test_importing import array, only_error, run, save

from vadpipe.features import Features
from vadpipe.published import arrays, hdf5, torch_files
from vadpipe.published.members import Member, videos_of


@pytest.fixture
def feats(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "feats").mkdir()
    return tmp_path / "feats"


def save_h5(path, content, **options):
    with h5py.File(path, "w") as file:
        for key, values in content.items():
            file.create_dataset(key, data=values, **options)
    return path


def save_pt(path, content, **options):
    torch.save(content, path, **options)
    return path


def loaded(result):
    """Return what was imported: the values by the video's name."""
    assert result.failed == []
    features = [Features.load(path) for path in result.written]
    return {each.source.video: each.values for each in features}


VIDEOS = {"01_0014": array(3, seed=1), "01_0015": array(5, seed=2), "fight/a": array(4, crops=10, seed=3)}


def nested(content):
    result = {}
    for key, values in content.items():
        *groups, name = key.split("/")
        at = result
        for group in groups:
            at = at.setdefault(group, {})
        at[name] = torch.from_numpy(values)
    return result


def write_all(folder, kind, content, name="set"):
    if kind == "h5":
        return save_h5(folder / f"{name}.h5", content)
    return save_pt(folder / f"{name}.pt", nested(content))


KINDS = pytest.mark.parametrize("kind", ["h5", "pt"])


@KINDS
def test_every_array_of_a_file_is_a_video(feats, kind):
    write_all(feats, kind, VIDEOS)
    for name, values in VIDEOS.items():
        save(feats.parent / f"plain/set/{name}.npy", values)
    found, plain = loaded(run(feats)), loaded(run(feats.parent / "plain"))
    assert {*found} == {f"feats/set/{name}" for name in VIDEOS}
    for name in VIDEOS:
        np.testing.assert_array_equal(found[f"feats/set/{name}"], plain[f"plain/set/{name}"])


@KINDS
@pytest.mark.parametrize("inner", ["features", "i3d"])
def test_a_group_with_one_array_is_a_video(feats, kind, inner):
    write_all(feats, kind, {f"{name}/{inner}": VIDEOS[name] for name in ("01_0014", "01_0015")})
    found = loaded(run(feats))
    assert {*found} == {"feats/set/01_0014", "feats/set/01_0015"}
    np.testing.assert_array_equal(found["feats/set/01_0014"][:, 0], VIDEOS["01_0014"])


@KINDS
def test_several_arrays_for_each_video_have_to_be_told_apart(feats, kind):
    content = {f"{name}/{inner}": array(4) for name in "ab" for inner in ("features", "gt")}
    write_all(feats, kind, content)
    error = only_error(run(feats))
    assert "holds several arrays for each video: features, gt\nName one with --array NAME." in error
    assert {*loaded(run(feats, array="features"))} == {"feats/set/a", "feats/set/b"}
    assert "holds no array named 'rgb'\nIt holds: a/features, a/gt" in only_error(run(feats, array="rgb"))


@KINDS
def test_a_file_with_one_array_is_one_video(feats, kind):
    write_all(feats, kind, {"features": VIDEOS["01_0014"]}, name="clip.mp4")
    assert {*loaded(run(feats))} == {"feats/clip.mp4"}


def test_a_tensor_alone_is_one_video(feats):
    save_pt(feats / "a.pth", torch.from_numpy(VIDEOS["01_0014"]))
    found = loaded(run(feats))
    np.testing.assert_array_equal(found["feats/a"][:, 0], VIDEOS["01_0014"])


def test_one_file_a_crop_is_joined(feats):
    values = array(4, crops=5)
    for crop in range(5):
        save_pt(feats / f"a__{crop}.pt", {"features": torch.from_numpy(values[:, crop])})
    np.testing.assert_array_equal(loaded(run(feats))["feats/a"], values)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_what_pooling_leaves_of_axes_goes(feats, axes):
    values = array(4, 16)
    save_pt(feats / "a.pt", torch.from_numpy(values.reshape(values.shape + (1,) * axes)))
    np.save(feats / "b.npy", values.reshape(values.shape + (1,) * axes))
    found = loaded(run(feats))
    for name in "ab":
        np.testing.assert_array_equal(found[f"feats/{name}"][:, 0], values)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
def test_other_numbers_are_converted(feats, dtype):
    values = torch.arange(24).reshape(3, 8).to(dtype)
    save_pt(feats / "a.pt", values)
    np.testing.assert_array_equal(loaded(run(feats))["feats/a"][:, 0], values.to(torch.float32).numpy())


def test_tensors_need_not_be_plain_in_memory(feats):
    values = torch.arange(48.0).reshape(8, 6)
    save_pt(feats / "a.pt", {"features": torch.nn.Parameter(values.T[:, 2:])})
    np.testing.assert_array_equal(loaded(run(feats))["feats/a"][:, 0], values.T[:, 2:].numpy())


def test_old_files_of_torch_are_read(feats):
    save_pt(
        feats / "a.pt", {"a": torch.ones(3, 8), "b": torch.zeros(2, 8)}, _use_new_zipfile_serialization=False
    )
    assert {*loaded(run(feats))} == {"feats/a/a", "feats/a/b"}


@pytest.mark.parametrize(
    "options", [{}, {"compression": "gzip", "shuffle": True, "fletcher32": True}, {"compression": "lzf"}]
)
def test_hdf5_may_be_packed(feats, options):
    save_h5(feats / "a.h5", VIDEOS, **options)
    assert len(loaded(run(feats))) == 3


@KINDS
def test_what_is_imported_is_skipped_until_the_file_changes(feats, kind):
    path = write_all(feats, kind, VIDEOS)
    assert len(run(feats).written) == 3
    again = run(feats)
    assert (len(again.skipped), again.written) == (3, [])
    os.utime(path, ns=(0, 10**18))
    assert len(run(feats).skipped) == 3  # its content is the same
    write_all(feats, kind, VIDEOS | {"01_0014": VIDEOS["01_0014"] + 1})
    assert len(run(feats).written) == 3


def test_two_videos_with_the_same_numbers_are_not_one(feats):
    from vadpipe.features import read_header

    save_h5(feats / "a.h5", {"a": array(4), "b": array(4)})
    digests = {read_header(path).source.sha256 for path in run(feats).written}
    assert len(digests) == 2


@KINDS
def test_a_file_with_thousands_of_videos_is_read_once(feats, kind, monkeypatch):
    opened = []
    digest = torch_files._tensors
    torch_files._tensors.cache_clear()
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **options: opened.append(1) or load(*args, **options))
    write_all(feats, kind, {f"{number:04d}": array(2, seed=number) for number in range(200)})
    assert len(run(feats).written) == 200
    assert len(opened) == (kind == "pt")
    assert digest.cache_info().maxsize == 1


@KINDS
def test_an_error_names_the_array(feats, kind):
    write_all(feats, kind, {"a": array(4), "b": np.ones(3, np.float32)})
    assert f"feats/set.{kind}: 'b' has the shape (3,), which is not" in only_error(run(feats))


def test_which_arrays_are_videos(tmp_path):
    found = videos_of(["a", "b/c", "b/d", "e/features"], tmp_path, None)
    assert found == [Member("a", "a"), Member("b/c", "b/c"), Member("b/d", "b/d"), Member("e/features", "e")]
    assert videos_of(["x/a", "y/a"], tmp_path, None) == [Member("x/a", "x/a"), Member("y/a", "y/a")]
    assert videos_of(["Abuse/Abuse001"], tmp_path, None) == [Member("Abuse/Abuse001", "Abuse/Abuse001")]
    assert videos_of(["01_0014"], tmp_path, None) == [Member("01_0014", "")]


@pytest.fixture
def secret(tmp_path):
    return save_h5(tmp_path / "secret.h5", {"a": array(4)})


def external_link(file, secret):
    file["a"] = h5py.ExternalLink(secret, "/a")


def soft_link(file, secret):
    file["b"] = array(4)
    file["a"] = h5py.SoftLink("/b")


def external_storage(file, secret):
    file.create_dataset("a", (4, 8), "f4", external=[(os.fspath(secret), 0, 128)])


def virtual(file, secret):
    layout = h5py.VirtualLayout((4, 8), "f4")
    layout[:] = h5py.VirtualSource(secret, "a", shape=(4, 8))
    file.create_virtual_dataset("a", layout)


def objects(file, secret):
    file.create_dataset("a", data=["text"] * 4)


def compound(file, secret):
    file["a"] = np.zeros(4, [("x", "f4")])


def reference(file, secret):
    file["b"] = array(4)
    file.create_dataset("a", data=[file["b"].ref], dtype=h5py.ref_dtype)


def circle(file, secret):
    file.create_group("g")["again"] = file["/"]


def empty(file, secret):
    file["a"] = h5py.Empty("f4")


def a_thicket(file, secret):
    level = file.create_group("g")
    for _ in range(12):
        below = level.create_group("0")
        for number in range(1, 9):
            level[str(number)] = below
        level = below


def unallocated(file, secret):
    file.create_dataset("a", (1000, 1000), "f4")


def bomb(file, secret):
    file.create_dataset("a", (1 << 40, 1000), "f4", chunks=(1, 1000), compression="gzip")


def deflated_zeros(file, secret):
    file.create_dataset("a", (1 << 20, 1000), "f4", chunks=(1024, 1000), compression="gzip")


HOSTILE = {
    "a link to another file": (external_link, "holds a link, 'a', which may lead to another file"),
    "a soft link": (soft_link, "holds a link, 'a'"),
    "data in another file": (external_storage, "'a' lies in another file, which is not opened"),
    "a virtual dataset": (virtual, "'a' lies in another file, which is not opened"),
    "strings": (objects, "'a' holds object, not numbers"),
    "records": (compound, "not numbers"),
    "references": (reference, "'a' holds object, not numbers"),
    "groups in a circle": (circle, "has groups that contain themselves"),
    "an empty dataset": (empty, "'a' is empty"),
    "a thicket of links": (a_thicket, "has one group at two places"),
    "data that was never written": (unallocated, "'a' is cut short"),
    "an absurd shape": (bomb, "above the limit of 8"),
    "zeros that nothing holds": (deflated_zeros, "'a' is cut short"),
}


@pytest.mark.parametrize(("write", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_hdf5_is_refused_and_no_other_file_opened(feats, secret, write, reason, monkeypatch):
    with h5py.File(feats / "a.h5", "w") as file:
        write(file, secret)
    before = secret.stat().st_atime_ns
    os.utime(secret, ns=(1, secret.stat().st_mtime_ns))
    result = run(feats)
    assert reason in str(result.failed[0].error)
    assert "feats/a.h5: " in str(result.failed[0].error)
    assert secret.stat().st_atime_ns == 1, before


def test_an_unknown_filter_is_not_loaded(feats):
    path = save_h5(feats / "a.h5", {"a": array(400)}, compression="gzip", chunks=(4, 8))
    content = path.read_bytes()
    deflate = b"\x01\x00\x08\x00\x01\x00\x01\x00deflate\0"  # number, length of the name, flags, values
    assert content.count(deflate) == 1
    path.write_bytes(content.replace(deflate, b"\x35\x7d" + deflate[2:]))
    assert "filter" in only_error(run(feats))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@KINDS
def test_a_file_that_is_cut_short_is_damaged(feats, kind, share):
    path = write_all(feats, kind, {"a": array(400), "b": array(400)})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    for failure in run(feats).failed:
        assert (
            "damaged" in str(failure.error)
            or "no array" in str(failure.error)
            or "no table" in str(failure.error)
        )
    assert run(feats).written == []


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("new", [True, False])
def test_a_pickle_that_wants_more_runs_nothing(feats, tmp_path, new):
    canary = tmp_path / "canary"
    torch.save(
        {"a": torch.ones(3, 8), "b": Canary(canary)}, feats / "a.pt", _use_new_zipfile_serialization=new
    )
    assert "holds more than tensors, which could run code and is never loaded" in only_error(run(feats))
    (feats / "a.pt").write_bytes(pickle.dumps(Canary(canary)))
    assert "holds pickled objects, which can run code" in only_error(run(feats))
    assert not canary.exists()


class Greedy:
    def __reduce__(self):
        return bytearray, (1 << 40,)


@pytest.mark.parametrize("new", [True, False])
def test_a_pickle_that_wants_memory_gets_none(feats, new):
    torch.save({"a": torch.ones(3, 8), "b": Greedy()}, feats / "a.pt", _use_new_zipfile_serialization=new)
    assert "asks for memory that no tensor needs" in only_error(run(feats))


def test_what_is_not_tensors_is_refused(feats):
    for content, reason in (
        ([torch.ones(3, 8)], "holds list, not tensors or one dictionary of tensors"),
        ({"a": [1]}, "holds list, not tensors"),
        ({"a": {"b": {"c": torch.ones(3, 8)}}}, "holds dict, not tensors"),
        ({"name": "x"}, "holds no arrays"),
        (
            {"a": torch.ones(3, 8).to_sparse(), "b": torch.ones(2, 8)},
            "'a' is sparse, quantized or without data",
        ),
        (
            {"a": torch.ones(3, 8, device="meta"), "b": torch.ones(2, 8)},
            "'a' is sparse, quantized or without data",
        ),
        ({"a": torch.ones(3, 8, dtype=torch.complex64), "b": torch.ones(2, 8)}, "'a' holds torch.complex64"),
        ({"a": torch.ones(1, 8).expand(1000, 8), "b": torch.ones(2, 8)}, "but holds fewer numbers"),
    ):
        save_pt(feats / "a.pt", content)
        assert reason in str(run(feats).failed[0].error), content
    save_pt(feats / "a.pt", {"name": "x", "epoch": 3, "features": torch.ones(3, 8)})
    assert len(run(feats).written) == 1


def test_a_packed_archive_is_refused(feats):
    plain = save_pt(feats / "plain.pt", {"a": torch.zeros(1000, 1000)})
    with (
        zipfile.ZipFile(plain) as archive,
        zipfile.ZipFile(feats / "a.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for info in archive.infolist():
            packed.writestr(info.filename, archive.read(info))
    plain.unlink()
    assert "is packed as torch.save never does" in only_error(run(feats))


def test_the_limit_holds_for_tensors(feats, monkeypatch):
    save_pt(feats / "a.pt", torch.ones(3000, 8))
    monkeypatch.setattr(arrays, "MAX_BYTES", 50_000)
    assert "above the limit" in only_error(run(feats))


def test_without_h5py_it_is_said_how_to_get_it(feats, monkeypatch):
    save_h5(feats / "a.h5", VIDEOS)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    error = only_error(run(feats))
    assert "is an HDF5 file, and h5py is not installed\npip install 'vadpipe[hdf5]'" in error
    assert (feats / "a.h5").read_bytes()[:8] == hdf5.MAGIC


@KINDS
def test_a_published_set_gives_the_same_as_its_npy_files(data, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    files = sorted((data / "ucf_x3d/test").glob("*.npy"))[:12]
    (tmp_path / "feats").mkdir()
    content = {path.stem: np.load(path) for path in files}
    write_all(tmp_path / "feats", kind, content)
    found = loaded(run("feats", backbone="x3d_l"))
    plain = run(*files, backbone="x3d_l")
    for path in plain.written:
        features = Features.load(path)
        name = features.source.video.rpartition("/")[2]
        np.testing.assert_array_equal(found[f"feats/set/{name}"], features.values)
    assert len(found) == len(plain.written) == 12
