"""Demuxing with PyAV, restricted to the file itself and to one demuxer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.video.container import FAMILIES, Family, sniff
from vadpipe.extract.video.limits import Limits

_TITLES = "replace"  # for invalid UTF-8 in a title or a comment
_PLACES = 100  # of a file that may be unreadable


@contextmanager
def open_container(
    path: str | os.PathLike[str], limits: Limits | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video with FFmpeg, restricted to this file and to the demuxer that its first bytes call for.

    Raises:
        DecodeError: if the container is broken.
        InputError: if it holds no video, or is beyond the limits.
    """
    limits = limits or Limits()
    family = family_of(path)
    with _opened(path, family, limits) as container:
        limits.check(streams=len(container.streams))
        if family.measured:
            limits.check(duration_s=(container.duration or 0) / av.time_base)
        if not container.streams.video:
            raise InputError("has no video stream", file=path)
        # Of several a player shows the one that is marked as the default, or else the largest.
        stream = cast("VideoStream", container.streams.best("video"))
        if stream.codec_context is None:
            raise InputError(
                "has video in an unknown codec",
                file=path,
                next_step="'ffmpeg -i FILE -c:v libx264 NEW.mp4' may convert it.",
            )
        width, height = stream.codec_context.width, stream.codec_context.height
        limits.check(side_px=max(width, height), area_px=width * height)
        # What the container announces and what the codec then finds need not agree.
        stream.codec_context.options = _codec_options(limits)
        stream.codec_context.thread_count = 1  # more threads give no more frames per processor second
        yield container, stream


def family_of(path: str | os.PathLike[str]) -> Family:
    """Return the container family of a file. Raises InputError if it is not a video."""
    return FAMILIES[sniff(Path(path))]


def _opened(path: str | os.PathLike[str], family: Family, limits: Limits) -> InputContainer:
    # "file:" keeps a name such as "concat:a|b" or "-" from being read as a protocol or option.
    url = f"file:{os.fspath(path)}"
    # Left alone, FFmpeg picks a demuxer by content and can end in a playlist reader. The whitelist holds
    # demuxers to it that open others.
    options = {"protocol_whitelist": "file", "format_whitelist": family.demuxer}
    if family.wraps_bits is not None:  # timestamps as they are in the file: what wraps is mended here
        options["correct_ts_overflow"] = "0"
    if family is FAMILIES["ts"]:  # a part that was appended may number its streams differently
        options["merge_pmt_versions"] = "1"
    # FFmpeg finds a demuxer by one of its names.
    forced = family.demuxer.partition(",")[0]
    # Opening decodes a first frame of each stream to learn its format, and a bomb goes off there.
    each_stream = [_codec_options(limits)] * (min(limits.streams, 1000) + 1)
    try:
        try:
            return av.open(
                url,
                format=forced,
                options=dict(options),
                stream_options=each_stream,  # type: ignore[arg-type]
                metadata_errors=_TITLES,
            )
        except ValueError:  # a transport stream, say, whose streams are not known before
            return av.open(url, format=forced, options=dict(options), metadata_errors=_TITLES)
    except MemoryError:  # FFmpeg's is one too
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DecodeError(
            f"cannot be opened: {getattr(error, 'strerror', None) or error}",
            file=path,
            next_step="The file is probably cut short or damaged; record or copy it again.",
        ) from error


def _codec_options(limits: Limits) -> dict[str, str]:
    return {"max_pixels": str(min(limits.area_px, 2**31 - 1))}  # FFmpeg takes no larger number


def start_of(container: InputContainer) -> float:
    """Return where playback starts on the container's clock, in seconds; transport streams start late."""
    return max(0, container.start_time or 0) / av.time_base


def tolerant(
    container: InputContainer,
    stream: VideoStream,
    on_broken: Callable[[av.Packet[VideoStream], str], None] | None = None,
    packets: Iterator[av.Packet[VideoStream]] | None = None,
) -> Iterator[av.VideoFrame]:
    """Yield every frame that can be decoded, in presentation order; broken packets are left out.

    Args:
        container: an open video.
        stream: one of its streams.
        on_broken: called with each packet that cannot be decoded, and FFmpeg's reason.
        packets: the stream's, where they do not come as they are in the file.
    """
    for packet in packets or read_packets(container, stream):
        try:
            frames = packet.decode()
        except MemoryError:  # FFmpeg's is one too
            raise
        except av.FFmpegError as error:
            if on_broken is not None and not is_header(packet):
                on_broken(packet, str(error.strerror))
            continue
        yield from frames


def is_header(packet: av.Packet[VideoStream]) -> bool:
    """Return whether a packet sets the codec up and holds no frame, as where an Ogg file goes on."""
    codec = packet.stream.codec_context.name
    if codec not in ("theora", "vp8") or not packet.size:
        return False
    data = memoryview(packet)
    return data[0] & 0x80 != 0 if codec == "theora" else bytes(data[:5]) == b"OVP80"


def read_packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """Yield every packet that can be read, and an empty one at the end, which flushes the decoder.

    There may be more after an unreadable part.
    """
    flushed = False
    for _ in range(_PLACES):
        try:
            for packet in container.demux(stream):
                flushed = not packet.size and packet.dts is None
                yield packet
            return
        except MemoryError:
            raise
        except IndexError:  # PyAV 18, at the end of a file in which a stream turned up that was not announced
            break
        except av.FFmpegError:
            continue
    if flushed:
        return
    last = av.Packet()
    last.stream = stream
    yield cast("av.Packet[VideoStream]", last)


@contextmanager
def ffmpeg_log() -> Iterator[list[str]]:
    """Collect FFmpeg's error messages; the list is filled when the context ends."""
    before, lines = av.logging.get_level(), list[str]()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as captured:
            yield lines
        lines.extend(line for _, _, line in captured)
    finally:
        av.logging.set_level(before)
