"""Feature files hold what was put in, and refuse what contradicts itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from support.feature_files import make_features, make_recipe
from vadpipe.errors import FeatureError
from vadpipe.features.file import SCHEMA, Features, read_header


def test_a_file_gives_back_what_was_saved(tmp_path):
    saved = make_features()
    saved.save(tmp_path / "a.safetensors")
    loaded = Features.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(loaded.values, saved.values)
    np.testing.assert_array_equal(loaded.frame_times_s, saved.frame_times_s)
    assert (loaded.recipe, loaded.source, loaded.end_s) == (saved.recipe, saved.source, saved.end_s)


def test_files_that_do_not_know_the_size_of_the_picture_are_read(tmp_path):
    path = tmp_path / "a.safetensors"
    sized = make_features()
    sized = replace(sized, source=sized.source.model_copy(update={"width_px": 640, "height_px": 360}))
    sized.save(path)
    assert (read_header(path).source.width_px, read_header(path).source.height_px) == (640, 360)
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["vadpipe.features"])
    del header["source"]["width_px"], header["source"]["height_px"]  # as it was before
    save_file(load_file(path), path, metadata={"vadpipe.features": json.dumps(header)})
    assert Features.load(path).source == make_features().source
    assert (read_header(path).source.width_px, read_header(path).source.height_px) == (None, None)


def test_a_recipe_of_several_views_comes_back_with_their_names(tmp_path):
    saved = make_features(view="whole,centre", crops=2, resize_px=256)
    saved.save(tmp_path / "a.safetensors")
    loaded = Features.load(tmp_path / "a.safetensors", mapped=True)
    assert loaded.recipe == saved.recipe
    assert loaded.recipe.views == ("whole", "centre")
    assert read_header(tmp_path / "a.safetensors").schema_version == SCHEMA == 3
    some = loaded.of_views(["centre"])
    assert (some.recipe.view, some.recipe.crops, some.recipe.resize_px) == ("centre", 1, 256)
    np.testing.assert_array_equal(some.values[:, 0], saved.values[:, 1])
    with pytest.raises(ValueError, match="not in tuple"):
        loaded.of_views(["left"])


@pytest.mark.parametrize("crops", [1, 3])
def test_mapped_values_are_those_of_the_file(tmp_path, crops):
    saved = make_features(n_frames=200, crops=crops)
    saved.save(tmp_path / "a.safetensors")
    loaded = Features.load(tmp_path / "a.safetensors", mapped=True)
    assert loaded.values.dtype == np.float32
    np.testing.assert_array_equal(loaded.values, saved.values)
    np.testing.assert_array_equal(loaded.frame_times_s, saved.frame_times_s)
    assert (loaded.recipe, loaded.source, loaded.end_s) == (saved.recipe, saved.source, saved.end_s)


def test_what_is_written_into_mapped_values_stays_in_memory(tmp_path):
    path = tmp_path / "a.safetensors"
    make_features().save(path)
    before = path.read_bytes()
    Features.load(path, mapped=True).values[:] = 7.0
    assert path.read_bytes() == before
    # and a file that is written anew does not change what is mapped
    old = Features.load(path, mapped=True)
    make_features(seed=1).save(path)
    np.testing.assert_array_equal(old.values, make_features(seed=0).values)


def test_mapped_values_stay_in_the_file_and_hold_none_open(tmp_path):
    """A data set has more videos than a process may have files open."""
    for index in range(20):
        make_features(video=f"{index}.mp4").save(tmp_path / f"{index}.safetensors")
    n_open = len(list(Path("/proc/self/fd").iterdir()))
    loaded = [Features.load(tmp_path / f"{index}.safetensors", mapped=True) for index in range(20)]
    assert len(list(Path("/proc/self/fd").iterdir())) == n_open
    assert Path("/proc/self/maps").read_text().count(str(tmp_path)) >= len(loaded)


@pytest.mark.parametrize("mapped", [True, False])
def test_a_mapped_file_is_refused_as_any_other(tmp_path, mapped):
    path = tmp_path / "a.safetensors"
    make_features().save(path)
    whole = load_file(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    whole["features"][0] = np.inf
    save_file(whole, path, metadata=metadata)
    with pytest.raises(FeatureError, match=r"a\.safetensors: has features that are not finite"):
        Features.load(path, mapped=mapped)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FeatureError, match=r"a\.safetensors: is not a readable feature file"):
        Features.load(path, mapped=mapped)
    del whole["features"]
    save_file(whole, path, metadata=metadata)
    with pytest.raises(FeatureError, match=r"a\.safetensors: is not a readable feature file"):
        Features.load(path, mapped=mapped)


def test_another_library_reads_the_arrays(tmp_path):
    make_features(n_frames=40).save(tmp_path / "a.safetensors")
    arrays = load_file(tmp_path / "a.safetensors")
    assert arrays["features"].shape == (3, 1, 8)
    np.testing.assert_allclose(arrays["snippet_times_s"], [[0, 0.64], [0.64, 1.28], [0.96, 1.6]])


def test_same_features_same_bytes(tmp_path):
    for name in ("a", "b"):
        make_features().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_header_is_readable_without_the_arrays(tmp_path):
    make_features().save(tmp_path / "a.safetensors")
    header = read_header(tmp_path / "a.safetensors")
    assert (header.n_frames, header.source.video) == (40, "videos/fight/a.mp4")


def test_recipes_differ_only_by_what_changes_the_numbers():
    recipe = make_recipe()
    assert recipe.differences(make_recipe(decoder="PyAV 18", engine="torch float32 on cuda")) == []
    assert recipe.differences(make_recipe(backbone="x3d_s", feature_dim=2048)) == [
        "backbone: i3d / x3d_s",
        "feature_dim: 8 / 2048",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: {"values": f.values[:-1]}, r"shape \(2, 1, 8\), but its 40 frames need \(3, 1, 8\)"),
        (lambda f: {"values": np.where(f.values > 1, np.nan, f.values)}, "not finite"),
        (lambda f: {"frame_times_s": f.frame_times_s[::-1]}, "run backwards"),
        (lambda f: {"frame_times_s": f.frame_times_s[:0], "values": f.values[:0]}, "no frame times"),
    ],
)
def test_contradictions_are_refused(change, message):
    good = make_features()
    fields = dict(vars(good)) | change(good)
    with pytest.raises(FeatureError, match=message):
        Features(**fields)


def test_what_is_no_feature_file_is_refused_by_name(tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("not at all")
    with pytest.raises(FeatureError, match=r"text\.safetensors: is not a readable feature file"):
        Features.load(text)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": np.zeros(3)}, foreign)
    with pytest.raises(FeatureError, match="is not a vadpipe feature file"):
        Features.load(foreign)
    with pytest.raises(FeatureError, match="no such feature file"):
        Features.load(tmp_path / "absent.safetensors")


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    make_features().save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FeatureError, match="is not a readable feature file"):
        Features.load(path)


@pytest.mark.parametrize("schema", [1, 2, 4])
def test_a_file_of_another_schema_says_so_whatever_else_its_record_holds(tmp_path, schema):
    path = tmp_path / "a.safetensors"
    make_features().save(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    record = json.loads(metadata["vadpipe.features"])
    record["schema_version"] = schema
    record["recipe"]["missing_rows"] = 0  # as schema 2 had it
    save_file(load_file(path), path, metadata={"vadpipe.features": json.dumps(record)})
    with pytest.raises(FeatureError, match=f"has schema {schema}, this vadpipe reads {SCHEMA}\nDelete it"):
        read_header(path)


def test_published_rows_are_refused_where_the_frames_cannot_fill_them():
    recipe = make_recipe(fixed_rows=5)
    assert recipe.differences(make_recipe(fixed_rows=3)) == []
    assert recipe.differences(make_recipe()) == ["fixed_rows: 5 / None"]
    good = make_features(n_frames=40)
    with pytest.raises(FeatureError, match="has 5 rows, too many for 40 frames"):
        Features(**dict(vars(good)) | {"recipe": recipe, "values": np.ones((5, 1, 8), np.float32)})
    with pytest.raises(ValidationError):
        make_recipe(fixed_rows=0)
