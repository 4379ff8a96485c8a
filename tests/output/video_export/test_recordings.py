"""Exports and previews of what is not one plain file: joined streams, raw streams, image sequences, a DVD's video."""

import base64
import logging

import av
import numpy as np
import psutil
import pytest

from support.exported_videos import counters, curve_of, files_in, shown
from support.processes import children_left
from support.recordings import encode, joined, pictures
from support.videos_with_sound import beeps_in, write_video_with_sound
from vadpipe.extract.video.limits import Limits
from vadpipe.output.report import write_report
from vadpipe.output.report.page import MAX_EMBEDDED_BYTES
from vadpipe.output.video_export.annotated import annotate
from vadpipe.output.video_export.clips import cut_clips


def joined_streams(tmp_path, options=None):
    """Write two streams behind each other, with a beep in each second of them."""
    options = options or {"bf": "2"}
    part = dict(sound="mp2", beeps=[0.4], options={"g": "10", **options})
    parts = [write_video_with_sound(tmp_path / f"{at}.ts", 25, **part) for at in (1, 2, 3)]
    return joined(tmp_path / "joined.ts", *parts)


def test_the_sound_of_joined_streams_stays_with_the_pictures(tmp_path):
    video = joined_streams(tmp_path)
    path = tmp_path / "seen.mp4"
    curve = curve_of(video)
    annotate(curve, video, path)
    times_s, frames = shown(path)
    assert counters(frames) == [*range(25)] * 3
    np.testing.assert_allclose(times_s, curve.times_s, atol=2e-3)
    np.testing.assert_allclose(np.diff(times_s), 1 / 25, atol=1e-3)
    np.testing.assert_allclose(beeps_in(path), [0.4, 1.4, 2.4], atol=0.06)


def test_clips_of_joined_streams_are_exact(tmp_path):
    video = joined_streams(tmp_path)
    curve = curve_of(video, events=[(20, 40), (66, 72)])
    first, second = cut_clips(curve, video, tmp_path / "clips", "a", pad_s=0.2)
    times_s, frames = shown(first)
    assert counters(frames) == [*range(15, 25), *range(20)]
    np.testing.assert_allclose(times_s, np.arange(30) / 25, atol=2e-3)
    np.testing.assert_allclose(beeps_in(first), [1.4 - 0.6], atol=0.06)
    assert counters(shown(second)[1]) == list(range(11, 25))


RECORDINGS = {
    "raw": ("a.h264", dict(codec="libx264", muxer="h264", bf="2")),
    "MPEG-PS": ("a.mpg", dict(codec="mpeg2video", muxer="mpeg", bf="2", sound="mp2")),
    "H.264 in MPEG-PS": ("b.mpg", dict(codec="libx264", muxer="mpeg", bf="2")),
    "WMV": ("a.wmv", dict(codec="wmv2", muxer="asf")),
    "MXF": ("a.mxf", dict(codec="mpeg2video", muxer="mxf", bf="2")),
    "Y4M": ("a.y4m", dict(codec="wrapped_avframe", muxer="yuv4mpegpipe")),
    "GIF": ("a.gif", dict(codec="gif", muxer="gif", pixel_format="rgb8")),
}


@pytest.mark.parametrize(("name", "options"), RECORDINGS.values(), ids=RECORDINGS)
def test_what_is_made_of_any_recording_shows_every_frame(tmp_path, name, options):
    video = encode(tmp_path / name, **options)
    curve = curve_of(video, events=[(12, 20)])
    annotate(curve, video, tmp_path / "seen.mp4")
    times_s, frames = shown(tmp_path / "seen.mp4")
    assert counters(frames) == list(range(40))
    np.testing.assert_allclose(times_s, np.arange(40) / 25, atol=2e-3)
    (clip,) = cut_clips(curve, video, tmp_path / "clips", "a", pad_s=0)
    found = counters(shown(clip)[1])
    assert {*found} >= {*range(12, 20)}
    assert found == list(range(found[0], found[-1] + 1))


@pytest.fixture
def sequence(tmp_path):
    folder = pictures(tmp_path / "walk", 40, suffix=".jpg")
    (folder / "005.jpg").write_text("nothing")
    return folder


def test_exports_of_an_image_sequence(tmp_path, sequence):
    curve = curve_of(sequence, events=[(12, 20)], unscored=[(0, 16)])
    annotate(curve, sequence, tmp_path / "seen.mp4")
    times_s, frames = shown(tmp_path / "seen.mp4")
    assert counters(frames) == [0, 1, 2, 3, 4, 4, *range(6, 40)]  # what cannot be read shows the one before
    np.testing.assert_allclose(times_s, np.arange(40) / 25, atol=1e-6)
    curve = curve_of(sequence, events=[(12, 20)])
    (clip,) = cut_clips(curve, sequence, tmp_path / "clips", "walk", pad_s=0)
    assert counters(shown(clip)[1]) == list(range(12, 20))


def test_a_rate_that_was_assumed_is_that_of_the_export(tmp_path, sequence):
    from dataclasses import replace

    curve = curve_of(sequence)
    slow = replace(curve, times_s=np.arange(40) / 10, end_s=4.0)
    annotate(slow, sequence, tmp_path / "seen.mp4")
    np.testing.assert_allclose(shown(tmp_path / "seen.mp4")[0], np.arange(40) / 10, atol=1e-6)


def embedded(page):
    """Return the video that a page holds."""
    text = page.read_text()
    begin = text.index('id="clip">data:video/mp4;base64,') + len('id="clip">data:video/mp4;base64,')
    return base64.b64decode(text[begin : text.index("<", begin)])


BROWSERS_DO_NOT_PLAY = {
    "sequence": None,
    "raw": RECORDINGS["raw"][1],
    "dvd": RECORDINGS["MPEG-PS"][1],
    "avi": dict(codec="mpeg4", muxer="avi", sound="mp2"),
    "ts": dict(codec="libx264", muxer="mpegts", bf="2", sound="mp2"),
    "mpeg2 in ts": dict(codec="mpeg2video", muxer="mpegts", bf="2"),
    "h264 of 4:4:4": dict(codec="libx264", muxer="mpegts", pixel_format="yuv444p"),
}


@pytest.mark.parametrize("kind", BROWSERS_DO_NOT_PLAY)
def test_a_report_holds_a_copy_that_browsers_play(tmp_path, sequence, kind):
    options = BROWSERS_DO_NOT_PLAY[kind]
    video = encode(tmp_path / kind, **options) if options else sequence
    before = {*psutil.Process().children(recursive=True)}
    out = tmp_path / "out"
    written = write_report(curve_of(video), out / "a.report.html", video=video)
    assert written == [out / "a.report.html"]
    assert files_in(out) == ["a.report.html"]
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(embedded(out / "a.report.html"))
    times_s, frames = shown(copy)
    assert len(frames) == 40
    np.testing.assert_allclose(times_s, np.arange(40) / 25, atol=2e-3)
    with av.open(copy) as container:
        (codec,) = (stream.codec_context for stream in container.streams.video)
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"] * (
            "sound" in (options or {})
        )
    assert children_left(before) == set()


def test_a_report_may_refer_to_the_copy_beside_it(tmp_path, sequence):
    out = tmp_path / "out"
    page, copy = write_report(curve_of(sequence), out / "a.report.html", video=sequence, embed=False)
    assert copy.name == "a.preview.mp4"
    assert files_in(out) == ["a.preview.mp4", "a.report.html"]
    assert '"video":"a.preview.mp4"' in page.read_text().replace(" ", "")
    assert len(shown(copy)[1]) == 40


def test_a_large_copy_is_referred_to(tmp_path, sequence, monkeypatch):
    monkeypatch.setattr("vadpipe.output.report.page.MAX_EMBEDDED_BYTES", 1000)
    assert MAX_EMBEDDED_BYTES > 1000
    assert len(write_report(curve_of(sequence), tmp_path / "out/r.html", video=sequence)) == 2
    assert files_in(tmp_path / "out") == ["r.html", "r.preview.mp4"]


def test_a_report_stands_without_the_copy_where_none_can_be_made(tmp_path, sequence, caplog):
    curve = curve_of(sequence)
    (sequence / "039.jpg").unlink()
    with caplog.at_level(logging.WARNING, "vadpipe"):
        written = write_report(curve, tmp_path / "out/r.html", video=sequence, limits=Limits(), embed=False)
    assert len(written) == 1
    assert "no copy for browsers could be made: is not the video that the curve belongs to" in caplog.text
    assert files_in(tmp_path / "out") == ["r.html"]
