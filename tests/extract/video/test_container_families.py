"""Every container that people record into: each frame once, in order, at its time.

The number of frames is that which another reader counts: ffprobe where it is installed, else PyAV's plain loop with
a demuxer that FFmpeg picks by itself. Each frame carries its number.
"""

import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from support.decoding import counted_elsewhere, counters, decode
from support.recordings import N_FRAMES, dhav, encode, raw_packets, stream
from support.video_edits import flip_bytes
from support.videos import read_counter, textured_frame, write_video
from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.stills import read_stills
from vadpipe.extract.video.container import FAMILIES, sniff
from vadpipe.extract.video.demuxing import open_container, read_packets
from vadpipe.extract.video.timeline_reader import read_timeline

FILES = {
    "MPEG-2 in MPEG-PS": ("a.mpg", dict(codec="mpeg2video", muxer="mpeg", bf="2", g="12", sound="mp2")),
    "MPEG-1 in MPEG-PS": ("a.mpeg", dict(codec="mpeg1video", muxer="mpeg", bf="2")),
    "a DVD's": ("a.vob", dict(codec="mpeg2video", muxer="vob", bf="2", sound="ac3")),
    "H.264 in MPEG-PS": ("b.mpg", dict(codec="libx264", muxer="mpeg", bf="3")),
    "FLV": ("a.flv", dict(codec="flv", muxer="flv")),
    "H.264 in FLV": ("b.flv", dict(codec="libx264", muxer="flv", bf="2")),
    "H.264 with b-frames in ASF": ("b.asf", dict(codec="libx264", muxer="asf", bf="2", g="12")),
    "H.264 in MXF": ("b.mxf", dict(codec="libx264", muxer="mxf", bf="2", pixel_format="yuv422p10le")),
    "WMV2 in ASF": ("a.wmv", dict(codec="wmv2", muxer="asf")),
    "MS-MPEG-4 in ASF": ("a.asf", dict(codec="msmpeg4", muxer="asf")),
    "VP8 in Ogg": ("a.ogv", dict(codec="libvpx", muxer="ogg", deadline="realtime")),
    "MPEG-4 ASP in AVI": ("a.avi", dict(codec="mpeg4", muxer="avi")),
    "MJPEG in AVI": ("b.avi", dict(codec="mjpeg", muxer="avi", pixel_format="yuvj420p")),
    "MPEG-2 in MXF": ("a.mxf", dict(codec="mpeg2video", muxer="mxf", bf="2")),
    "DV": ("a.dv", dict(codec="dvvideo", muxer="dv", size=(720, 576))),
    "DV in AVI": ("c.avi", dict(codec="dvvideo", muxer="avi", size=(720, 576))),
    "GIF": ("a.gif", dict(codec="gif", muxer="gif", pixel_format="rgb8")),
    "Y4M": ("a.y4m", dict(codec="wrapped_avframe", muxer="yuv4mpegpipe")),
    "raw H.264": ("a.h264", dict(codec="libx264", muxer="h264", bf="3")),
    "raw H.264 without b-frames": ("a.264", dict(codec="libx264", muxer="h264", bf="0")),
    "interlaced raw H.264": ("b.h264", {"codec": "libx264", "muxer": "h264", "x264-params": "tff=1"}),
    "raw HEVC": ("a.h265", {"codec": "libx265", "muxer": "hevc", "x265-params": "log-level=none"}),
    "raw MJPEG": ("a.mjpeg", dict(codec="mjpeg", muxer="mjpeg", pixel_format="yuvj420p")),
}


def is_whole(path, n_frames=N_FRAMES, fps=25, atol=1e-6):
    """Assert that all frames come, in order and evenly, however the file is called."""
    assert counted_elsewhere(path) == n_frames
    timeline, frames = decode(path)
    assert counters(frames) == [number % 1024 for number in range(n_frames)]
    assert [frame.number for frame in frames] == list(range(n_frames))
    steps = np.diff(np.append(timeline.times_s, timeline.end_s))
    np.testing.assert_allclose(steps, 1 / fps, atol=atol)
    assert timeline.n_announced == n_frames
    assert timeline.changes == ()
    return timeline


@pytest.mark.parametrize(("name", "options"), FILES.values(), ids=FILES)
def test_every_frame_of_every_container_comes_in_order(tmp_path, name, options):
    path = encode(tmp_path / name, **options)
    family = sniff(path)
    assert path.suffix in FAMILIES[family].suffixes
    timeline = is_whole(path.rename(tmp_path / "no suffix at all"), atol=1e-3)
    assert timeline.timed == FAMILIES[family].timed
    stills = read_stills(tmp_path / "no suffix at all", [float(timeline.times_s[n]) for n in (33, 4)], 120)
    assert [read_counter(still) for still in stills] == [33, 4]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg, which has an encoder, is not installed")
def test_theora_in_ogg(tmp_path):
    plain, path = encode(tmp_path / "a.avi", "mpeg4", qscale="2"), tmp_path / "a.ogv"
    command = ["ffmpeg", "-v", "error", "-i", plain, "-c:v", "libtheora", "-q:v", "9", path]
    subprocess.run(command, check=True)
    assert sniff(path) == "ogg"
    is_whole(path)


RAW = {
    "H.264": (dict(codec="libx264", muxer="h264", bf="0"), 2),
    "H.264 with b-frames": (dict(codec="libx264", muxer="h264", bf="2"), 2),
    "HEVC": ({"codec": "libx265", "muxer": "hevc", "x265-params": "log-level=none:bframes=0"}, 0xC),
}


@pytest.mark.parametrize("head", [b"", b"DAHUA".ljust(0x400, b"\0")], ids=["plain", "with a head"])
@pytest.mark.parametrize(("options", "codec"), RAW.values(), ids=RAW)
def test_what_dahua_records(tmp_path, options, codec, head):
    path = tmp_path / "a.dav"
    path.write_bytes(head + dhav(raw_packets(encode(tmp_path / "raw", **options)), codec))
    assert sniff(path) == "dhav"
    is_whole(path)


def test_what_hikvision_records(tmp_path):
    stream = encode(tmp_path / "plain.mpg", "libx264", "mpeg", bf="0").read_bytes()
    path = tmp_path / "a.mp4"  # as its players name it
    path.write_bytes(b"IMKH" + bytes(36) + stream)
    assert sniff(path) == "ps"
    is_whole(path)


def test_a_rate_is_assumed_where_a_stream_carries_no_times(tmp_path):
    path = encode(tmp_path / "a.h264", "libx264", "h264")
    for fps in (25.0, 30.0, 12.5, 29.97):
        timeline = read_timeline(path, assume_fps=fps)
        np.testing.assert_allclose(timeline.times_s, np.arange(N_FRAMES) / fps)
        assert timeline.end_s == pytest.approx(N_FRAMES / fps)
        assert not timeline.timed
    (still,) = read_stills(path, [20 / 12.5], 120, assume_fps=12.5)
    assert read_counter(still) == 20


def test_a_raw_stream_may_begin_in_the_middle(tmp_path):
    packets = raw_packets(encode(tmp_path / "raw.h264", "libx264", "h264", bf="0", g="10"))
    path = tmp_path / "a.h264"
    path.write_bytes(b"".join(data for data, _ in packets[7:]))
    assert sniff(path) == "h264"
    timeline, frames = decode(path)
    assert counted_elsewhere(path) == len(frames) == 30
    assert counters(frames) == list(range(10, 40))
    assert len(timeline.times_s) == timeline.n_announced == 30


HEVC = {  # what a stream was cut off before: the kind of unit, and what makes the encoder use it
    "TRAIL_N": (0, "open-gop=0"),
    "TSA_N": (2, "temporal-layers=2:b-pyramid=1"),
    "TSA_R": (3, "temporal-layers=3:b-pyramid=1"),
    "RADL_N": (6, "open-gop=0:radl=2"),
    "RADL_R": (7, "open-gop=0:radl=2"),
    "RASL_N": (8, "temporal-layers=3:b-pyramid=1"),
}


@pytest.mark.parametrize(("kind", "options"), HEVC.values(), ids=HEVC)
def test_raw_hevc_may_begin_with_any_kind_of_picture(tmp_path, kind, options):
    options = f"log-level=none:repeat-headers=1:scenecut=0:keyint=10:min-keyint=10:bframes=4:{options}"
    whole = encode(tmp_path / "raw.h265", "libx265", "hevc", **{"x265-params": options})
    packets = [data for data, _ in raw_packets(whole)]
    kinds = [data[data.index(b"\0\0\1") + 3] >> 1 for data in packets]
    path = tmp_path / "a.h265"
    path.write_bytes(b"".join(packets[kinds.index(kind) :]))
    assert sniff(path) == "hevc"
    timeline, frames = decode(path)
    with av.open(path) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(frames) == timeline.n_announced
    shown = counters(frames)
    assert len(shown) >= 20
    assert shown == list(range(N_FRAMES))[-len(shown) :]


@pytest.mark.parametrize("muxer", ["mpegts", "m2ts"])
@pytest.mark.parametrize("n_cut", [1, 100, 187])
def test_a_transport_stream_may_begin_within_a_packet(tmp_path, muxer, n_cut):
    whole = stream(tmp_path / "a", suffix="m2ts" if muxer == "m2ts" else "ts")
    path = tmp_path / "cut"
    path.write_bytes(whole.read_bytes()[n_cut:])
    assert sniff(path) == "ts"
    timeline, frames = decode(path)
    assert counted_elsewhere(path) == len(frames) == timeline.n_announced == 20
    assert counters(frames) == list(range(20))


def test_what_is_lost_of_a_raw_stream_keeps_its_place(tmp_path):
    path = write_video(tmp_path / "a.mjpeg", N_FRAMES, codec="mjpeg", frame=textured_frame,
                       options={"strict": "-1"})  # fmt: skip
    packets = raw_packets(path)
    lost = b"\xff\xd8\xff\xe0" + bytes(200) + b"\xff\xd9"
    path.write_bytes(b"".join(lost if at == 12 else data for at, (data, _) in enumerate(packets)))
    timeline, frames = decode(path)
    assert timeline.n_announced == len(timeline.times_s) == N_FRAMES
    keep = [number for number in range(N_FRAMES) if number != 12]
    assert [frame.number for frame in frames] == counters(frames) == keep


@pytest.mark.parametrize(("codec", "muxer"), [("libx264", "h264"), ("libx264", "mpeg")])
def test_damage_costs_its_own_frames(tmp_path, codec, muxer):
    path = tmp_path / "a.bin"
    with av.open(path, "w", format=muxer) as output:
        stream = output.add_stream(codec, rate=25, options={"g": "5", "bf": "0"})
        stream.codec_context.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(N_FRAMES):
            frame = av.VideoFrame.from_ndarray(textured_frame(number, 160, 120), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    if muxer == "h264":
        flip_bytes(path, [11], n_bytes=40)
    else:
        content = bytearray(path.read_bytes())
        content[len(content) * 2 // 5 : len(content) * 2 // 5 + 300] = bytes(300)
        path.write_bytes(content)
    timeline, frames = decode(path)
    numbers, shown = [frame.number for frame in frames], counters(frames)
    assert shown[:8] == list(range(8))
    assert shown[-8:] == list(range(32, 40))
    assert len(frames) < N_FRAMES
    if muxer == "h264":
        assert numbers == shown
        assert timeline.n_announced == N_FRAMES
    else:  # what carries a time is at that time
        np.testing.assert_allclose(timeline.times_s[numbers], np.array(shown) / 25, atol=1e-3)


@pytest.mark.parametrize(("name", "options"), [FILES["raw MJPEG"], FILES["GIF"]], ids=["JPEG", "GIF"])
def test_a_single_picture_is_not_a_video(tmp_path, name, options):
    path = encode(tmp_path / name, n_frames=1, **options)
    with pytest.raises(InputError, match="is a single picture, not a video"):
        decode(path)


@pytest.mark.parametrize("decoder", ["decord"])
def test_a_decoder_whose_demuxer_cannot_be_forced_hands_it_on(tmp_path, decoder):
    path = encode(tmp_path / "a.mpg", "mpeg2video", "mpeg")
    with pytest.raises(DecodeError, match="decord cannot be restricted to the demuxer of MPEG-PS") as caught:
        decode(path, decoder)
    assert "--decoder pyav" in caught.value.next_step


@pytest.mark.parametrize("flushed", [True, False])
def test_a_stream_that_turns_up_late_does_not_end_the_reading(tmp_path, flushed):
    path = encode(tmp_path / "a.flv", "flv", "flv")

    class Late:
        """A container that fails at its end as PyAV's does where it meets a stream that was not announced."""

        def __init__(self, container):
            self.container = container

        def demux(self, stream):
            for packet in self.container.demux(stream):
                if packet.size or flushed:
                    yield packet
            raise IndexError("list index out of range")

    with open_container(path) as (container, stream):
        packets = list(read_packets(Late(container), stream))
    assert [bool(packet.size) for packet in packets] == [True] * N_FRAMES + [False]
