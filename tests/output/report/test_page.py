"""Reports in a real browser: the video and the curve go together, and the keyboard, the slider and zoom work."""

import numpy as np
import pytest

from support.browser import assert_at, place, settle, until, wait_for_video, x_of
from support.videos import write_video

# Frame times in thousandths of a second: as uneven as a phone's.
UNEVEN = np.cumsum([0, *np.random.default_rng(1).choice([20, 33, 40, 100, 250], 119)]).tolist()


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("uneven") / "uneven.mp4", 120, times=UNEVEN)


def test_a_press_on_the_curve_seeks_and_so_does_dragging(page_of, clip):
    with page_of(clip) as page:
        wait_for_video(page)
        for time_s in (1.0, 4.2, 0.3):
            page.locator("#curve").click(position={"x": x_of(page, time_s), "y": 80})
            settle(page)
            here_s, shown_s, frame = place(page)
            assert (here_s, shown_s) == (pytest.approx(time_s, abs=0.02), pytest.approx(here_s, abs=0.001))
            assert frame == int(here_s * 25 + 1e-9)
        box = page.locator("#curve").bounding_box()
        page.mouse.move(box["x"] + x_of(page, 0.5), box["y"] + 80)
        page.mouse.down()
        for time_s in np.linspace(0.6, 3.0, 12):
            page.mouse.move(box["x"] + x_of(page, time_s), box["y"] + 80)
        page.mouse.up()
        settle(page)
        here_s, shown_s, _ = place(page)
        assert (here_s, shown_s) == (pytest.approx(3.0, abs=0.02), pytest.approx(here_s, abs=0.001))
        assert page.locator("#tip").inner_text() == "0:03.00 · 0.70"


def test_while_it_plays_the_cursor_moves_and_readings_follow(page_of, clip):
    with page_of(clip) as page:
        wait_for_video(page)
        assert page.locator("#play").get_attribute("aria-label") == "Play"
        # So slowly that a busy machine does not find it at its end already.
        page.evaluate("document.querySelector('video').playbackRate = 0.1")
        page.keyboard.press("k")
        until(page, "vadpipe.page.player.timeS > 0.1")
        assert page.locator("#play").get_attribute("aria-label") == "Pause"
        page.keyboard.press("k")
        until(page, "document.querySelector('video').paused")
        page.evaluate("document.querySelector('video').playbackRate = 1")
        settle(page)
        here_s, shown_s, frame = place(page)
        assert abs(here_s - shown_s) < 0.2
        assert page.locator("#frame").inner_text() == f"frame {frame} of 120"
        assert page.locator("#curve").get_attribute("aria-valuenow") == f"{here_s:.2f}"
        page.locator("#play").focus()
        page.keyboard.press("Space")  # the button's own, and not twice
        until(page, "!document.querySelector('video').paused")
        until(page, "document.querySelector('video').ended")
        assert place(page)[0] == pytest.approx(4.8, abs=0.05)


def test_arrows_go_one_frame_whatever_the_frame_rate_does(page_of, uneven):
    with page_of(uneven, embed=True) as page:
        wait_for_video(page)
        for number in range(1, 30):
            page.keyboard.press("ArrowRight")
            settle(page)
            assert_at(page, number)
        for number in range(28, 18, -1):
            page.keyboard.press("ArrowLeft")
            settle(page)
            assert_at(page, number)
        for _ in range(7):  # faster than the player seeks
            page.keyboard.press("ArrowRight")
        settle(page)
        assert_at(page, 26)
        before_s = place(page)[0]
        page.keyboard.press("Shift+ArrowRight")
        settle(page)
        assert place(page)[0] == pytest.approx(before_s + 5)
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        settle(page)
        assert_at(page, 119)
        page.keyboard.press("Home")
        page.keyboard.press("ArrowLeft")
        settle(page)
        assert_at(page, 0)


def test_keys_go_from_event_to_event_and_the_list_says_where(page_of, clip):
    with page_of(clip) as page:
        wait_for_video(page)
        rows = page.locator(".event")
        assert [row.split("\n")[0] for row in rows.all_inner_texts()] == [
            "0:00.4 – 0:00.8",
            "0:02.4 – 0:03.2",
        ]
        assert page.locator("#count").inner_text() == "2 events"
        assert page.locator("#total").inner_text() == "1.2 s in all"
        for key, frame, current in (("n", 10, 0), (".", 60, 1), ("n", 60, 1), ("p", 10, 0), ("p", 10, 0)):
            page.keyboard.press(key)
            settle(page)
            assert place(page)[2] == frame
            marks = [row.get_attribute("aria-current") for row in page.locator(".jump").all()]
            assert marks == ["true" if index == current else None for index in range(2)]
        page.keyboard.press("ArrowLeft")
        assert page.locator(".current").count() == 0
        page.locator(".jump").nth(1).click()
        settle(page)
        assert place(page)[2] == 60
        assert page.locator(".current .here").is_visible()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        page.keyboard.press(",")  # within an event, to its own beginning
        settle(page)
        assert place(page)[2] == 60


def test_the_rule_and_the_way_back(page_of, clip):
    with page_of(clip) as page:
        reset = page.get_by_role("button", name="Reset to 0.5")
        assert reset.is_disabled()
        page.locator("#slider").focus()
        for _ in range(30):
            page.keyboard.press("ArrowRight")  # the slider's own
        until(page, "vadpipe.page.state.events.length === 1")
        assert place(page)[2] == 0
        page.keyboard.press("n")  # which the slider has no use for
        assert place(page)[2] == 10
        assert page.get_by_label("Threshold as a number").input_value() == "0.8"
        page.get_by_text("Rule", exact=True).click()
        page.get_by_label("Shortest (s)").fill("0.5")
        until(page, "vadpipe.page.state.events.length === 0")
        assert page.get_by_text("No events at this threshold.").is_visible()
        reset.click()
        until(page, "vadpipe.page.state.events.length === 2")
        assert reset.is_disabled()
        assert page.get_by_label("Shortest (s)").input_value() == "0"
        page.get_by_label("Gap (s)").fill("2")
        until(page, "vadpipe.page.state.events.length === 1")
        page.get_by_label("Gap (s)").fill("-1")  # no such gap; what was there goes on
        assert page.evaluate("vadpipe.page.state.rule.merge_gap_s") == 2
        page.get_by_label("Threshold as a number").fill("")
        until(page, "vadpipe.page.state.threshold === null")
        assert page.locator("#count").inner_text() == "0 events"


def test_zoom_keeps_the_cursor_and_the_view_follows_it(page_of, clip):
    view = "[vadpipe.page.view.fromS, vadpipe.page.view.toS]"
    with page_of(clip) as page:
        wait_for_video(page)
        page.locator("#curve").click(position={"x": x_of(page, 2.0), "y": 80})
        x = x_of(page, 2.0)
        page.keyboard.press("+")
        until(page, "!vadpipe.page.view.isWhole")
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert x_of(page, 2.0) == pytest.approx(x, abs=2)
        from_s, to_s = page.evaluate(view)
        assert to_s - from_s == pytest.approx(2.4)
        page.keyboard.press("End")
        from_s, to_s = page.evaluate(view)
        assert to_s == pytest.approx(4.8)
        page.keyboard.press("0")
        assert page.evaluate(view) == [0, pytest.approx(4.8)]
        page.locator("#curve").hover(position={"x": 400, "y": 80})
        page.mouse.wheel(0, -600)
        until(page, "!vadpipe.page.view.isWhole")
        page.locator("#overview").click(position={"x": 2, "y": 10})
        assert page.evaluate("vadpipe.page.view.fromS") == 0
        page.get_by_role("button", name="Whole").click()
        assert page.evaluate("vadpipe.page.view.isWhole")
        for _ in range(20):  # no closer than a few frames
            page.keyboard.press("+")
        from_s, to_s = page.evaluate(view)
        assert to_s - from_s == pytest.approx(8 * 0.04)


def test_help_and_every_control_by_tab(page_of, clip):
    with page_of(clip) as page:
        wait_for_video(page)
        page.keyboard.press("?")
        assert page.locator("#help").is_visible()
        page.keyboard.press("ArrowRight")  # keys wait
        assert place(page)[2] == 0
        page.keyboard.press("Escape")
        assert not page.locator("#help").is_visible()
        seen = []
        for _ in range(40):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none" or seen[-1] == "", seen[-1]
        wanted = {"previous", "back", "play", "forward", "next", "rate", "mute", "full", "curve"}
        assert wanted | {"out", "in", "keys", "slider", "order", "jump"} <= set(seen)
        slider = page.locator("#curve")
        assert (slider.get_attribute("role"), slider.get_attribute("aria-valuemax")) == ("slider", "4.8")
        assert slider.get_attribute("aria-valuetext") == "0.0 seconds, score 0.10"
        assert page.get_by_role("slider", name="Time in the video").count() == 1
