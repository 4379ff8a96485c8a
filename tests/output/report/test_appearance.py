"""How reports look where screens differ: phones, dark rooms, paper; and that long videos stay quick."""

import base64

import numpy as np
import pytest

from support.browser import open_page, until, wait_for_video
from support.curves import peaks_curve
from support.videos import write_video
from vadpipe.curves.curve import Curve
from vadpipe.curves.events import EventRule, find_events
from vadpipe.output.report import write_report


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clips") / "clip.mp4", 120)


@pytest.fixture(scope="module")
def small(tmp_path_factory, clip):
    path = tmp_path_factory.mktemp("reports") / "r.html"
    curve = peaks_curve(np.arange(120) / 25, 4.8)
    write_report(curve, path, video=clip, embed=True, truth=[(0.2, 1.0)])
    return path


def long_curve(n_frames: int, rate: float = 30.0) -> Curve:
    """A curve as rough as any, with a single high frame, and one stretch without scores."""
    rng = np.random.default_rng(5)
    scores = np.clip(rng.normal(0.3, 0.1, n_frames), 0, 0.8).astype(np.float32)
    scores[n_frames // 3] = 0.99
    scores[n_frames // 2 : n_frames // 2 + 500] = np.nan
    return Curve("long.mp4", scores, np.arange(n_frames) / rate, n_frames / rate, 0.7)


def random_curve(seed: int, n_frames: int = 400):
    """Scores of few and of many levels, gaps without any, and times that stand still or jump."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n_frames).astype(np.float32)
    if seed % 2:
        scores = np.repeat(rng.random(n_frames // 8).astype(np.float32), 8)
    if seed % 3 == 0:
        scores = (scores * 10).round().astype(np.float32) / np.float32(10)
    for start in rng.integers(0, n_frames, 5):
        scores[start : start + rng.integers(1, 30)] = np.nan
    times_s = np.cumsum(rng.choice([0.0, 0.02, 0.04, 0.5], len(scores)))
    return scores, times_s, float(times_s[-1]) + 0.04


def as_data(scores, times_s, end_s) -> dict:
    code = lambda values, kind: base64.b64encode(values.astype(kind).tobytes()).decode()  # noqa: E731
    return {"scores": code(scores, "<f4"), "times": code(times_s, "<f8"), "end_s": end_s}


RULES = [
    EventRule(), EventRule(hysteresis=0.15), EventRule(merge_gap_s=0.0), EventRule(merge_gap_s=0.04),
    EventRule(min_length_s=0.3), EventRule(0.3, 0.5, 0.7),
]  # fmt: skip


# What a person types; the float32 of each is a little more or less.
TYPED = [0.7, 0.1, 0.3, 0.8]


def test_events_are_those_of_python_to_the_last_bit(browser, small):
    with open_page(browser, small) as page:
        for seed in range(8):
            scores, times_s, end_s = random_curve(seed)
            scores[:: len(scores) // 9][: len(TYPED)] = TYPED
            finite = scores[np.isfinite(scores)]
            # Thresholds that some frames have exactly, and others.
            thresholds = [*np.linspace(0, 1.01, 12).tolist(), *finite[:8].astype(float).tolist()]
            thresholds += TYPED
            found = page.evaluate(
                """([data, thresholds, rules]) => {
                    const { scores, edges } = new vadpipe.frames.Frames(data);
                    return rules.map((rule) => thresholds.map((threshold) =>
                        vadpipe.events.findEvents(scores, edges, threshold, rule)));
                }""",
                [as_data(scores, times_s, end_s), thresholds, [vars(rule) for rule in RULES]],
            )
            for rule, by_threshold in zip(RULES, found, strict=True):
                for threshold, events in zip(thresholds, by_threshold, strict=True):
                    expected = find_events(scores, times_s, end_s, threshold, rule)
                    got = [tuple(event.values())[:7] for event in events]
                    assert got == [
                        (e.start, e.stop, e.start_s, e.end_s, e.peak, e.peak_frame, e.peak_s)
                        for e in expected
                    ]
                    means = [event["mean"] for event in events]
                    assert means == pytest.approx([event.mean for event in expected], abs=1e-12)


def test_the_list_holds_the_events_and_the_page_the_scores(browser, tmp_path, clip):
    scores, times_s, end_s = random_curve(2)
    rule = EventRule(0.1, 0.0, 0.05)
    write_report(
        Curve("clip.mp4", scores, times_s, end_s, 0.6, rule), tmp_path / "r.html", video=clip, embed=True
    )
    with open_page(browser, tmp_path / "r.html") as page:
        kept = page.evaluate("[...new Uint8Array(vadpipe.page.frames.scores.buffer)]")
        assert bytes(kept) == scores.tobytes()
        assert page.evaluate("[...vadpipe.page.frames.edges]") == [*times_s.tolist(), end_s]
        rows = page.evaluate("[...document.querySelectorAll('.event')].map((row) => ({...row.dataset}))")
        assert [
            (
                int(row["start"]),
                int(row["stop"]),
                float(row["startS"]),
                float(row["endS"]),
                float(row["peak"]),
            )
            for row in rows
        ] == [
            (e.start, e.stop, e.start_s, e.end_s, e.peak)
            for e in find_events(scores, times_s, end_s, 0.6, rule)
        ]
        assert len(rows) > 5


def test_a_peak_of_one_frame_in_hours_is_drawn(browser, tmp_path, clip):
    write_report(long_curve(216_000), tmp_path / "r.html", video=clip, embed=True)
    with open_page(browser, tmp_path / "r.html") as page:
        highest = page.evaluate(
            "Math.max(...vadpipe.drawing.columnsOf(vadpipe.page.frames, 0, vadpipe.page.frames.endS, 700).high)"
        )
        assert highest == float(np.float32(0.99))
        assert page.evaluate("vadpipe.page.state.events.length") >= 1


def test_the_slider_finds_the_events_of_a_hundred_thousand_frames_again(browser, tmp_path, clip):
    curve = long_curve(100_000).at(0.7, EventRule(merge_gap_s=0.0))
    write_report(curve, tmp_path / "r.html", video=clip, embed=True)
    with open_page(browser, tmp_path / "r.html") as page:
        values = [0.6, 0.5, 0.45, 0.4, 0.3]
        counts = page.evaluate(
            """async (values) => {
                const slider = document.querySelector("#slider");
                const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
                const counts = [];
                for (const value of values) {
                    slider.value = value;
                    slider.dispatchEvent(new Event("input"));
                    await frame(); // the events are found
                    await frame(); // and drawn; benchmarks/report.py says how long that takes
                    counts.push(vadpipe.page.state.events.length);
                }
                return counts;
            }""",
            values,
        )
        assert counts == [len(curve.at(value).events) for value in values]
        assert min(counts) > 100


def test_events_by_the_thousand_are_listed_a_part_at_a_time(browser, tmp_path, clip):
    curve = long_curve(20_000).at(0.4, EventRule(merge_gap_s=0.0))
    assert len(curve.events) > 1000
    write_report(curve, tmp_path / "r.html", video=clip, embed=True)
    with open_page(browser, tmp_path / "r.html") as page:
        assert page.locator(".event").count() == 200
        assert page.locator(".event:not(.bare)").count() <= 60
        page.get_by_text("Show more (200 of").click()
        assert page.locator(".event").count() == 400
    # Without its video, which is shorter than this curve and would draw the cursor back.
    write_report(curve, tmp_path / "r.html", video=tmp_path / "gone.mp4", embed=False)
    gone = {"video": tmp_path / "gone.mp4", "complaints": ("ERR_FILE_NOT_FOUND",)}
    with open_page(browser, tmp_path / "r.html", **gone) as page:
        page.keyboard.press("End")
        page.keyboard.press("p")  # the list goes as far as it must
        until(page, "document.querySelectorAll('.event.current').length === 1")
        assert page.locator(".event").count() == len(curve.events)


@pytest.mark.parametrize("name", ["plain", "unscored", "no threshold", "one frame"])
def test_a_curve_that_is_unusual_opens(browser, tmp_path, clip, name):
    n_frames = 1 if name == "one frame" else 120
    scores = np.full(n_frames, np.nan if name == "unscored" else 0.25, np.float32)
    curve = Curve("clip.mp4", scores, np.arange(n_frames) / 25, n_frames / 25, None if "no" in name else 0.5)
    write_report(curve, tmp_path / "r.html", video=clip, embed=True)
    with open_page(browser, tmp_path / "r.html") as page:
        for key in ("ArrowRight", "n", "p", "+", "-", "0", "End", "Home", "ArrowLeft"):
            page.keyboard.press(key)
        assert page.locator("#score").inner_text() == ("–" if name == "unscored" else "0.25")
        assert page.locator(".legend").get_by_text("no score").count() == (name == "unscored")
        page.get_by_label("Threshold as a number").fill("0.25")
        count = 0 if name == "unscored" else 1
        until(page, f"vadpipe.page.state.threshold === 0.25 && vadpipe.page.state.events.length === {count}")


def test_a_phone_scrolls_one_way_and_takes_fingers(browser, small):
    phone = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}
    with open_page(browser, small, **phone, device_scale_factor=3) as page:
        wait_for_video(page)
        page.get_by_text("Rule", exact=True).tap()
        width = "[document.documentElement.scrollWidth, window.innerWidth]"
        assert page.evaluate(width) == [360, 360]
        outside = page.evaluate(
            "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > 361)"
            ".map((e) => e.outerHTML.slice(0, 80))"
        )
        assert outside == []
        box = page.locator("#curve").bounding_box()
        page.locator("#curve").tap(position={"x": box["width"] / 2, "y": 60})
        assert 1.5 < page.evaluate("vadpipe.page.player.timeS") < 3.3
        page.mouse.wheel(0, 700)
        until(page, "scrollY > 300")
        assert page.locator("video").bounding_box()["y"] == pytest.approx(0, abs=1)  # stays in sight


def test_two_fingers_zoom(browser, small):
    with open_page(browser, small) as page:
        page.evaluate(
            """() => {
                const canvas = document.querySelector("#curve");
                canvas.setPointerCapture = () => {};
                const at = (type, pointerId, clientX) => canvas.dispatchEvent(new PointerEvent(type,
                    { pointerId, clientX, pointerType: "touch", button: type === "pointermove" ? -1 : 0 }));
                at("pointerdown", 1, 400); at("pointerdown", 2, 500);
                at("pointermove", 1, 350); at("pointermove", 2, 550);
                at("pointerup", 1, 350); at("pointerup", 2, 550);
            }"""
        )
        assert page.evaluate("vadpipe.page.view.lengthS") == pytest.approx(2.4)


def test_dark_and_light(browser, small):
    colours = {}
    for scheme in ("light", "dark"):
        with open_page(browser, small, color_scheme=scheme) as page:
            colours[scheme] = page.evaluate(
                """() => [getComputedStyle(document.body).backgroundColor,
                    vadpipe.page.chart.colours.curve, vadpipe.page.chart.colours.paper]"""
            )
    assert colours == {
        "light": ["rgb(245, 246, 248)", "#0072b2", "#ffffff"],
        "dark": ["rgb(17, 20, 24)", "#56b4e9", "#1a1e24"],
    }


def test_paper_is_white_and_without_controls(browser, small):
    with open_page(browser, small, color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("vadpipe.page.chart.colours.curve") == "#0072b2"
        assert not page.locator("button:visible:not(.jump)").count()
        assert not page.locator("input:visible, select:visible, video:visible").count()
        assert page.locator("#curve").is_visible()
        assert page.get_by_text("Scores of 0.5 and above; hysteresis 0, gaps below 1 s joined").is_visible()
        assert page.locator(".event").first.is_visible()
        assert page.pdf().startswith(b"%PDF")
