"""The feature files below a folder: which they are, and what is said of those that cannot be used together."""

from pathlib import Path

import pytest

from support.feature_files import make_features
from vadpipe.errors import FeatureError
from vadpipe.features.commands import GIVEN
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder, file_of_each_video, may_hold_features, of_one_recipe


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("a.mp4.safetensors", True),
        (".part-.safetensors", True),
        (".part-12ab_c7.safetensors", True),
        (".part-12ab_c78.safetensors", False),
        (".part-12ab_c789.safetensors", True),
        (".part-12AB_C78.safetensors", True),
        ("x.part-12ab_c78.safetensors", True),
        ("head.safetensors", False),
        ("last.safetensors", False),
        ("ahead.safetensors", True),
        ("a.mp4", False),
        ("a.safetensors.txt", False),
    ],
)
def test_a_feature_file_is_known_by_its_name(name, may):
    assert may_hold_features(Path("folder", name)) is may


def test_files_are_found_below_the_folder_in_the_order_of_their_paths(tmp_path):
    for name in ("b/2", "b/1", "a", "head", "b/deep/last", "b/.part-12345678"):
        path = tmp_path / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "c.safetensors").mkdir()
    (tmp_path / "notes.txt").touch()
    found = [path.relative_to(tmp_path).as_posix() for path in FeatureFolder(tmp_path).files()]
    assert found == ["a.safetensors", "b/1.safetensors", "b/2.safetensors"]
    assert [*FeatureFolder(tmp_path / "none").files()] == []
    assert [*FeatureFolder(tmp_path / "notes.txt").files()] == []


def test_headers_are_read_and_broken_files_told(tmp_path):
    make_features().save(tmp_path / "b.safetensors")
    (tmp_path / "a.safetensors").write_text("broken")
    told = []
    found = [*FeatureFolder(tmp_path).headers(lambda path, error: told.append((path.name, error.reason)))]
    assert [(path.name, header.source.video) for path, header in found] == [
        ("b.safetensors", "videos/fight/a.mp4")
    ]
    assert [name for name, _ in told] == ["a.safetensors"]
    assert told[0][1].startswith("is not a readable feature file: ")


def test_all_are_loaded_with_their_values_on_disk(tmp_path):
    for name in "ab":
        make_features(video=f"v/{name}.mp4", seed=ord(name)).save(tmp_path / f"{name}.safetensors")
    loaded = FeatureFolder(tmp_path).load()
    assert [features.source.video for features in loaded] == ["v/a.mp4", "v/b.mp4"]
    for name, features in zip("ab", loaded, strict=True):
        assert (features.values == Features.load(tmp_path / f"{name}.safetensors").values).all()
        assert features.values.base is not None  # a view of the file
    assert FeatureFolder(tmp_path).at(tmp_path / "a.safetensors") == tmp_path / "a.safetensors"


def test_features_of_a_damaged_video_are_loaded_with_a_warning(tmp_path, caplog):
    whole = make_features()
    damaged = whole.source.model_copy(update={"n_announced": 50})
    Features(whole.values, whole.frame_times_s, whole.end_s, whole.recipe, damaged).save(
        tmp_path / "a.safetensors"
    )
    make_features(video="v/b.mp4").save(tmp_path / "b.safetensors")
    assert len(FeatureFolder(tmp_path).load()) == 2
    said = "the video is damaged, 10 of 50 frames could not be decoded (frames: the end)"
    assert caplog.messages == [f"{tmp_path}/a.safetensors: {said}"]


def test_a_folder_without_features_says_which_are_missing(tmp_path):
    with pytest.raises(FeatureError, match=r": contains no feature file\n.*vadpipe extract VIDEOS"):
        FeatureFolder(tmp_path).load()
    make_features().save(tmp_path / "a.safetensors")
    assert len(FeatureFolder(tmp_path).load("i3d")) == 1
    with pytest.raises(FeatureError, match=": contains no feature file of x3d_s\n"):
        FeatureFolder(tmp_path).load("x3d_s")


@pytest.mark.parametrize("backbone", ["i3d", "x3d_s"])
def test_one_backbone_of_several_is_taken(tmp_path, backbone):
    for name in ("i3d", "x3d_s"):
        make_features(video=f"v/{name}.mp4", backbone=name).save(tmp_path / f"{name}.safetensors")
    (features,) = FeatureFolder(tmp_path).load(backbone)
    assert features.recipe.backbone == backbone


def test_arrays_of_several_kinds_are_called_so():
    one, two = (make_features(video=f"v/{n}.mp4", backbone=GIVEN, feature_dim=n) for n in (8, 9))
    loaded = [(Path("a"), one), (Path("b"), two)]
    with pytest.raises(FeatureError, match="contains features of several recipes") as caught:
        of_one_recipe(loaded, None, "arrays")
    assert caught.value.next_step.startswith("Pass arrays of one kind: ")
    other = make_features(video="v/c.mp4", feature_dim=9)
    with pytest.raises(FeatureError, match="contains features of several recipes") as caught:
        of_one_recipe([(Path("a"), one), (Path("c"), other)], None, "folder")
    assert caught.value.next_step.startswith("Select one, for example with --recipe ")


def test_of_two_files_of_one_content_the_first_counts(caplog):
    found = [("v/a.mp4", Path("1"), "x"), ("v/b.mp4", Path("2"), "y"), ("v/a.mp4", Path("3"), "x")]
    assert file_of_each_video(found) == {"v/a.mp4": Path("1"), "v/b.mp4": Path("2")}
    assert caplog.messages == ["3: not used, because 1 holds features of the same video"]


def test_two_contents_of_one_name_are_refused():
    found = [("v/a.mp4", Path("1"), "x"), ("v/a.mp4", Path("2"), "y")]
    with pytest.raises(
        FeatureError, match=r"2: is about another video than 1, and both are called v/a\.mp4"
    ) as caught:
        file_of_each_video(found)
    assert caught.value.next_step.startswith("Extract them from a folder above both")


def test_of_two_files_of_one_video_one_is_loaded(tmp_path, caplog):
    for name in "ab":
        make_features().save(tmp_path / f"{name}.safetensors")
    assert len(FeatureFolder(tmp_path).load()) == 1
    assert len(caplog.messages) == 1
