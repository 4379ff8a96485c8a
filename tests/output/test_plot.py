"""The picture of a curve: it opens, it shows the video's peaks, and its clock reads as people expect."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from support.curves import with_places
from support.videos import write_video
from vadpipe.curves.curve import Curve
from vadpipe.curves.events import EventRule
from vadpipe.features.views import Place
from vadpipe.output.plot import draw_curve, plot_curve
from vadpipe.output.timecode import clock


def make_curve(n_frames=100, video="videos/clip.mp4", threshold=0.5):
    scores = np.zeros(n_frames, np.float32)
    scores[32:48] = 0.9
    return Curve(video, scores, np.arange(n_frames) / 25, n_frames / 25, threshold)


def test_the_line_the_threshold_and_the_axes_say_what_the_curve_says():
    axes = Figure().add_subplot()
    draw_curve(make_curve(), axes)
    x, y = axes.lines[0].get_data()
    np.testing.assert_allclose(x, [0, 1.28, 1.92, 4.0])  # a score holds until the next
    np.testing.assert_allclose(y, [0, 0.9, 0, 0], rtol=1e-6)
    assert axes.lines[1].get_ydata() == [0.5, 0.5]
    assert axes.get_xlim() == (0.0, 4.0)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert axes.lines[2].get_ydata() == [0.25, 0.25]  # half the threshold, by the default hysteresis
    assert labels == ["anomaly score", "threshold 0.50", "events end below 0.25", "event"]


@pytest.mark.parametrize("curve", [make_curve(threshold=0.95), make_curve().at(0.5, EventRule(hysteresis=0))])
def test_where_events_end_is_shown_only_where_it_explains_one(curve):
    axes = draw_curve(curve, Figure().add_subplot())
    assert not [line for line in axes.lines if "end below" in str(line.get_label())]


@pytest.mark.parametrize("length_s", [10, 12, 15, 17, 40, 4000])
def test_ticks_of_a_clock_are_whole_seconds(length_s):
    axes = draw_curve(make_curve(n_frames=25 * length_s), Figure().add_subplot())
    ticks_s = axes.get_xticks()
    assert len(ticks_s) > 3
    assert (ticks_s == ticks_s.round()).all()


def test_axes_are_taken_and_returned():
    axes = Figure().add_subplot()
    assert draw_curve(make_curve(), axes) is axes


def test_without_axes_those_of_pyplot_are_drawn_on(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    from matplotlib import pyplot

    drawn = draw_curve(make_curve())
    assert drawn is pyplot.gca()
    pyplot.close("all")


def shaded_events(axes):
    boxes = [path.get_extents() for part in axes.collections for path in part.get_paths()]
    return [(box.x0, box.x1) for box in boxes]


def spans(axes, label):
    return [
        (patch.get_x(), patch.get_x() + patch.get_width())
        for patch in axes.patches
        if patch.get_label() == label
    ]


def test_events_are_shaded_and_numbered_as_the_rule_has_them():
    scores = np.zeros(200, np.float32)
    scores[20:40], scores[45:60], scores[150:155] = 0.9, 0.8, 0.7
    curve = Curve("a.mp4", scores, np.arange(200) / 25, 8.0, 0.5)
    axes = draw_curve(curve, Figure().add_subplot())
    np.testing.assert_allclose(shaded_events(axes), [(0.8, 2.4), (6.0, 6.2)])  # the gap of 0.2 s is closed
    assert [text.get_text() for text in axes.texts] == ["1", "2"]
    axes = draw_curve(curve.at(0.5, EventRule(min_length_s=1.0)), Figure().add_subplot())
    np.testing.assert_allclose(shaded_events(axes), [(0.8, 2.4)])


def test_what_is_known_is_a_band_below():
    axes = draw_curve(make_curve(), Figure().add_subplot(), truth_s=[(1.0, 2.0), (3.0, 3.5)])
    assert spans(axes, "ground truth") == [(1.0, 2.0), (3.0, 3.5)]
    assert "ground truth" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_stills_of_peaks_have_an_outline_round_their_place(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    video, curve = write_video(tmp_path / "clip.mp4", 100, size=(160, 120)), make_curve()
    for shown in (curve, with_places(curve, (Place("left"), Place("right", (0.25, 0.0, 1.0, 1.0))), [0])):
        plot_curve(shown, tmp_path / "clip.png", video=video)
    plain, outlined = ([axes for axes in figure.axes if axes.images] for figure in drawn)
    assert [len(axes.patches) for axes in plain] == [0] * len(plain)
    by_title = {axes.get_title(): axes for axes in outlined}
    (peak,) = (axes for title, axes in by_title.items() if title.endswith("score 0.90  right"))
    box = peak.patches[-1].get_bbox()
    height, width = peak.images[0].get_array().shape[:2]
    assert (box.x0 + 0.5, box.x1 + 0.5) == pytest.approx((width / 4, width))
    assert (box.y0 + 0.5, box.y1 + 0.5) == pytest.approx((0, height))
    (calm,) = (axes for title, axes in by_title.items() if "calm" in title)
    assert not calm.patches


def test_the_lowest_moment_of_a_video_that_is_all_one_event_is_not_called_calm(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    video = write_video(tmp_path / "clip.mp4", 100, size=(160, 120))
    for threshold in (0.95, 0.0):
        plot_curve(make_curve(threshold=threshold), tmp_path / "clip.png", video=video)
    words = [{axes.get_title().split()[-2] for axes in figure.axes if axes.images} for figure in drawn]
    assert words == [{"calm", "score"}, {"lowest", "score"}]


def test_a_curve_without_a_single_score_is_drawn():
    curve = Curve("a.mp4", np.full(50, np.nan, np.float32), np.arange(50) / 25, 2.0, 0.5)
    axes = draw_curve(curve, Figure().add_subplot())
    assert spans(axes, "could not be decoded") == [(0.0, 2.0)]
    assert shaded_events(axes) == []


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
    svg = (tmp_path / "a.svg").read_bytes()
    assert svg.startswith(b"<?xml")
    plot_curve(make_curve(), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes() == svg


@pytest.mark.parametrize(
    ("time_s", "end_s", "text"),
    [
        (4.5, 8, "4.5"),
        (4.5, 60, "0:04"),
        (83, 600, "1:23"),
        (83, 5000, "0:01:23"),
        (3599.7, 3599.9, "60:00"),
        (5025, 7200, "1:23:45"),
    ],
)
def test_clock(time_s, end_s, text):
    assert clock(time_s, end_s) == text


def test_frames_without_a_score_are_shaded():
    scores = np.array([0.1] * 16 + [np.nan] * 16 + [0.9] * 16 + [np.nan] * 4, np.float32)
    curve = Curve("a.mp4", scores, np.arange(52) / 25, 52 / 25, 0.5)
    axes = Figure().add_subplot()
    draw_curve(curve, axes)
    np.testing.assert_allclose(spans(axes, "could not be decoded"), [(0.64, 1.28), (1.92, 2.08)])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[-2:] == ["event", "could not be decoded"]
