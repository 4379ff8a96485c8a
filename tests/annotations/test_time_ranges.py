"""Ranges in every form that people write, and the unit of a column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.annotations.time_ranges import parse_moment, parse_ranges, unit_of
from vadpipe.errors import UsageError


def read(text, named=None):
    written = parse_ranges(text)
    unit = unit_of(written, named)
    return [item.in_unit(unit) for item in written], unit


@pytest.mark.parametrize(
    ("text", "expected", "unit"),
    [
        ("60:180 200:240", [(60, 180), (200, 240)], "frames"),
        ("60:180,200:240", [(60, 180), (200, 240)], "frames"),
        ("85-148", [(85, 149)], "frames"),  # the last frame counts
        ("85 – 148; 200 to 240", [(85, 149), (200, 241)], "frames"),
        ("60-80,100-120", [(60, 81), (100, 121)], "frames"),
        ("7-7", [(7, 8)], "frames"),
        ("0:03.4-0:05.9", [(3.4, 5.9)], "seconds"),
        ("0:03-0:05", [(3, 5)], "seconds"),
        ("1:02:03.5-1:02:04", [(3723.5, 3724)], "seconds"),
        ("90:30 - 91:00", [(5430, 5460)], "seconds"),
        ("3.4s:5.9s", [(3.4, 5.9)], "seconds"),
        ("3.4:5.9", [(3.4, 5.9)], "seconds"),
        ("3s:5s | 7 sec - 8 sec", [(3, 5), (7, 8)], "seconds"),
        ("3-5s", [(3, 5)], "seconds"),
        ("3.4-5.9 7-8", [(3.4, 5.9), (7, 8)], "seconds"),  # one unit for all
        ("60:180 7.5-8.5", [(60, 180), (7.5, 8.5)], "seconds"),
        ("3,4-5,9", [(3.4, 5.9)], "seconds"),
        ("0:03,4-0:05,9; 1,5-2", [(3.4, 5.9), (1.5, 2)], "seconds"),
        ("-1:-1", [], "frames"),
        ("-1 -1", [], "frames"),
        ("165:240 -1:-1", [(165, 240)], "frames"),
        ("-1.0,-1.0", [], "frames"),
        *((text, [], "frames") for text in ("", " ", "none", "None", "-", "n/a", "nan", "[]", "-1", "normal")),
    ],
)  # fmt: skip
def test_forms_of_ranges(text, expected, unit):
    found, unit_found = read(text)
    assert (found, unit_found) == ([pytest.approx(span) for span in expected], unit)


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**4)), min_size=1, max_size=5),
    st.sampled_from([" ", ", ", ";", " | ", "\n"]),
)
def test_time_codes_say_what_a_clock_does(spans, between):
    def clock(ms):
        seconds, ms = divmod(ms, 1000)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}.{ms:03}" if hours else f"{minutes}:{seconds:02}.{ms:03}"

    text = between.join(f"{clock(start)}-{clock(start + length)}" for start, length in spans)
    found, unit = read(text)
    assert unit == "seconds"
    assert found == [pytest.approx((start / 1000, (start + length) / 1000)) for start, length in spans]


def test_a_name_of_a_column_decides_over_its_cells():
    assert read("3-5", "seconds") == ([(3, 5)], "seconds")
    assert read("85.0-148.0", "frames") == ([(85, 149)], "frames")  # pandas writes whole numbers so
    with pytest.raises(
        UsageError, match="'0:03' is not a frame number, although its column is named as frames"
    ):
        read("0:03-0:05", "frames")
    with pytest.raises(UsageError, match=r"'3\.5' is not a frame number"):
        read("3.5-5", "frames")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12", "'12' in '12' is not a range"),
        ("1:2 five", "'five' in '1:2 five' is not a range"),
        (
            "0:03.4",
            "'0:03.4' is in seconds like its column, and could be one time or a range\nWrite 0s-3.4s if",
        ),
        ("3.4-5.9 3:05", "'3:05' is in seconds like its column, and could be one time or a range"),
        ("5.9-3.4", "the range 5.9-3.4 is empty"),
        ("3.4-3.4", "the range 3.4-3.4 is empty"),
        ("180:60", "the range 180:60 is empty"),
        ("0:75.0-0:80.0", "'0:75.0' is not a time"),
        ("0:61:00-2:00:00", "'0:61:00' is not a time"),
        ("1;2;3", "'1' in '1;2;3' is not a range"),
        ("(85, 148)", "'(85' in '(85, 148)' is not a range"),
        ("1,5", "'1.5' in '1,5' is not a range"),
        ("1" * 16 + ":2", "is not a range"),
        ("²:³", "'²:³' in '²:³' is not a range"),
    ],
)
def test_what_is_off_is_explained(text, message):
    with pytest.raises(UsageError) as caught:
        read(text)
    assert message in str(caught.value)
    assert "0:03.4" in caught.value.next_step


@pytest.mark.parametrize(
    ("text", "value", "in_seconds"),
    [("85", 85, False), ("3.4", 3.4, True), ("3,4", 3.4, True), ("3s", 3, True), ("1:30", 90, True)],
)
def test_moments(text, value, in_seconds):
    moment = parse_moment(text)
    assert (moment.value, moment.in_seconds) == (pytest.approx(value), in_seconds)


def test_moments_that_are_none():
    assert [parse_moment(text) for text in ("", "-1", "-1.0", "nan")] == [None] * 4
    with pytest.raises(
        UsageError, match=r"'soon' is neither a time nor a frame number\nWrite 3\.4, 0:03\.4 or a whole"
    ):
        parse_moment("soon")
