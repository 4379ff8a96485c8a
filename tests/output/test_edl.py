"""Edit decision lists, as OpenTimelineIO reads them, and the rate that their timecode counts in."""

import re

import numpy as np
import opentimelineio as otio
import pytest

from support.curves import RATES, event_curve, without_events
from support.hostile_names import HOSTILE
from vadpipe.curves.curve import Curve
from vadpipe.curves.events import EventRule
from vadpipe.output.edl import frames_timecode, nominal_rate, write_edl


def clips(path, rate):
    timeline = otio.adapters.read_from_string(path.read_text("ascii"), "cmx_3600", rate=rate)
    return [clip for track in timeline.tracks for clip in track]


def frames(clip):
    begin, length = clip.source_range.start_time.value, clip.source_range.duration.value
    return begin, begin + length


@pytest.mark.parametrize("rate", RATES)
def test_a_clip_an_event(tmp_path, rate):
    curve = event_curve(rate=rate).at(0.5, EventRule(merge_gap_s=0))
    write_edl(curve, tmp_path / "a.edl")
    found = clips(tmp_path / "a.edl", rate)
    assert [frames(clip) for clip in found] == [(20, 40), (100, 101)]
    assert {clip.name for clip in found} == {"clip.mp4"}
    assert [clip.source_range.start_time.rate for clip in found] == pytest.approx([rate] * 2, abs=1e-3)
    assert [clip.markers[0].name for clip in found] == ["PEAK 0.93", "PEAK 0.6180339"]
    markers = [clip.markers[0].marked_range.start_time.value for clip in found]
    assert markers == [3600 * round(rate) + 6, 3600 * round(rate) + 20]  # the clips lie end to end


def test_what_it_holds(tmp_path):
    write_edl(event_curve(), tmp_path / "a.edl")
    assert (tmp_path / "a.edl").read_text() == (
        "TITLE: clip.mp4\n"
        "FCM: NON-DROP FRAME\n"
        "\n"
        "001  AX       V     C        00:00:00:20 00:00:01:15 01:00:00:00 01:00:00:20\n"
        "* FROM CLIP NAME: clip.mp4\n"
        "* LOC: 01:00:00:06 RED     PEAK 0.93\n"
        "\n"
        "002  AX       V     C        00:00:04:00 00:00:04:01 01:00:00:20 01:00:00:21\n"
        "* FROM CLIP NAME: clip.mp4\n"
        "* LOC: 01:00:00:20 RED     PEAK 0.6180339\n"
    )


def test_without_events_it_is_a_header(tmp_path):
    write_edl(without_events(), tmp_path / "a.edl")
    assert (tmp_path / "a.edl").read_text() == "TITLE: clip.mp4\nFCM: NON-DROP FRAME\n"
    assert clips(tmp_path / "a.edl", 25) == []


def test_a_frame_shorter_than_timecode_counts_has_one(tmp_path):
    scores = np.zeros(240, np.float32)
    scores[[7, 100]] = 0.9
    curve = Curve("a.mp4", scores, np.arange(240) / 240, 1.0, 0.5, EventRule(merge_gap_s=0))
    write_edl(curve, tmp_path / "a.edl")
    found = clips(tmp_path / "a.edl", 60)
    assert [frames(clip) for clip in found] == [(2, 3), (25, 26)]
    markers = [clip.markers[0].marked_range.start_time.value for clip in found]
    assert markers == [3600 * 60, 3600 * 60 + 1]  # inside their clips


def test_more_events_than_three_digits_can_count(tmp_path):
    scores = np.zeros(2400, np.float32)
    scores[::2] = 0.9
    curve = Curve("a.mp4", scores, np.arange(2400) / 25, 96.0, 0.5, EventRule(merge_gap_s=0))
    write_edl(curve, tmp_path / "a.edl")
    assert [frames(clip) for clip in clips(tmp_path / "a.edl", 25)] == [(n, n + 1) for n in range(0, 2400, 2)]
    numbers = re.findall(r"^(\d+)  AX", (tmp_path / "a.edl").read_text(), re.MULTILINE)
    assert [int(number) for number in numbers] == [*range(1, 1201)]
    assert numbers[998:1000] == ["999", "1000"]


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_are_one_line_of_ascii(tmp_path, name):
    write_edl(event_curve(video=f"videos/{name}"), tmp_path / "a.edl")
    found = clips(tmp_path / "a.edl", 25)
    assert [frames(clip) for clip in found] == [(20, 40), (100, 101)]
    assert [clip.markers[0].name for clip in found] == ["PEAK 0.93", "PEAK 0.6180339"]
    assert len({clip.name for clip in found}) == 1
    assert found[0].name.isprintable()
    assert len((tmp_path / "a.edl").read_text().splitlines()) == 10


def test_letters_with_marks_keep_the_letter(tmp_path):
    write_edl(event_curve(video="Café Größe\n監.mp4"), tmp_path / "a.edl")
    assert clips(tmp_path / "a.edl", 25)[0].name == "Cafe Gro_e__.mp4"


@pytest.mark.parametrize(
    ("measured", "nominal"),
    [
        (23.98, 24000 / 1001), (23.976, 24000 / 1001), (24.0, 24.0), (24.9, 25.0), (29.9, 30000 / 1001), (29.97, 30000 / 1001),
        (29.999, 30.0), (59.94, 60000 / 1001), (60.01, 60.0), (15.0, 15.0), (12.6, 13.0), (10.0, 10.0),
        (120.0, 60.0), (119.88, 60000 / 1001), (100.0, 50.0), (240.0, 60.0), (0.2, 1.0), (1000.0, 31.0),
    ],
)  # fmt: skip
def test_the_nominal_rate(measured, nominal):
    assert nominal_rate(measured) == nominal


@pytest.mark.parametrize("rate", [10.0, 12.5, *RATES])
@pytest.mark.parametrize("n_frames", [2000, 100_000])
def test_a_container_that_knows_milliseconds_alone_has_the_same_rate(rate, n_frames):
    times_s = np.round(np.arange(n_frames + 1) / rate, 3)
    curve = Curve("a.mkv", np.zeros(n_frames, np.float32), times_s[:-1], float(times_s[-1]))
    assert curve.frame_rate == pytest.approx(rate, rel=1e-4)
    assert nominal_rate(curve.frame_rate) == nominal_rate(rate)


def test_a_camera_that_halts_does_not_change_the_rate():
    times_s = np.arange(500) / 25
    times_s[250:] += 60
    times_s[300:] -= 0.04  # two frames at once
    curve = Curve("a.mkv", np.zeros(500, np.float32), times_s, float(times_s[-1]) + 0.04)
    assert curve.frame_rate == pytest.approx(25)
    one = Curve("a.mkv", np.zeros(1, np.float32), np.zeros(1), 0.0)
    assert one.frame_rate == 25


def test_timecode_counts_as_opentimelineio_does():
    for rate in RATES:
        for frame in (0, 1, 59, 60, 1800, 107_892, 2_000_000):
            time = otio.opentime.from_timecode(frames_timecode(frame, rate), rate)
            assert time.value == frame
