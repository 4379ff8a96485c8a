"""Pixels are those that a player shows: turned, in the right colours, in any format and size."""

import os
from fractions import Fraction

import av
import numpy as np
import pytest

from support.decoding import BACKENDS, decode, player
from support.video_edits import MATRICES, turn
from support.videos import counter_frame, read_counter, write_video
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.video.timeline_reader import read_timeline


@pytest.mark.parametrize("decoder", BACKENDS)
@pytest.mark.parametrize("clockwise", MATRICES)
def test_rotation_is_applied(tmp_path, decoder, clockwise):
    path = write_video(tmp_path / "a.mp4", 20)
    turn(path, clockwise)
    timeline, frames = decode(path, decoder)
    shown = (120, 160) if clockwise % 180 else (160, 120)
    assert (timeline.width_px, timeline.height_px) == shown
    turned = np.rot90(counter_frame(5, 160, 120), -clockwise // 90)
    assert frames[5].pixels.shape == turned.shape
    assert read_counter(np.rot90(frames[5].pixels, clockwise // 90)) == 5
    assert np.abs(frames[5].pixels.astype(int) - turned).mean() < 12


def colour_frame(number, width, height):
    """Draw a frame of one colour: these tell a wrong matrix and a wrong range from the right one."""
    colours = [(20, 20, 20), (235, 235, 235), (200, 40, 40), (40, 200, 40), (40, 40, 200)]
    return np.full((height, width, 3), colours[number], np.uint8)


def write_colours(path, pixel_format, picture=colour_frame, **tags):
    """Encode five plain frames almost without loss; ``tags`` are those of the stream."""
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"qp": "4"})
        stream.codec_context.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = 160, 120, pixel_format
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(picture(number, 160, 120), format="rgb24")
            frame = frame.reformat(
                format=pixel_format,
                dst_colorspace="ITU709" if tags.get("colorspace") == 1 else "ITU601",
                dst_color_range="JPEG" if tags.get("color_range") == 2 else "MPEG",
            )
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


COLOURS = {
    "8 bits": ("yuv420p", {}),
    "BT.709": ("yuv420p", {"colorspace": 1, "color_primaries": 1, "color_trc": 1}),
    "full range": ("yuv420p", {"color_range": 2}),
    "full range of old": ("yuvj420p", {"color_range": 2}),
    "10 bits": ("yuv420p10le", {}),
    "4:2:2": ("yuv422p", {}),
    "4:4:4": ("yuv444p", {}),
    "4:4:4 of 10 bits": ("yuv444p10le", {}),
}


@pytest.mark.parametrize(
    "decoder", [decoder for decoder in BACKENDS if decoder.values != ("decord",)]
)  # see below
@pytest.mark.parametrize(("pixel_format", "tags"), COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize("side_px", [120, 64])
def test_colours_are_right(tmp_path, decoder, pixel_format, tags, side_px):
    path = write_colours(tmp_path / "a.mp4", pixel_format, **tags)
    _, frames = decode(path, decoder, side_px)
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    for number, pixels in frames:
        height, width = pixels.shape[:2]
        expected = colour_frame(number, width, height).astype(int)
        assert np.abs(pixels - expected).max() <= 6, f"frame {number}"


@pytest.mark.parametrize(("pixel_format", "tags"), COLOURS.values(), ids=COLOURS)
def test_decord_and_pyav_agree_to_the_last_bit(tmp_path, pixel_format, tags):
    path = write_colours(tmp_path / "a.mp4", pixel_format, picture=counter_frame, **tags)
    for side_px in (64, 120, 182):
        pairs = zip(decode(path, "decord", side_px)[1], decode(path, "pyav", side_px)[1], strict=True)
        assert all(one.number == other.number and (one.pixels == other.pixels).all() for one, other in pairs)


def test_decord_and_pyav_nearly_agree_where_one_turns_first_and_one_resizes_first(tmp_path):
    path = write_video(tmp_path / "a.mp4", 5)
    turn(path, 90)
    for one, other in zip(decode(path, "decord", 90)[1], decode(path, "pyav", 90)[1], strict=True):
        difference = np.abs(one.pixels.astype(int) - other.pixels)
        assert difference.mean() < 1


@pytest.mark.parametrize("decoder", BACKENDS)
@pytest.mark.parametrize("size", [(161, 121), (160, 121), (61, 91)])
def test_odd_sizes(tmp_path, decoder, size):
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"qp": "10"})
        stream.codec_context.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = *size, "yuv444p"
        for number in range(5):
            picture = av.VideoFrame.from_ndarray(counter_frame(number * 7, *size), format="rgb24")
            output.mux(stream.encode(picture))
        output.mux(stream.encode())
    assert [read_counter(picture) for picture in player(path)[1]] == [0, 7, 14, 21, 28]
    timeline, frames = decode(path, decoder, side_px=256)
    assert (timeline.width_px, timeline.height_px) == size
    assert [read_counter(frame.pixels) for frame in frames] == [0, 7, 14, 21, 28]


@pytest.mark.parametrize("decoder", BACKENDS)
def test_av1(tmp_path, decoder, capfd):
    path = write_video(tmp_path / "a.mp4", 40, codec="libsvtav1", options={"preset": "12"})
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    times_s, pictures = player(path)
    timeline, frames = decode(path, decoder)
    assert [read_counter(frame.pixels) for frame in frames] == list(range(40))
    np.testing.assert_allclose(timeline.times_s, times_s, atol=1e-6)
    assert np.abs(frames[20].pixels.astype(int) - pictures[20]).mean() < 0.5


@pytest.mark.parametrize("decoder", BACKENDS)
def test_a_change_of_size_inside_a_file_changes_nothing_outside(tmp_path, decoder):
    small, large = (write_video(tmp_path / f"{w}.ts", 20, size=(w, w * 3 // 4)) for w in (160, 320))
    path = tmp_path / "a.mkv"
    with av.open(path, "w") as writer:
        stream, offset = None, 0
        for part in (small, large):
            with av.open(part) as reader:
                stream = stream or writer.add_stream_from_template(reader.streams.video[0])
                first = None
                for packet in reader.demux(video=0):
                    if packet.size:
                        first = packet.dts if first is None else first
                        packet.pts, packet.dts = (
                            stamp - first + offset for stamp in (packet.pts, packet.dts)
                        )
                        packet.stream = stream
                        writer.mux(packet)
            offset += 20 * 3600
    _, frames = decode(path, decoder)
    assert {frame.pixels.shape for frame in frames} == {(120, 160, 3)}
    assert [read_counter(frame.pixels) for frame in frames] == [*range(20), *range(20)]


@pytest.mark.parametrize("decoder", BACKENDS)
def test_frames_come_in_the_size_asked_for(tmp_path, decoder):
    path = write_video(tmp_path / "a.mp4", 5, size=(320, 180))
    with Decoding(path, DecodeJob(Size(224, square=True), decoder=decoder)) as decoding:
        assert [frame.pixels.shape for frame in decoding.frames()] == [(224, 224, 3)] * 5
    assert decode(path, decoder, 90)[1][0].pixels.shape == (90, 160, 3)
    assert read_timeline(path).scaled_to(90) == (160, 90)
