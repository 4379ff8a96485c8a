"""Every decoder gives the frames that a player shows, each at its time.

The oracle is PyAV's own plain decoding loop: with an edit list in force it yields what a player shows. Each
frame also carries its number, drawn into it.
"""

from fractions import Fraction

import av
import numpy as np
import pytest

from support.decoding import BACKENDS, OTHERS, counters, decode, player
from support.video_edits import cut_without_reencoding, end_edit_at
from support.videos import read_counter, write_video
from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.video.timeline_reader import read_timeline

HOURS_MS = 3_600_000

VIDEOS = {
    "h264 in mp4": ("a.mp4", {}),
    "long groups with b-frames": ("a.mp4", {"options": {"g": "250", "bf": "3"}}),
    "open groups": ("a.mp4", {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1"}}),
    "interlaced": ("a.mp4", {"options": {"flags": "+ilme+ildct", "x264-params": "tff=1"}}),
    "mkv": ("a.mkv", {"options": {"bf": "2"}}),
    "mov": ("a.mov", {}),
    "fragments": ("a.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "hevc": ("a.mp4", {"codec": "libx265", "options": {"x265-params": "keyint=12:log-level=none"}}),
    "vp8 in webm": ("a.webm", {"codec": "libvpx", "options": {"deadline": "realtime"}}),
    "vp9 in webm": ("a.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}),
    "mpeg4 in avi": ("a.avi", {"codec": "mpeg4"}),
    "23.976 a second": ("a.mp4", {"rate": Fraction(24000, 1001)}),
    "a width that is no multiple of 16": ("a.mp4", {"size": (162, 90)}),
    "variable rate": ("a.mkv", {"times": [40 * i + 7 * (i % 3) for i in range(40)]}),
    "variable rate in mp4": ("a.mp4", {"times": [i * (i + 9) for i in range(40)]}),
    "delayed start": ("a.mp4", {"times": [700 + 40 * i for i in range(40)]}),
    "started hours ago": ("a.mkv", {"times": [3 * HOURS_MS + 40 * i for i in range(40)]}),
    "a break of hours": ("a.mkv", {"times": [40 * i + (i > 19) * 9 * HOURS_MS for i in range(40)]}),
}


@pytest.mark.parametrize("decoder", BACKENDS)
@pytest.mark.parametrize(("name", "options"), VIDEOS.values(), ids=VIDEOS)
def test_frames_and_times_are_those_of_a_player(tmp_path, decoder, name, options):
    path = write_video(tmp_path / name, 40, **options)
    times_s, pictures = player(path)
    timeline, frames = decode(path, decoder, side_px=min(options.get("size", (160, 120))))
    assert counters(frames) == [read_counter(picture) for picture in pictures] == list(range(40))
    assert [frame.number for frame in frames] == list(range(40))
    np.testing.assert_allclose(timeline.times_s, times_s, atol=1e-6)
    assert timeline.n_announced == 40
    differences = [np.abs(frame.pixels.astype(int) - picture) for frame, picture in zip(frames, pictures, strict=True)]  # fmt: skip
    assert np.mean(differences) < 0.5  # nothing is resized, so that all agree


@pytest.mark.parametrize("decoder", BACKENDS)
@pytest.mark.parametrize(("codec", "b_frames"), [("libx264", "3"), ("mpeg4", "2")])
def test_avi_has_no_presentation_times_so_its_frames_are_counted(tmp_path, decoder, codec, b_frames):
    path = write_video(tmp_path / "a.avi", 40, codec=codec, options={"bf": b_frames})
    if decoder == "torchcodec":  # it sorts frames by the times of decoding, which is all that AVI has
        with pytest.raises(DecodeError, match="torchcodec"):
            decode(path, decoder)
        return
    timeline, frames = decode(path, decoder)
    assert counters(frames) == list(range(40))
    np.testing.assert_allclose(timeline.times_s, np.arange(40) / 25, atol=1e-6)


@pytest.mark.parametrize("codec", ["h264", "mpeg2video"])
def test_transport_streams_are_read_by_pyav(tmp_path, codec):
    options = {"g": "250", "bf": "3"} if codec == "h264" else {"bf": "2"}
    encoder = "libx264" if codec == "h264" else codec
    path = write_video(tmp_path / "a.ts", 40, codec=encoder, options=options)
    timeline, frames = decode(path)
    assert counters(frames) == list(range(40))
    np.testing.assert_allclose(timeline.times_s, np.arange(40) / 25, atol=1e-6)


@pytest.mark.parametrize("decoder", OTHERS)
def test_a_transport_stream_is_never_misnumbered(tmp_path, decoder):
    path = write_video(tmp_path / "a.ts", 40, options={"g": "12", "bf": "2"})
    with pytest.raises(DecodeError, match=f"{decoder} cannot be restricted to the demuxer of MPEG-TS"):
        decode(path, decoder)


def test_m2ts_has_four_bytes_before_each_packet(tmp_path):
    plain = write_video(tmp_path / "a.ts", 40).read_bytes()
    packets = [plain[at : at + 188] for at in range(0, len(plain), 188)]
    path = tmp_path / "a.m2ts"
    path.write_bytes(b"".join(number.to_bytes(4, "big") + packet for number, packet in enumerate(packets)))
    assert counters(decode(path)[1]) == list(range(40))


@pytest.mark.parametrize("decoder", BACKENDS)
@pytest.mark.parametrize("b_frames", ["0", "3"])
def test_pre_roll_of_an_edit_list_is_never_shown(tmp_path, decoder, b_frames):
    whole = write_video(tmp_path / "whole.mp4", 60, options={"g": "250", "bf": b_frames})
    path = tmp_path / "cut.mp4"
    cut_without_reencoding(whole, path, 0.8)
    times_s, pictures = player(path)
    assert 0 < len(pictures) < 60  # the file really hides frames
    if decoder == "decord":  # it would fill up with copies, so it hands the file on
        with pytest.raises(DecodeError, match="an edit list hides some"):
            decode(path, decoder)
        return
    timeline, frames = decode(path, decoder)
    assert counters(frames) == [read_counter(picture) for picture in pictures] == list(range(20, 60))
    assert timeline.n_hidden == 20
    np.testing.assert_allclose(timeline.times_s, times_s, atol=1e-6)


@pytest.mark.parametrize("group", ["1", "10", "250"])
def test_an_edit_list_that_ends_early_is_no_damage(tmp_path, group):
    path = write_video(tmp_path / "a.mp4", 60, options={"g": group, "bf": "2" if group != "1" else "0"})
    end_edit_at(path, 1.2)
    shown = len(player(path)[1])
    assert shown == 30
    timeline, frames = decode(path)
    assert counters(frames) == list(range(30))
    assert timeline.n_announced == len(timeline.times_s) == 30


@pytest.mark.parametrize("decoder", BACKENDS)
def test_pictures_that_are_only_predicted_from_are_no_frames(tmp_path, decoder):
    plain = write_video(
        tmp_path / "plain.webm", 40, codec="libvpx", options={"g": "10", "deadline": "realtime"}
    )
    path = tmp_path / "a.webm"
    with av.open(plain) as reader, av.open(path, "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(video=0):
            if packet.is_keyframe and packet.size:  # VP8 says in its first byte whether a picture is shown
                hidden = av.Packet(bytes([bytes(packet)[0] & ~0x10]) + bytes(packet)[1:])
                hidden.pts, hidden.dts, hidden.time_base = packet.pts, packet.dts, packet.time_base
                hidden.stream = stream
                writer.mux(hidden)
            if packet.size:
                packet.stream = stream
                writer.mux(packet)
    assert len(player(path)[0]) == 40
    timeline = read_timeline(path)
    assert (len(timeline.times_s), timeline.n_announced) == (40, 40)
    np.testing.assert_allclose(np.diff(timeline.times_s), 0.04, atol=1e-6)
    if decoder == "pyav":
        assert counters(decode(path, decoder)[1]) == list(range(40))
    else:  # they count the packets
        with pytest.raises(DecodeError, match=f"{decoder} counts"):
            decode(path, decoder)


def test_a_timeline_says_where_the_last_frame_ends(tmp_path):
    assert read_timeline(write_video(tmp_path / "a.mp4", 50)).end_s == pytest.approx(2.0)


def test_a_file_without_video_is_refused(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(path, "w") as output:
        stream = output.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    with pytest.raises(InputError, match=r"sound\.mp4: has no video stream"):
        decode(path)


def test_an_unknown_codec_is_named_as_such(tmp_path):
    path = write_video(tmp_path / "a.mkv", 5)
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_UNHEARD/OF/BY"))
    with pytest.raises(InputError, match=r"a\.mkv: has video in an unknown codec") as caught:
        decode(path)
    assert "-c:v libx264" in caught.value.next_step


@pytest.mark.parametrize("decoder", BACKENDS)
def test_a_title_need_not_be_utf_8(tmp_path, decoder):
    path = tmp_path / "a.avi"
    with (
        av.open(write_video(tmp_path / "plain.avi", 20, codec="mpeg4")) as reader,
        av.open(path, "w") as writer,
    ):
        writer.metadata["title"] = "TITLE OF IT"
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(video=0):
            if packet.size:
                packet.stream = stream
                writer.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"TITLE OF IT", "监控录像".encode("gbk") + b"OIT"))
    assert counters(decode(path, decoder)[1]) == list(range(20))


def test_a_container_cut_before_its_index_is_refused(tmp_path):
    path = write_video(tmp_path / "a.mp4", 50)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DecodeError, match="cannot be opened") as caught:
        decode(path)
    assert "cut short or damaged" in caught.value.next_step
