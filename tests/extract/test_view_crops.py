"""Each view shows its part of a frame, by a slow loop; crops are those of the field, in its order."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import ten_crop

from vadpipe.extract.view_crops import ViewCropper, box_of
from vadpipe.features.views import CROP_VIEWS, PARTS, VIEWS

SIDE = 224
SIZES = {"landscape": (256, 342), "wide": (256, 612), "upright": (342, 256), "square": (256, 256)}


def noise(height=256, width=342):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height, width):
    """A picture as cameras give them, without detail that a filter would alias."""
    small = np.random.default_rng(0).integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def slow_part(frame, part):
    """Return the part of a frame that a view shows, by what its name says."""
    height, width = frame.shape[:2]
    if part == "whole":
        return frame
    if part in ("left", "right"):
        long = max(min(height, width), (max(height, width) + 1) // 2)  # halves of a very wide frame
        if width >= height:
            return frame[:, :long] if part == "left" else frame[:, width - long :]
        return frame[:long] if part == "left" else frame[height - long :]
    if part == "centre":
        top, left = (height - SIDE) // 2, (width - SIDE) // 2
    else:
        top = {"top": 0, "bottom": height - SIDE}[part.split("-")[0]]
        left = {"left": 0, "right": width - SIDE}[part.split("-")[1]]
    return frame[top : top + SIDE, left : left + SIDE]


def slow_weights(n_from, n_to):
    """Return what each of ``n_to`` pixels takes of ``n_from``: the cubic of Keys (a = -0.5), widened to antialias."""
    scale = n_from / n_to
    widened = max(scale, 1.0)
    weights = np.zeros((n_to, n_from))
    for to in range(n_to):
        for at in range(n_from):
            x = abs(at + 0.5 - (to + 0.5) * scale) / widened
            if x < 1:
                weights[to, at] = 1.5 * x**3 - 2.5 * x**2 + 1
            elif x < 2:
                weights[to, at] = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return weights / weights.sum(axis=1, keepdims=True)


def slow_scaled(picture):
    down, across = (slow_weights(n_from, SIDE) for n_from in picture.shape[:2])
    return np.einsum("ih,hwc,jw->ijc", down, picture.astype(float), across, optimize=True)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_its_part_of_the_frame(view, size):
    frame = smooth(*size)
    (seen,) = ViewCropper([view], SIDE)(frame)
    assert (seen.shape, seen.dtype) == ((SIDE, SIDE, 3), np.uint8)
    part = slow_part(frame, view.removesuffix("-flip"))
    expected = part[:, ::-1] if view.endswith("-flip") else part
    if part.shape[:2] == (SIDE, SIDE):
        np.testing.assert_array_equal(seen, expected)
    else:  # grey levels are rounded twice
        np.testing.assert_allclose(seen, slow_scaled(expected).clip(0, 255), atol=1.5)
    top, left, bottom, right = box_of(view, *size, SIDE)
    np.testing.assert_array_equal(frame[top:bottom, left:right], part)


def test_left_and_right_of_a_square_frame_are_all_of_it():
    whole, left, right = ViewCropper(["whole", "left", "right"], SIDE)(smooth(256, 256))
    np.testing.assert_array_equal(left, whole)
    np.testing.assert_array_equal(right, whole)


def test_several_views_are_those_of_each_alone_in_the_order_asked():
    frame = smooth(256, 342)
    for views in (VIEWS, VIEWS[::-1]):
        for view, seen in zip(views, ViewCropper(views, SIDE)(frame), strict=True):
            np.testing.assert_array_equal(seen, ViewCropper([view], SIDE)(frame)[0])


def test_what_has_the_size_already_is_cut_out_and_not_copied():
    frame = noise()
    for part, seen in zip(PARTS[3:], ViewCropper(PARTS[3:], SIDE)(frame), strict=True):
        assert np.shares_memory(seen, frame), part
    squeezed = noise(SIDE, SIDE)
    for seen in ViewCropper(["whole", "whole-flip"], SIDE)(squeezed):
        assert np.shares_memory(seen, squeezed)


def test_frames_that_cannot_be_written_are_scaled_and_stay():
    """Those of the decoding process are; torch warns of them, which counts as an error here."""
    frame = noise()
    before = frame.copy()
    frame.flags.writeable = False
    ViewCropper(["whole", "left"], SIDE)(frame)
    np.testing.assert_array_equal(frame, before)


def test_ten_crops_are_those_of_torchvision_in_the_order_of_the_field():
    source = noise(256, 340)
    found = ViewCropper(CROP_VIEWS[10], SIDE)(source)
    theirs = [
        crop.permute(1, 2, 0).numpy()
        for crop in ten_crop(torch.from_numpy(source).permute(2, 0, 1), [SIDE] * 2)
    ]
    # theirs: four corners and the centre, then the same of the mirrored picture; here the centre is third
    for ours, other in zip(range(10), [0, 1, 4, 2, 3, 5, 6, 9, 7, 8], strict=True):
        np.testing.assert_array_equal(found[ours], theirs[other])
    for five, ten in zip(ViewCropper(CROP_VIEWS[5], SIDE)(source), found, strict=False):
        np.testing.assert_array_equal(five, ten)


def test_every_processor_gives_the_same_picture():
    """Whichever instructions torch may use; what it does where there are none of them is the oracle."""
    program = (
        "import hashlib, numpy as np\n"
        "from vadpipe.extract.view_crops import ViewCropper\n"
        "frame = np.random.default_rng(0).integers(0, 256, (256, 342, 3), dtype=np.uint8)\n"
        "print(hashlib.sha256(np.stack(ViewCropper(['whole', 'left'], 224)(frame))).hexdigest())\n"
    )
    plain = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=plain, capture_output=True, text=True, check=True
    )
    here = np.stack(ViewCropper(["whole", "left"], SIDE)(noise(256, 342)))
    assert done.stdout.strip() == hashlib.sha256(here).hexdigest()
