"""A comparison as data frames, and as a notebook shows it."""

import math
import re

import pandas
import pytest

import vadpipe
from support.comparisons import TRUTHS
from vadpipe.errors import UsageError


@pytest.fixture
def result(folder):
    return vadpipe.compare("head", "worse", truth="truth.csv", output=None, bootstrap=30)


def test_figures_are_rows_with_their_differences(result):
    frame = result.to_dataframe()
    assert len(frame) == sum(len(figures) for figures in result.figures.values())
    (worse,) = frame[(frame.candidate == "worse") & (frame.figure == "auc")].itertuples()
    difference = result.differences["worse"]["auc"]
    assert worse.value == result.figures["worse"]["auc"].value
    assert (worse.difference, worse.low, worse.high) == (
        difference.value,
        difference.interval.low,
        difference.interval.high,
    )
    (first,) = frame[(frame.candidate == "head") & (frame.figure == "auc")].itertuples()
    assert all(math.isnan(number) for number in (first.difference, first.low, first.high))


def test_videos_are_rows_with_the_auc_of_each_candidate(result):
    frame = result.to_dataframe("videos")
    assert sorted(frame.video) == sorted(truth.video for truth in TRUTHS)
    assert frame.apart.is_monotonic_decreasing
    for row, video in zip(frame.to_dict("records"), result.videos, strict=True):
        for name in ("head", "worse"):
            expected = video.auc[name]
            assert row[f"auc {name}"] == expected or (expected is None and pandas.isna(row[f"auc {name}"]))
    with pytest.raises(UsageError, match="rows is 'frames'\nChoose figures or videos"):
        result.to_dataframe("frames")


def test_a_notebook_shows_the_verdict_and_the_differences(result):
    page = result._repr_html_()
    assert page.count("data:image/png;base64,") == 1
    assert "worse is worse than head" in page or "cannot be told apart" in page
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)
    difference = result.differences["worse"]["auc"].value
    assert f"<td>{difference:+.3f}</td>" in page


def test_its_text_has_the_counts(result):
    assert repr(result) == (
        f"Comparison(candidates=['head', 'worse'], videos=4, frames={result.frames.n_frames}, groups=4, "
        f"figures={len(result.figures['head'])}, classes=2)"
    )


def test_a_truth_may_be_a_data_frame_or_in_seconds(folder, result):
    frame = pandas.read_csv(folder / "truth.csv")
    passed = vadpipe.compare("head", "worse", truth=frame, output=folder / "out", bootstrap=30)
    assert passed.figures == result.figures
    seconds = frame.drop(columns="frames").assign(
        anomalies=[
            " ".join(
                f"{int(start) / 25}s:{int(stop) / 25}s"
                for start, stop in (part.split(":") for part in str(text).split() if ":" in part)
            )
            for text in frame["anomalies"].fillna("")
        ]
    )
    loaded = vadpipe.Features.load(next((folder / "features").rglob("*.safetensors")))
    assert loaded.frame_times_s[1] - loaded.frame_times_s[0] == pytest.approx(1 / 25)
    seconds.to_csv(folder / "seconds.csv", index=False)
    again = vadpipe.compare("head", "worse", truth="seconds.csv", output=None, bootstrap=30)
    assert again.figures["worse"]["auc"].value == result.figures["worse"]["auc"].value
