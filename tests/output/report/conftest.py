"""A real browser, in which the pages of reports are tested."""

import os
import shutil

import pytest

from support.browser import open_page
from support.curves import peaks_curve_of
from support.videos import write_video
from vadpipe.output.report import write_report

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


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clips") / "clip.mp4", 120)


@pytest.fixture
def page_of(browser, tmp_path):
    """Return what writes a report of a video and opens it."""

    def open_report(video, curve=None, *, embed=False, context=None, **options):
        path = tmp_path / "reports" / "r.html"
        write_report(curve or peaks_curve_of(video), path, video=video, embed=embed, **options)
        return open_page(browser, path, video=None if embed else video, **(context or {}))

    return open_report
