"""Recordings of every kind: containers, joined streams, image sequences."""

from __future__ import annotations

import calendar
import struct
import time
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from support.videos import SAME_BYTES, counter_frame

N_FRAMES = 40
N_PICTURES = 20


def encode(
    path, codec, muxer=None, pixel_format="yuv420p", size=(160, 120), sound=None, n_frames=N_FRAMES, **options
):
    """Encode counter frames into any container, and silence where a sound codec is named."""
    with av.open(path, "w", format=muxer, options=SAME_BYTES) as output:
        stream = output.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.thread_count = 1
        stream.codec_context.bit_rate = 1_000_000
        audio = output.add_stream(sound, rate=48000, layout="stereo") if sound else None
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(counter_frame(number, *size), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        if audio is not None:
            output.mux(audio.encode(silence(n_frames * 1920)))
            output.mux(audio.encode())
    return path


def silence(n_samples):
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * n_samples), np.int16), format="s16", layout="stereo")
    frame.sample_rate = 48000
    return frame


def raw_packets(path):
    """Return (bytes, is it a key frame) of each packet of a raw stream."""
    with av.open(path) as container:
        return [(bytes(packet), packet.is_keyframe) for packet in container.demux(video=0) if packet.size]


def dhav(packets, codec, fps=25, begins="2026-02-28 23:59:59"):
    """Return packets as Dahua's recorders store them: a head, what follows it, the data, a tail."""
    year, month, day, hour, minute, second = (
        int(part) for part in begins.replace(":", " ").replace("-", " ").split()
    )
    start_s = calendar.timegm((year, month, day, hour, minute, second))
    content = b""
    for number, (data, is_key) in enumerate(packets):
        milliseconds = 1000 * number // fps

        at = time.gmtime(start_s + milliseconds // 1000)
        date = (at.tm_year - 2000) << 26 | at.tm_mon << 22 | at.tm_mday << 17
        date |= at.tm_hour << 12 | at.tm_min << 6 | at.tm_sec
        size = bytes([0x80, 0, 160 // 8, 120 // 8, 0x81, 0, codec, fps]) if is_key else b""
        length = 24 + len(size) + len(data) + 8
        content += b"DHAV" + struct.pack("<4BII", 0xFD if is_key else 0xFC, 0, 0, 0, number, length)
        content += struct.pack("<IHBB", date, milliseconds % 65536, len(size), 0) + size + data
        content += b"dhav" + struct.pack("<I", length)
    return content


def stream(
    path, first=0, n_frames=20, *, size=(160, 120), starts_s=0.0, codec="libx264", suffix="ts", **options
):
    """Write a stream whose frames carry the numbers from ``first`` on and whose clock begins at ``starts_s``."""
    with av.open(path.with_suffix(f".{suffix}"), "w") as output:
        video = output.add_stream(codec, rate=25, options={"g": "10", **options})
        video.codec_context.thread_count = 1
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(counter_frame(first + number, *size), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            for packet in video.encode(frame):
                output.mux(moved(packet, starts_s))
        for packet in video.encode():
            output.mux(moved(packet, starts_s))
    return path.with_suffix(f".{suffix}")


def moved(packet, by_s):
    ticks = round(by_s / packet.time_base)
    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
    return packet


def joined(path, *parts):
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def pictures(
    folder, n_pictures=N_PICTURES, *, suffix=".png", name="{:03d}", size=(160, 120), first=0, mode="RGB"
):
    """Write numbered counter frames as pictures and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + n_pictures):
        picture = Image.fromarray(counter_frame(number - first, *size)).convert(mode)
        picture.save(folder / f"{name.format(number)}{suffix}", quality=95)
    return folder
