"""Reports in a real browser: the video and the curve go together, and the keyboard, the slider and zoom work."""

import os
import shutil

import numpy as np
import pytest

from support.browser import open_page, place, settle, until, wait_for_video
from support.curves import peaks_curve, with_places
from support.videos import N_BITS, write_video
from support.waiting import wait_until
from vadpipe.curves.curve import Curve
from vadpipe.extract.video.timeline_reader import read_timeline
from vadpipe.features.views import Place
from vadpipe.output.report import write_report

# Frame times in thousandths of a second: as uneven as a phone's.
UNEVEN = np.cumsum([0, *np.random.default_rng(1).choice([20, 33, 40, 100, 250], 119)]).tolist()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clips") / "clip.mp4", 120)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("uneven") / "uneven.mp4", 120, times=UNEVEN)


def curve_of(video, **options) -> Curve:
    timeline = read_timeline(video)
    return peaks_curve(timeline.times_s, timeline.end_s, **options)


@pytest.fixture
def page_of(browser, tmp_path):
    """Return what writes a report of a video and opens it."""

    def open_page(video, curve=None, *, embed=False, context=None, **options):
        path = tmp_path / "reports" / "r.html"
        write_report(curve or curve_of(video), path, video=video, embed=embed, **options)
        return open_page(browser, path, video=None if embed else video, **(context or {}))

    return open_page


def number_shown(page) -> int:
    """Read the counter of the frame that the video shows; only an embedded one may be read."""
    row = page.evaluate(
        """() => {
            const video = document.querySelector("video");
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
            const context = canvas.getContext("2d");
            context.drawImage(video, 0, 0);
            return [...context.getImageData(0, canvas.height / 4, canvas.width, 1).data];
        }"""
    )
    tile = 160 // N_BITS
    return sum(1 << bit for bit in range(N_BITS) if row[4 * int((bit + 0.5) * tile)] > 128)


def assert_at(page, number: int) -> None:
    """The page names a frame at once; the video shows it when the browser comes to draw it."""
    assert place(page)[2] == number
    wait_until(lambda: number_shown(page) == number, f"frame {number} is shown")


def x_of(page, time_s: float) -> float:
    """Return where on the curve's canvas a time lies."""
    return page.evaluate("(timeS) => vadpipe.page.chart.xOf(timeS) / vadpipe.page.chart.ratio", time_s)


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


def test_stills_of_the_peaks_are_shown_and_new_events_have_none(page_of, clip):
    with page_of(clip) as page:
        pictures = page.locator(".event:not(.bare) .thumb img")
        assert pictures.count() == 2
        assert page.evaluate("document.querySelector('.thumb img').decode().then(() => true)")
        page.get_by_label("Threshold as a number").fill("0.05")
        until(page, "vadpipe.page.state.events.length === 1")
        assert page.locator(".event").count() == 1
        assert pictures.count() == 1  # it has the same peak


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
        assert page.get_by_text("No frame makes an event at this threshold.").is_visible()
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


def test_the_list_can_be_in_the_order_of_peaks(page_of, clip):
    curve = curve_of(clip, peaks=[(10, 20, 0.6), (60, 70, 0.9)])
    with page_of(clip, curve) as page:
        assert page.locator(".number").all_inner_texts() == ["1", "2"]
        page.get_by_label("Order").select_option("peak")
        assert page.locator(".number").all_inner_texts() == ["2", "1"]
        page.keyboard.press("Escape")
        page.locator("#curve").focus()
        page.keyboard.press("n")
        assert place(page)[2] == 10  # n goes by time all the same


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


PLACES = {
    "wide": ((160, 120), (Place("left", (0.0, 0.0, 0.75, 1.0)), Place("right", (0.25, 0.0, 1.0, 1.0)))),
    "upright": ((120, 160), (Place("left", (0.0, 0.0, 1.0, 0.75)), Place("right", (0.0, 0.25, 1.0, 1.0)))),
}


@pytest.mark.parametrize(("size", "places"), PLACES.values(), ids=PLACES)
def test_each_event_says_where_it_is_in_words_and_on_its_still(page_of, tmp_path, size, places):
    video = write_video(tmp_path / "clip.mp4", 120, size=size)
    curve = with_places(curve_of(video), places, [50])
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
    curve = with_places(curve_of(clip), places, np.random.default_rng(3).integers(0, 120, 30))
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
    from support.curves import explanation_of

    curve = curve_of(clip)
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


@pytest.mark.parametrize("damage", ["missing", "no video", "another codec"])
def test_without_a_video_that_plays_everything_else_works(page_of, tmp_path, clip, damage, caplog):
    video = tmp_path / "clip.mp4"
    if damage == "no video":
        video.write_bytes(b"\0\0\0\x18ftypisom" + bytes(1000))
    elif damage == "another codec":
        write_video(video, 120, codec="mpeg4")
    complaints = ("ERR_FILE_NOT_FOUND",) if damage == "missing" else ()
    with page_of(video, curve_of(clip), context={"complaints": complaints}) as page:
        page.locator("#broken").wait_for()
        assert "The video cannot be played here." in page.locator("#broken").inner_text()
        assert "looked for: ../clip.mp4" in page.locator("#broken").inner_text()
        assert page.locator("#play").is_disabled()
        page.keyboard.press("k")
        page.keyboard.press("n")
        assert (page.evaluate("vadpipe.page.player.frame"), page.locator("#score").inner_text()) == (
            10,
            "0.90",
        )
        page.keyboard.press("ArrowRight")
        assert page.evaluate("vadpipe.page.player.frame") == 11
        page.locator("#curve").click(position={"x": x_of(page, 2.0), "y": 80})
        assert page.evaluate("vadpipe.page.player.timeS") == pytest.approx(2.0, abs=0.02)


def test_one_file_alone_plays_when_it_is_moved(browser, tmp_path, clip):
    video = tmp_path / "from" / "clip.mp4"
    video.parent.mkdir()
    shutil.copy(clip, video)
    write_report(curve_of(clip), tmp_path / "from" / "r.html", video=video, embed=True)
    (tmp_path / "to").mkdir()
    (tmp_path / "from" / "r.html").rename(tmp_path / "to" / "r.html")
    video.unlink()
    with open_page(browser, tmp_path / "to" / "r.html") as page:
        wait_for_video(page)
        page.keyboard.press("Space")
        until(page, "vadpipe.page.player.timeS > 0.3")


@pytest.mark.parametrize(
    "name",
    [
        "a #?%20&b.mp4", "\"quo'tes\".mp4", "two\nlines.mp4", "\u202eright \u05d0\u05d1.mp4", "cat 🐈.mp4",
        "<!--<script>.mp4", "</script><img src=x onerror=alert(1)>.mp4", "a:b\\c;d.mp4", "-x.mp4",
    ],
)  # fmt: skip
def test_any_name_is_shown_as_it_is_and_its_video_loads(page_of, tmp_path, clip, name):
    video = tmp_path / name  # with a slash in it, a folder of its own
    video.parent.mkdir(exist_ok=True)
    shutil.copy(clip, video)
    plain = curve_of(clip)
    with page_of(video, Curve(str(video), plain.scores, plain.times_s, plain.end_s, 0.5)) as page:
        wait_for_video(page)
        assert page.locator("h1").text_content() == video.name
        assert page.evaluate("document.querySelectorAll('img:not(.thumb img)').length") == 0


def test_a_name_that_is_no_text_loads_too(page_of, tmp_path, clip):
    video = tmp_path / os.fsdecode(b"\xff\xfe.mp4")
    shutil.copy(clip, video)
    with page_of(video) as page:
        wait_for_video(page)


CLOCKS = {
    "fragments": ("a.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "no edit list": ("a.mp4", {"container_options": {"use_editlist": "0"}}),
    "a late beginning": ("a.mkv", {"times": [10_000 + 40 * number for number in range(60)]}),
}


@pytest.mark.parametrize(("name", "options"), CLOCKS.values(), ids=CLOCKS)
def test_the_browsers_clock_may_begin_elsewhere(page_of, tmp_path, name, options):
    video = write_video(tmp_path / name, 60, options={"g": "20", "bf": "3"}, **options)
    with page_of(video, embed=True) as page:
        wait_for_video(page)
        for number in (0, 1, 25, 40, 59):
            page.evaluate("frame => vadpipe.page.player.seek(vadpipe.page.frames.middle(frame))", number)
            settle(page)
            until(page, "document.querySelector('video').readyState >= 2")
            assert_at(page, number)
        page.keyboard.press("Home")
        page.keyboard.press("Space")
        until(page, "vadpipe.page.player.timeS > 1")
        page.keyboard.press("Space")
        settle(page)
        wait_until(
            lambda p=page: abs(place(p)[2] - number_shown(p)) <= 1, "the frame named is the frame shown"
        )


def test_a_real_clip_and_its_frames(page_of, data):
    for name in ("fight/fi018.mp4", "fight/fi098.mp4"):  # the second begins late
        video = data / "fight_surv" / name
        with page_of(video, embed=True) as page:
            wait_for_video(page)
            page.evaluate(
                """() => {
                    const video = document.querySelector("video");
                    const note = (_, { mediaTime }) => {
                        window.shownS = mediaTime;
                        video.requestVideoFrameCallback(note);
                    };
                    video.requestVideoFrameCallback(note);
                }"""
            )
            for number in (1, 2, 3):
                page.keyboard.press("ArrowRight")
                settle(page)
                assert place(page)[2] == number
                shown = "window.shownS - vadpipe.page.player.offsetS"
                until(page, f"Math.abs({shown} - {read_timeline(video).times_s[number]}) < 0.001")
            page.keyboard.press("Space")
            until(page, "vadpipe.page.player.timeS > 0.5")
