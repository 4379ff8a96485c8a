"""The strip under an annotated video shows the time, the score, the curve and which events there are."""

from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from support.curves import with_places
from support.exported_videos import borders, counters, curve_of, is_vermillion, shown
from support.videos import write_video
from vadpipe.features.views import Place
from vadpipe.output.video_export.annotated import annotate


def strip_of(picture):
    """Return the strip under a picture of 160 x 120 px in parts: the row of text, and the rest."""
    return picture[120:136], picture[136:]


def cursor_column(picture):
    """Return the middle of the columns of the plot that are black from top to bottom."""
    plot = strip_of(picture)[1][4:34, 20:158]  # right of the numbers at the axis
    black = np.flatnonzero((plot.max(axis=-1) < 70).all(axis=0))
    assert len(black), "no cursor"
    assert np.ptp(black) < 4
    return 20 + black.mean()


def test_the_cursor_stands_where_the_time_is(tmp_path):
    times = [i * (i + 9) for i in range(40)]
    video, path = write_video(tmp_path / "a.mp4", 40, times=times), tmp_path / "b.mp4"
    curve = curve_of(video, events=[(12, 20)])
    annotate(curve, video, path)
    columns = np.array([cursor_column(picture) for picture in shown(path)[1]])
    slope, start = np.polyfit(curve.times_s, columns, 1)
    assert np.abs(start + slope * curve.times_s - columns).max() < 1.1
    # From the left end of the axis to its right end in the length of the video.
    assert 20 <= start < 30
    assert 150 < start + slope * curve.end_s <= 158


def test_the_curve_is_drawn_where_its_scores_are(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 80, size=(480, 360)), tmp_path / "b.mp4"
    curve = curve_of(video)
    curve.scores[:] = np.repeat(np.float32([0.0, 1.0, 0.5, 0.75]), 20)
    annotate(curve.at(2.0), video, path)
    picture = shown(path)[1][0].astype(int)
    blue = picture[..., 2] - picture[..., 0] > 60
    rows = [np.flatnonzero(blue[360:, column]).mean() for column in (90, 190, 300, 410)]
    bottom, top = rows[0], rows[1]
    assert bottom - top > 40
    assert (bottom - rows[2]) / (bottom - top) == pytest.approx(0.5, abs=0.04)
    assert (bottom - rows[3]) / (bottom - top) == pytest.approx(0.75, abs=0.04)


def has_text(picture, text, size=10):
    """Tell whether a text stands in the row of text: the text is drawn once more and looked for."""
    font = ImageFont.load_default(size)
    width = int(font.getlength(text))
    drawn = Image.new("L", (width, 16), 255)
    ImageDraw.Draw(drawn).text((0, 8), text, fill=0, font=font, anchor="lm")
    wanted, row = np.asarray(drawn, int), strip_of(picture)[0].mean(axis=-1)
    differences = [np.abs(row[:, x : x + width] - wanted).sum() for x in range(row.shape[1] - width + 1)]
    return min(differences) < 0.1 * (255 - wanted).sum()


def test_time_and_score_are_written(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 40), tmp_path / "b.mp4"
    annotate(curve_of(video, unscored=[(8, 24)]), video, path)
    pictures = shown(path)[1]
    for number in (0, 8, 23, 24, 39):
        scored = not 8 <= number < 24
        assert has_text(pictures[number], f"00:{number * 0.04:06.3f}")
        assert not has_text(pictures[number], f"00:{(number + 7) * 0.04:06.3f}")
        assert has_text(pictures[number], "score 0.10") == scored
        assert has_text(pictures[number], "no score") != scored
    shade = strip_of(pictures[30])[1][8, 30:150].astype(int).mean(axis=-1)
    assert (np.abs(shade - 0xE0) < 8).mean() == pytest.approx(
        16 / 40, abs=0.06
    )  # grey where nothing is known


def test_an_event_is_marked_while_it_is_on_by_colour_and_by_a_word(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 100), tmp_path / "b.mp4"
    curve = curve_of(video, events=[(10, 30), (60, 75)])
    assert [(event.start, event.stop) for event in curve.events] == [(10, 30), (60, 75)]
    annotate(curve, video, path)
    pictures = shown(path)[1]
    on = [10 <= number < 30 or 60 <= number < 75 for number in range(100)]
    assert borders(pictures) == on
    badges = [is_vermillion(strip_of(picture)[0][:, 110:]).mean() > 0.1 for picture in pictures]
    assert badges == on
    # Both are shaded in the curve all the time.
    shaded = np.abs(strip_of(pictures[45])[1][7, 28:150].astype(int) - (0xF6, 0xD3, 0xB5)).max(axis=-1) < 16
    assert shaded.mean() == pytest.approx(35 / 100, abs=0.06)
    assert len(np.flatnonzero(np.diff(shaded.astype(int)))) == 4


def test_the_border_is_round_the_place_of_an_event(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 60), tmp_path / "b.mp4"
    curve = curve_of(video, events=[(5, 15), (50, 58)])  # left, and a place whose box nobody knows
    places = (Place("left", (0.0, 0.0, 0.75, 1.0)), Place("centre"))
    annotate(with_places(curve, places, [20]), video, path)
    pictures = shown(path)[1]
    assert borders([pictures[number] for number in (0, 20, 54)]) == [False, False, True]
    part = is_vermillion(pictures[10][:120])
    assert part[[1, 118], 2:118].mean() > 0.9
    assert part[:, [1, 118]].mean() > 0.9
    assert part[:, 122:].mean() < 0.05
    assert part[8:112, 8:112].mean() < 0.05


def test_without_a_threshold_there_is_no_event(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 10), tmp_path / "b.mp4"
    curve = curve_of(video, events=[(0, 10)])
    annotate(replace(curve, threshold=None), video, path)
    pictures = shown(path)[1]
    assert not any(borders(pictures))
    assert not is_vermillion(pictures[5][120:]).any()


def test_what_cannot_be_decoded_shows_the_picture_before(tmp_path):
    video, path = write_video(tmp_path / "a.mp4", 60, options={"g": "1"}), tmp_path / "b.mp4"
    content = bytearray(video.read_bytes())
    with av.open(video) as container:
        for number, packet in enumerate(container.demux(video=0)):
            if 20 <= number < 30 and packet.size:
                content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    video.write_bytes(content)
    curve = curve_of(video)  # all frames have scores, but who has seen these?
    annotate(curve, video, path)
    times_s, pictures = shown(path)
    np.testing.assert_allclose(times_s, curve.times_s, atol=1e-4)
    assert counters(pictures) == [number if not 20 <= number < 30 else 19 for number in range(60)]
    assert [has_text(pictures[number], "no score") for number in (19, 20, 29, 30)] == [
        False,
        True,
        True,
        False,
    ]
    assert cursor_column(pictures[29]) - cursor_column(pictures[20]) > 15  # time goes on
