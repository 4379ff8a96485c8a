"""What is told of published features: ranges, and which frames the rows speak for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.curves.curve import snippets_to_frames
from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.sampling import Sampling
from vadpipe.published.settings import ImportSettings


def rows_of_extractors(n_frames, stride):
    """Rows of all frames; of whole snippets alone; and of these, but none that ends with the video."""
    whole = max(0, n_frames - 16) // stride + 1
    short = max(0, n_frames - 17) // stride + 1
    return {-(-n_frames // stride), whole, short}


@given(n_frames=st.integers(1, 400), stride=st.sampled_from([1, 4, 16, 24, 64]))
def test_every_frame_belongs_to_a_row_whatever_became_of_the_last_snippet(n_frames, stride):
    for n_rows in rows_of_extractors(n_frames, stride):
        fixed = ImportSettings("x", stride=stride).fixed_rows(n_rows, n_frames)
        sampling, times, end_s = (
            Sampling(stride, fixed_rows=fixed),
            np.arange(n_frames) / 30,
            n_frames / 30,
        )
        spans = sampling.spans(times, end_s)
        assert len(spans) == sampling.n_snippets(times, end_s) == len(sampling.clips(times, end_s)) == n_rows
        curve = snippets_to_frames(np.arange(n_rows, dtype=np.float32), spans, n_frames)
        for frame in range(n_frames):
            seen_by = [row for row in range(n_rows) if 0 <= frame - row * stride < max(stride, 16)]
            assert curve[frame] == pytest.approx(np.mean(seen_by) if seen_by else n_rows - 1)


@given(n_frames=st.integers(1, 400), n_rows=st.integers(1, 30))
def test_other_numbers_of_rows_are_refused(n_frames, n_rows):
    settings = ImportSettings("x")
    fits = n_rows in (-(-n_frames // 16), -(-n_frames // 16) - 1)
    if fits:
        assert settings.fixed_rows(n_rows, n_frames) == n_rows
    else:
        with pytest.raises(FeatureError, match=f"has {n_rows} rows, but its {n_frames} frames need"):
            settings.fixed_rows(n_rows, n_frames)
    assert settings.fixed_rows(n_rows, None) == n_rows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": ""}, "is not a valid backbone name"),
        ({"backbone": "a/b"}, "is not a valid backbone name"),
        ({"crops": 3}, "unknown number of crops 3\nChoose one of: auto, 1, 5, 10"),
        ({"layout": "dt"}, "unknown layout 'dt'\nChoose one of: auto, td, tcd, ctd"),
        ({"rows": "odd"}, "unknown rule for rows 'odd'"),
        ({"stride": 0}, "a stride of 0 frames"),
        ({"fps": 0.0}, "0 frames per second"),
        ({"fps": float("nan")}, "nan frames per second"),
    ],
)
def test_settings_that_are_out_of_range(options, message):
    with pytest.raises(UsageError, match=message):
        ImportSettings(**({"backbone": "x"} | options))
