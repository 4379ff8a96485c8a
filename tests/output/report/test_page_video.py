"""The video of a report in a real browser: missing or damaged, of any name, and with a clock of its own."""

import os
import shutil

import pytest

from support.browser import assert_at, number_shown, open_page, place, settle, until, wait_for_video, x_of
from support.curves import peaks_curve_of
from support.videos import write_video
from support.waiting import wait_until
from vadpipe.curves.curve import Curve
from vadpipe.extract.video.timeline_reader import read_timeline
from vadpipe.output.report import write_report


@pytest.mark.parametrize("damage", ["missing", "no video", "another codec"])
def test_without_a_video_that_plays_everything_else_works(page_of, tmp_path, clip, damage, caplog):
    video = tmp_path / "clip.mp4"
    if damage == "no video":
        video.write_bytes(b"\0\0\0\x18ftypisom" + bytes(1000))
    elif damage == "another codec":
        write_video(video, 120, codec="mpeg4")
    complaints = ("ERR_FILE_NOT_FOUND",) if damage == "missing" else ()
    with page_of(video, peaks_curve_of(clip), context={"complaints": complaints}) as page:
        page.locator("#broken").wait_for()
        assert "The video cannot be played." in page.locator("#broken").inner_text()
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
    write_report(peaks_curve_of(clip), tmp_path / "from" / "r.html", video=video, embed=True)
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
    plain = peaks_curve_of(clip)
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
