"""Numbers as text: scores to their last bit, figures to the digits that a reader needs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.output.number_text import (
    figure_text,
    microseconds,
    score_text,
    score_texts,
    short_score,
    signed_text,
)


@given(st.floats(0, 1, width=32))
def test_a_score_comes_back_to_the_last_bit_from_the_fewest_digits(score):
    text = score_text(score)
    assert np.float32(text) == np.float32(score)
    assert "e" not in text
    digits = text.replace(".", "").strip("0")
    if len(digits) > 1:  # with a digit less it is another number
        shorter = np.format_float_positional(np.float32(score), precision=len(digits) - 1, fractional=False)
        assert np.float32(shorter) != np.float32(score)
    assert short_score(score) == float(text)


def test_no_score_is_an_empty_text():
    assert score_texts(np.float32([0, np.nan, 1, 0.1])) == ["0.0", "", "1.0", "0.1"]


@pytest.mark.parametrize(
    ("value", "figure", "signed"),
    [
        (None, "-", "-"),
        (0.8374, "0.837", "+0.837"),
        (-0.0094, "-0.009", "−0.009"),
        (9.9994, "9.999", "+9.999"),
        (9.9995, "10.0", "+10.0"),
        (-9.9995, "-10.0", "−10.0"),
        (1125.04, "1125.0", "+1125.0"),
    ],
)
def test_figures(value, figure, signed):
    assert figure_text(value) == figure
    assert signed_text(value) == signed


def test_times_have_microseconds():
    assert microseconds(1 / 3) == 0.333333
    assert microseconds(0.0000005001) == 0.000001
