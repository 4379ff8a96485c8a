"""The command that a refusal names makes the features that are wanted."""

import shlex

import pytest

from support.feature_files import make_recipe
from vadpipe import ExtractSettings, ImportSettings
from vadpipe.features.commands import how_to_make, options_of, options_that_differ, refusal


def settings_of(options):
    """Read options as a shell and the command line would."""
    words = shlex.split(options)
    given = dict(zip((word.removeprefix("--") for word in words[::2]), words[1::2], strict=True))
    numbers = {name: int(given[name]) for name in ("stride", "crops") if name in given}
    rate = given.get("target-fps")
    return ExtractSettings(
        backbone=given["backbone"],
        view=given.get("view"),
        window=given.get("window"),
        target_fps=rate if rate in (None, "all") else float(rate),
        fps=float(given["fps"]) if "fps" in given else None,
        **numbers,
    )


def recipe_of(settings):
    return settings.recipe(weights_sha256="a" * 64, decoder="d", engine="e")


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"stride": 16},
        {"view": "whole,centre-flip"},
        {"crops": 10},
        {"window": 64},
        {"window": (64, 16, 128)},
        {"fps": 7.5},
        {"target_fps": "all"},
        {"backbone": "x3d_s"},
        {"backbone": "x3d_m", "stride": 4, "target_fps": 6.25},
    ],
    ids=str,
)
def test_the_options_make_the_same_recipe(wanted):
    recipe = recipe_of(ExtractSettings(**wanted))
    assert recipe_of(settings_of(options_of(recipe))) == recipe


def test_an_import_is_named_by_its_own_options():
    import numpy as np

    recipe = ImportSettings("i3d_r50", stride=8).recipe(np.zeros((4, 10, 3), np.float32), None)
    assert options_of(recipe) == "--backbone i3d_r50 --stride 8 --crops 10"
    even = ImportSettings("c3d", rows="even").recipe(np.zeros((32, 1, 3), np.float32), None)
    assert options_of(even) == "--backbone c3d --rows even"
    step = how_to_make(recipe, recipe_of(ExtractSettings()))
    assert step.startswith(
        "Make them with: vadpipe features import FILES --backbone i3d_r50 --stride 8 --crops 10;"
    )


def test_only_what_differs_is_told_apart():
    default = recipe_of(ExtractSettings())
    assert options_that_differ(recipe_of(ExtractSettings(stride=16)), default) == "--stride 16"
    assert options_that_differ(recipe_of(ExtractSettings(crops=5)), default) == "--crops 5"
    assert options_that_differ(default, default) == ""


def test_a_refusal_has_the_difference_and_the_command():
    expected, other = recipe_of(ExtractSettings()), recipe_of(ExtractSettings(stride=16))
    reason, step = refusal(expected, other)
    assert reason == "does not fit the head, which expects other features (stride_frames: 8 / 16)"
    assert step == (
        "Make them with: vadpipe extract VIDEOS --backbone i3d --view left,right --stride 8 --window 16,64 "
        "--target-fps 12.5; or train a head on the features that you have ('vadpipe fit')."
    )
    assert refusal(expected, recipe_of(ExtractSettings(view="left"))) is None  # fewer views will do


def test_other_weights_are_named_by_their_digest():
    other = make_recipe(weights_sha256="b" * 64)
    assert "--weights FILE (sha256 aaaaaaaaaaaa…)" in how_to_make(make_recipe(), other)
