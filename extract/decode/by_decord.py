"""Frames by decord, for files that are whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

from vadpipe.errors import DecodeError
from vadpipe.extract.decode.frame import Frame, Reading, misread


def decord_frames(reading: Reading) -> Iterator[Frame]:
    """Yield the wanted frames, rotated as a player would and resized to (width, height).

    Frames are read strictly one after the other: decord's random access is where it hangs.

    Raises:
        DecodeError: where decord cannot read the file to its end, or would misnumber its frames.
    """
    if reading.timeline.n_hidden:
        # decord 3.4.0 counts the hidden frames but does not get them, and fills up with copies of others.
        raise misread("decord cannot number its frames: an edit list hides some")
    decord = import_decord(cuda=reading.device != "cpu")
    width, height = reading.size_px
    n_frames = len(reading.timeline.times_s)
    try:
        if reading.device == "cpu":
            context = decord.cpu(0)
        else:
            context = decord.gpu(int(reading.device.removeprefix("cuda:")))
        reader = decord.VideoReader(reading.path, ctx=context, width=width, height=height, num_threads=1)
        if len(reader) != n_frames:
            raise misread(f"decord counts {len(reader)} frames of {n_frames}")
        for number in range(n_frames):
            pixels = reader.next()
            if reading.wanted[number]:
                yield Frame(number, pixels.asnumpy())
            else:
                reading.alive()
    except DecodeError:
        raise
    except Exception as error:  # decord raises a dozen unrelated classes
        if "GPU" in str(error) or "CUDA" in str(error):
            raise DecodeError(
                "this decord is not built for CUDA",
                next_step="Use --decoder torchcodec or pyav, or build decord with -DUSE_CUDA=ON.",
            ) from error
        raise misread("decord cannot decode it to its end") from error


def import_decord(*, cuda: bool = False) -> ModuleType:
    """Import decord, on a CPU without the CUDA libraries that lie about.

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
    decord.logging.set_level(decord.logging.QUIET)
    module: ModuleType = decord
    return module
