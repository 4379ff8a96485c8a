"""Every format says the same: one curve, written in all, read back by other programs."""

import csv
import json
from xml.etree import ElementTree

import av
import jsonschema
import numpy as np
import opentimelineio as otio
import pysubs2
import pytest
from hypothesis import given, settings

from support.curves import RATES, curves, event_curve, explanations_of, with_places
from support.hostile_names import FILES, HOSTILE
from vadpipe.errors import OutputError, UsageError
from vadpipe.extract.video.discovery import named_video
from vadpipe.output import cvat
from vadpipe.output.edl import nominal_rate
from vadpipe.output.formats import FORMATS, parse_formats, write_formats
from vadpipe.output.json_document import schema

SUFFIXES = (
    ".scores.csv", ".events.csv", ".scores.json", ".scores.npy", ".times_s.npy", ".events.srt", ".events.vtt",
    ".events.edl", ".fiftyone.json", ".labelstudio.json", ".cvat.xml",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder to write into; what CVAT's format asks a video is answered without one."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cvat, "picture_size", lambda video, limits: (640, 360))
        yield tmp_path_factory.mktemp("formats")


def write_all(curve, folder, name="clip", **options):
    written = write_formats(
        curve, folder / name, tuple(FORMATS), video=named_video(folder / f"{name}.mp4"), **options
    )
    return dict(zip(SUFFIXES, written, strict=True))


def bits(scores):
    """Return the bits of float32 scores, so that nothing is close enough; one NaN is as good as another."""
    scores = np.asarray(scores, np.float64)
    with np.errstate(under="ignore"):
        return np.where(np.isnan(scores), -1, scores.astype(np.float32).view(np.int32)).tolist()


def rows(path):
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


def scores_by_format(files):
    """Return every frame's score as each format has it, (frames,) float64."""
    yield "csv", [float(row["score"] or "nan") for row in rows(files[".scores.csv"])]
    document = json.loads(files[".scores.json"].read_text("utf-8"))
    jsonschema.validate(document, schema(), jsonschema.Draft202012Validator)
    yield "json", [np.nan if score is None else score for score in document["curve"]["scores"]]
    array = np.load(files[".scores.npy"], allow_pickle=False)
    assert array.dtype == np.float32
    yield "npy", array


def times_by_format(files):
    """Return when each frame is shown as each format has it, and how exactly."""
    yield "csv", [float(row["time_s"]) for row in rows(files[".scores.csv"])], 5.1e-7
    yield "json", json.loads(files[".scores.json"].read_text("utf-8"))["curve"]["times_s"], 5.1e-7
    yield "npy", np.load(files[".times_s.npy"], allow_pickle=False), 0


def events_in_frames(files):
    """Return (first frame, frame after the last, peak) of each event as each format has it."""
    yield (
        "csv",
        [(int(r["start_frame"]), int(r["stop_frame"]), float(r["peak"])) for r in rows(files[".events.csv"])],
    )
    events = json.loads(files[".scores.json"].read_text("utf-8"))["events"]
    yield "json", [(event["start_frame"], event["stop_frame"], event["peak"]) for event in events]
    ((_, events),) = json.loads(files[".fiftyone.json"].read_text("utf-8"))["labels"].items()
    yield "fiftyone", [(e["support"][0] - 1, e["support"][1], e["confidence"]) for e in events]
    (task,) = json.loads(files[".labelstudio.json"].read_text("utf-8"))
    regions = task["predictions"][0]["result"]
    ranges = [region["value"]["ranges"][0] for region in regions]
    yield (
        "labelstudio",
        [(r["start"] - 1, r["end"], e["score"]) for r, e in zip(ranges, regions, strict=True)],
    )
    root = ElementTree.parse(files[".cvat.xml"]).getroot()
    n_frames = int(root.findtext("meta/task/size"))
    tracks = [(*(int(box.get("frame")) for box in track), n_frames)[:2] for track in root.iter("track")]
    peaks = [float(track[0].findtext("attribute")) for track in root.iter("track")]
    yield "cvat", [(*track, peak) for track, peak in zip(tracks, peaks, strict=True)]


def events_in_seconds(files):
    """Return (start, end) of each event as each format has it, and how exactly."""
    yield "csv", [(float(row["start_s"]), float(row["end_s"])) for row in rows(files[".events.csv"])], 5.1e-7
    events = json.loads(files[".scores.json"].read_text("utf-8"))["events"]
    yield "json", [(event["start_s"], event["end_s"]) for event in events], 5.1e-7
    ((_, events),) = json.loads(files[".fiftyone.json"].read_text("utf-8"))["labels"].items()
    yield "fiftyone", [(e["attributes"]["start_s"], e["attributes"]["end_s"]) for e in events], 5.1e-7
    for kind, name in (("srt", "srt"), ("vtt", "webvtt")):
        path = files[f".events.{kind}"]
        cues = [(cue.start / 1000, cue.end / 1000) for cue in pysubs2.SSAFile.load(path, format_=kind)]
        yield f"{kind} by pysubs2", cues, 0.00051
        with av.open(path, format=name) as source:
            packets = [packet for packet in source.demux() if packet.pts is not None]
        found = [(p.pts * p.time_base, (p.pts + p.duration) * p.time_base) for p in packets]
        yield f"{kind} by FFmpeg", [(float(start), float(end)) for start, end in found], 0.00051


def test_places_in_words_where_the_head_tells_them(folder):
    for curve, names in ((event_curve(), ["", ""]), (with_places(event_curve()), ["left", "right"])):
        files = write_all(curve, folder)
        assert [row["place"] for row in rows(files[".events.csv"])] == names
        for suffix in (".events.srt", ".events.vtt"):
            cues = [cue.plaintext for cue in pysubs2.SSAFile.load(files[suffix])]
            starts = [f"Event {number}{name and f' · {name}'} · peak" for number, name in enumerate(names, 1)]
            assert all(cue.startswith(start) for cue, start in zip(cues, starts, strict=True))
        (events,) = json.loads(files[".fiftyone.json"].read_text("utf-8"))["labels"].values()
        assert [event["attributes"].get("place", "") for event in events] == names


def test_all_else_is_the_same_with_places_and_without(folder):
    plain = {suffix: path.read_bytes() for suffix, path in write_all(event_curve(), folder).items()}
    files = write_all(with_places(event_curve()), folder)
    same = {suffix for suffix, path in files.items() if path.read_bytes() == plain[suffix]}
    assert same == {".scores.csv", ".scores.npy", ".times_s.npy", ".events.edl", ".labelstudio.json"}


def edited(path, rate):
    timeline = otio.adapters.read_from_string(path.read_text("ascii"), "cmx_3600", rate=rate)
    clips = [clip for track in timeline.tracks for clip in track]
    return [
        (
            clip.source_range.start_time.value,
            clip.source_range.end_time_exclusive().value,
            float(clip.markers[0].name.removeprefix("PEAK ")),
        )
        for clip in clips
    ]


@settings(max_examples=60)
@given(curve=curves())
def test_all_formats_agree(folder, curve):
    files = write_all(curve, folder)
    for name, scores in scores_by_format(files):
        assert bits(scores) == bits(curve.scores), name
    for name, times_s, within_s in times_by_format(files):
        np.testing.assert_allclose(times_s, curve.times_s, atol=within_s, rtol=0, err_msg=name)
    peaks = [event.peak for event in curve.events]
    for name, events in events_in_frames(files):
        assert [event[:2] for event in events] == [(event.start, event.stop) for event in curve.events], name
        assert bits([peak for *_, peak in events]) == bits(peaks), name
    for name, spans_s, within_s in events_in_seconds(files):
        assert len(spans_s) == len(curve.events), name
        for (start_s, end_s), event in zip(spans_s, curve.events, strict=True):
            assert start_s == pytest.approx(event.start_s, abs=within_s), name
            # A cue lasts a millisecond at least.
            assert end_s == pytest.approx(
                max(event.end_s, start_s + (within_s > 1e-4) / 1000), abs=within_s
            ), name
    check_edl(curve, files[".events.edl"], peaks)


def check_edl(curve, path, peaks):
    rate = nominal_rate(curve.frame_rate)
    if rate not in RATES:  # OpenTimelineIO reads no other
        return
    clips = edited(path, rate)
    assert bits([peak for *_, peak in clips]) == bits(peaks)
    steady = np.allclose(np.diff(curve.times_s, append=curve.end_s), 1 / rate, rtol=1e-6)
    for (start, stop, _), event in zip(clips, curve.events, strict=True):
        if steady:
            assert (start, stop) == (event.start, event.stop)
        else:
            assert start / rate == pytest.approx(event.start_s, abs=0.51 / rate)
            assert stop / rate == pytest.approx(max(event.end_s, (start + 1) / rate), abs=0.51 / rate)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_change_nothing_but_names(folder, name):
    files = write_all(event_curve(video=f"videos/{name}"), folder)
    for kind, scores in scores_by_format(files):
        assert bits(scores) == bits(event_curve().scores), kind
    for kind, events in events_in_frames(files):
        assert [event[:2] for event in events] == [(20, 40), (100, 101)], kind
    for kind, spans_s, within_s in events_in_seconds(files):
        np.testing.assert_allclose(spans_s, [(0.8, 1.6), (4.0, 4.04)], atol=within_s, err_msg=kind)
    assert edited(files[".events.edl"], 25) == [(20, 40, 0.93), (100, 101, 0.6180339)]


@pytest.mark.parametrize("name", FILES.values(), ids=FILES)
def test_files_of_hostile_names(folder, name):
    files = write_all(event_curve(), folder, name.removesuffix(".mp4"))
    for suffix, path in files.items():
        assert path.is_file()
        assert path.parent == folder
        assert path.name.endswith(suffix)
        assert len(path.name.encode("utf-8", "surrogateescape")) <= 255
        path.unlink()


def test_the_files_of_each_format(folder):
    stem, video = folder / "clip", named_video(folder / "clip.mp4")
    found = write_formats(event_curve(), stem, ("npy", "csv"), video=video)
    names = ["clip.scores.npy", "clip.times_s.npy", "clip.scores.csv", "clip.events.csv"]
    assert [path.name for path in found] == names
    assert [part.suffix for parts in FORMATS.values() for part in parts] == [*SUFFIXES]
    assert write_formats(event_curve(), stem, (), video=video) == []


def test_the_help_names_all_formats(command_line):
    told = " ".join(command_line("score", "--help").stdout.split())
    assert f"Comma-separated: {', '.join(FORMATS)}; or all." in told


def test_explanations_reach_the_document(folder):
    curve = event_curve()
    files = write_all(curve, folder, explanations=explanations_of(curve))
    first, second = json.loads(files[".scores.json"].read_text("utf-8"))["events"]
    assert first["explanation"]["box"]["bottom"] == 1.0
    assert second["explanation"] is None


def test_the_methods_of_a_curve_write_the_same(folder):
    curve, video = event_curve(), folder / "clip.mp4"
    files = write_all(curve, folder)
    methods = {
        ".scores.csv": curve.to_csv, ".events.csv": curve.to_events_csv, ".scores.json": curve.to_json,
        ".scores.npy": curve.to_npy, ".events.srt": curve.to_srt, ".events.vtt": curve.to_vtt,
        ".events.edl": curve.to_edl, ".fiftyone.json": curve.to_fiftyone,
        ".labelstudio.json": curve.to_label_studio, ".cvat.xml": lambda path: curve.to_cvat(path, video),
    }  # fmt: skip
    assert methods.keys() | {".times_s.npy"} == files.keys()
    for suffix, method in methods.items():
        method(folder / "other")
        assert (folder / "other").read_bytes() == files[suffix].read_bytes(), suffix


@pytest.mark.parametrize("method", ["to_csv", "to_json", "to_npy", "to_srt", "to_edl", "to_fiftyone"])
def test_a_place_that_cannot_be_written(folder, method):
    (folder / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        getattr(event_curve(), method)(folder / "file" / "result")


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("csv", ("csv",)),
        ("json,csv", ("json", "csv")),
        (" csv , srt,csv,", ("csv", "srt")),
        ("all", tuple(FORMATS)),
        ("vtt,all", ("vtt", *(name for name in FORMATS if name != "vtt"))),
    ],
)
def test_formats_are_parsed(text, formats):
    assert parse_formats(text) == formats


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("csv,xls", "unknown format 'xls'"),
        ("CSV", "unknown format 'CSV'"),
        ("", "no format is given"),
        (" , ", "no format is given"),
    ],
)
def test_formats_that_are_none(text, reason):
    with pytest.raises(UsageError) as caught:
        parse_formats(text)
    choices = "Choose from: csv, json, npy, srt, vtt, edl, fiftyone, labelstudio, cvat, all."
    assert str(caught.value) == f"{reason}\n{choices}"
