"""The list of events in a real browser: stills, places and explanations."""

import numpy as np
import pytest

from support.browser import place, settle, until, wait_for_video
from support.curves import explanation_of, peaks_curve_of, with_places
from support.videos import write_video
from vadpipe.features.views import Place


def test_stills_of_the_peaks_are_shown_and_new_events_have_none(page_of, clip):
    with page_of(clip) as page:
        pictures = page.locator(".event:not(.bare) .thumb img")
        assert pictures.count() == 2
        assert page.evaluate("document.querySelector('.thumb img').decode().then(() => true)")
        page.get_by_label("Threshold as a number").fill("0.05")
        until(page, "vadpipe.page.state.events.length === 1")
        assert page.locator(".event").count() == 1
        assert pictures.count() == 1  # it has the same peak


def test_the_list_can_be_in_the_order_of_peaks(page_of, clip):
    curve = peaks_curve_of(clip, peaks=[(10, 20, 0.6), (60, 70, 0.9)])
    with page_of(clip, curve) as page:
        assert page.locator(".number").all_inner_texts() == ["1", "2"]
        page.get_by_label("Order").select_option("peak")
        assert page.locator(".number").all_inner_texts() == ["2", "1"]
        page.keyboard.press("Escape")
        page.locator("#curve").focus()
        page.keyboard.press("n")
        assert place(page)[2] == 10  # n goes by time all the same


PLACES = {
    "wide": ((160, 120), (Place("left", (0.0, 0.0, 0.75, 1.0)), Place("right", (0.25, 0.0, 1.0, 1.0)))),
    "upright": ((120, 160), (Place("left", (0.0, 0.0, 1.0, 0.75)), Place("right", (0.0, 0.25, 1.0, 1.0)))),
}


@pytest.mark.parametrize(("size", "places"), PLACES.values(), ids=PLACES)
def test_each_event_says_where_it_is_in_words_and_on_its_still(page_of, tmp_path, size, places):
    video = write_video(tmp_path / "clip.mp4", 120, size=size)
    curve = with_places(peaks_curve_of(video), places, [50])
    with page_of(video, curve) as page:
        assert page.locator(".place").all_inner_texts() == [place.name for place in places]
        assert page.evaluate("document.querySelector('.thumb img').decode().then(() => true)")
        for number, place in enumerate(places):
            row = page.locator(".event").nth(number)
            still, outline = row.locator("img").bounding_box(), row.locator(".outline").bounding_box()
            assert still["width"] / still["height"] == pytest.approx(size[0] / size[1], abs=0.05)
            left, top, right, bottom = place.box
            assert outline["x"] - still["x"] == pytest.approx(left * still["width"], abs=1)
            assert outline["y"] - still["y"] == pytest.approx(top * still["height"], abs=1)
            assert outline["width"] == pytest.approx((right - left) * still["width"], abs=1)
            assert outline["height"] == pytest.approx((bottom - top) * still["height"], abs=1)
        page.get_by_label("Threshold as a number").fill(
            "0.05"
        )  # another event, whose peak is the first one's
        until(page, "vadpipe.page.state.events.length === 1")
        assert page.locator(".place").all_inner_texts() == [places[0].name]


def test_the_page_knows_the_place_of_every_frame(page_of, clip):
    places = (Place("left"), Place("right"), Place("whole"))
    curve = with_places(peaks_curve_of(clip), places, np.random.default_rng(3).integers(0, 120, 30))
    with page_of(clip, curve) as page:
        found = page.evaluate("[...Array(120).keys()].map((frame) => vadpipe.page.frames.placeAt(frame))")
        assert [place["name"] for place in found] == [curve.place_at(frame).name for frame in range(120)]
        assert page.locator(".outline:visible").count() == 0  # nobody knows their boxes
        assert page.locator(".place").first.inner_text() == curve.place(curve.events[0]).name


def test_without_places_rows_and_stills_are_as_ever(page_of, clip):
    with page_of(clip) as page:
        assert page.locator(".place").all_inner_texts() == ["", ""]
        assert page.locator(".placed, .outline:visible").count() == 0
        assert page.evaluate("vadpipe.page.frames.placeAt(10)") is None
        thumb, still = (page.locator(name).first.bounding_box() for name in (".thumb", ".thumb img"))
        assert (thumb["width"], thumb["height"]) == (still["width"], still["height"])


def test_explanations_show_the_heat_and_lead_to_their_snippets(page_of, clip):
    curve = peaks_curve_of(clip)
    with page_of(clip, curve, explanations=[explanation_of(curve.events[1])]) as page:
        wait_for_video(page)
        assert page.locator(".why").count() == 1
        page.get_by_text("Why?").click()
        heat = page.locator(".heat")
        still, over = page.locator(".still").bounding_box(), heat.bounding_box()
        assert over["width"] == pytest.approx(0.8 * still["width"], abs=1)
        assert over["x"] - still["x"] == pytest.approx(0.1 * still["width"], abs=1)
        page.get_by_label("Show the heat").uncheck()
        assert not heat.is_visible()
        page.get_by_label("Show the heat").check()
        assert heat.is_visible()
        page.get_by_role("button", name="0:00.32 – 0:00.96").click()
        settle(page)
        assert place(page)[0] == pytest.approx(0.32)
