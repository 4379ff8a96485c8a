"""Recordings that were joined by `cat`: what FFmpeg reads of them is read, and what is not read is told of."""

import shutil
import subprocess

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decoding import counted_elsewhere, counters, decode
from support.recordings import joined, stream
from support.videos import read_counter
from vadpipe.extract.stills import read_stills
from vadpipe.extract.video import ogg, programs
from vadpipe.extract.video.matroska import recordings
from vadpipe.extract.video.programs import appended_programs


def renumbered(path, video_pid, map_pid):
    """Give the streams of a transport stream other PIDs, as another encoder would."""
    with av.open(path) as reader:
        options = {"mpegts_start_pid": str(video_pid), "mpegts_pmt_start_pid": str(map_pid)}
        target = path.with_name(f"renumbered {path.name}")
        with av.open(target, "w", options=options) as writer:
            stream = writer.add_stream_from_template(reader.streams.video[0])
            for packet in reader.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    writer.mux(packet)
    return target


def test_a_part_may_number_its_streams_differently(tmp_path):
    second = renumbered(stream(tmp_path / "b", 20), 0x200, 0x1000)
    timeline, frames = decode(joined(tmp_path / "joined.ts", stream(tmp_path / "a", 0), second))
    found = counters(frames)
    # FFmpeg drops what it holds of the packet before such a change.
    assert found[-20:] == list(range(20, 40))
    assert {*range(20)} - {*found} <= {18, 19}
    assert found == sorted(found)
    assert [change.kind for change in timeline.changes] == ["restart"]
    assert timeline.n_unread_parts == 0


def test_a_part_that_is_another_program_is_told_of(tmp_path):
    first, second = stream(tmp_path / "a", 0), renumbered(stream(tmp_path / "b", 20), 0x200, 0x1100)
    path = joined(tmp_path / "joined.ts", first, second, first)
    timeline, frames = decode(path)
    assert counters(frames) == [*range(20), *range(20)]
    assert timeline.n_unread_parts == 1  # the third is read
    assert first.stat().st_size <= timeline.unread_at < first.stat().st_size + 3 * 188
    starts = appended_programs(path)
    assert starts[0] == timeline.unread_at
    assert first.stat().st_size + second.stat().st_size <= starts[1]
    assert appended_programs(first) == appended_programs(joined(tmp_path / "c.ts", first, first)) == []


def test_a_program_behind_a_part_that_was_cut_off_within_a_packet_is_told_of(tmp_path):
    first, second = stream(tmp_path / "a", 0), renumbered(stream(tmp_path / "b", 20), 0x200, 0x1100)
    whole = first.read_bytes()
    first.write_bytes(whole + whole[:-100])  # so that FFmpeg knows of more frames of this one
    path = joined(tmp_path / "joined.ts", first, second)
    timeline, frames = decode(path)
    assert len(frames) == 39 == counted_elsewhere(path)
    assert timeline.n_unread_parts == 1
    assert path.read_bytes()[timeline.unread_at :].startswith(b"\x47\x40\0")
    assert 0 <= timeline.unread_at - first.stat().st_size < 3 * 188
    # Where it is the second of which it knows more, that is read, and the first is what is missing.
    first.write_bytes(whole[:-100])
    timeline, frames = decode(joined(tmp_path / "joined.ts", first, second, second))
    assert counters(frames) == [*range(20, 40), *range(20, 40)]
    assert (timeline.n_unread_parts, timeline.unread_at) == (1, 0)


@pytest.mark.parametrize("head", [b"", b"time"], ids=["TS", "M2TS"])
def test_tables_are_found_wherever_they_lie(tmp_path, head, monkeypatch):
    monkeypatch.setattr(programs, "BLOCK_BYTES", 1000)  # so that they lie across blocks, too
    first, second = stream(tmp_path / "a", 0), renumbered(stream(tmp_path / "b", 20), 0x200, 0x1100)
    parts = [
        b"".join(head + part[at : at + 188] for at in range(0, len(part), 188))
        for part in (first.read_bytes(), second.read_bytes())
    ]
    path = tmp_path / "joined.ts"
    for n_cut in (0, 1, 100, 187):
        cut = parts[0][: len(parts[0]) - n_cut]
        path.write_bytes(cut + parts[1] + parts[0])
        table = parts[1].index(b"\x47\x40\0")
        assert programs.appended_programs(path)[0] == len(cut) + table
        assert len(programs.appended_programs(path)) == 2


def test_another_program_map_alone_loses_nothing_and_is_no_news(tmp_path):
    first, second = stream(tmp_path / "a", 0), renumbered(stream(tmp_path / "b", 20), 0x100, 0x1100)
    path = joined(tmp_path / "joined.ts", first, second)
    assert counted_elsewhere(path) == 40
    timeline, frames = decode(path)
    assert counters(frames) == list(range(40))
    assert timeline.n_unread_parts == 0


def theora(path, first=0, **options):
    """Write Theora in Ogg, for which PyAV has no encoder."""
    plain = stream(path, first, codec="mpeg4", suffix="avi", qscale="2", **options)
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        plain,
        "-c:v",
        "libtheora",
        "-q:v",
        "9",
        path.with_suffix(".ogv"),
    ]
    subprocess.run(command, check=True)
    return path.with_suffix(".ogv")


def vp8(path, first=0):
    return stream(path, first, codec="libvpx", suffix="ogv", deadline="realtime")


ENCODERS = [
    pytest.param(
        theora, marks=pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is missing")
    ),
    vp8,
]


def with_sound(path, video):
    """Add silence to a video in Ogg."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        video,
        "-f",
        "lavfi",
        "-i",
        "anullsrc",
        "-c:v",
        "copy",
        "-c:a",
        "libopus",
    ]
    target = path.with_suffix(".ogv")
    subprocess.run([*command, "-shortest", target], check=True)
    return target


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is missing")
def test_ogg_files_with_sound_that_follow_are_told_of(tmp_path):
    names = {"a": 0, "b": 20, "c": 40}
    parts = [with_sound(tmp_path / name, vp8(tmp_path / f"mute {name}", at)) for name, at in names.items()]
    path = joined(tmp_path / "joined.ogv", *parts)
    sizes = [part.stat().st_size for part in parts]
    assert ogg.recordings(path) == [0, sizes[0], sizes[0] + sizes[1]]
    assert counted_elsewhere(path) == 20
    timeline, frames = decode(path)
    assert counters(frames) == list(range(20))
    assert (timeline.n_unread_parts, timeline.unread_at) == (2, sizes[0])
    path.write_bytes(path.read_bytes()[: sizes[0] + 100])  # the second is cut off within its first pages
    assert ogg.recordings(path) == [0, sizes[0]]
    assert decode(parts[0])[0].n_unread_parts == 0


@given(st.binary(max_size=400))
def test_any_bytes_are_survived_as_ogg(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.ogv"
    path.write_bytes(b"OggS\0\2" + content)
    assert len(ogg.recordings(path)) <= 1 + content.count(b"OggS")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_ogg_files_play_one_behind_the_other_and_headers_are_no_frames(tmp_path, encoder):
    path = joined(tmp_path / "joined.ogv", encoder(tmp_path / "a"), encoder(tmp_path / "b", 20))
    path = joined(tmp_path / "more.ogv", path, encoder(tmp_path / "c", 40))
    assert counted_elsewhere(path) == 60
    timeline, frames = decode(path)
    assert [frame.number for frame in frames] == counters(frames) == list(range(60))
    assert timeline.n_unread_parts == 0
    np.testing.assert_allclose(timeline.times_s, np.arange(60) / 25, atol=1e-6)
    assert timeline.n_announced == 60
    assert [(change.kind, change.frame) for change in timeline.changes] == [("restart", 20), ("restart", 40)]
    (still,) = read_stills(path, [25 / 25], 120)
    assert read_counter(still) == 25


MATROSKA = {
    "H.264": dict(suffix="mkv", bf="0"),
    "H.264 with b-frames": dict(suffix="mkv", bf="3"),
    "VP9": dict(suffix="webm", codec="libvpx-vp9", deadline="realtime"),
}


@pytest.mark.parametrize("options", MATROSKA.values(), ids=MATROSKA)
def test_matroska_files_play_one_behind_the_other(tmp_path, options):
    parts = [stream(tmp_path / f"{first}", first, **options) for first in (0, 20, 40)]
    for part in parts:  # without the size, as one writes them who cannot go back in a file
        content = bytearray(part.read_bytes())
        at = content.index(b"\x18\x53\x80\x67")
        content[at + 4 : at + 12] = b"\x01" + b"\xff" * 7
        part.write_bytes(content)
    path = joined(tmp_path / f"joined.{options['suffix']}", *parts)
    starts = np.cumsum([0, *(part.stat().st_size for part in parts)])[:-1]
    assert [at for at, _ in recordings(path)] == starts.tolist()
    assert counted_elsewhere(path) == 60
    timeline, frames = decode(path)
    assert [frame.number for frame in frames] == counters(frames) == list(range(60))
    np.testing.assert_allclose(timeline.times_s, np.arange(60) / 25, atol=1e-3)
    assert timeline.n_announced == 60
    assert [(change.kind, change.frame) for change in timeline.changes] == [("restart", 20), ("restart", 40)]
    assert timeline.n_unread_parts == 0
    (still,) = read_stills(path, [25 / 25], 120)
    assert read_counter(still) == 25


@pytest.mark.parametrize("options", MATROSKA.values(), ids=MATROSKA)
def test_of_matroska_files_that_say_how_long_they_are_two_are_read(tmp_path, options):
    parts = [stream(tmp_path / f"{first}", first, **options) for first in (0, 20, 40)]
    two = joined(tmp_path / f"two.{options['suffix']}", *parts[:2])
    three = joined(tmp_path / f"three.{options['suffix']}", *parts)
    for path, n_unread, unread_at in ((two, 0, 0), (three, 1, two.stat().st_size)):
        assert counted_elsewhere(path) == 40
        timeline, frames = decode(path)
        assert counters(frames) == list(range(40))
        np.testing.assert_allclose(timeline.times_s, np.arange(40) / 25, atol=1e-3)
        assert (timeline.n_announced, timeline.n_unread_parts, timeline.unread_at) == (
            40,
            n_unread,
            unread_at,
        )


def test_a_matroska_file_coded_otherwise_is_not_smeared_but_told_of(tmp_path):
    first = stream(tmp_path / "a", 0, suffix="mkv")
    other = stream(tmp_path / "b", 20, suffix="mkv", size=(320, 240))
    last = stream(tmp_path / "c", 40, suffix="mkv")
    path = joined(tmp_path / "joined.mkv", first, other, last)
    timeline, frames = decode(path)
    assert counters(frames) == list(range(20))
    assert timeline.n_announced == 20
    assert (timeline.n_unread_parts, timeline.unread_at) == (2, first.stat().st_size)


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_matroska_header_are_walked_through_once(tmp_path_factory, rest):
    path = tmp_path_factory.getbasetemp() / "any.mkv"
    path.write_bytes(b"\x1a\x45\xdf\xa3\x80" + rest)
    assert recordings(path)[0] == (0, recordings(path)[0][1])
