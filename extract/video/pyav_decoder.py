"""The PyAV decoder, which identifies each frame by its timestamp and copes with more files than decord."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import av
from av.video.frame import PictureType
from av.video.stream import VideoStream

from vadpipe.extract.video.demuxing import open_container, tolerant
from vadpipe.extract.video.frame import Frame, Reading
from vadpipe.extract.video.scaling import Scaler

log = logging.getLogger(__name__)

HEALED_S = 10.0  # as long as most streams go without a key frame


def pyav_frames(reading: Reading) -> Iterator[Frame]:
    """Yield the wanted frames that can be decoded, rotated as a player would and resized to (width, height).

    A stretch that cannot be decoded is left out, and so is what builds on it, up to the next key frame. The
    numbers of the frames after it stay correct.
    """
    scaled = Scaler(*reading.size_px, reading.timeline.quarter_turns)
    for number, frame in numbered_frames(reading):
        yield Frame(number, scaled(frame))


def numbered_frames(reading: Reading, seek: int | None = None) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield the wanted frames that can be decoded as they are decoded, each with its number.

    Args:
        reading: what is wanted.
        seek: timestamp of a frame to begin at, or somewhat before; from the start by default, and where
            frames can only be counted from there.
    """
    timeline = reading.timeline
    if os.path.isdir(reading.path):  # noqa: PTH112
        from vadpipe.extract.video.image_frames import image_frames  # Pillow takes a while to load

        yield from image_frames(reading, seek or 0)
        return
    with open_container(reading.path, reading.limits) as (container, stream):
        tick_s = float(timeline.tick)
        # dav1d itself drops what it cannot decode completely.
        damage = None if stream.codec_context.name == "libdav1d" else _Damage(tick_s)
        # AVI has no presentation times; its frames come in their order and nothing else is known.
        counted = container.format.name == "avi"
        if seek is not None and timeline.can_seek and not (counted and stream.codec_context.has_b_frames):
            container.seek(seek, stream=stream)
        packets = timeline.packets(container, stream)
        n_broken, last = 0, -1

        def broken(packet: av.Packet[VideoStream], reason: str) -> None:
            nonlocal n_broken
            n_broken += 1
            if damage is not None:
                damage.note(packet.dts)
            reading.alive()
            log.debug("broken packet: %s", reason)

        for index, frame in enumerate(tolerant(container, stream, broken, packets)):
            if not counted:
                number = timeline.number_of(frame.pts)
            elif stream.codec_context.has_b_frames:  # of a broken packet no frame comes
                number = index + n_broken
            else:
                number = timeline.number_of(frame.dts)
            spoilt = damage is not None and damage.spoils(frame)
            if number is not None and last < number < len(timeline.times_s):
                last = number
                reading.decoded[number] = not spoilt
                if reading.wanted[number] and not spoilt:
                    yield number, frame
                    continue
            reading.alive()


class _Damage:
    """Tracks which frames depend on something that could not be decoded: they show smears, not what happened.

    A frame knows where it stood in the order of decoding by its ``dts``. Some streams have no key frames, and
    renew a stripe of the picture at a time; they are trusted again after a while.

    Args:
        tick_s: what the stream's timestamps count.
    """

    def __init__(self, tick_s: float) -> None:
        self._lasts = int(HEALED_S / tick_s) if tick_s > 0 else 0
        self._at: list[int] = []
        self._now = 0

    def note(self, dts: int | None) -> None:
        """Note that a packet could not be decoded, or only in part."""
        self._at.append(self._now if dts is None else dts)

    def spoils(self, frame: av.VideoFrame) -> bool:
        """Return whether a frame is damaged or depends on one that is; call it in presentation order."""
        self._now = dts = self._now if frame.dts is None else frame.dts
        if frame.key_frame or frame.pict_type == PictureType.I:
            self._at = [at for at in self._at if at >= dts]
        if frame.is_corrupt:
            self.note(dts)
        self._at = [at for at in self._at if at + self._lasts > dts]
        return any(at <= dts for at in self._at)
