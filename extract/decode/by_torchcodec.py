"""Frames by torchcodec, which can decode on a GPU (NVDEC) from a wheel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vadpipe.errors import DecodeError
from vadpipe.extract.decode.frame import Frame, Reading, misread

_BATCH = 16


def torchcodec_frames(reading: Reading) -> Iterator[Frame]:
    """Yield the wanted frames, rotated as a player would and resized to (width, height).

    Raises:
        DecodeError: where torchcodec or FFmpeg's libraries cannot be loaded, where it cannot read the file
            to its end, or sees other frames than the packets announce.
    """
    try:
        from torchcodec.decoders import VideoDecoder
        from torchcodec.transforms import Resize
    except (ImportError, RuntimeError, OSError) as error:
        raise DecodeError(
            f"torchcodec cannot be loaded: {str(error).strip().splitlines()[0]}",
            next_step="It needs FFmpeg's shared libraries and the torch that it was built for.",
        ) from error
    width, height = reading.size_px
    times_s = reading.timeline.times_s
    try:
        decoder = VideoDecoder(
            reading.path,
            dimension_order="NHWC",
            num_ffmpeg_threads=1,
            device=reading.device,
            seek_mode="exact",
            transforms=[Resize((height, width))],
        )
        if len(decoder) != len(times_s):
            raise misread(f"torchcodec counts {len(decoder)} frames of {len(times_s)}")
        numbers = np.flatnonzero(reading.wanted)
        for start in range(0, len(numbers), _BATCH):
            some = numbers[start : start + _BATCH]
            batch = decoder.get_frames_at(some.tolist())
            seconds = batch.pts_seconds.numpy()
            if start == 0:
                offset_s = float(seconds[0] - times_s[some[0]])
            if np.abs(seconds - offset_s - times_s[some]).max() > reading.timeline.frame_s / 2:
                raise misread("torchcodec gives other frames than the packets announce")
            for number, pixels in zip(some.tolist(), batch.data.cpu().numpy(), strict=True):
                yield Frame(number, pixels)
    except (RuntimeError, ValueError, IndexError) as error:
        raise misread(f"torchcodec cannot decode it: {str(error).strip().splitlines()[0]}") from error
