"""The sound of a video: copied where the container takes it, else encoded again as AAC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from math import inf
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream

from vadpipe.extract.video.container import FAMILIES
from vadpipe.extract.video.demuxing import open_container, read_packets
from vadpipe.extract.video.timeline import Timeline
from vadpipe.output.video_export.source import ROUNDING_S, VideoSource
from vadpipe.output.video_export.writing import Output

_PCM = {f"pcm_{kind}" for kind in ("u8", "s16le", "s24le", "s32le", "f32le", "alaw", "mulaw")}
_COPIED = {
    ".mp4": {"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"},
    ".mov": {"aac", "mp3", "ac3", "eac3", "alac", *_PCM},
    ".mkv": {"aac", "mp3", "mp2", "ac3", "eac3", "dts", "opus", "vorbis", "alac", "flac", *_PCM},
}
_MP3_IN_MP4_HZ = 16_000  # MPEG-2.5 has lower rates, and MP4 no place for it
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_GAP_S = 0.02  # shorter ones are rounding
_LONG_GAP_S = 1.0
_BEFORE_S = 3.0  # sound may lie in the file this long before the picture that it belongs to


class Sound:
    """Writes the sound of a video beside its pictures, a stretch at a time.

    Of several streams it is the one that a player plays. Sound that can neither be copied nor decoded is
    left out, and so is what is broken of it.

    Args:
        source: the video.
        output: where it is written to; no packet has been yet.
        start_s: where in the video the output begins, in seconds of playback.
        end_s: where it ends.
    """

    def __init__(
        self, source: VideoSource, output: Output, start_s: float = -inf, end_s: float = inf
    ) -> None:
        self._source, self._output = source, output
        self._whole = start_s == -inf
        begin_s = 0.0 if self._whole else start_s
        self._zero_s = source.origin_s + begin_s
        self._length_s = min(end_s - begin_s, source.limits.duration_s)
        self._packets = self._write()
        self._reached_s = next(self._packets, inf)  # the stream is added, nothing is written

    def until(self, time_s: float) -> None:
        """Write all sound that begins before a time of the output, in seconds."""
        while self._reached_s < time_s:
            self._reached_s = next(self._packets, inf)

    def finish(self) -> None:
        """Write the rest."""
        self.until(inf)

    def _write(self) -> Iterator[float]:
        """Add the stream, then write a packet at a time; yield how far that is, in seconds."""
        if self._source.family is FAMILIES["images"]:
            return
        with open_container(self._source.path, self._source.limits) as (container, _):
            stream = cast("AudioStream | None", container.streams.best("audio"))
            if stream is None or stream.codec_context is None or not stream.codec_context.sample_rate:
                return
            target = self._copy_of(stream)
            if target is None:
                yield from self._encode(container, stream)
            else:
                yield from self._copy(container, stream, target)

    def _copy_of(self, stream: AudioStream) -> AudioStream | None:
        """Return a stream of the output for the same packets, or None if it cannot hold them."""
        codec, suffix = stream.codec_context, self._output.suffix
        if codec.codec.canonical_name not in _COPIED[suffix] or codec.name == "aac_latm":
            return None
        if codec.codec.canonical_name == "mp3" and suffix == ".mp4" and codec.sample_rate < _MP3_IN_MP4_HZ:
            return None
        with suppress(ValueError):  # what a build of FFmpeg takes is the library's to say
            return self._output.container.add_stream_from_template(stream, opaque=True)
        return None

    def _read(
        self, container: InputContainer, stream: AudioStream
    ) -> Iterator[tuple[float, int, av.Packet[AudioStream]]]:
        """Yield the packets of the stretch, each with its time in the output, in seconds and in ticks."""
        if not self._whole and self._source.timeline.can_seek:
            with suppress(av.FFmpegError):  # then it is read from the start
                container.seek(max(0, int((self._zero_s - _BEFORE_S) * av.time_base)))
        tick_s = float(stream.time_base or 1)
        zero = round(self._zero_s / tick_s)
        follow = _Clock(self._source.timeline, tick_s)
        for packet in _packets(container, stream):
            self._source.progress.alive()
            follow.move(packet)
            stamp = packet.dts if packet.pts is None else packet.pts
            if not packet.size or stamp is None:
                continue
            time_s = stamp * tick_s - self._zero_s
            if time_s >= self._length_s:
                return
            yield time_s, stamp - zero, packet

    def _copy(self, container: InputContainer, stream: AudioStream, target: AudioStream) -> Iterator[float]:
        yield -inf
        earliest_s, last = self._earliest_s(container, stream), None
        for time_s, stamp, packet in self._read(container, stream):
            if time_s < earliest_s - ROUNDING_S or (
                last is not None and stamp <= last
            ):  # a muxer never goes back
                continue
            yield time_s
            packet.pts = packet.dts = last = stamp
            packet.stream = target
            self._output.mux(packet)

    def _earliest_s(self, container: InputContainer, stream: AudioStream) -> float:
        """Return where copied sound may begin in the output.

        What an encoder puts before the first sound has times below zero. MP4 keeps it by an edit list.
        Matroska keeps it only where the codec announces it, and would else move all else.
        """
        if not self._whole:
            return 0.0
        announced = "matroska" in container.format.name or stream.codec_context.name in ("opus", "libopus")
        return -inf if self._output.suffix != ".mkv" or announced else 0.0

    def _encode(self, container: InputContainer, stream: AudioStream) -> Iterator[float]:
        rate = min(_AAC_RATES, key=lambda known: abs(known - stream.codec_context.sample_rate))
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        target = self._output.container.add_stream("aac", rate=rate, layout=layout)
        target.codec_context.bit_rate = 96_000 if layout == "mono" else 192_000
        yield -inf
        steady = _Steady(rate, layout, self._length_s)
        for time_s, _, packet in self._read(container, stream):
            yield time_s
            with suppress(av.FFmpegError):
                for frame in packet.decode():
                    if frame.time is not None and frame.sample_rate:
                        frame.pts = round((frame.time - self._zero_s) * frame.sample_rate)
                        frame.time_base = Fraction(1, frame.sample_rate)
                        self._mux(target, steady.take(frame))
        self._mux(target, steady.rest())
        for last in target.encode(None):
            self._output.mux(last)

    def _mux(self, target: AudioStream, frames: Iterable[av.AudioFrame]) -> None:
        for frame in frames:
            self._source.progress.alive()
            for packet in target.encode(frame):
                self._output.mux(packet)


def _packets(container: InputContainer, stream: AudioStream) -> Iterator[av.Packet[AudioStream]]:
    packets = read_packets(container, cast("VideoStream", stream))  # to it all streams are alike
    return cast("Iterator[av.Packet[AudioStream]]", packets)


class _Clock:
    """Moves the sound's timestamps with those of the pictures, wherever their clock starts again or wraps.

    Args:
        timeline: of the pictures.
        tick_s: what the sound's timestamps count, in seconds.
    """

    def __init__(self, timeline: Timeline, tick_s: float) -> None:
        moves = [change.by_s for change in timeline.changes if change.kind in ("restart", "wrap")]
        self._moves = iter([round(by_s / tick_s) for by_s in moves])
        self._last, self._shift = -inf, 0

    def move(self, packet: av.Packet[AudioStream]) -> None:
        """Move the timestamps of the next packet of the file."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None:
            return
        if stamp < self._last:  # sound is stored in the order in which it is played
            self._shift += next(self._moves, 0)
        self._last = stamp
        packet.pts = None if packet.pts is None else packet.pts + self._shift
        packet.dts = None if packet.dts is None else packet.dts + self._shift


class _Steady:
    """Makes of decoded sound an unbroken stream from time 0 on: gaps become silence, overlaps go.

    Args:
        rate: samples per second.
        layout: of its channels.
        length_s: where it is cut off.
    """

    def __init__(self, rate: int, layout: str, length_s: float) -> None:
        self._rate, self._layout, self._length_s = rate, layout, length_s
        self._takes: tuple[str, str, int] | None = None
        self._graph: Graph | None = None
        self._n_given = 0

    def take(self, frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
        """Take a frame whose time is that in the output; yield what is ready."""
        takes = (frame.format.name, frame.layout.name, frame.sample_rate)
        begins = round((frame.time or 0.0) * self._rate)
        gap = begins - self._n_given > _LONG_GAP_S * self._rate
        if gap or takes != self._takes:
            yield from self.rest()
        if gap:  # a gap of hours must not be made in memory all at once
            yield from self._silence(begins)
        if self._graph is None:
            self._takes, self._graph = takes, self._graph_for(frame)
        self._graph.push(frame)
        yield from self._pull()

    def rest(self) -> list[av.AudioFrame]:
        """Return what is left; what is taken after it goes on from there."""
        if self._graph is None:
            return []
        self._graph.push(None)
        ready, self._graph = self._pull(), None
        return ready

    def _silence(self, until: int) -> Iterator[av.AudioFrame]:
        n_channels = 1 if self._layout == "mono" else 2
        while self._n_given < until:
            quiet = np.zeros((n_channels, min(self._rate, until - self._n_given)), np.float32)
            frame = av.AudioFrame.from_ndarray(quiet, format="fltp", layout=self._layout)
            frame.sample_rate = self._rate
            yield self._next(frame)

    def _next(self, frame: av.AudioFrame) -> av.AudioFrame:
        frame.pts, frame.time_base = self._n_given, Fraction(1, self._rate)
        self._n_given += frame.samples
        return frame

    def _pull(self) -> list[av.AudioFrame]:
        ready = list[av.AudioFrame]()
        assert self._graph is not None
        with suppress(BlockingIOError, EOFError):
            while True:
                ready.append(self._next(cast("av.AudioFrame", self._graph.pull())))
        return ready

    def _graph_for(self, frame: av.AudioFrame) -> Graph:
        graph = Graph()
        nodes = [
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format,
                layout=frame.layout,
                time_base=frame.time_base,
            ),
            graph.add("aresample", f"{self._rate}:async=1:min_hard_comp={_GAP_S}:first_pts={self._n_given}"),
            graph.add("aformat", f"sample_fmts=fltp:channel_layouts={self._layout}"),
        ]
        nodes += [graph.add("atrim", f"end={self._length_s:.6f}"), graph.add("abuffersink")]
        graph.link_nodes(*nodes).configure()
        return graph
