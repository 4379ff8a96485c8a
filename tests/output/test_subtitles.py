"""Subtitles, as two other programs read them: pysubs2 and FFmpeg."""

import av
import numpy as np
import pysubs2
import pytest

from support.curves import event_curve, without_events
from support.hostile_names import HOSTILE
from vadpipe.curves.curve import Curve
from vadpipe.output.subtitles import write_srt, write_vtt

WRITERS = {"srt": write_srt, "vtt": write_vtt}
FFMPEG_NAMES = {"srt": "srt", "vtt": "webvtt"}


def by_pysubs2(path):
    kind = path.suffix[1:]
    return [(line.start, line.end, line.plaintext) for line in pysubs2.SSAFile.load(path, format_=kind)]


def by_ffmpeg(path):
    with av.open(path, format=FFMPEG_NAMES[path.suffix[1:]]) as source:
        packets = [packet for packet in source.demux() if packet.pts is not None]
        assert {packet.time_base.denominator for packet in packets} <= {1000}
        return [(packet.pts, packet.pts + packet.duration, bytes(packet).decode()) for packet in packets]


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    """Return what writes a curve in one of the formats and gives back the path."""

    def write(curve):
        path = tmp_path / f"clip.events.{request.param}"
        WRITERS[request.param](curve, path)
        return path

    return write


def test_a_cue_an_event(written):
    path = written(event_curve())
    assert by_pysubs2(path) == [
        (800, 1600, "Event 1 · peak 0.93 at 1.04 s · above 0.50"),
        (4000, 4040, "Event 2 · peak 0.62 at 4 s · above 0.50"),
    ]
    assert by_ffmpeg(path) == by_pysubs2(path)


def test_long_videos_have_a_longer_clock(written):
    scores = np.zeros(10_000, np.float32)
    scores[9_000:9_010] = 1
    path = written(Curve("a.mp4", scores, np.arange(10_000.0), 10_000.0, 0.745))
    assert by_pysubs2(path) == [
        (9_000_000, 9_010_000, "Event 1 · peak 1.00 at 2:30:04 · above 0.74")
    ] == by_ffmpeg(path)  # fmt: skip


@pytest.mark.parametrize(("end_s", "at"), [(9.9, "1.5 s"), (10.0, "0:02"), (10.1, "0:02")])
def test_the_clock_is_that_of_the_video_s_length(written, end_s, at):
    path = written(Curve("a.mp4", np.float32([0, 1, 0]), np.array([0, 1.5, 3.0]), end_s, 0.5))
    assert by_pysubs2(path)[0][2] == f"Event 1 · peak 1.00 at {at} · above 0.50"


def test_an_event_too_short_for_its_clock_lasts_a_millisecond(written):
    times_s = np.array([0, 0.0015, 0.0015, 0.0025, 0.0026, 5.0])
    scores = np.array([0, 1, 0, 0, 1, 0], np.float32)
    curve = Curve("a.mp4", scores, times_s, 6.0, 0.5).at(0.5)
    rule = type(curve.rule)(merge_gap_s=0)
    path = written(curve.at(0.5, rule))
    assert [(start, end) for start, end, _ in by_pysubs2(path)] == [(2, 3), (3, 5000)]
    assert by_ffmpeg(path) == by_pysubs2(path)


def test_without_events_there_are_no_cues(written):
    path = written(without_events())
    assert by_pysubs2(path) == [] == by_ffmpeg(path)


def test_webvtt_begins_as_it_must(tmp_path):
    write_vtt(event_curve(), tmp_path / "a.vtt")
    assert (tmp_path / "a.vtt").read_text("utf-8").startswith("WEBVTT\n\n1\n00:00:00.800 --> 00:00:01.600\n")
    with av.open(tmp_path / "a.vtt") as source:  # known by its first line alone
        assert source.format.name == "webvtt"


def test_players_find_the_subtitles_in_a_video(written, tmp_path):
    """What FFmpeg has copied into Matroska comes out of it at the same times."""
    path, video = written(event_curve()), tmp_path / "subtitled.mkv"
    with av.open(path) as source, av.open(video, "w") as output:
        track = output.add_stream_from_template(source.streams.subtitles[0])
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = track
                output.mux(packet)
    with av.open(video) as source:
        packets = [packet for packet in source.demux() if packet.pts is not None]
        found = [(packet.pts, packet.pts + packet.duration, bytes(packet).decode()) for packet in packets]
    assert found == by_pysubs2(path)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_names_are_not_in_them(written, name):
    path = written(event_curve(video=name))
    content = path.read_bytes()
    assert written(event_curve()).read_bytes() == content
