"""What the tests of films share: videos with sound, their curves, and a plain reader to check results with."""

import struct
import time
from fractions import Fraction

import av
import numpy as np
import psutil
from conftest import counter_frame, read_counter
from waiting import LONG_S

from vadpipe.curves.curve import Curve
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding

RATE = 48_000
BEEP_S = 0.1


def times_of(path):
    """Return when each frame of a video is shown, as every curve has it, and when the last one ends."""
    with Decoding(path, DecodeJob(Size(64, square=True))) as decoding:
        return decoding.timeline.times_s, decoding.timeline.end_s


def curve_of(path, events=(), unscored=()):
    """Return a curve of a video: 0.9 in events, [start, stop) frames, else 0.1; threshold 0.5."""
    times_s, end_s = times_of(path)
    scores = np.full(len(times_s), 0.1, np.float32)
    for start, stop in events:
        scores[start:stop] = 0.9
    for start, stop in unscored:
        scores[start:stop] = np.nan
    return Curve(str(path), scores, times_s, end_s, threshold=0.5)


def write_film(
    path, n_frames, *, sound=None, codec="libx264", options=None, size=(160, 120), rate=25, times=None,
    beeps=(), sound_from_s=0.0, sound_until_s=None, container_options=None, channels=1, sound_rate=RATE,
):  # fmt: skip
    """Encode counter frames and, where a codec is named, sound that is silent but for beeps at these times.

    ``times`` are presentation times in thousandths of a second.
    """
    with av.open(path, "w", container_options=container_options or {}) as output:
        video = output.add_stream(codec, rate=rate, options=options or {})
        video.codec_context.thread_count = 1
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        if times is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        layout = "mono" if channels == 1 else "stereo"
        audio = output.add_stream(sound, rate=sound_rate, layout=layout) if sound else None
        times = times if times is not None else [round(1000 * i / rate) for i in range(n_frames)]
        packets = []
        for number in range(n_frames):
            picture = av.VideoFrame.from_ndarray(counter_frame(number, *size), format="rgb24")
            if video.codec_context.time_base == Fraction(1, 1000):
                picture.pts, picture.time_base = times[number], Fraction(1, 1000)
            packets += video.encode(picture)
        packets += video.encode()
        if audio is not None:
            until_s = times[-1] / 1000 + 1 / rate if sound_until_s is None else sound_until_s
            packets += _sound(audio, beeps, sound_from_s, until_s, sound_rate)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)
    return path


def _sound(audio, beeps, from_s, until_s, rate):
    at_s = np.arange(round(from_s * rate), round(until_s * rate)) / rate
    wave = np.zeros(len(at_s), np.float32)
    for beep_s in beeps:
        on = (at_s >= beep_s) & (at_s < beep_s + BEEP_S)
        wave[on] = 0.8 * np.sin(2 * np.pi * 1000 * at_s[on])
    packets = []
    for start in range(0, len(wave), 1000):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1000], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(from_s * rate) + start
        packets += audio.encode(frame)
    return packets + audio.encode()


def shown(path):
    """Return what a player shows, by a plain loop: times from the start of playback, and RGB pixels."""
    with av.open(path) as container:
        start_s = max(0, container.start_time or 0) / av.time_base
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return np.array([time_s - start_s for time_s, _ in frames]), [pixels for _, pixels in frames]


def heard(path):
    """Return the sound as a player plays it: samples of one channel from the start of playback on."""
    with av.open(path) as container:
        start_s = max(0, container.start_time or 0) / av.time_base
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", "mono", stream.rate)
        wave, rate = np.zeros(0, np.float32), stream.rate
        for frame in container.decode(stream):
            at = round((frame.time - start_s) * rate)
            (plain,) = resampler.resample(frame)
            samples = plain.to_ndarray()[0]
            wave = np.pad(wave, (0, max(0, at + len(samples) - len(wave))))
            wave[max(at, 0) : at + len(samples)] = samples[max(0, -at) :]
    return wave, rate


def beeps_in(path):
    """Return when each beep begins, in seconds from the start of playback."""
    wave, rate = heard(path)
    loud = np.abs(wave) > 0.2
    starts = [at for at in np.flatnonzero(loud) if not loud[max(0, at - rate // 50) : at].any()]
    return [at / rate for at in starts]


def sound_packets(path):
    """Return the content of each packet of sound, in order."""
    with av.open(path) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def counters(pictures, width=160, height=120):
    """Read the numbers in the top left part of these pictures."""
    return [read_counter(picture[:height, :width]) for picture in pictures]


def length_s(path):
    with av.open(path) as container:
        return container.duration / av.time_base


def cut_without_reencoding(source, target, start_s):
    """Copy packets from the first on and let an edit list hide what lies before ``start_s``."""
    with av.open(source) as reader, av.open(target, "w") as writer:
        streams = {
            stream.index: writer.add_stream_from_template(stream, opaque=True) for stream in reader.streams
        }
        for packet in reader.demux():
            if packet.size:
                offset = int(start_s / packet.time_base)
                packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
                packet.stream = streams[packet.stream_index]
                writer.mux(packet)
    return target


def turn(source, target, clockwise):
    """Copy an MP4 and change the display matrix in its track header."""
    one = 1 << 16
    a, b = {90: (0, one), 180: (-one, 0), 270: (0, -one)}[clockwise]
    content = bytearray(source.read_bytes())
    plain = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    at = content.index(plain, content.index(b"tkhd"))
    content[at : at + 36] = struct.pack(">9i", a, b, 0, -b, a, 0, 0, 0, 1 << 30)
    target.write_bytes(content)


def is_vermillion(pixels):
    """Tell for each pixel whether it has the colour of alarms, as far as a codec keeps it."""
    return np.abs(pixels.astype(int) - (0xD5, 0x5E, 0x00)).max(axis=-1) < 40


def borders(pictures, width=160, height=120):
    """Tell for each picture whether its whole edge is marked."""
    found = []
    for picture in pictures:
        part = is_vermillion(picture[:height, :width])
        edge = np.concatenate([part[0], part[height - 1], part[:, 0], part[:, width - 1]])
        found.append(bool(edge.mean() > 0.9))
        assert found[-1] or edge.mean() < 0.1
    return found


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def children_left(before=frozenset()):
    """Return the children of this process that were not there before, after giving them a moment to go."""
    deadline_s = time.monotonic() + LONG_S
    while found := {*psutil.Process().children(recursive=True)} - before:
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.02)
    return found
