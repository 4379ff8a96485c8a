"""Tiny files whose pictures claim to be huge: the headers of real videos, rewritten bit by bit."""

import re

import av

from support.videos import write_video


class _Bits:
    """Bits as H.264 writes them."""

    def __init__(self):
        self._text = ""

    def fixed(self, value, n_bits):
        self._text += format(value, f"0{n_bits}b")

    def golomb(self, *values):
        for value in values:
            code = format(value + 1, "b")
            self._text += "0" * (len(code) - 1) + code

    def payload(self):
        """Return the bytes, closed by a one, with the byte that keeps start codes apart."""
        text = self._text + "1"
        text += "0" * (-len(text) % 8)
        found, zeros = bytearray(), 0
        for byte in int(text, 2).to_bytes(len(text) // 8, "big"):
            if zeros >= 2 and byte <= 3:
                found.append(3)
                zeros = 0
            found.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return bytes(found)


def _parameters(width, height):
    """Return the sequence parameter set of a baseline H.264 stream of that size."""
    bits = _Bits()
    bits.fixed(66 << 16 | 0xC0 << 8 | 51, 24)  # profile, constraints, level
    bits.golomb(0, 0, 2, 1)  # id, frame number bits, order type, reference frames
    bits.fixed(0, 1)
    bits.golomb(width // 16 - 1, height // 16 - 1)
    bits.fixed(0b1100, 4)  # progressive, direct 8x8, no cropping, nothing more
    return b"\x67" + bits.payload()


def oversized_h264(path, width, height):
    """Write 64 frames of 64 x 64 px, whose stream claims another size; multiples of 16."""
    options = {"profile": "baseline", "bf": "0", "g": "1"}
    with av.open(
        write_video(path.with_suffix(".template.mp4"), 1, size=(64, 64), options=options)
    ) as template:
        extra = template.streams.video[0].codec_context.extradata
    size = int.from_bytes(extra[6:8], "big")
    old = extra[8 : 8 + size]
    content = write_video(path, 64, size=(64, 64), options=options).read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, _parameters(width, height).ljust(size, b"\0")))
    return path


def oversized_vp9(path, width, height):
    """Write three key frames of 64 x 64 px that claim another size; the container still says 64 x 64."""
    options = {"cpu-used": "8", "deadline": "realtime", "g": "1"}
    content = bytearray(write_video(path, 3, size=(64, 64), codec="libvpx-vp9", options=options).read_bytes())
    places = [match.end() for match in re.finditer(b"[\x82\x83]\x49\x83\x42", content)]  # key frames
    assert len(places) >= 3
    for at in places:
        word = int.from_bytes(content[at : at + 6], "big")
        word &= ~(0xFFFFFFFF << 12)
        word |= (width - 1) << 28 | (height - 1) << 12
        content[at : at + 6] = word.to_bytes(6, "big")
    path.write_bytes(content)
    return path
