"""Feature files hold what was put in, and refuse what contradicts itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from support.feature_files import make_features, make_recipe
from vadpipe.errors import FeatureError, OutputError
from vadpipe.features.file import SCHEMA, Features, Source, read_frame_times, read_header


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


def source(**changes):
    return make_features().source.model_copy(update=changes)


def test_the_size_of_the_picture_is_known_if_both_sides_are():
    assert source(width_px=640, height_px=360).size_px == (640, 360)
    for known in ({}, {"width_px": 640}, {"height_px": 360}):
        assert source(**known).size_px is None


def test_a_record_has_no_impossible_numbers():
    fields = source().model_dump()
    for name in ("n_announced", "width_px", "height_px"):
        assert Source(**fields | {name: 1})
        with pytest.raises(ValidationError):
            Source(**fields | {name: 0})
    assert Source(**fields | {"n_decoded": 0})
    with pytest.raises(ValidationError):
        Source(**fields | {"n_decoded": -1})


@pytest.mark.parametrize(
    ("decoded", "gaps", "said"),
    [
        (40, (), None),
        (41, (), None),
        (39, (), "1 of 40 frames could not be decoded (frames: the end)"),
        (39, ((3, 4),), "1 of 40 frames could not be decoded (frames: 3)"),
        (37, ((3, 5), (7, 8)), "3 of 40 frames could not be decoded (frames: 3 to 4, 7)"),
        (36, ((3, 5), (7, 8)), "4 of 40 frames could not be decoded (frames: 3 to 4, 7, the end)"),
        (37, ((1, 2), (3, 4), (5, 6)), "3 of 40 frames could not be decoded (frames: 1, 3, 5)"),
        (
            35,
            ((1, 2), (3, 4), (5, 6), (8, 9), (10, 11)),
            "5 of 40 frames could not be decoded (frames: 1, 3, 5, 2 more gaps)",
        ),
    ],
)
def test_what_is_missing_of_a_video_is_said_in_a_few_words(decoded, gaps, said):
    damaged = source(n_announced=40, n_decoded=decoded, gaps=gaps)
    assert damaged.partial == said
    assert damaged.lost_share == pytest.approx(1 - decoded / 40)


def test_snippets_that_need_a_lost_frame_are_lost():
    whole = make_features(n_frames=64)
    assert whole.lost.tolist() == [False] * 4
    for gaps, lost in [
        (((0, 1),), [True, False, False, False]),
        (((15, 16),), [True, False, False, False]),
        (((16, 17),), [False, True, False, False]),
        (((15, 17), (63, 64)), [True, True, False, True]),
    ]:
        damaged = replace(whole, source=whole.source.model_copy(update={"gaps": gaps}))
        assert damaged.lost.dtype == np.bool_
        assert damaged.lost.tolist() == lost


def test_stretches_are_half_open_and_reach_the_end():
    features = make_features(n_frames=40)
    assert features.spans.tolist() == [[0, 16], [16, 32], [24, 40]]
    np.testing.assert_allclose(features.snippet_times_s, [[0, 0.64], [0.64, 1.28], [0.96, 1.6]])


def test_frame_times_may_repeat_and_must_be_numbers():
    fields = dict(vars(make_features()))
    times_s = fields["frame_times_s"].copy()
    times_s[1] = times_s[0]
    assert Features(**fields | {"frame_times_s": times_s}).n_frames == 40
    times_s[-1] = np.nan
    with pytest.raises(FeatureError, match="run backwards"):
        Features(**fields | {"frame_times_s": times_s})
    with pytest.raises(FeatureError, match="has no frame times"):
        Features(**fields | {"frame_times_s": times_s[None]})


def test_as_many_published_rows_as_the_frames_can_fill_are_taken():
    recipe = make_recipe(fixed_rows=3)
    fields = dict(vars(make_features(n_frames=33))) | {"recipe": recipe}
    assert Features(**fields | {"values": np.ones((3, 1, 8), np.float32)}).n_frames == 33
    fields = dict(vars(make_features(n_frames=32))) | {"recipe": recipe}
    with pytest.raises(FeatureError, match="has 3 rows, too many for 32 frames"):
        Features(**fields | {"values": np.ones((3, 1, 8), np.float32)})


@pytest.mark.parametrize("views", [["whole"], ["centre", "whole"]])
def test_some_of_the_views_lie_in_memory_as_if_they_were_all(views):
    features = make_features(view="whole,centre", crops=2, resize_px=256)
    some = features.of_views(views)
    assert some.recipe.views == tuple(view for view in ("whole", "centre") if view in views)
    assert some.values.flags.c_contiguous
    assert some.n_frames == features.n_frames


def test_a_head_and_broken_records_are_called_what_they_are(tmp_path):
    path = tmp_path / "a.safetensors"
    for metadata, said in [
        ({"vadpipe.head": "{}"}, "is a head, not a feature file\nPass it as --head."),
        ({"vadpipe.features": "[1]"}, "its record does not follow the schema\nDelete it"),
        ({"vadpipe.features": "{"}, "its record does not follow the schema"),
        ({"vadpipe.features": "[" * 100_000}, "its record does not follow the schema"),
        ({"vadpipe.features": '{"schema_version": "3"}'}, "its record does not follow the schema"),
        ({"vadpipe.features": '{"schema_version": 3}'}, "its record does not follow the schema"),
    ]:
        save_file({"x": np.zeros(3)}, path, metadata=metadata)
        for read in (read_header, read_frame_times, Features.load):
            with pytest.raises(FeatureError, match=rf"a\.safetensors: .*{said}"):
                read(path)
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(FeatureError, match=r"folder\.safetensors: is not a readable feature file"):
        read_header(tmp_path / "folder.safetensors")


def test_what_contradicts_itself_names_the_file_and_what_to_do(tmp_path):
    path = tmp_path / "a.safetensors"
    make_features().save(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    arrays = load_file(path)
    save_file(arrays | {"features": arrays["features"][:-1]}, path, metadata=metadata)
    with pytest.raises(FeatureError, match=r"a\.safetensors: has features of shape .*\nDelete it and run"):
        Features.load(path)


def test_times_alone_can_be_read(tmp_path):
    path = tmp_path / "a.safetensors"
    make_features().save(path)
    times_s, end_s = read_frame_times(path)
    np.testing.assert_array_equal(times_s, np.arange(40) / 25)
    assert end_s == 1.6
    arrays = load_file(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    save_file({"features": arrays["features"]}, path, metadata=metadata)
    with pytest.raises(FeatureError, match=r"a\.safetensors: is not a readable feature file"):
        read_frame_times(path)


def test_a_disk_without_room_is_an_error_of_the_file(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise SafetensorError("No space left on device")

    monkeypatch.setattr("vadpipe.features.file.save_file", refuse)
    with pytest.raises(OutputError, match=r"a\.safetensors: cannot be written: No space left on device"):
        make_features().save(tmp_path / "a.safetensors")
    assert [*tmp_path.iterdir()] == []


def test_it_is_shown_in_one_line():
    assert repr(make_features()) == (
        "Features('videos/fight/a.mp4', values=(3, 1, 8), n_frames=40, end_s=1.60, backbone='i3d')"
    )
