"""What can be chosen, and what is refused."""

import pickle

import pytest

from vadpipe.errors import UsageError
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.video.frame import Size
from vadpipe.features.sampling import Sampling
from vadpipe.features.views import CROP_VIEWS
from vadpipe.published.settings import ImportSettings


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"backbone": "i4d"}, "unknown backbone 'i4d'\nChoose one of: i3d"),
        ({"view": "corner"}, "unknown view 'corner'\nChoose from: whole, left"),
        ({"view": "whole,whole"}, "the view whole is named twice"),
        ({"crops": 3}, "unsupported number of crops: 3\nChoose one of: 1, 5, 10"),
        (
            {"crops": 5, "view": "whole"},
            "5 crops are views themselves and conflict with the view whole\nUse either --view or --crops",
        ),
        ({"crops": 10, "view": "centre,whole"}, "10 crops are views themselves .* the view whole,centre"),
        ({"stride": 0}, "a stride of 0 frames is out of range"),
        ({"fps": 0.0}, "0 frames per second is out of range"),
        ({"fps": float("nan")}, "nan frames per second is out of range"),
        ({"target_fps": 0.0}, "0 frames per second is out of range"),
        ({"target_fps": float("inf")}, "inf frames per second is out of range"),
    ],
)
def test_what_is_out_of_range_is_refused(choice, message):
    with pytest.raises(UsageError, match=message):
        ExtractSettings(**choice)


def test_by_default_snippets_overlap_by_half_and_imported_ones_do_not():
    assert ExtractSettings(backbone="x3d_s").sampling == Sampling(stride=8, clip_frames=16)
    assert ImportSettings("c3d").stride == 16


def test_a_backbone_has_its_own_views_and_frame_rate():
    own, other = ExtractSettings(), ExtractSettings(backbone="x3d_s")
    assert (own.view, own.target_fps) == ("left,right", 12.5)
    assert own.sampling == Sampling(stride=8, target_fps=12.5)
    assert (other.view, other.target_fps) == ("whole", "all")
    assert ExtractSettings(view="left,right", target_fps=12.5) == own
    asked = ExtractSettings(view="whole", target_fps="all")
    assert (asked.view, asked.sampling) == ("whole", Sampling(stride=8))


def test_what_is_asked_for_goes_before_what_a_backbone_has():
    assert ExtractSettings(fps=25.0).sampling == Sampling(stride=8, fps=25.0)
    assert ExtractSettings(fps=25.0, target_fps=5.0).target_fps == "all"
    assert ExtractSettings(crops=5).views == CROP_VIEWS[5]
    assert ExtractSettings(backbone="x3d_s", target_fps=5.0).sampling == Sampling(stride=8, target_fps=5.0)


def recipe(settings, **changes):
    made = {
        "weights_sha256": "a" * 64,
        "decoder": "decord2 3.4.0",
        "engine": "openvino 2026.4 float32 on cpu",
    }
    return settings.recipe(**(made | changes))


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"view": "centre"},
        {"view": "whole,centre"},
        {"view": ["whole-flip", "left", "right"]},
        {"crops": 5},
        {"crops": 10, "backbone": "x3d_m"},
        {"stride": 16, "fps": 25.0},
        {"target_fps": "all", "view": "whole", "window": 16},
        {"backbone": "x3d_s"},
        {"backbone": "x3d_s", "target_fps": 10.0},
    ],
)
def test_settings_come_back_from_their_recipe(choice):
    settings = ExtractSettings(**choice)
    again = ExtractSettings.of_recipe(recipe(settings))
    assert recipe(again) == recipe(settings)
    assert not again.differences(recipe(settings), "a" * 64)
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    "choice",
    [
        {"view": "centre"},
        {"view": "whole,centre"},
        {"view": "whole-flip"},
        {"crops": 5},
        {"stride": 16},
        {"fps": 25.0},
        {"target_fps": "all"},
        {"target_fps": 10.0},
        {"window": 64},
        {"view": "whole"},
        {"backbone": "x3d_s"},
    ],
)
def test_whatever_changes_features_is_a_difference(choice):
    assert ExtractSettings().differences(recipe(ExtractSettings(**choice)), "a" * 64)


@pytest.mark.parametrize(
    ("choice", "views", "size", "made"),
    [
        ({"view": "whole"}, ("whole",), Size(224, square=True), ("whole", 1, 224)),
        ({}, ("left", "right"), Size(224, square=False), ("left,right", 2, 224)),
        (
            {"view": "whole,left-flip"},
            ("whole", "left-flip"),
            Size(256, square=False),
            ("whole,left-flip", 2, 256),
        ),
        (
            {"view": "whole-flip,whole"},
            ("whole", "whole-flip"),
            Size(224, square=True),
            ("whole,whole-flip", 2, 224),
        ),
        ({"view": "centre"}, ("centre",), Size(256, square=False), ("centre", 1, 256)),
        (
            {"view": ("centre", "whole")},
            ("whole", "centre"),
            Size(256, square=False),
            ("whole,centre", 2, 256),
        ),
        ({"crops": 5}, CROP_VIEWS[5], Size(256, square=False), ("crops", 5, 256)),
        ({"crops": 5, "view": "centre"}, CROP_VIEWS[5], Size(256, square=False), ("crops", 5, 256)),
    ],
)
def test_views_decide_how_frames_are_decoded_and_what_a_recipe_says(choice, views, size, made):
    settings = ExtractSettings(**choice)
    assert (settings.views, settings.size) == (views, size)
    told = recipe(settings)
    assert (told.view, told.crops, told.resize_px) == made
    assert told.views == views


def test_crops_are_a_short_way_to_name_their_views():
    named = ExtractSettings(view="bottom-right,top-left,top-right,centre,bottom-left")
    assert named == ExtractSettings(crops=5)
    assert ExtractSettings(view=CROP_VIEWS[10]) == ExtractSettings(crops=10)
    assert ExtractSettings(view=["centre", "whole"]) == ExtractSettings(view=" whole, centre")


def test_other_weights_are_a_difference():
    assert ExtractSettings().differences(recipe(ExtractSettings()), "b" * 64) == [
        "weights_sha256: bbbbbbbbbbbb… / aaaaaaaaaaaa…"
    ]


@pytest.mark.parametrize(
    ("choice", "made", "differs"),
    [
        ({}, {"decoder": "av 18.1.0", "engine": "torch 2.14.1 float32 on cpu"}, False),
        ({"decoder": "decord"}, {}, False),
        ({"decoder": "pyav"}, {"decoder": "av 18.1.0"}, False),
        ({"decoder": "pyav"}, {}, True),
        ({"engine": "openvino"}, {}, False),
        ({"engine": "torch"}, {}, True),
    ],
)
def test_a_decoder_or_an_engine_counts_where_it_was_asked_for(choice, made, differs):
    settings = ExtractSettings(**choice)
    assert bool(settings.differences(recipe(settings, **made), "a" * 64)) is differs
