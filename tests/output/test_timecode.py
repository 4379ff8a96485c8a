"""Times as people read them, with as many places as the length of the video asks for."""

import pytest

from vadpipe.output.timecode import clock, timecode


@pytest.mark.parametrize(
    ("time_s", "end_s", "shown"),
    [
        (0, 9.99, "0"),
        (4.5, 9.99, "4.5"),
        (4.126, 9.99, "4.13"),
        (0, 10, "0:00"),
        (4.5, 10, "0:04"),
        (59.6, 3599, "1:00"),
        (83, 3599.9, "1:23"),
        (83, 3600, "0:01:23"),
        (3600, 3600, "1:00:00"),
        (5025, 9000, "1:23:45"),
        (86399, 1e6, "23:59:59"),
        (360_000, 1e6, "100:00:00"),
    ],
)
def test_a_clock(time_s, end_s, shown):
    assert clock(time_s, end_s) == shown


@pytest.mark.parametrize(
    ("time_s", "shown"),
    [
        (0, "00:00:00.000"),
        (0.0004, "00:00:00.000"),
        (0.0006, "00:00:00.001"),
        (59.9996, "00:01:00.000"),
        (3599.999, "00:59:59.999"),
        (5025.678, "01:23:45.678"),
        (360_000, "100:00:00.000"),
    ],
)
def test_a_time_code(time_s, shown):
    assert timecode(time_s) == shown
    assert timecode(time_s, comma=True) == shown.replace(".", ",")
