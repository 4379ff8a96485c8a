"""A clip, and what opens its report in a real browser."""

import pytest

from support.browser import open_page
from support.curves import peaks_curve_of
from support.videos import write_video
from vadpipe.output.report import write_report


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
