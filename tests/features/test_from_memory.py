"""Arrays in place of feature files."""

from pathlib import Path

import numpy as np
import pytest

from support.feature_files import make_features
from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.from_memory import GivenFeatures, folder_of, given_features, given_to_features
from vadpipe.published.settings import ImportSettings

rng = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(5, 8), (3, 5, 8)])
@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32])
def test_an_array_becomes_features(shape, dtype):
    array = (rng.normal(size=shape) * 10).astype(dtype)
    features = given_to_features("cam/a", array)
    views = array[None] if array.ndim == 2 else array
    for snippet in range(5):
        for view in range(len(views)):
            np.testing.assert_array_equal(
                features.values[snippet, view], views[view, snippet].astype(np.float32)
            )
    assert features.values.shape == (5, len(views), 8)
    assert features.n_frames == 80
    assert features.spans.tolist() == [[16 * row, 16 * row + 16] for row in range(5)]
    assert features.frame_times_s[30] == pytest.approx(1.0)
    assert features.source.video == "cam/a"
    assert features.recipe.backbone == "imported:arrays"
    array[:] = 0  # what the caller does to it later does not matter
    assert features.values.any()


def test_features_and_lists_are_taken_as_they_are():
    features = make_features()
    assert given_to_features("videos/fight/a.mp4", features) is features
    renamed = given_to_features("a", features)  # the name of the dictionary is what labels refer to
    assert (renamed.source.video, renamed.values) == ("a", features.values)
    assert given_to_features("a", [[1, 2], [3, 4]]).values[:, 0].tolist() == [[1, 2], [3, 4]]


def test_arrays_count_as_the_imported_features_that_a_head_expects():
    values = rng.normal(size=(4, 1, 8)).astype(np.float32)
    for settings in (ImportSettings("x3d", stride=8), ImportSettings("c3d", rows="even")):
        expected = settings.recipe(values, None)
        features = given_to_features("a", values[:, 0], expected)
        assert expected.differences(features.recipe) == []
    own = given_to_features("a", values[:, 0], make_features().recipe)
    assert own.recipe.backbone == "imported:arrays"


def test_equal_arrays_have_equal_content():
    array = rng.normal(size=(4, 8))
    one, copy, other = (
        given_to_features(name, value) for name, value in (("a", array), ("b", array), ("c", -array))
    )
    assert one.source.sha256 == copy.source.sha256 != other.source.sha256
    assert one.source.place != copy.source.place


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), r"a: has the shape \(3,\)\nPass an array \(S, D\)"),
        (np.zeros((0, 3)), r"a: has the shape \(0, 3\)"),
        (np.zeros((2, 3, 4, 5)), r"a: has the shape \(2, 3, 4, 5\)"),
        (5, r"a: has the shape \(\)"),
        (None, "a: holds values of type object, not real numbers"),
        ("a.npy", "a: holds values of type <U5, not real numbers"),
        (np.zeros((2, 3), complex), "a: holds values of type complex128, not real numbers"),
        ([[1, 2], [3]], "a: is not an array: "),
        (np.full((2, 3), np.nan), "a: holds numbers that are not finite"),
        (np.full((2, 3), 1e300), "a: holds numbers that are not finite"),
        (np.zeros((40, 2, 3)), r"a: has 40 views, by its shape \(40, 2, 3\)\n.*array\.transpose\(1, 0, 2\)"),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_what_is_no_array_of_features_is_refused(array, message):
    with pytest.raises(FeatureError, match=message):
        GivenFeatures({"a": array})


def test_names_are_texts_and_there_is_one():
    with pytest.raises(UsageError, match="3 is not the name of a video\nPass a dictionary"):
        GivenFeatures({3: np.zeros((2, 3))})
    with pytest.raises(UsageError, match=r"no features are given\nPass an array"):
        GivenFeatures({})
    with pytest.raises(UsageError, match=r"features is 5\nPass a folder of feature files, or a dictionary"):
        given_features(5)
    with pytest.raises(UsageError, match="features is of type list"):
        given_features([np.zeros((2, 3))])


def test_arrays_of_two_kinds_are_refused():
    arrays = {"a": np.zeros((2, 3)), "b": np.zeros((2, 4))}
    with pytest.raises(
        FeatureError,
        match=r"given features: contains features of several recipes: 1 with feature_dim=3; .*\nPass arrays of one kind",
    ):
        GivenFeatures(arrays).load()


def test_a_folder_stays_a_folder(tmp_path):
    make_features().save(tmp_path / "a.mp4.safetensors")
    assert given_features(str(tmp_path)) == tmp_path
    (loaded,) = folder_of(given_features(tmp_path)).load()
    given = folder_of(given_features({"videos/fight/a.mp4": loaded}))
    assert [features.source.video for features in given.load()] == ["videos/fight/a.mp4"]
    ((name, header),) = given.headers(pytest.fail)
    assert (name, header.recipe, header.n_frames) == (Path("videos/fight/a.mp4"), loaded.recipe, 40)
    assert given.at(name) is loaded
