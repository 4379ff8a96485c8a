"""Changes to the bytes of a video file: damage, cuts, edit lists and rotation."""

import random
import struct

import av


def packets_of(path):
    """Return (byte position, size, is it a key frame) of each video packet."""
    with av.open(path) as container:
        return [(p.pos, p.size, p.is_keyframe) for p in container.demux(video=0) if p.size]


def cut_inside(path, packet):
    """Cut a file off in the middle of one of its video packets."""
    at, size, _ = packets_of(path)[packet]
    path.write_bytes(path.read_bytes()[: at + size // 2])


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


UNIT = 0x10000
MATRICES = {  # of the track header, as telephones write them, for a picture of 160 x 120
    0: (UNIT, 0, 0, 0, UNIT, 0, 0, 0),
    90: (0, UNIT, 0, -UNIT, 0, 0, 120 << 16, 0),
    180: (-UNIT, 0, 0, 0, -UNIT, 0, 160 << 16, 120 << 16),
    270: (0, -UNIT, 0, UNIT, 0, 0, 0, 160 << 16),
}


def turn(path, clockwise):
    """Say in the track header of an MP4 that it is shown turned by so many degrees."""
    content = bytearray(path.read_bytes())
    identity = struct.pack(">9i", *MATRICES[0], 0x40000000)
    at = content.index(identity, content.index(b"tkhd"))
    content[at : at + 36] = struct.pack(">9i", *MATRICES[clockwise], 0x40000000)
    path.write_bytes(content)
