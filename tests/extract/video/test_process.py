"""Whatever a process that was taken over sends, the other end refuses it or ends the process."""

import struct

import numpy as np
import pytest

from support.faulty_decoders import faulty_talker, taking_turns
from support.processes import left_of
from support.videos import write_video
from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.video import sandboxed_process
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob, StillRequest
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.video.wire_format import MAX_MESSAGE_BYTES, Kind, parse_header

SENTENCES = {
    "garbage": ("os.write(1, bytes(range(256)) * 9)", "sent (a message of|.* is not a valid Kind)"),
    "an absurd length": (
        "os.write(1, HEADER.pack(Kind.TIMELINE, 1 << 60))",
        f"sent a message of {1 << 60} bytes",
    ),
    "a length that is never filled": (
        "os.write(1, HEADER.pack(Kind.TIMELINE, 1 << 29)); time.sleep(1000)",
        "delivered no frame for 1 s",
    ),
    "a length that is filled in drops": (
        "os.write(1, HEADER.pack(Kind.TIMELINE, 1 << 29))\nwhile True: time.sleep(0.05); os.write(1, b'x')",
        "delivered no frame for 1 s",
    ),
    "half a header": ("os.write(1, b'abc')", r"ended early \(status 0\)"),
    "half a message": ("opening(); os.write(1, HEADER.pack(Kind.FRAME, 99))", r"ended early \(status 0\)"),
    "an unknown kind": ("os.write(1, HEADER.pack(200, 0))", "sent 200 is not a valid Kind"),
    "a frame before the timeline": ("frame(0)", "sent FRAME for TIMELINE"),
    "times before the timeline": ("times([0.0])", "sent TIMES for TIMELINE"),
    "a timeline without times": ("timeline(); frame(0)", "sent FRAME for TIMES"),
    "a timeline twice": ("opening(); timeline()", "sent TIMELINE for a frame"),
    "an end before the timeline": ("send(1, Kind.DONE)", "sent DONE for TIMELINE"),
    "text that is none": ("send(1, Kind.TIMELINE, b'\\xff{')", "sent invalid text"),
    "text that is too deep": ("send(1, Kind.TIMELINE, b'[' * 60_000)", "sent invalid text"),
    "text that is too long": (
        "send(1, Kind.TIMELINE, b' ' * 10_000_000 + b'{}')",
        "sent invalid text",
    ),
    "a list for a record": ("send(1, Kind.TIMELINE, b'[]')", "sent invalid text"),
    "an empty record": ("send_json(1, Kind.TIMELINE, {}); times([0.0])", "it has other fields"),
    "another field": ("timeline(stamps=[1]); times([0.0])", "it has other fields"),
    "words for numbers": ("timeline(end_s='4'); times([0.0])", "it has other fields"),
    "a number for a truth": ("timeline(timed=1); times([0.0])", "it has other fields"),
    "changes that are no list": ("timeline(changes={}); times([0.0])", "it has other fields"),
    "endless changes": (
        "timeline(changes=[['wrap', 0, 1.0]] * 101, n_announced=100); times([0.0])",
        "it has other fields",
    ),
    "a change of an unknown kind": (
        "timeline(changes=[['os.system', 0, 1.0]]); times([0.0])",
        "its clock is invalid",
    ),
    "a change behind the end": (
        "timeline(changes=[['wrap', 1, 1.0]]); times([0.0])",
        "its clock is invalid",
    ),
    "a change of nothing": (
        "timeline(changes=[['wrap', 0]]); times([0.0])",
        "its clock is invalid",
    ),
    "fractions for counts": ("timeline(width_px=1.5); times([0.0])", "contradict each other"),
    "no width": ("timeline(width_px=0); times([0.0])", "contradict each other"),
    "fewer frames than times": ("timeline(n_announced=1); times([0.0, 1.0])", "contradict each other"),
    "an endless end": ("timeline(end_s=float('inf')); times([0.0])", "contradict each other"),
    "an end before the last frame": ("timeline(end_s=1.0); times([0.0, 2.0])", "contradict each other"),
    "no times": ("timeline(); times([])", "contradict each other"),
    "times that run back": ("timeline(); times([0.0, 2.0, 1.0])", "contradict each other"),
    "times before zero": ("timeline(); times([-1.0, 2.0])", "contradict each other"),
    "times that are no numbers": ("timeline(); times([0.0, float('nan')])", "contradict each other"),
    "half a time": ("timeline(); send(1, Kind.TIMES, b'123')", "sent an invalid timeline"),
    "a frame of nothing": ("opening(); send(1, Kind.FRAME, b'')", "sent an invalid frame"),
    "a frame of another size": ("opening(); frame(0, 240, 320)", "sent an invalid frame"),
    "a frame of another shape": ("opening(); frame(0, 160, 120)", "sent an invalid frame"),
    "a frame that lies about its size": (
        "opening(); send(1, Kind.FRAME, FRAME.pack(0, 1 << 31, 1 << 31), bytes(57_600))",
        "sent an invalid frame",
    ),
    "a frame after the end": ("opening(); frame(100)", "sent an invalid frame"),
    "a frame before the start": ("opening(); frame(-1)", "sent an invalid frame"),
    "a frame twice": ("opening(); frame(5); frame(5)", "sent an invalid frame"),
    "a frame from before": ("opening(); frame(5); frame(4)", "sent an invalid frame"),
    "an error of no kind": ("opening(); send_json(1, Kind.FAILED, {'kind': 'os.system'})", "None"),
    "an error that is no record": ("opening(); send(1, Kind.FAILED, b'7')", "sent invalid text"),
    "a flood of signs of life": ("while True: send(1, Kind.ALIVE)", "sent too many signs of life"),
    "more signs of life than time allows": (
        "for _ in range(100): send(1, Kind.ALIVE)\ntime.sleep(1000)",
        "sent too many signs of life",
    ),
    "signs of life that carry something": (
        "send(1, Kind.ALIVE, bytes(1000))",
        "sent too many signs of life",
    ),
}


@pytest.fixture
def listen(tmp_path):
    video = write_video(tmp_path / "clip.mp4", 3)

    def run(limits=None, **changes):
        job = DecodeJob(Size(120, square=False), limits=limits or Limits(), **changes)
        with Decoding(video, job) as decoding:
            try:
                return list(decoding.frames())
            finally:
                decoding.close()
                assert left_of(decoding.pid) == []

    return run


@pytest.mark.parametrize(("body", "reason"), SENTENCES.values(), ids=SENTENCES)
def test_nonsense_is_an_error_of_that_file(tmp_path, listen, monkeypatch, body, reason):
    faulty_talker(monkeypatch, tmp_path, body)
    # A busy machine may take longer than a second to start a process, which only ends the same for the
    # silent.
    limits = Limits(stall_s=1.0) if reason == "delivered no frame for 1 s" else Limits()
    with pytest.raises(DecodeError, match=rf"(?s)clip\.mp4: .*{reason}"):
        listen(limits)


def test_what_makes_sense_is_taken(tmp_path, listen, monkeypatch):
    faulty_talker(
        monkeypatch,
        tmp_path,
        "opening(); frame(0); frame(7); send(1, Kind.ALIVE); frame(99); send(1, Kind.DONE, bytes(13))",
    )
    frames = listen()
    assert [frame.number for frame in frames] == [0, 7, 99]
    assert all(frame.pixels.shape == (120, 160, 3) and frame.pixels.dtype == np.uint8 for frame in frames)


def test_signs_of_life_are_believed_for_a_while_only(tmp_path, listen, monkeypatch):
    monkeypatch.setattr(sandboxed_process, "PATIENCE", 2)
    with taking_turns(monkeypatch, tmp_path, each_s=25.0) as turns:
        body = f"turns = os.open({turns!r}, os.O_RDONLY)\nopening()\nwhile os.read(turns, 1): send(1, Kind.ALIVE)"
        faulty_talker(monkeypatch, tmp_path, body)
        with pytest.raises(DecodeError, match="delivered no frame for 120 s and was ended"):
            listen(Limits(stall_s=60))


def test_a_limit_that_is_longer_than_one_wait_is_waited_for(tmp_path, listen, monkeypatch):
    monkeypatch.setattr(sandboxed_process, "_LONGEST_S", 0.01)
    body = "opening(); time.sleep(0.3); frame(0); send(1, Kind.DONE, bytes(13))"
    faulty_talker(monkeypatch, tmp_path, body)
    assert [frame.number for frame in listen(Limits(stall_s=3600.0))] == [0]


@pytest.mark.parametrize(("n_bytes", "kind"), [(65_536, InputError), (65_600, DecodeError)])
def test_a_record_has_a_longest_length(tmp_path, listen, monkeypatch, n_bytes, kind):
    body = f"""
record = json.dumps(dict(kind="InputError", reason="", next_step=None))
record = record.replace('""', '"' + (({n_bytes} - len(record)) * "x") + '"')
send(1, Kind.FAILED, record.encode())
"""
    faulty_talker(monkeypatch, tmp_path, body)
    with pytest.raises((InputError, DecodeError)) as caught:
        listen()
    assert type(caught.value) is kind


def test_a_flood_of_frames_ends_with_the_video(tmp_path, listen, monkeypatch):
    faulty_talker(monkeypatch, tmp_path, "opening()\nfor number in range(1000): frame(number)")
    with pytest.raises(DecodeError, match="sent an invalid frame"):
        listen()


def test_an_error_cannot_write_to_the_terminal(tmp_path, listen, monkeypatch):
    faulty_talker(
        monkeypatch,
        tmp_path,
        r"send_json(1, Kind.FAILED, dict(kind='InputError', reason='\x1b[2J\nbad', next_step='\x07'))",
    )
    with pytest.raises(InputError) as caught:
        listen()
    assert type(caught.value) is InputError
    assert str(caught.value).endswith("clip.mp4: \\x1b[2J\\nbad\n\\x07")


def test_more_stills_than_frames_are_no_nonsense(tmp_path, listen, monkeypatch):
    faulty_talker(
        monkeypatch,
        tmp_path,
        "timeline(n_announced=1); times([0.0])\nfor n in range(3): frame(n)\nsend(1, Kind.DONE)",
    )
    assert [
        frame.number for frame in listen(stills=(StillRequest((0.0, 0.1, 0.2), Size(120, square=False)),))
    ] == [0, 1, 2]


def test_a_header_is_a_kind_and_a_length():
    assert parse_header(struct.pack("<BQ", 3, 10)) == (Kind.FRAME, 10)
    with pytest.raises(ValueError, match="a message of"):
        parse_header(struct.pack("<BQ", 3, MAX_MESSAGE_BYTES + 1))
    with pytest.raises(ValueError, match="99 is not a valid Kind"):
        parse_header(struct.pack("<BQ", 99, 0))
