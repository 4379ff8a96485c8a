"""The picture of a curve: it opens, it shows the video's peaks, and its clock reads as people expect."""

import numpy as np
import pytest
from conftest import write_video
from matplotlib.figure import Figure
from PIL import Image

from vadpipe.curve import Curve
from vadpipe.render.clock import clock
from vadpipe.render.plot import draw_curve, plot_curve


def make_curve(n_frames=100, video="videos/clip.mp4", threshold=0.5):
    scores = np.zeros(n_frames, np.float32)
    scores[32:48] = 0.9
    return Curve(video, scores, np.arange(n_frames) / 25, n_frames / 25, threshold)


def test_the_line_the_threshold_and_the_axes_say_what_the_curve_says():
    axes = Figure().add_subplot()
    draw_curve(make_curve(), axes)
    x, y = axes.lines[0].get_data()
    np.testing.assert_allclose(x, np.arange(101) / 25)
    np.testing.assert_allclose(y[:-1], make_curve().scores)
    assert axes.lines[1].get_ydata() == [0.5, 0.5]
    assert axes.get_xlim() == (0.0, 4.0)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["anomaly score", "threshold 0.50"]


def test_stills_of_the_peaks_stand_above_the_curve(tmp_path):
    def flash(number, width, height):  # frames 32 to 47 are bright green, all others are dark
        colour = (20, 250, 20) if 32 <= number < 48 else (10, 10, 10)
        return np.full((height, width, 3), colour, np.uint8)

    video = write_video(tmp_path / "clip.mp4", 100, frame=flash)
    plot_curve(make_curve(), tmp_path / "with.png", video=video)
    plot_curve(make_curve(), tmp_path / "without.png")
    with Image.open(tmp_path / "with.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    green = (pixels[..., 1] > 200) & (pixels[..., 0] < 100) & (pixels[..., 2] < 100)
    assert green[: len(pixels) // 2].sum() > 5000  # the still of the peak
    with Image.open(tmp_path / "without.png") as picture:
        assert picture.height < len(pixels)


@pytest.mark.parametrize("name", ["$x^2$ _{.mp4", "two\nlines.mp4", "видео.mp4", "a" * 200 + ".mp4"])
def test_any_name_can_be_a_title(tmp_path, name):
    plot_curve(make_curve(video=f"videos/{name}"), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_the_shortest_curve_and_no_threshold(tmp_path):
    plot_curve(make_curve(n_frames=1, threshold=None), tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file()


def test_other_formats_by_suffix(tmp_path):
    plot_curve(make_curve(), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("time_s", "end_s", "text"),
    [(4.5, 8, "4.5"), (4.5, 60, "0:04"), (83, 600, "1:23"), (83, 5000, "0:01:23"), (5025, 7200, "1:23:45")],
)
def test_clock(time_s, end_s, text):
    assert clock(time_s, end_s) == text


def test_frames_without_a_score_are_shaded():
    scores = np.array([0.1] * 16 + [np.nan] * 16 + [0.9] * 16 + [np.nan] * 4, np.float32)
    curve = Curve("a.mp4", scores, np.arange(52) / 25, 52 / 25, 0.5)
    axes = Figure().add_subplot()
    draw_curve(curve, axes)
    shaded = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    np.testing.assert_allclose(shaded, [(0.64, 1.28), (1.92, 2.08)])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["anomaly score", "threshold 0.50", "could not be decoded"]
