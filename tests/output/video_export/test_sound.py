"""The sound of an annotated video is that of the video, where it was, copied where the container takes it."""

import av
import numpy as np
import pytest

from support.exported_videos import counters, curve_of, shown
from support.videos import write_video
from support.videos_with_sound import beeps_in, heard, sound_packets, write_video_with_sound
from vadpipe.output.video_export.annotated import annotate

SOUNDS = {
    "aac": ("a.mp4", "aac", "b.mp4", True),
    "aac to mov": ("a.mp4", "aac", "b.mov", True),
    "mp3": ("a.mp4", "libmp3lame", "b.mp4", True),
    "ac3": ("a.mp4", "ac3", "b.mp4", True),
    "opus": ("a.mkv", "libopus", "b.mp4", True),
    "opus in mkv": ("a.mkv", "libopus", "b.mkv", True),
    "aac in mkv": ("a.mkv", "aac", "b.mkv", True),
    "aac in a transport stream": ("a.ts", "aac", "b.mp4", True),
    "pcm in avi": ("a.avi", "pcm_s16le", "b.mkv", True),
    "pcm in avi to mp4": ("a.avi", "pcm_s16le", "b.mp4", False),
    "mp2 in a transport stream": ("a.ts", "mp2", "b.mp4", False),
    "mp2 in a transport stream to mkv": ("a.ts", "mp2", "b.mkv", True),
    "opus to mov": ("a.mkv", "libopus", "b.mov", False),
    "mu-law to mkv": ("a.avi", "pcm_mulaw", "b.mkv", False),
    "a-law to mov": ("a.avi", "pcm_alaw", "b.mov", True),
}


@pytest.mark.parametrize(("source", "codec", "target", "copied"), SOUNDS.values(), ids=SOUNDS)
def test_sound_stays_where_it_was(tmp_path, source, codec, target, copied):
    video, path = tmp_path / source, tmp_path / target
    write_video_with_sound(
        video, 50, sound=codec, beeps=[0.5, 1.4], codec="mpeg4" if source == "a.avi" else "libx264"
    )
    curve = curve_of(video)
    annotate(curve, video, path)
    times_s, pictures = shown(path)
    assert counters(pictures) == list(range(50))
    np.testing.assert_allclose(times_s, curve.times_s, atol=1e-3)
    assert beeps_in(path) == pytest.approx(beeps_in(video), abs=3e-3)
    assert len(heard(path)[0]) == pytest.approx(len(heard(video)[0]), abs=2500)
    with av.open(path) as container:
        assert (container.streams.audio[0].codec_context.name == "aac") == (not copied or "aac" in codec)
    if copied and source != "a.ts":  # whose packets have headers that MP4 has not
        assert b"".join(sound_packets(path)) == b"".join(sound_packets(video))
    if copied and source == "a.ts":
        assert len(sound_packets(path)) == len(sound_packets(video))


@pytest.mark.parametrize(("target", "copied"), [("b.mp4", False), ("b.mkv", True)])
def test_mp3_of_a_rate_that_mp4_does_not_know(tmp_path, target, copied):
    video, path = tmp_path / "a.avi", tmp_path / target
    write_video_with_sound(video, 50, sound="libmp3lame", sound_rate=8000, beeps=[0.5], codec="mpeg4")
    annotate(curve_of(video), video, path)
    with av.open(path) as container:
        assert (container.streams.audio[0].codec_context.name == "aac") == (not copied)
    assert beeps_in(path) == pytest.approx(beeps_in(video), abs=0.03)


def test_the_encoder_delay_does_not_move_the_pictures_of_matroska(tmp_path):
    video, path = tmp_path / "a.mp4", tmp_path / "b.mkv"
    write_video_with_sound(video, 50, sound="aac", beeps=[0.5, 1.4])
    curve = curve_of(video)
    annotate(curve, video, path)
    np.testing.assert_allclose(shown(path)[0], curve.times_s, atol=1e-3)
    assert beeps_in(path) == pytest.approx(beeps_in(video), abs=3e-3)
    assert set(sound_packets(path)) <= set(sound_packets(video))
    assert len(sound_packets(path)) >= len(sound_packets(video)) - 1


@pytest.mark.parametrize("sound", ["aac", "pcm_s16le"])
def test_sound_that_begins_late_and_goes_on_after_the_pictures(tmp_path, sound):
    video, path = tmp_path / "a.mkv", tmp_path / "b.mp4"
    write_video_with_sound(video, 50, sound=sound, beeps=[1.0, 2.5], sound_from_s=0.7, sound_until_s=3.0)
    annotate(curve_of(video), video, path)
    assert len(shown(path)[0]) == 50
    assert beeps_in(path) == pytest.approx([1.0, 2.5], abs=3e-3)


def test_pictures_that_begin_after_the_sound(tmp_path):
    video, path = tmp_path / "a.mkv", tmp_path / "b.mp4"
    write_video_with_sound(video, 40, times=[600 + 40 * i for i in range(40)], sound="aac", beeps=[0.3, 1.0])
    curve = curve_of(video)
    assert curve.times_s[0] == pytest.approx(0.6, abs=0.03)
    annotate(curve, video, path)
    np.testing.assert_allclose(shown(path)[0], curve.times_s, atol=1.1e-3)
    assert beeps_in(path) == pytest.approx(beeps_in(video), abs=3e-3)


@pytest.mark.parametrize("gap_s", [0.5, 1.3])
def test_a_gap_in_sound_that_is_encoded_again_is_silence(tmp_path, gap_s):
    whole, video, path = tmp_path / "whole.mkv", tmp_path / "a.mkv", tmp_path / "b.mp4"
    write_video_with_sound(whole, 75, sound="pcm_s16le", beeps=[0.5, 2.5])
    with av.open(whole) as reader, av.open(video, "w") as writer:
        streams = {s.index: writer.add_stream_from_template(s, opaque=True) for s in reader.streams}
        for packet in reader.demux():
            time_s = packet.pts * packet.time_base if packet.size else None
            if packet.size and not (packet.stream.type == "audio" and 1 < time_s < 1 + gap_s):
                packet.stream = streams[packet.stream_index]
                writer.mux(packet)
    annotate(curve_of(video), video, path)
    assert beeps_in(path) == pytest.approx([0.5, 2.5], abs=5e-3)


def test_a_video_without_sound_gets_none(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 5), tmp_path / "b.mp4"
    annotate(curve_of(video), video, path)
    with av.open(path) as container:
        assert [stream.type for stream in container.streams] == ["video"]
