"""Open a video with FFmpeg by PyAV, held to the file itself and the known containers, and go through it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.decode.limits import Limits

# The demuxers of the four families that container.sniff lets through. Without this list, FFmpeg
# picks one by content and can end in a playlist reader.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts",
}
_TITLES = "replace"  # what is no UTF-8 in a title or a comment
_PLACES = 100  # of a file that may be unreadable


@contextmanager
def open_container(
    path: str | os.PathLike[str], limits: Limits | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video with FFmpeg, restricted to local files of the known container families.

    Raises:
        DecodeError: where the container is broken.
        InputError: where it holds no video, or is beyond the limits.
    """
    limits = limits or Limits()
    with _opened(path, limits) as container:
        limits.check(streams=len(container.streams), duration_s=(container.duration or 0) / av.time_base)
        if not container.streams.video:
            raise InputError("holds no video stream", file=path)
        # Of several a player shows the one that is marked as the default, or else the largest.
        stream = cast("VideoStream", container.streams.best("video"))
        if stream.codec_context is None:
            raise InputError(
                "holds video of a codec that is not known",
                file=path,
                next_step="'ffmpeg -i FILE -c:v libx264 NEW.mp4' may convert it.",
            )
        width, height = stream.codec_context.width, stream.codec_context.height
        limits.check(side_px=max(width, height), area_px=width * height)
        # What the container announces and what the codec then finds need not agree.
        stream.codec_context.options = _codec_options(limits)
        stream.codec_context.thread_count = 1  # more threads give no more frames per processor second
        yield container, stream


def _opened(path: str | os.PathLike[str], limits: Limits) -> InputContainer:
    # "file:" keeps a name such as "concat:a|b" or "-" from being read as a protocol or option.
    url = f"file:{os.fspath(path)}"
    # Opening decodes a first frame of each stream to learn its format, and a bomb goes off there.
    each_stream = [_codec_options(limits)] * (min(limits.streams, 1000) + 1)
    try:
        try:
            return av.open(
                url,
                options=dict(_OPEN_OPTIONS),
                stream_options=each_stream,  # type: ignore[arg-type]
                metadata_errors=_TITLES,
            )
        except ValueError:  # a transport stream, whose streams are not known before
            return av.open(url, options=dict(_OPEN_OPTIONS), metadata_errors=_TITLES)
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
) -> Iterator[av.VideoFrame]:
    """Yield every frame that can be decoded, in presentation order; broken packets are left out.

    Args:
        container: an open video.
        stream: one of its streams.
        on_broken: told each packet that cannot be decoded, and FFmpeg's reason.
    """
    for packet in read_packets(container, stream):
        try:
            frames = packet.decode()
        except MemoryError:  # FFmpeg's is one too
            raise
        except av.FFmpegError as error:
            if on_broken is not None:
                on_broken(packet, str(error.strerror))
            continue
        yield from frames


def read_packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """Yield every packet that can be read, and an empty one at the end, which flushes the decoder.

    Behind a place that cannot be read there may be more.
    """
    for _ in range(_PLACES):
        try:
            yield from container.demux(stream)
            return
        except MemoryError:
            raise
        except av.FFmpegError:
            continue
    last = av.Packet()
    last.stream = stream
    yield cast("av.Packet[VideoStream]", last)


@contextmanager
def ffmpeg_log() -> Iterator[list[str]]:
    """Collect what FFmpeg says of errors; the list is filled when the context ends."""
    before, lines = av.logging.get_level(), list[str]()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as captured:
            yield lines
        lines.extend(line for _, _, line in captured)
    finally:
        av.logging.set_level(before)
