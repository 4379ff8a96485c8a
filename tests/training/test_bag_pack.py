"""Bags that stay on disk give the numbers of bags in memory, to the last bit."""

import functools
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from support.feature_files import make_features, write_features
from support.head_settings import FIT_FILES, SMALL
from vadpipe.errors import FeatureError, OutputError
from vadpipe.features.folder import FeatureFolder
from vadpipe.head.bags import TrainingSet
from vadpipe.runs.digests import files_digest
from vadpipe.training import bag_pack, learnable_videos
from vadpipe.training.bag_pack import open_pack, stamps_of
from vadpipe.training.bags_of_features import bag_of
from vadpipe.training.fit import fit
from vadpipe.training.packed_bags import PackedBag, PackedTrainingSet
from vadpipe.training.resume import Resume

SEGMENTS = 4
SETTINGS = SMALL.model_copy(
    update={"steps": 12, "checks": 6, "queue_batches": 4, "folds": 2, "segments": SEGMENTS, "view_sampling": "one"}
)  # fmt: skip
PACK = f".training-{SEGMENTS}"


@pytest.fixture
def features(tmp_path):
    """Videos longer and shorter than the segments, two views, one file with a gap and one that is lost."""
    folder = tmp_path / "features"
    write_features(folder, "normal", 9, crops=2)
    write_features(folder, "fight", 9, crops=2)
    for kind, number, n_frames in (("normal", 20, 33), ("fight", 20, 20), ("fight", 21, 400)):
        video = make_features(n_frames, f"videos/{kind}/{number}.mp4", seed=number + n_frames, crops=2)
        video.save(folder / kind / f"{number}.mp4.safetensors")
    for number, gap in ((30, (0, 20)), (31, (0, 96))):
        video = make_features(96, f"videos/normal/{number}.mp4", seed=number, crops=2)
        source = video.source.model_copy(update={"gaps": (gap,), "n_decoded": 96 - gap[1] or 0})
        object.__setattr__(video, "source", source)
        video.save(folder / "normal" / f"{number}.mp4.safetensors")
    return folder


@pytest.fixture
def on_disk(monkeypatch):
    """Have every training read its bags from disk."""
    return lambda: monkeypatch.setattr(learnable_videos, "MANY_FILES", 0)


def both(folder):
    """Return the same training set in memory and on disk."""
    pack = open_pack(FeatureFolder(folder), stamps_of(FeatureFolder(folder)), SEGMENTS, folder.parent)
    known = [video for video in pack.videos() if not video.is_lost]
    labels = [int("fight" in video.video) for video in known]
    bags = [
        PackedBag(pack, video.row, video.video, label, "") for video, label in zip(known, labels, strict=True)
    ]
    read = [
        bag_of(bag_pack.Features.load(video.path), label, "")
        for video, label in zip(known, labels, strict=True)
    ]
    return TrainingSet(read, SEGMENTS), PackedTrainingSet(bags)


def test_every_number_is_that_of_a_set_in_memory(features):
    memory, disk = both(features)
    assert disk.digest == memory.digest
    assert (disk.n_views, disk.n_windows) == (memory.n_views, memory.n_windows) == (2, 1)
    expected_lengths = [bag.values.shape[1] for bag in memory.bags]
    assert disk.n_snippets.tolist() == memory.n_snippets.tolist() == expected_lengths
    rows = list(range(len(memory.bags)))
    for views in (None, [row % 2 for row in rows]):
        expected, batch = memory.batch(rows[::-1], views), disk.batch(rows[::-1], views)
        for name in ("features", "mask", "labels"):
            torch.testing.assert_close(getattr(batch, name), getattr(expected, name), rtol=0, atol=0)
    for chosen in (rows, rows[3:15:2]):
        for one, other in zip(memory.normal_statistics(chosen), disk.normal_statistics(chosen), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
    for one, other in zip(memory.bags, disk.bags, strict=True):
        for name in ("values", "times_s", "spans", "end_s", "n_windows", "name", "label", "group"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_sums_over_more_bags_than_are_read_at_once_are_the_same(features, monkeypatch):
    monkeypatch.setattr("vadpipe.training.packed_bags._ROWS_AT_ONCE", 3)
    memory, disk = both(features)
    rows = range(len(memory.bags))
    for one, other in zip(memory.normal_statistics(rows), disk.normal_statistics(rows), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def contents(folder):
    record = json.loads((folder / "run.json").read_text())
    kept = {name: record[name] for name in ("inputs", "counts", "warnings", "recipe")}
    return kept | {name: (folder / name).read_bytes() for name in FIT_FILES}


def test_a_fit_writes_the_same_bytes(features, tmp_path, on_disk):
    whole = fit(features, output=tmp_path / "memory", settings=SETTINGS, seed=3)
    assert whole.unused == ["videos/normal/31.mp4"]
    assert not (features / PACK).exists()
    on_disk()
    fit(features, output=tmp_path / "disk", settings=SETTINGS, seed=3)
    assert (features / PACK).is_dir()
    assert contents(tmp_path / "disk") == contents(tmp_path / "memory")
    again = fit(features, output=tmp_path / "memory", settings=SETTINGS, seed=3)
    assert not again.trained  # it is the same training


class StopError(Exception):
    pass


def test_an_interrupted_fit_goes_on_to_the_same_bytes(features, tmp_path, on_disk, monkeypatch):
    fit(features, output=tmp_path / "memory", settings=SETTINGS)
    on_disk()
    written_always = functools.partial(Resume, every_s=0)
    monkeypatch.setattr("vadpipe.training.cross_validation.Resume", written_always)
    seen = []

    def on_check(check):
        seen.append(check.step)
        if len(seen) == 3:
            raise StopError

    with pytest.raises(StopError):
        fit(features, output=tmp_path / "disk", settings=SETTINGS, on_check=on_check)
    fit(features, output=tmp_path / "disk", settings=SETTINGS, on_check=on_check)
    assert seen == [2, 4, 6, 6, 8, 10, 12]  # it was interrupted before that check was written
    written = {name: (tmp_path / "disk" / name).read_bytes() for name in FIT_FILES}
    assert written == {name: (tmp_path / "memory" / name).read_bytes() for name in FIT_FILES}


def read_by(monkeypatch):
    """Return the list of feature files that are read as a whole from now on."""
    read, load = [], bag_pack.Features.load

    def noted(path, **options):
        read.append(path)
        return load(path, **options)

    monkeypatch.setattr("vadpipe.training.bag_pack.Features.load", noted)
    return read


def opened(folder, output=None):
    found = FeatureFolder(folder)
    return open_pack(found, stamps_of(found), SEGMENTS, output or folder.parent)


def test_files_are_read_once_while_they_stay(features, monkeypatch):
    read = read_by(monkeypatch)
    opened(features)
    assert read == [*FeatureFolder(features).files()]
    read.clear()
    opened(features)
    assert not read
    first = next(FeatureFolder(features).files())
    os.utime(first, ns=(0, first.stat().st_mtime_ns + 1))
    opened(features)
    assert len(read) == 23
    read.clear()
    first.unlink()
    assert {video.path for video in opened(features).videos()} == {*FeatureFolder(features).files()}
    assert len(read) == 22


def test_the_digest_of_the_folder_is_that_of_its_files(features):
    assert opened(features).files_digest() == files_digest(FeatureFolder(features).files(), features)


@pytest.mark.parametrize("name", ["segments.bin", "columns.npz", "videos.json"])
def test_a_damaged_pack_is_written_anew(features, name, monkeypatch):
    opened(features)
    path = features / PACK / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    opened(features)
    assert path.read_bytes() == whole


def test_what_an_interruption_leaves_is_never_read(features, monkeypatch):
    opened(features)
    whole = {path.name: path.read_bytes() for path in (features / PACK).iterdir()}
    shutil.rmtree(features / PACK)
    load = bag_pack.Features.load

    def stop(path, **options):
        if path.name == "20.mp4.safetensors":
            raise StopError
        return load(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr("vadpipe.training.bag_pack.Features.load", stop)
        with pytest.raises(StopError):
            opened(features)
    assert not [path for path in features.iterdir() if path.name.startswith(".training")]
    opened(features)
    assert {path.name: path.read_bytes() for path in (features / PACK).iterdir()} == whole


def test_a_broken_file_is_named(features):
    (features / "fight/3.mp4.safetensors").write_bytes(b"nothing")
    with pytest.raises(FeatureError, match=r"fight/3\.mp4\.safetensors: is not a readable feature file"):
        opened(features)


def test_a_full_disk_is_said_and_leaves_nothing(features, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vadpipe.training.bag_pack.np.savez", full)
    with pytest.raises(
        OutputError, match=r"\.training-4: cannot be written: No space left on device\nChoose"
    ):
        opened(features)
    assert not [path for path in features.iterdir() if path.name.startswith(".training")]


def test_features_that_cannot_be_written_to_have_their_pack_beside_the_head(features, tmp_path, monkeypatch):
    monkeypatch.setattr(bag_pack.os, "access", lambda path, mode: Path(path) != features)
    opened(features, tmp_path / "head")
    assert (tmp_path / "head" / PACK / "segments.bin").is_file()
    assert not (features / PACK).exists()


def test_few_files_of_many_bytes_stay_on_disk_too(features, monkeypatch):
    stamps, folder = stamps_of(FeatureFolder(features)), FeatureFolder(features)
    squeezed = sum(min(n_bytes, 2 * SEGMENTS * 8 * 4) for _, n_bytes, _ in stamps)
    monkeypatch.setattr(learnable_videos, "MUCH_BYTES", squeezed)
    assert not learnable_videos._are_many(folder, stamps, SEGMENTS)
    monkeypatch.setattr(learnable_videos, "MUCH_BYTES", squeezed - 1)
    assert learnable_videos._are_many(folder, stamps, SEGMENTS)


def test_files_are_found_in_the_order_of_their_paths(tmp_path):
    for name in ("b/a", "b.x/a", "b-/c", "a", "B/a", "b/.h/a", "b/a.b/c", "z"):
        path = tmp_path / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "b/folder.safetensors").mkdir()
    (tmp_path / "b/link.safetensors").symlink_to(tmp_path / "z.safetensors")
    (tmp_path / "b/gone.safetensors").symlink_to(tmp_path / "nothing")
    expected = [path for path in sorted(tmp_path.rglob("*.safetensors")) if path.is_file()]
    assert [*FeatureFolder(tmp_path).files()] == expected
    assert len(expected) == 9
