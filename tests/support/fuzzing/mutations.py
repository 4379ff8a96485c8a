"""Changes to the content of a file, drawn from a seeded generator: of bytes, of text, and of records in files."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable
from io import BytesIO
from random import Random
from zipfile import ZipFile, ZipInfo

Mutation = Callable[[bytes, Random], bytes]

WORDS = (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1")

_NUMBERS = (
    "0", "-1", "1", "2", "255", "65536", "2147483648", "9223372036854775808", "1" + "0" * 14, "1" + "0" * 30,
    "0.1", "-0.0", "1e-320", "1e308", "1e999", "-1e308", "nan", "NaN", "Infinity", "-inf", "0x10", "１２", "²", "1_0",
    "9" * 5000,
)  # fmt: skip
_TEXTS = (
    "", " ", "null", "true", "{}", "[]", '""', '"', "'", ",", ";", ":", "@", "\t", "\r", "\n", "\0", "\x1b[2J", "\x85",
    "\u2028", "\ufeff", "\ud7ff", "../../up", "/abs", "..", ".", "a" * 300, "%s%n", "{0}", "\\", "\\ud800", "é" * 90, "-",
    "[" * 3000, '{"a":' * 3000,
)  # fmt: skip
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TOKEN = re.compile(r'"[^"\n]*"|[\w./-]+|[^\w\s]')
_DIGEST_BYTES = 32


def mutated_bytes(content: bytes, rng: Random) -> bytes:
    """Flip, set, cut, insert or copy bytes, at one place or at many; sometimes the end is missing."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8, 40])):
        if not changed:
            break
        at = rng.randrange(len(changed))
        kind = rng.randrange(6)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at] = rng.choice([0, 1, 127, 128, 255])
        elif kind == 2:
            changed[at : at + 4] = rng.choice(WORDS)[: len(changed) - at]
        elif kind == 3:
            del changed[at : min(at + rng.randrange(1, 50), max(at, len(changed) - 100))]
        elif kind == 4:
            changed[at:at] = rng.randbytes(rng.randrange(1, 30))
        else:
            origin = rng.randrange(len(changed))
            changed[at : at + 16] = changed[origin : origin + 16]
    if changed and rng.random() < 0.1:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def mutated_text(content: bytes, rng: Random) -> bytes:
    """Replace numbers and words by awkward ones, move lines about, and sometimes change bytes instead."""
    if rng.random() < 0.15:
        return mutated_bytes(content, rng)
    text = content.decode(errors="replace")
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        kind = rng.randrange(6)
        if kind < 2:
            text = _replaced(text, _NUMBER, rng.choice(_NUMBERS), rng)
        elif kind == 2:
            text = _replaced(text, _TOKEN, rng.choice(_TEXTS), rng)
        elif kind == 3:
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(_TEXTS) + text[at:]
        elif kind == 4:
            text = _moved_lines(text, rng)
        else:
            found = [*_TOKEN.finditer(text)]
            if found:  # one word or quotation in the place of another
                text = _replaced(text, _TOKEN, rng.choice(found)[0], rng)
    return text.encode(errors="surrogatepass")


def mutated_safetensors(content: bytes, rng: Random) -> bytes:
    """Change the header, whose stated length then fits it, or any bytes."""
    if rng.random() < 0.2:
        return mutated_bytes(content, rng)
    (length,) = struct.unpack("<Q", content[:8])
    header = mutated_text(content[8 : 8 + length], rng)
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def mutated_zip(content: bytes, rng: Random) -> bytes:
    """Change the text of one member, whose checksum then fits it, or any bytes."""
    if rng.random() < 0.2:
        return mutated_bytes(content, rng)
    changed = BytesIO()
    with ZipFile(BytesIO(content)) as whole, ZipFile(changed, "w") as archive:
        members = whole.infolist()
        chosen = rng.choice(members)
        for member in members:
            text = whole.read(member)
            # With a date of its own, a member would differ from run to run.
            archive.writestr(ZipInfo(member.filename), mutated_text(text, rng) if member is chosen else text)
    return changed.getvalue()


def mutated_signed(content: bytes, rng: Random) -> bytes:
    """Change a file that begins with the sha256 of the rest, which then fits it; or any bytes."""
    if rng.random() < 0.1:
        return mutated_bytes(content, rng)
    body = mutated_bytes(content[_DIGEST_BYTES:], rng)
    return hashlib.sha256(body).digest() + body


def _replaced(text: str, pattern: re.Pattern[str], new: str, rng: Random) -> str:
    found = [*pattern.finditer(text)]
    if not found:
        return text + new
    match = rng.choice(found)
    return text[: match.start()] + new + text[match.end() :]


def _moved_lines(text: str, rng: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at, kind = rng.randrange(len(lines)), rng.randrange(4)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, rng.choice(lines))
    elif kind == 2:
        lines[at] = lines[at].rstrip("\n")
    else:
        rng.shuffle(lines)
    return "".join(lines)
