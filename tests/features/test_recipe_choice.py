"""Of features of several recipes in one folder, one is chosen by what distinguishes it."""

import pytest

from support.feature_files import make_features, make_recipe
from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.folder import FeatureFolder
from vadpipe.features.recipe_choice import fits, parse_choice, summary


def save(folder, count, **recipe):
    for index in range(count):
        name = "-".join([f"{index}", *map(str, recipe.values())])
        make_features(96, f"videos/{index}.mp4", seed=index, **recipe).save(folder / f"{name}.safetensors")


@pytest.mark.parametrize(
    ("kinds", "said", "options"),
    [
        (
            [(3, {"view": "centre"}), (2, {})],
            "3 with view=centre; 2 with view=whole",
            "--recipe view=centre",
        ),
        (
            [(1, {"weights_sha256": "b" * 64}), (2, {})],
            "2 with weights_sha256=aaaaaaaaaaaa; 1 with weights_sha256=bbbbbbbbbbbb",
            "--recipe weights_sha256=aaaaaaaaaaaa",
        ),
        ([(3, {"window_frames": 64}), (2, {})], "3 with window=64; 2 with window=16", "--recipe window=64"),
        (
            [(3, {"view": "crops", "crops": 10}), (2, {})],
            "3 with view=crops; 2 with view=whole",
            "--recipe view=crops",
        ),
        (
            [(3, {"target_fps": 12.5}), (2, {})],
            "3 with target_fps=12.5; 2 with target_fps=none",
            "--recipe target_fps=12.5",
        ),
        (
            [(2, {"stride_frames": 8}), (1, {"stride_frames": 8, "view": "centre"}), (1, {})],
            "2 with stride=8, view=whole; 1 with stride=8, view=centre; 1 with stride=16, view=whole",
            "--recipe stride=8 --recipe view=whole",
        ),
    ],
)
def test_recipes_are_told_apart_by_few_words_that_select_one(kinds, said, options):
    recipes = [make_recipe(**changes) for count, changes in kinds for _ in range(count)]
    assert summary(recipes) == (said, options)
    choice = parse_choice(option for option in options.split() if option != "--recipe")
    chosen = [recipe for recipe in recipes if fits(recipe, choice)]
    assert len(chosen) == max(count for count, _ in kinds)
    assert summary(chosen) is None


def test_what_does_not_matter_makes_no_other_recipe():
    assert summary([make_recipe(), make_recipe(engine="openvino int8", decoder="av")]) is None


def test_the_advice_of_the_error_works(tmp_path):
    save(tmp_path, 3)
    save(tmp_path, 2, view="centre")
    with pytest.raises(FeatureError) as caught:
        FeatureFolder(tmp_path).load()
    assert str(caught.value) == (
        f"{tmp_path}: contains features of several recipes: 3 with view=whole; 2 with view=centre\n"
        "Select one, for example with --recipe view=whole, or keep them in separate folders."
    )
    assert len(FeatureFolder(tmp_path).load(recipe=["view=whole"])) == 3
    assert len(FeatureFolder(tmp_path).load(recipe=["view=centre"])) == 2


def test_a_choice_that_nothing_has_names_what_is_there(tmp_path):
    save(tmp_path, 3)
    save(tmp_path, 2, view="centre")
    with pytest.raises(FeatureError) as caught:
        FeatureFolder(tmp_path).load(recipe=["view=left"])
    assert str(caught.value) == (
        f"{tmp_path}: contains no features with view=left; there are 3 with view=whole; 2 with view=centre\n"
        "Select some with --recipe view=whole."
    )


def test_of_one_recipe_it_is_said_what_it_has(tmp_path):
    save(tmp_path, 1)
    with pytest.raises(
        FeatureError, match="contains no features with stride=8; all have stride=16\nLeave out"
    ):
        FeatureFolder(tmp_path).load(recipe=["stride=8"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strid=8", "Did you mean stride=8?"),
        ("stride", "For example: stride=8"),
        ("colour=red", "For example: stride=8"),
    ],
)
def test_a_choice_of_something_else_is_refused(text, message):
    with pytest.raises(UsageError, match="is not one of backbone, ") as caught:
        parse_choice([text])
    assert caught.value.next_step == message


def test_names_may_be_written_in_full_or_with_dashes():
    assert parse_choice(["stride_frames=8", "target-fps=12.5"]) == {
        "stride_frames": "8",
        "target_fps": "12.5",
    }
