"""What the tests of pages share: a real browser, and a page that must not complain or ask for anything."""

import os
import re
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from waiting import LONG_S

from vadpipe.curves.curve import Curve
from vadpipe.curves.events import DEFAULT_RULE

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium of the system; nothing is downloaded."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium is installed, and the pages have to be tried in one here")
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without the flag it needs privileges that containers rarely give.
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@contextmanager
def opened(browser, path: Path, *, video: Path | None = None, complaints: tuple[str, ...] = (), **options):
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


def peaks_curve(times_s, end_s, *, peaks=((10, 20, 0.9), (60, 80, 0.7)), threshold=0.5, rule=DEFAULT_RULE):
    """A curve at 0.1 with stretches [start, stop) of a higher score."""
    scores = np.full(len(times_s), 0.1, np.float32)
    for start, stop, score in peaks:
        scores[start:stop] = score
    return Curve("videos/clip.mp4", scores, np.asarray(times_s, float), end_s, threshold, rule)
