"""Frames that torch scales are nearly those that FFmpeg's scaler makes."""

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from vadpipe.extract.video.gpu_scaling import scaled
from vadpipe.extract.video.scaling import Scaler


def picture(height=180, width=320):
    """Draw grey edges and waves and soft colours, as a decoder gives them: colour has half the resolution."""
    y, x = np.mgrid[:height, :width]
    grey = 60 + 90 * ((x // 16 + y // 16) % 2) + 30 * np.sin(x / 3) * np.sin(y / 2)
    planes = [grey + 40 * x / width, grey, grey + 40 * y / height]
    drawn = av.VideoFrame.from_ndarray(np.stack(planes, axis=2).astype(np.uint8), format="rgb24")
    decoded = drawn.reformat(format="yuv420p")
    decoded.time_base = Fraction(1, 25)
    return decoded


@pytest.mark.parametrize("size", [(56, 56), (100, 56), (480, 270)])
def test_pixels_are_nearly_those_of_ffmpeg(size):
    decoded = picture()
    frame, expected = Scaler(320, 180, 0)(decoded), Scaler(*size, 0)(decoded).astype(int)
    found = scaled(torch.from_numpy(np.stack([frame, frame[:, ::-1].copy()])), *size)
    assert found.dtype == torch.uint8
    assert found.shape == (2, size[1], size[0], 3)
    off = np.abs(found[0].numpy() - expected)
    assert off.mean() < 1.5
    assert np.quantile(off, 0.99) <= 5
    mirrored = np.abs(found[1].numpy()[:, ::-1] - found[0].numpy().astype(int))
    assert mirrored.max() <= 1


def test_frames_of_the_right_size_are_left_alone():
    frames = torch.from_numpy(Scaler(320, 180, 0)(picture())[None])
    assert scaled(frames, 320, 180) is frames
