"""Curves as data frames, and as a notebook shows them."""

import base64
import builtins
import csv
import io
import re
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest

from support.curves import event_curve
from vadpipe.curves.curve import Curve
from vadpipe.errors import UsageError


def test_a_data_frame_is_the_table(tmp_path):
    curve = event_curve()
    curve.to_csv(tmp_path / "a.csv")
    frame = curve.to_dataframe()
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(frame.columns) == list(rows[0])
    assert len(frame) == len(rows) == len(curve)
    assert frame["score"].dtype == np.float32
    np.testing.assert_array_equal(frame["score"], curve.scores)
    np.testing.assert_allclose(frame["time_s"], [float(row["time_s"]) for row in rows], atol=1e-6)


def test_events_are_the_other_table(tmp_path):
    curve = event_curve()
    curve.to_events_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    frame = curve.to_dataframe("events")
    assert len(frame) == len(rows) > 0
    for name in frame.columns:
        expected = [row[name] for row in rows]
        if name == "place":
            assert frame[name].tolist() == expected
        else:
            np.testing.assert_allclose(
                frame[name].astype(float), [float(field) for field in expected], atol=1e-6
            )
    assert curve.at(1.0).to_dataframe("events").empty
    with pytest.raises(UsageError, match="rows is 'videos'\nChoose frames or events"):
        curve.to_dataframe("videos")


def test_without_pandas_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(
        UsageError, match=r"need pandas, which is not installed\nRun: pip install 'vadpipe\[pandas\]'"
    ):
        event_curve().to_dataframe()


def test_a_notebook_shows_a_plot_and_the_events():
    curve = replace(event_curve(), video="videos/<b>&.mp4")
    html = curve._repr_html_()
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(picture)))
    assert pixels.shape[1] == 648
    assert pixels.std() > 0.05
    assert "videos/&lt;b&gt;&amp;.mp4" in html
    assert "<b>" not in html
    assert f"{len(curve)} frames · {curve.end_s:.2f} s · threshold {curve.threshold:.3f}" in html
    assert html.count("<tr>") == 1 + min(10, len(curve.events))


def test_a_notebook_shows_ten_events_of_many():
    scores = np.tile(np.float32([0, 1]), 60).repeat(10)
    curve = Curve("a", scores, np.arange(1200) / 5, 240.0, threshold=0.5)
    assert len(curve.events) == 60
    html = curve._repr_html_()
    assert html.count("<tr>") == 11
    assert "<p>and 50 more</p>" in html
    empty = Curve("a", scores, np.arange(1200) / 5, 240.0)._repr_html_()
    assert "no threshold · 0 events" in empty
    assert "<table>" not in empty


def test_its_text_has_the_shapes():
    curve = Curve("videos/a.mp4", np.zeros(30, np.float32), np.arange(30) / 25, 1.2, threshold=0.5)
    assert repr(curve) == (
        "Curve('videos/a.mp4', scores=(30,), times_s=(30,), end_s=1.20, threshold=0.500, events=0)"
    )
    assert "threshold=None" in repr(replace(curve, threshold=None))


def test_a_threshold_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match="threshold is 'x'\nPass a number, or None as threshold"):
        event_curve().at("x")
