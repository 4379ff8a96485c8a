"""What the tests of decoding share: the backends, a player to compare with, and ways to break a file."""

import random
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import counter_frame, read_counter

from vadpipe.extract.video.decoders import DECODERS
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding


def _why_not(name: str) -> str | None:
    if DECODERS[name].version() is None:
        return f"{name} is not installed"
    if name == "torchcodec":
        try:
            import torchcodec.decoders  # noqa: F401
        except (ImportError, RuntimeError, OSError):
            return "torchcodec is installed, but FFmpeg's libraries are not"
    return None


WHY_NOT = {name: _why_not(name) for name in DECODERS}
BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(why is not None, reason=str(why)))
    for name, why in WHY_NOT.items()
]
FFPROBE = shutil.which("ffprobe")
OTHERS = [param for param in BACKENDS if param.values != ("pyav",)]


def decode(path, decoder="pyav", side_px=120, **job):
    """Return the timeline and the frames of a video, decoded in a process of its own."""
    wanted = DecodeJob(Size(side_px, square=False), decoder=decoder, **job)
    with Decoding(Path(path), wanted) as decoding:
        return decoding.timeline, list(decoding.frames())


def counters(frames):
    return [read_counter(frame.pixels) for frame in frames]


def player(path):
    """What a player shows, by PyAV's own plain loop: times from the start of playback, and pixels."""
    with av.open(path) as container:
        start_s = max(0, container.start_time or 0) / av.time_base
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return [time_s - start_s for time_s, _ in frames], [pixels for _, pixels in frames]


def counted_elsewhere(path):
    """Return how many frames another reader shows."""
    if FFPROBE is None:
        with av.open(path) as container:
            return sum(1 for _ in container.decode(container.streams.best("video")))
    command = [FFPROBE, "-v", "error", "-select_streams", "v:0", "-count_frames", "-of", "csv=p=0"]
    told = subprocess.run(
        [*command, "-show_entries", "stream=nb_read_frames", path], capture_output=True, text=True, check=True
    )
    return int(told.stdout.split()[0].rstrip(","))


def packets_of(path):
    """Return (byte position, size, is it a key frame) of each video packet."""
    with av.open(path) as container:
        return [(p.pos, p.size, p.is_keyframe) for p in container.demux(video=0) if p.size]


def cut_inside(path, packet):
    """Cut a file off in the middle of one of its video packets."""
    at, size, _ = packets_of(path)[packet]
    path.write_bytes(path.read_bytes()[: at + size // 2])


def textured_frame(number, width, height):
    """Draw a counter frame whose lower half moves, so that every packet has something to lose."""
    frame = counter_frame(number, width, height)
    texture = np.random.default_rng(0).integers(0, 60, (height - height // 2, width, 3), np.uint8)
    frame[height // 2 :] = np.roll(texture, 3 * number, axis=1)
    return frame


def flip_bytes(path, packets, seed=0, n_bytes=4, from_byte=5):
    """Change some bytes in the middle of these packets of a file."""
    content, rng = bytearray(path.read_bytes()), random.Random(seed)
    places = packets_of(path)
    for packet in packets:
        at, size, _ = places[packet]
        for _ in range(n_bytes):
            content[at + rng.randrange(min(from_byte, size - 1), size)] ^= rng.randrange(1, 256)
    path.write_bytes(content)


def cut_without_reencoding(source, target, start_s):
    """Copy packets from the key frame before ``start_s`` and let an edit list hide what lies before it."""
    with av.open(source) as reader, av.open(target, "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        offset = int(start_s / reader.streams.video[0].time_base)
        for packet in reader.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
                packet.stream = stream
                writer.mux(packet)


def end_edit_at(path, end_s):
    """Let the edit list of an MP4 end there, as cameras and phones do that trim without writing anew."""
    content = bytearray(path.read_bytes())
    timescale_at, length_at = content.index(b"mvhd") + 16, content.index(b"elst") + 12  # of version 0
    timescale = int.from_bytes(content[timescale_at : timescale_at + 4])
    content[length_at : length_at + 4] = round(end_s * timescale).to_bytes(4)
    path.write_bytes(content)
