"""The decord decoder, for undamaged files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import DecodeError
from vadpipe.extract.video.captured_stderr import captured_stderr
from vadpipe.extract.video.demuxing import open_container
from vadpipe.extract.video.frame import Frame, Reading, check_unforced, misread

_DAMAGED = "decord cannot tell which frames are damaged"


def decord_frames(reading: Reading) -> Iterator[Frame]:
    """Yield the wanted frames, rotated as a player would and resized to (width, height).

    Frames are read strictly one after the other: decord's random access is where it hangs.

    If frames cannot be decoded, decord silently returns later frames in their place, or smeared ones. FFmpeg
    reports that only in its log, so the log is read, and any line in it ends the reading.

    Raises:
        DecodeError: if decord cannot read the file to its end, or would misnumber its frames.
    """
    if reading.timeline.n_hidden:
        # decord 3.4.0 counts the hidden frames but does not get them, and fills up with copies of others.
        raise misread("decord cannot number its frames: an edit list hides some")
    check_unforced(reading, "decord")
    width, height = reading.size_px
    n_frames = len(reading.timeline.times_s)
    n_bytes = n_frames * width * height * 3
    if reading.held_bytes is not None and n_bytes > reading.held_bytes:
        raise misread(f"decord may hold all {n_frames:,} frames in memory, {n_bytes / 1e9:.1f} GB")
    with open_container(reading.path, reading.limits) as (container, _):
        if len(container.streams.video) > 1:
            raise misread("decord makes its own choice among several video streams")
    decord = import_decord(cuda=reading.device != "cpu")
    try:
        if reading.device == "cpu":
            context = decord.cpu(0)
        else:
            context = decord.gpu(int(reading.device.removeprefix("cuda:")))
        with captured_stderr() as complained:
            reader = decord.VideoReader(reading.path, ctx=context, width=width, height=height, num_threads=1)
            if len(reader) != n_frames:
                raise misread(f"decord counts {len(reader)} frames of {n_frames}")
            for number in range(n_frames):
                pixels = reader.next()
                if complained():
                    raise misread(_DAMAGED)
                if pixels.shape[:2] != (height, width) or pixels.shape[2] < 3:
                    raise misread(f"decord gives frames of the shape {pixels.shape}")
                reading.decoded[number] = True
                if reading.wanted[number]:
                    yield Frame(number, _without_padding(pixels.asnumpy()))
                else:
                    reading.alive()
            if complained():
                raise misread(_DAMAGED)
    except DecodeError:
        raise
    except Exception as error:  # decord raises a dozen unrelated classes
        if "GPU" in str(error) or "CUDA" in str(error):
            raise DecodeError(
                "this build of decord lacks CUDA",
                next_step="Use --decoder torchcodec or pyav, or build decord with -DUSE_CUDA=ON.",
            ) from error
        raise misread("decord cannot decode the file to its end") from error


def _without_padding(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture (height, width, 3) in what decord gives.

    FFmpeg pads rows to suit the processor's vectors. Where a padded row is a multiple of the width, decord
    takes the padding for channels: a picture 96 px wide has three of them with AVX2, and four with AVX-512.
    """
    height, width, _ = pixels.shape
    return pixels.reshape(height, -1)[:, : width * 3].reshape(height, width, 3)


def import_decord(*, cuda: bool = False) -> ModuleType:
    """Import decord; on a CPU, without the installed CUDA libraries.

    decord2 3.4.0 loads every library of the ``nvidia`` packages into the global scope, libnvblas
    among them, which then takes over torch's matrix products and crashes them where no GPU is
    configured. Decoding on the CPU needs none of them, and without them a process starts faster.
    """
    hidden = sys.modules.get("nvidia")
    if not cuda:
        sys.modules["nvidia"] = None  # type: ignore[assignment]  # makes find_spec("nvidia") answer None
    try:
        import decord
    finally:
        if hidden is not None:
            sys.modules["nvidia"] = hidden
        elif not cuda:
            del sys.modules["nvidia"]
    decord.logging.set_level(decord.logging.ERROR)
    module: ModuleType = decord
    return module
