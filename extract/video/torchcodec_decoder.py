"""The torchcodec decoder, which can decode on a GPU (NVDEC)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from vadpipe.errors import DecodeError
from vadpipe.extract.video.captured_stderr import captured_stderr
from vadpipe.extract.video.demuxing import open_container
from vadpipe.extract.video.frame import Frame, Reading, check_unforced, misread

os.environ.setdefault("TORCHCODEC_FFMPEG_LOG_LEVEL", "ERROR")
try:  # here and not where it is used: torch looks for a place to write, and a confined process has none
    import torch
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    from vadpipe.extract.video.gpu_scaling import scaled
except (ImportError, RuntimeError, OSError) as error:
    raise DecodeError(
        f"torchcodec cannot be loaded: {str(error).strip().splitlines()[0]}",
        next_step="It needs FFmpeg's shared libraries and the torch version it was built for.",
    ) from error

# torch reads this from /proc once, and complains on standard error where it is confined by then.
torch.backends.cpu.get_cpu_capability()

_BATCH = 16


def torchcodec_frames(reading: Reading) -> Iterator[Frame]:
    """Yield the wanted frames, rotated as a player would and resized to (width, height).

    FFmpeg conceals damage and reports it only in its log, so the log is read as well.

    Raises:
        DecodeError: if torchcodec cannot read the file to its end, or sees other frames than the packets
            announce.
    """
    check_unforced(reading, "torchcodec")
    timeline = reading.timeline
    width, height = reading.size_px
    on_gpu = reading.device != "cpu"  # where torchcodec takes no transforms
    times_s = timeline.times_s
    with open_container(reading.path, reading.limits) as (_, stream):
        index = stream.index
    try:
        with captured_stderr() as complained:
            decoder = VideoDecoder(
                reading.path,
                stream_index=index,
                dimension_order="NHWC",
                num_ffmpeg_threads=1,
                device=reading.device,
                seek_mode="exact",
                transforms=None if on_gpu else [Resize((height, width))],
            )
            if len(decoder) != len(times_s):
                raise misread(f"torchcodec counts {len(decoder)} frames of {len(times_s)}")
            offset_s = decoder.metadata.begin_stream_seconds_from_content - times_s[0]
            numbers = np.flatnonzero(reading.wanted)
            for start in range(0, len(numbers), _BATCH):
                some = numbers[start : start + _BATCH]
                batch = decoder.get_frames_at(some.tolist())
                if complained():
                    raise misread("torchcodec cannot tell which frames are damaged")
                seconds = batch.pts_seconds.numpy() - offset_s
                if np.abs(seconds - times_s[some]).max() > timeline.frame_s / 2:
                    raise misread("torchcodec returns other frames than the packets announce")
                reading.decoded[some] = True
                shown = scaled(batch.data, width, height).cpu().numpy()
                for number, pixels in zip(some.tolist(), shown, strict=True):
                    yield Frame(number, pixels)
            reading.decoded[:] = True  # its index counted all of them
    except (RuntimeError, ValueError, IndexError) as error:
        raise misread(f"torchcodec cannot decode the file: {str(error).strip().splitlines()[0]}") from error
