"""Crops lie where the field's feature files have them, in that order."""

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import ten_crop

from vadpipe.extract.crops import CROPS, squares


def clip(height=256, width=341):
    return np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)


def test_one_crop_is_the_middle():
    source = clip()
    (found,) = squares(source, 224, 1)
    np.testing.assert_array_equal(found, source[:, 16:240, 58:282])


def test_ten_crops_are_those_of_torchvision_in_the_order_of_the_field():
    source = clip(256, 340)
    found = list(squares(source, 224, 10))
    pixels = torch.from_numpy(source).permute(0, 3, 1, 2)
    theirs = [crop.permute(0, 2, 3, 1).numpy() for crop in ten_crop(pixels, [224, 224])]
    # theirs: four corners and the centre, then the same of the mirrored picture; here the centre is third
    for ours, other in zip(range(10), [0, 1, 4, 2, 3, 5, 6, 9, 7, 8], strict=True):
        np.testing.assert_array_equal(found[ours], theirs[other])


def test_five_crops_are_the_first_of_ten():
    source = clip()
    for five, ten in zip(squares(source, 224, 5), squares(source, 224, 10), strict=False):
        np.testing.assert_array_equal(five, ten)


@pytest.mark.parametrize("crops", CROPS)
def test_a_square_picture_gives_as_many_views(crops):
    assert [view.shape for view in squares(clip(224, 224), 224, crops)] == [(2, 224, 224, 3)] * crops
