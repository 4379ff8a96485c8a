"""Videos whose sound is silence and beeps, and when the beeps are heard."""

from fractions import Fraction

import av
import numpy as np

from support.videos import counter_frame

RATE = 48_000
BEEP_S = 0.1


def write_video_with_sound(
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


def hide_beginning(source, target, start_s):
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
