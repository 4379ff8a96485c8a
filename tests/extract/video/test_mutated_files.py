"""Files changed at random: an error of that file or its frames, and never a hang or a crash of this process."""

import random

import numpy as np
import psutil
import pytest

from support.recordings import dhav, encode, pictures, raw_packets
from support.videos import write_video
from vadpipe.errors import InputError
from vadpipe.extract.stills import read_stills
from vadpipe.extract.video.container import FAMILIES, sniff
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.image_folder import IMAGE_SUFFIXES
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding

SEEDS = {
    "mp4": ("a.mp4", {"options": {"g": "8"}}),
    "mkv": ("a.mkv", {"options": {"g": "8"}}),
    "ts": ("a.ts", {"options": {"g": "8"}}),
    "avi": ("a.avi", {"codec": "mpeg4", "options": {"g": "8"}}),
    "webm": ("a.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    "fragments": ("b.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
}
ENCODED = {
    "mpg": dict(codec="mpeg2video", muxer="mpeg", bf="2", g="8", sound="mp2"),
    "flv": dict(codec="flv", muxer="flv", g="8"),
    "wmv": dict(codec="wmv2", muxer="asf", g="8"),
    "ogv": dict(codec="libvpx", muxer="ogg", deadline="realtime", g="8"),
    "mxf": dict(codec="mpeg2video", muxer="mxf", g="8"),
    "dv": dict(codec="dvvideo", muxer="dv", size=(720, 576), n_frames=3),
    "gif": dict(codec="gif", muxer="gif", pixel_format="rgb8"),
    "y4m": dict(codec="wrapped_avframe", muxer="yuv4mpegpipe"),
    "h264": dict(codec="libx264", muxer="h264", g="8"),
    "hevc": {"codec": "libx265", "muxer": "hevc", "x265-params": "log-level=none:keyint=8"},
    "mjpeg": dict(codec="mjpeg", muxer="mjpeg", pixel_format="yuvj420p"),
}
OTHERS = ("dav", "joined", "png", "jpg", "bmp", "tif")
ALL = (*SEEDS, *ENCODED, *OTHERS)
WORDS = (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    seeds = {
        name: write_video(folder / file, 24, size=(80, 60), **options).read_bytes()
        for name, (file, options) in SEEDS.items()
    }
    for name, options in ENCODED.items():
        options = {"size": (80, 60), "n_frames": 24} | options
        seeds[name] = encode(folder / f"b.{name}", **options).read_bytes()
    seeds["dav"] = dhav(raw_packets(folder / "b.h264"), codec=2)
    seeds["joined"] = seeds["ts"] * 3
    for suffix in ("png", "jpg", "bmp", "tif"):  # a picture of a sequence is what changes
        seeds[suffix] = (
            pictures(folder / suffix, 1, suffix=f".{suffix}", size=(80, 60)) / f"000.{suffix}"
        ).read_bytes()
    return seeds


def mutated(content, rng):
    """Flip, set, cut, insert or copy bytes, at one place or at many."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8, 40])):
        at = rng.randrange(len(content))
        kind = rng.randrange(6)
        if kind == 0:
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            content[at] = rng.choice([0, 1, 127, 128, 255])
        elif kind == 2:
            content[at : at + 4] = rng.choice(WORDS)[: len(content) - at]
        elif kind == 3:
            del content[at : min(at + rng.randrange(1, 50), len(content) - 100)]
        elif kind == 4:
            content[at:at] = rng.randbytes(rng.randrange(1, 30))
        else:
            origin = rng.randrange(len(content))
            content[at : at + 16] = content[origin : origin + 16]
    return bytes(content)


def survive(path, content, whole, decoder, stills):
    """Decode what may be anything; return whether frames came."""
    if path.suffix in IMAGE_SUFFIXES:
        picture, path = path, path.with_name(f"sequence of {path.suffix}")
        for number in range(4):
            path.mkdir(exist_ok=True)
            (path / f"{number}{picture.suffix}").write_bytes(content if number == 2 else whole)
    else:
        path.write_bytes(content)
    limits = Limits(memory_bytes=2 * 2**30)
    told = None
    try:
        if stills:
            read_stills(path, [0.0, 0.5], 64)
            return True
        with Decoding(path, DecodeJob(Size(64, square=True), decoder=decoder, limits=limits)) as decoding:
            numbers = [frame.number for frame in decoding.frames()]
            assert (np.diff(numbers) > 0).all()
            assert (np.diff(decoding.timeline.times_s) >= 0).all()
            return bool(numbers)
    except InputError as error:
        told = error
    assert told.file == str(path)
    troubles = [word for word in ("no frame for", "ended early", "sent an invalid") if word in told.reason]
    assert troubles == [], told.reason
    return False


def run(tmp_path, whole, name, numbers):
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    came = 0
    for number in numbers:
        rng = random.Random(f"{name} {number}")
        content = mutated(whole[name], rng)
        decoder = rng.choice(["pyav", "pyav", "decord"])
        came += survive(tmp_path / f"a.{name}", content, whole[name], decoder, stills=rng.random() < 0.1)
    assert {child.pid for child in psutil.Process().children(recursive=True)} == before
    return came


def test_every_container_has_a_seed(tmp_path, whole):
    found = set()
    for name, content in whole.items():
        path = tmp_path / f"a.{name}"
        path.write_bytes(content)
        found.add("images" if path.suffix in IMAGE_SUFFIXES else sniff(path))
    assert found == {*FAMILIES}


@pytest.mark.parametrize("name", ALL)
def test_some_mutations(tmp_path, whole, name):
    assert run(tmp_path, whole, name, range(8)) > 0  # some are harmless, so that decoders are reached


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_many_mutations(tmp_path, whole, name):
    run(tmp_path, whole, name, range(8, 108))
