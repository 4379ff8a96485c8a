"""Views have names: which there are, their order, and how recipes name them."""

import itertools
import random

import pytest

from vadpipe.errors import UsageError
from vadpipe.features.views import (
    CROP_VIEWS,
    PARTS,
    VIEWS,
    only_whole,
    parse_views,
    part_of,
    text_of,
    views_of,
)


def test_every_part_can_be_mirrored_and_the_order_is_that_of_the_fields_crops():
    assert len({*VIEWS}) == len(VIEWS) == 2 * len(PARTS)
    assert {part_of(view) for view in VIEWS[len(PARTS) :]} == {*PARTS}
    for crops, views in CROP_VIEWS.items():
        assert len(views) == crops
        assert parse_views(reversed(views)) == views


def test_views_come_in_one_order_however_they_are_named():
    names = [*VIEWS]
    random.Random(0).shuffle(names)
    assert parse_views(names) == parse_views(",".join(names)) == VIEWS
    assert parse_views(" centre , whole") == parse_views(["centre", "whole"]) == ("whole", "centre")
    assert parse_views("centre") == ("centre",)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (
            "center",
            "unknown view 'center'\nDid you mean centre\\? Choose from: whole, left, right, top-left,",
        ),
        ("whole,Left", "unknown view 'Left'\nDid you mean left\\? Choose from"),
        ("whole-flp", "unknown view 'whole-flp'\nDid you mean whole-flip\\?"),
        (
            "everything",
            "unknown view 'everything'\nChoose from: whole, .*; or mirrored, such as whole-flip",
        ),
        ("", "unknown view ''\nChoose from"),
        ([], "unknown view ''\nChoose from"),
        ("whole,", "unknown view ''\nChoose from"),
        ("whole,left,whole", "the view whole is named twice\nName each view once"),
        (("left", "left"), "the view left is named twice"),
    ],
)
def test_what_is_no_view_is_refused_with_a_way_out(view, message):
    with pytest.raises(UsageError, match=message):
        parse_views(view)


def test_a_recipe_names_its_views_and_gives_them_back():
    for count in (1, 2, 3):
        for views in itertools.combinations(VIEWS, count):
            assert views_of(text_of(views), count) == views
    assert text_of(("whole", "centre")) == "whole,centre"
    for crops, views in CROP_VIEWS.items():
        assert text_of(views) == "crops"
        assert views_of("crops", crops) == views


@pytest.mark.parametrize(("view", "crops", "views"), [
    ("whole", 1, ("whole",)),  # as recipes were before several views had names
    ("centre", 1, ("centre",)),
    ("unknown", 1, ("0",)),
    ("unknown", 3, ("0", "1", "2")),
    ("whole", 2, ("0", "1")),
    ("whole,corner", 2, ("0", "1")),
    ("crops", 3, ("0", "1", "2")),
])  # fmt: skip
def test_views_that_a_recipe_does_not_name_are_numbered(view, crops, views):
    assert views_of(view, crops) == views


def test_only_the_whole_frame_can_be_decoded_as_a_square():
    assert only_whole(["whole", "whole-flip"])
    assert not only_whole(["whole", "centre"])
