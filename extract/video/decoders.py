"""The registry of decoders, and the choice among those installed."""

from __future__ import annotations

from dataclasses import dataclass

from vadpipe.errors import UsageError
from vadpipe.extract.video.container import FAMILIES
from vadpipe.extract.video.frame import UNFORCED, Frames


@dataclass(frozen=True)
class Decoder:
    """A library that decodes.

    Attributes:
        name: what ``--decoder`` takes.
        distributions: packages of which one has to be installed.
        install: how to get it.
        on_cuda: whether it may be able to decode on a GPU.
    """

    name: str
    distributions: tuple[str, ...]
    install: str
    on_cuda: bool

    def version(self) -> str | None:
        """Return for example ``"decord2 3.4.0"``, as recipes record it, or None if it is missing."""
        from importlib import metadata  # which no child process needs, and each video starts one

        for distribution in self.distributions:
            try:
                return f"{distribution} {metadata.version(distribution)}"
            except metadata.PackageNotFoundError:
                continue
        return None

    def frames(self) -> Frames:
        """Return the function that decodes; this imports the library, so only a child process calls it."""
        if self.name == "decord":
            from vadpipe.extract.video.decord_decoder import decord_frames

            return decord_frames
        if self.name == "pyav":
            from vadpipe.extract.video.pyav_decoder import pyav_frames

            return pyav_frames
        from vadpipe.extract.video.torchcodec_decoder import torchcodec_frames

        return torchcodec_frames


DECODERS = {
    decoder.name: decoder
    for decoder in (
        Decoder("decord", ("decord2", "decord"), "pip install decord2", on_cuda=True),
        Decoder("pyav", ("av",), "pip install av", on_cuda=False),
        Decoder(
            "torchcodec",
            ("torchcodec",),
            "pip install 'vadpipe[torchcodec]', and FFmpeg's libraries",
            on_cuda=True,
        ),
    )
}


DECORD_FILE_BYTES = 64_000_000
"""Up to this size a file goes to decord unless another decoder is named. decord reads packets ahead without
bound, and if decoding is slower than reading, the whole file ends up in memory: one of 250 MB took
320 MB, by PyAV 58 MB."""

DECORD_FRAMES_BYTES = 500_000_000
"""Up to this size of all its scaled frames a video goes to decord unless another decoder is named. decord
decodes what it has read ahead, whether or not anybody takes the frames: three hours of video in 57 MB took
4 GB on a busy machine."""


def choose_decoders(
    name: str, device: str, family: str, n_bytes: int = 0
) -> tuple[list[tuple[str, str]], str]:
    """Return the decoders to try for a file in this order, each with its device, and why.

    Args:
        name: a key of :data:`DECODERS` or ``"auto"``.
        device: ``"cpu"`` or ``"cuda:0"``.
        family: what :func:`vadpipe.extract.video.container.sniff` found.
        n_bytes: size of the file.

    Raises:
        UsageError: if a decoder is named that does not exist or is not installed.
    """
    on_gpu = device.startswith("cuda")
    if name != "auto":
        decoder = DECODERS.get(name)
        if decoder is None:
            choices = ", ".join(["auto", *DECODERS])
            raise UsageError(f"unknown decoder {name!r}", next_step=f"Choose one of: {choices}.")
        if decoder.version() is None:
            raise UsageError(f"the decoder {name} is not installed", next_step=f"{decoder.install}.")
        if on_gpu and decoder.on_cuda:  # a build without CUDA says so at once
            return [(name, device), (name, "cpu")], "it was requested"
        return [(name, "cpu")], "it was requested"
    if family not in UNFORCED:
        return [("pyav", "cpu")], f"decord does not support {FAMILIES[family].title}"
    small = n_bytes <= DECORD_FILE_BYTES
    usual = [("decord", "cpu"), ("pyav", "cpu")] if small else [("pyav", "cpu")]
    if on_gpu and DECODERS["torchcodec"].version() is not None:
        return [("torchcodec", device), *usual], f"it can decode on {device}"
    return usual, "it is the fastest" if small else "decord may load a large file into memory completely"
