"""Pages in a real browser: opened, waited for, and held to neither complain nor ask for anything."""

import re
import time
from contextlib import contextmanager
from pathlib import Path

from support.videos import N_BITS
from support.waiting import LONG_S, wait_until


@contextmanager
def open_page(browser, path: Path, *, video: Path | None = None, complaints: tuple[str, ...] = (), **options):
    """Open a page; at the end it must have asked for nothing but itself and its video, and not complained.

    Args:
        video: the file that it refers to.
        complaints: texts of the console that are meant.
        options: of the browser's context.
    """
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    context.set_default_timeout(LONG_S * 1000)
    context.route(re.compile("^(https?|wss?|ftp):"), lambda route: route.abort())
    page = context.new_page()
    problems, asked = [], []
    page.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: (problems.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    try:
        yield page
        assert [text for text in problems if not any(meant in text for meant in complaints)] == []
        allowed = {path.as_uri()} | ({video.as_uri()} if video else set())
        assert {url for url in asked if not url.startswith("data:")} <= allowed
    finally:
        context.close()


def until(page, condition: str) -> None:
    """Wait until an expression of JavaScript holds.

    The browser's own waiting evaluates texts within the page, which the page's policy forbids.
    """
    deadline_s = time.monotonic() + LONG_S
    while not page.evaluate(condition):
        assert time.monotonic() < deadline_s, f"still not: {condition}"
        page.wait_for_timeout(20)


def wait_for_video(page) -> None:
    until(page, "vadpipe.page.player.usable && document.querySelector('video').readyState >= 2")


def settle(page) -> None:
    """Wait until all seeks are done."""
    until(
        page,
        "vadpipe.page.player.wanted === null && !document.querySelector('video').seeking"
        " && document.querySelector('video').readyState >= 2",
    )


def place(page) -> tuple[float, float, int]:
    """Return where the page is, where its video is, and the frame that it names."""
    return tuple(
        page.evaluate(
            "[vadpipe.page.player.timeS, document.querySelector('video').currentTime, vadpipe.page.player.frame]"
        )
    )


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
