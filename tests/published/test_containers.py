"""Files that hold many videos are imported as the same arrays are from files of their own."""

import os
import shutil

import h5py
import numpy as np
import pytest
import torch

from support.published_arrays import import_arrays, only_error, random_array, save_array
from vadpipe.annotations.labels import folder_labels
from vadpipe.errors import FeatureError
from vadpipe.features.file import Features
from vadpipe.published import containers
from vadpipe.published.axes import in_order
from vadpipe.published.videos import Published


@pytest.fixture(autouse=True)
def feats(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "feats").mkdir()
    return tmp_path / "feats"


def save_hdf5(path, arrays, **options):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, **options)


def save_torch(path, arrays, **options):
    torch.save({name: torch.from_numpy(values) for name, values in arrays.items()}, path, **options)


FORMS = {
    "h5": save_hdf5,
    "hdf5": lambda path, arrays: save_hdf5(path, arrays, compression="gzip", shuffle=True),
    "pt": save_torch,
    "pth": lambda path, arrays: save_torch(path, arrays, _use_new_zipfile_serialization=False),
}


@pytest.fixture(params=["h5", "pt"])
def form(request):
    """The suffix of a file that holds many videos, and what writes it."""
    return request.param, FORMS[request.param]


def loaded(result):
    """Return the imported features by their videos' names."""
    assert not result.failed
    return {
        features.source.video: features for features in map(Features.load, result.written + result.skipped)
    }


@pytest.mark.parametrize("suffix", FORMS)
def test_every_video_is_imported_as_from_a_file_of_its_own(feats, suffix):
    write = FORMS[suffix]
    arrays = {
        f"{folder}/{name}.mp4": random_array(rows=6 + len(folder), seed=len(folder))
        for folder in ("fight", "normal")
        for name in ("a", "b")
    }
    write(feats / f"set.{suffix}", arrays)
    for name, values in arrays.items():
        save_array(feats / f"alone/set/{name}.npy", values)
    (feats / "counts.txt").write_text("".join(f"{name}@{16 * len(v) - 3}\n" for name, v in arrays.items()))
    together = loaded(import_arrays(feats / f"set.{suffix}", frame_counts=feats / "counts.txt"))
    alone = loaded(import_arrays(feats / "alone/set", frame_counts=feats / "counts.txt"))
    assert [*together] == [f"feats/set/{name}" for name in arrays]
    for ours, theirs in zip(together.values(), alone.values(), strict=True):
        assert ours.values.tobytes() == theirs.values.tobytes()
        assert (ours.recipe, ours.end_s, ours.n_frames) == (theirs.recipe, theirs.end_s, theirs.n_frames)
    assert [label.abnormal for label in folder_labels([*together]).values()] == [True, True, False, False]


def test_the_only_array_of_a_file_is_named_after_it(feats):
    save_torch(feats / "a.mp4.pt", {"features": random_array()})
    save_hdf5(feats / "b.mp4.h5", {"any/name": random_array()})
    assert [*loaded(import_arrays(feats))] == ["feats/a.mp4", "feats/b.mp4"]
    (feats / "b.mp4.h5").unlink()
    save_torch(feats / "a.mp4.pt", {"features": random_array(), "more": random_array(width=9)})
    assert [*loaded(import_arrays(feats, array="features"))] == ["feats/a.mp4"]
    assert "has several arrays that may belong to one video" in only_error(import_arrays(feats))


def test_groups_of_several_arrays(feats):
    save_hdf5(
        feats / "set.h5",
        {f"v{i}/{name}": random_array(seed=i) for i in range(3) for name in ("features", "x")},
    )
    torch.save({"v3": {"features": torch.from_numpy(random_array(seed=3)), "fps": 25}, "v4": {"features": torch.from_numpy(random_array(seed=4))}}, feats / "set2.pt")  # fmt: skip
    imported = loaded(import_arrays(feats, array="features"))
    assert [*imported] == ["feats/set/v0", "feats/set/v1", "feats/set/v2", "feats/set2/v3", "feats/set2/v4"]
    for i, features in enumerate(imported.values()):
        np.testing.assert_array_equal(features.values[:, 0], random_array(seed=i))


def test_another_array_of_a_video_takes_the_place_of_the_first(feats):
    save_torch(feats / "set.pt", {"rgb": random_array(seed=1), "flow": random_array(seed=2)})
    first = import_arrays(feats, array="rgb").written
    assert import_arrays(feats, array="flow").written == first
    assert import_arrays(feats, array="flow").skipped == first
    np.testing.assert_array_equal(Features.load(first[0]).values[:, 0], random_array(seed=2))


def test_crops_of_a_video_are_joined(feats):
    values = random_array(crops=5)
    save_torch(feats / "set.pt", {f"v__{crop}.npy": values[:, crop] for crop in (3, 1, 0, 2, 4)})
    (features,) = loaded(import_arrays(feats)).values()
    np.testing.assert_array_equal(features.values, values)
    assert features.source.video == "feats/set/v"
    save_torch(feats / "set.pt", {f"v__{crop}": values[:, crop] for crop in (0, 1, 4)})
    assert "feats/set.pt/v__0: is one of 5 crops by its name, but numbers 2, 3 are missing (found: v__0," in (
        only_error(import_arrays("feats"))
    )


def test_importing_again_reads_nothing_and_a_change_is_noticed(feats, form, monkeypatch):
    suffix, write = form
    path = feats / f"set.{suffix}"
    arrays = {f"v{i}": random_array(seed=i) for i in range(4)}
    write(path, arrays)
    written = import_arrays(feats).written
    with monkeypatch.context() as patched:
        patched.setattr(Published, "digest", None)
        assert import_arrays("feats").skipped == written
    os.utime(path, (0, 0))  # touched alone: its content is compared
    assert import_arrays(feats).skipped == written
    arrays["v2"] = random_array(seed=9)
    arrays["v4"] = random_array(seed=4)
    write(path, arrays)
    result = import_arrays(feats)
    assert {p.stem for p in result.written} >= {"v2", "v4"}
    assert {features.source.video: features.values.tobytes() for features in loaded(result).values()} == {
        f"feats/set/{name}": values.tobytes() for name, values in arrays.items()
    }
    assert import_arrays(feats).written == []


def test_a_moved_file_is_known_and_copies_in_it_are(feats, tmp_path):
    save_torch(
        feats / "set.pt",
        {"a": random_array(seed=1), "b": random_array(seed=2), "again": random_array(seed=1)},
    )
    written = import_arrays(feats).written
    digests = {name[10:]: features.source.sha256 for name, features in loaded(import_arrays(feats)).items()}
    assert digests["a"] == digests["again"] != digests["b"]  # fit keeps copies on one side of a split
    (tmp_path / "moved").mkdir()
    shutil.move(feats, tmp_path / "moved/feats")
    assert import_arrays("moved/feats").skipped == written


def test_a_file_is_opened_once_however_many_videos_it_holds(feats, monkeypatch):
    arrays = {f"v{i:03d}": random_array(seed=i) for i in range(40)}
    save_torch(feats / "set.pt", arrays)
    opened = []

    def counted(path, make=containers.TorchFile):
        opened.append(path)
        return make(path)

    monkeypatch.setattr(containers, "TorchFile", counted)
    assert len(import_arrays(feats).written) == 40
    assert len(opened) == 1


def test_a_bad_array_costs_only_itself(feats, form):
    suffix, write = form
    write(
        feats / f"set.{suffix}",
        {
            "a": random_array(),
            "b": random_array() * np.nan,
            "c": random_array(width=9),
            "d": random_array()[0],
        },
    )
    save_array(feats / "z.npy", random_array())
    result = import_arrays(feats)
    assert [path.stem for path in result.written] == ["a", "z"]
    text = "\n".join(str(failure.error) for failure in result.failed)
    name = feats / f"set.{suffix}"
    assert f"{name}/b: contains values that are not finite" in text
    assert f"{name}/c: has 9 dimensions, but {name}/a has 8" in text
    assert f"{name}/d: has the shape (8,), which is not" in text


def test_a_file_that_cannot_be_read_costs_only_itself(feats):
    save_hdf5(feats / "cut.h5", {"a": random_array()})
    (feats / "cut.h5").write_bytes((feats / "cut.h5").read_bytes()[:-8])
    (feats / "none.h5").write_bytes(b"no HDF5 at all")
    torch.save([1, 2], feats / "list.pt")
    with h5py.File(feats / "links.h5", "w") as file:
        file["away"] = file["far"] = h5py.ExternalLink("cut.h5", "/a")
    save_hdf5(feats / "whole.h5", {"a": random_array()})
    result = import_arrays("feats")
    assert [path.stem for path in result.written] == ["whole"]
    assert sorted(str(failure.error) for failure in result.failed) == [
        "feats/cut.h5: is damaged: Unable to synchronously open file (truncated file: eof = 2232, "
        "sblock->base_addr = 0, stored_eof = 2240)\nDownload the file again, or omit it.",
        "feats/links.h5/away: is a link to another file, which is never followed (and so are 1 more)\n"
        "Import its target, or save it as a separate array.",
        "feats/list.pt: contains a list, not a tensor or a dict of tensors\n"
        "Save tensors alone: torch.save({video: tensor, ...}, FILE), or one tensor a file.",
        "feats/none.h5: is not an array file in a known format\nDownload the file again, or omit it.",
    ]


def test_names_lead_nowhere_else(feats, tmp_path):
    names = ["../../../up", "/etc/passwd", "a/../../b", "line\nbreak", ".."]
    save_torch(feats / "set.pt", {name: random_array(seed=i) for i, name in enumerate(names[:-1])})
    assert sorted(loaded(import_arrays(feats))) == [
        "feats/set/a/b",
        "feats/set/etc/passwd",
        "feats/set/line\\nbreak",
        "feats/set/up",
    ]
    assert len(list((tmp_path / "features").rglob("*.safetensors"))) == 4
    save_torch(feats / "set.pt", {name: random_array(seed=i) for i, name in enumerate(names)})
    assert "set.pt: has an array with the invalid name '..'" in only_error(import_arrays(feats))


def test_two_arrays_about_one_video(feats):
    save_torch(feats / "set.pt", {"a": random_array(), "./a": random_array(), "b": random_array()})
    save_array(feats / "set/b.npy", random_array())
    result = import_arrays("feats")
    assert result.written == []
    assert sorted(failure.error.reason for failure in result.failed) == [
        "is about the same video as a",
        "is about the same video as b.npy",
    ]


def test_rows_of_one_are_told_of(feats, caplog):
    save_hdf5(feats / "set.h5", {f"Abuse001-{i}": random_array(rows=1, seed=i) for i in range(3)})
    import_arrays(feats)
    assert (
        "each of 3 videos has 1 row: if each is a snippet, join the rows of each video first" in caplog.text
    )


@pytest.mark.parametrize(
    ("shape", "told", "wanted"),
    [
        ((7, 8, 1, 1, 1), {}, (7, 1, 8)),
        ((10, 8, 1), {}, (10, 1, 8)),
        ((7, 10, 8, 1, 1), {}, (7, 10, 8)),
        ((10, 7, 8, 1), {}, (7, 10, 8)),
        ((1, 8, 1, 1, 1), {"crops": 1}, (1, 1, 8)),
        ((7, 5, 1), {"layout": "tcd"}, (7, 5, 1)),
        ((8, 7, 1, 1), {"feature_dim": 8}, (7, 1, 8)),
    ],
)
def test_axes_that_were_pooled_are_dropped(feats, shape, told, wanted):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    save_torch(feats / "set.pt", {"a": values})
    save_array(feats / "a.npy", values)
    ours, theirs = loaded(import_arrays(feats, **told)).values()
    assert ours.values.shape == wanted
    np.testing.assert_array_equal(ours.values, theirs.values)
    np.testing.assert_array_equal(ours.values, in_order(values, "a", **told))


def test_axes_that_are_left_out_nowhere_else():
    with pytest.raises(FeatureError, match=r"has the shape \(2, 1, 8, 3\), which is not"):
        in_order(np.zeros((2, 1, 8, 3), np.float32), "x")
    with pytest.raises(FeatureError, match=r"has the shape \(8,\), which is not"):
        in_order(np.zeros((8, 1, 1), np.float32)[:, 0, 0], "x")


def test_real_x3d_features_in_every_form(data, feats):
    folder = data / "ucf_x3d/test"
    if not folder.is_dir():
        pytest.skip(f"no published features at {folder}")
    files = sorted(folder.glob("*.npy"))[:12]
    arrays = {path.stem: np.load(path) for path in files}
    for suffix, write in FORMS.items():
        write(feats / f"{suffix}_of_x3d.{suffix}", arrays)
    counts = data / "ucf_x3d/frame_counts.txt"
    alone = {
        name.rpartition("/")[2]: features
        for name, features in loaded(import_arrays(*files, frame_counts=counts, rows="even")).items()
    }
    together = loaded(import_arrays(feats, frame_counts=counts, rows="even"))
    assert len(together) == len(alone) * len(FORMS) == 48
    for name, ours in together.items():
        theirs = alone[name.rpartition("/")[2]]
        assert ours.values.tobytes() == theirs.values.tobytes()
        assert ours.frame_times_s.tobytes() == theirs.frame_times_s.tobytes()
        assert ours.recipe == theirs.recipe
