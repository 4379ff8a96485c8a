"""How many frames a file says it has, how many it holds, and what became of the difference."""

import struct

import av
import numpy as np
import pytest

from support.decoding import BACKENDS, counters, decode
from support.videos import textured_frame, write_video
from vadpipe.extract.video.timeline_reader import read_timeline


@pytest.mark.parametrize("decoder", BACKENDS)
def test_more_frames_announced_than_there_are(tmp_path, decoder):
    path = write_video(tmp_path / "a.avi", 40, codec="mpeg4")
    content = bytearray(path.read_bytes())
    at = content.index(b"strh") + 8 + 32
    assert int.from_bytes(content[at : at + 4], "little") == 40
    content[at : at + 4] = (55).to_bytes(4, "little")
    path.write_bytes(content)
    timeline, frames = decode(path, decoder)
    assert counters(frames) == list(range(40))
    assert (len(timeline.times_s), timeline.n_announced) == (40, 55)
    assert timeline.end_s == pytest.approx(1.6)


def rewritten(source, target, keep):
    """Copy a video without some of its packets."""
    with av.open(source) as reader, av.open(target, "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for number, packet in enumerate(packet for packet in reader.demux(video=0) if packet.size):
            if number in keep:
                packet.stream = stream
                writer.mux(packet)
    return target


@pytest.mark.parametrize("decoder", BACKENDS)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_packets_that_a_camera_dropped_leave_a_hole_in_time(tmp_path, decoder, suffix):
    plain = write_video(tmp_path / f"plain.{suffix}", 40, options={"g": "1"})
    keep = [number for number in range(40) if not 10 <= number < 17]
    path = rewritten(plain, tmp_path / f"a.{suffix}", keep)
    timeline, frames = decode(path, decoder)
    assert counters(frames) == keep
    assert [frame.number for frame in frames] == list(range(33))
    np.testing.assert_allclose(timeline.times_s, np.array(keep) / 25, atol=1e-3)  # mkv counts milliseconds
    assert timeline.n_announced == 33


def chunks_of(content):
    """Return the video chunks of an AVI file, with their eight bytes of header, and where they begin."""
    start = content.index(b"movi") + 4
    chunks, at = [], start
    while content[at : at + 4] == b"00dc":
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        chunks.append(content[at : at + 8 + size + size % 2])
        at += len(chunks[-1])
    return chunks, start


@pytest.mark.parametrize("decoder", BACKENDS)
def test_frames_that_an_avi_marks_as_dropped_are_never_there(tmp_path, decoder):
    content = write_video(tmp_path / "plain.avi", 40, codec="mpeg4", options={"g": "1"}).read_bytes()
    chunks, start = chunks_of(content)
    dropped, body, index = (10, 11, 25), b"", b""
    for number, chunk in enumerate(chunks):
        chunk = b"00dc\0\0\0\0" if number in dropped else chunk
        size = int.from_bytes(chunk[4:8], "little")
        index += b"00dc" + struct.pack("<3I", 0x10, 4 + len(body), size)
        body += chunk
    path = tmp_path / "a.avi"
    header = content[: start - 8] + (4 + len(body)).to_bytes(4, "little") + b"movi"
    path.write_bytes(header + body + b"idx1" + len(index).to_bytes(4, "little") + index)
    timeline, frames = decode(path, decoder)
    keep = [number for number in range(40) if number not in dropped]
    assert counters(frames) == keep
    np.testing.assert_allclose(timeline.times_s, np.array(keep) / 25, atol=1e-6)
    assert len(timeline.times_s) == timeline.n_announced == 37


@pytest.mark.parametrize("decoder", BACKENDS)
def test_two_frames_at_one_time_are_one_frame(tmp_path, decoder):
    plain = write_video(tmp_path / "plain.mkv", 20, options={"g": "1"})
    path = tmp_path / "a.mkv"
    with av.open(plain) as reader, av.open(path, "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for number, packet in enumerate(packet for packet in reader.demux(video=0) if packet.size):
            packet.pts = packet.dts = packet.pts - 40 * (number >= 8)  # 8 comes at the time of 7
            packet.stream = stream
            writer.mux(packet)
    timeline = read_timeline(path)
    assert (len(timeline.times_s), timeline.n_announced) == (19, 19)
    assert (np.diff(timeline.times_s) > 0).all()
    if decoder == "pyav":
        _, frames = decode(path, decoder)
        assert counters(frames) == [*range(8), *range(9, 20)]


def test_a_recording_that_says_how_long_it_is_and_ends_before(tmp_path):
    path = write_video(tmp_path / "a.mkv", 100, options={"g": "5"}, frame=textured_frame)
    assert read_timeline(path).n_announced == 100
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    timeline = read_timeline(path)
    assert len(timeline.times_s) < 70
    assert abs(timeline.n_announced - 100) <= 2  # from its length, since it does not say how many
