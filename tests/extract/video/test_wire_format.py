"""Messages between the two processes arrive whole, however the pipe cuts them."""

import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.extract.video.wire_format import FRAME, HEADER, Kind, parse_header, send, send_json


def received(speak):
    """Return all bytes that come out of a pipe into which someone speaks."""
    reader, writer = os.pipe()

    def run():
        try:
            speak(writer)
        finally:
            os.close(writer)

    thread = threading.Thread(target=run)
    thread.start()
    with open(reader, "rb") as pipe:  # noqa: PTH123  a descriptor
        content = pipe.read()
    thread.join()
    return content


def messages(content):
    found = []
    while content:
        kind, size = parse_header(content[: HEADER.size])
        found.append((kind, content[HEADER.size : HEADER.size + size]))
        assert len(found[-1][1]) == size
        content = content[HEADER.size + size :]
    return found


@given(
    st.lists(st.tuples(st.sampled_from(list(Kind)), st.lists(st.binary(max_size=50), max_size=4)), max_size=5)
)
def test_parts_are_joined_and_messages_kept_apart(sent):
    content = received(lambda pipe: [send(pipe, kind, *parts) for kind, parts in sent])
    assert messages(content) == [(kind, b"".join(parts)) for kind, parts in sent]


@pytest.mark.parametrize("n_bytes", [0, 1, 65_536, 65_537, 5_000_000])
def test_a_message_larger_than_the_pipe_goes_in_pieces(n_bytes):
    pixels = os.urandom(n_bytes)
    head = FRAME.pack(7, 240, 320)
    content = received(lambda pipe: send(pipe, Kind.FRAME, head, memoryview(pixels)))
    assert messages(content) == [(Kind.FRAME, head + pixels)]


def test_records_are_json():
    record = {"reason": "für 😀", "next_step": None, "n": 3}
    ((kind, content),) = messages(received(lambda pipe: send_json(pipe, Kind.FAILED, record)))
    assert (kind, json.loads(content)) == (Kind.FAILED, record)


def test_nobody_who_listens_is_an_error_at_once():
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        send(writer, Kind.ALIVE)
    os.close(writer)


def test_kinds_have_numbers_of_their_own():
    assert [*map(int, Kind)] == [*range(7)]
    assert [kind.name for kind in Kind] == [
        *("ALIVE", "TIMELINE", "TIMES", "FRAME", "DONE", "FAILED", "PROGRESS")
    ]


def test_a_message_has_a_limit():
    assert parse_header(HEADER.pack(Kind.FRAME, 1 << 30)) == (Kind.FRAME, 1_073_741_824)
    with pytest.raises(ValueError, match="a message of 1073741825 bytes"):
        parse_header(HEADER.pack(Kind.FRAME, (1 << 30) + 1))
    with pytest.raises(ValueError, match="7 is not a valid Kind"):
        parse_header(HEADER.pack(7, 0))
