"""Both decoders give the frames that a player shows, each at its time.

The oracle is PyAV's own plain decoding loop: with an edit list in force it yields what a player shows.
"""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from conftest import counter_frame, read_counter, write_video
from vadpipe.extract.frames import DECODERS, decoder_version
from vadpipe.extract.timeline import read_timeline

from vadpipe.errors import DecodeError, InputError


def decode(path, decoder, size_px=(160, 120)):
    return list(DECODERS[decoder](path, read_timeline(path), size_px))


def shown(path):
    """What a player shows: times, and the number that each frame carries."""
    with av.open(path) as container:
        start = max(0, container.start_time or 0) / av.time_base
        frames = [
            (frame.time - start, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    return [time for time, _ in frames], [read_counter(pixels) for _, pixels in frames]


VIDEOS = {
    "h264 in mp4": ("a.mp4", {}),
    "long groups with b-frames": ("a.mp4", {"options": {"g": "250", "bf": "3"}}),
    "open groups": ("a.mp4", {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1"}}),
    "mkv": ("a.mkv", {}),
    "mov": ("a.mov", {}),
    "vp9 in webm": ("a.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}),
    "mpeg4 in avi": ("a.avi", {"codec": "mpeg4"}),
    "23.976 a second": ("a.mp4", {"rate": Fraction(24000, 1001)}),
    "odd size": ("a.mp4", {"size": (162, 90)}),
    "variable rate": ("a.mkv", {"times": [40 * i + 7 * (i % 3) for i in range(40)]}),
    "delayed start": ("a.mp4", {"times": [700 + 40 * i for i in range(40)]}),
}


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("name", "options"), VIDEOS.values(), ids=VIDEOS)
def test_frames_and_times_are_those_of_a_player(tmp_path, decoder, name, options):
    path = write_video(tmp_path / name, 40, **options)
    times, numbers = shown(path)
    frames = decode(path, decoder, options.get("size", (160, 120)))
    assert [read_counter(frame.pixels) for frame in frames] == numbers == list(range(40))
    np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-6)


def test_transport_streams_are_read_by_pyav(tmp_path):
    path = write_video(tmp_path / "a.ts", 40, options={"g": "250", "bf": "3"})
    frames = decode(path, "pyav")
    assert [read_counter(frame.pixels) for frame in frames] == list(range(40))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(40) / 25, atol=1e-4)


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


def test_pre_roll_of_an_edit_list_is_never_shown(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", 60, options={"g": "250", "bf": "0"})
    cut_without_reencoding(whole, tmp_path / "cut.mp4", 0.8)
    times, numbers = shown(tmp_path / "cut.mp4")
    assert 0 < len(numbers) < 60  # the file really hides frames
    frames = decode(tmp_path / "cut.mp4", "pyav")
    assert [read_counter(frame.pixels) for frame in frames] == numbers
    np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-6)
    # decord would fill up with copies, so it hands the file on.
    with pytest.raises(DecodeError, match="an edit list hides some"):
        decode(tmp_path / "cut.mp4", "decord")


def turn_by_90(path):
    """Write a rotation into the track header, as telephones do."""
    content = bytearray(path.read_bytes())
    identity = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    at = content.index(identity, content.index(b"tkhd"))
    content[at : at + 36] = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 120 << 16, 0, 0x40000000)
    path.write_bytes(content)


@pytest.mark.parametrize("decoder", DECODERS)
def test_rotation_is_applied(tmp_path, decoder):
    path = write_video(tmp_path / "a.mp4", 20)
    turn_by_90(path)
    timeline = read_timeline(path)
    assert (timeline.width_px, timeline.height_px) == (120, 160)
    frame = decode(path, decoder, (120, 160))[5]
    assert frame.pixels.shape == (160, 120, 3)
    # Clockwise by 90 degrees: what was the top is now at the right.
    assert read_counter(np.rot90(frame.pixels)) == 5
    expected = np.rot90(counter_frame(5, 160, 120), -1)
    assert np.abs(frame.pixels.astype(int) - expected).mean() < 12


@pytest.mark.parametrize("decoder", DECODERS)
def test_frames_come_in_the_size_asked_for(tmp_path, decoder):
    path = write_video(tmp_path / "a.mp4", 5, size=(320, 180))
    assert decode(path, decoder, (224, 224))[0].pixels.shape == (224, 224, 3)
    assert read_timeline(path).scaled_to(90) == (160, 90)


def test_the_end_is_where_the_last_frame_ends(tmp_path):
    assert read_timeline(write_video(tmp_path / "a.mp4", 50)).end_s == pytest.approx(2.0)


def test_a_file_without_video_is_refused(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(path, "w") as output:
        stream = output.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    with pytest.raises(InputError, match="holds no video stream"):
        read_timeline(path)


def test_a_container_cut_before_its_index_is_refused(tmp_path):
    path = write_video(tmp_path / "a.mp4", 50)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DecodeError, match="cannot be opened") as caught:
        read_timeline(path)
    assert "cut short or damaged" in caught.value.next_step


def test_decoders_have_versions():
    assert decoder_version("pyav") == f"PyAV {av.__version__}"
    assert decoder_version("decord").startswith("decord")


@pytest.mark.parametrize("decoder", DECODERS)
def test_avi_has_no_presentation_times_so_its_frames_are_counted(tmp_path, decoder):
    path = write_video(tmp_path / "a.avi", 40, options={"bf": "3"})
    frames = decode(path, decoder)
    assert [read_counter(frame.pixels) for frame in frames] == list(range(40))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(40) / 25, atol=1e-6)
