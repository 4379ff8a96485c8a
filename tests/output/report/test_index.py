"""The list of reports in a real browser: order, search, links, and thousands of rows."""

import numpy as np
import pytest

from support.browser import open_page, until
from vadpipe.output.report import IndexEntry, write_index
from vadpipe.output.report.stills import jpeg

HOSTILE = "</script><img src=x onerror=alert(1)>\"' & \u202e.mp4"


def names(page) -> list[str]:
    return page.locator("tbody tr:visible bdi").all_text_contents()


@pytest.fixture
def index(tmp_path):
    thumbnail = jpeg(np.full((36, 64, 3), 120, np.uint8))
    entries = [
        IndexEntry("yard/cam 10.mp4", tmp_path / "yard" / "cam 10 #1.html", 0.4, 0, 3.0, thumbnail),
        IndexEntry("yard/cam 9.mp4", tmp_path / "b.html", 0.9, 3, 4000.0),
        IndexEntry(HOSTILE, tmp_path / "c.html", 0.7, 12, 61.0),
        IndexEntry("Ünder.mp4", tmp_path / "d.html", None, 0, 10.0),
    ]
    for entry in entries:
        entry.report.parent.mkdir(exist_ok=True)
        entry.report.write_text(f"<!doctype html><meta charset=utf-8><title>{entry.report.name}</title>")
    write_index(entries, tmp_path / "index.html")
    return tmp_path / "index.html"


def test_order(browser, index):
    by_peak = ["yard/cam 9.mp4", HOSTILE, "yard/cam 10.mp4", "Ünder.mp4"]
    with open_page(browser, index) as page:
        assert names(page) == by_peak
        assert page.locator("th.peak").get_attribute("aria-sort") == "descending"
        page.get_by_role("button", name="Events").click()
        assert names(page)[:2] == [HOSTILE, "yard/cam 9.mp4"]
        page.get_by_role("button", name="Events").click()
        assert names(page)[2:] == ["yard/cam 9.mp4", HOSTILE]
        page.get_by_role("button", name="Length").click()
        assert names(page) == ["yard/cam 9.mp4", HOSTILE, "Ünder.mp4", "yard/cam 10.mp4"]
        page.get_by_role("button", name="Video").click()
        assert names(page)[2:] == ["yard/cam 9.mp4", "yard/cam 10.mp4"]  # 9 before 10
        page.get_by_role("button", name="Peak").click()
        assert names(page) == by_peak
        page.get_by_role("button", name="Peak").click()
        assert names(page) == ["yard/cam 10.mp4", HOSTILE, "yard/cam 9.mp4", "Ünder.mp4"]  # none stays last
        assert page.locator("[aria-sort]").count() == 1


def test_search(browser, index):
    with open_page(browser, index) as page:
        search = page.get_by_label("Search by name")
        search.fill("CAM yard")
        assert names(page) == ["yard/cam 9.mp4", "yard/cam 10.mp4"]
        assert page.locator("#found").inner_text() == "2 of 4"
        search.fill("ünder")
        assert names(page) == ["Ünder.mp4"]
        search.fill("<img")
        assert names(page) == [HOSTILE]
        search.fill("nothing of the kind")
        assert page.get_by_text("No matching videos.").is_visible()
        search.fill("")
        assert len(names(page)) == 4


def test_links_lead_to_the_reports(browser, index):
    context = browser.new_context()
    page = context.new_page()
    page.goto(index.as_uri())
    page.get_by_text("yard/cam 10.mp4").click()
    page.wait_for_url("**/yard/cam%2010%20%231.html")
    assert page.title() == "cam 10 #1.html"
    context.close()


def test_a_phone_scrolls_one_way(browser, index):
    with open_page(browser, index, viewport={"width": 360, "height": 640}, is_mobile=True) as page:
        assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]


def write_long_index(folder, n_entries, thumbnail=None):
    rng = np.random.default_rng(0)
    entries = [
        IndexEntry(f"camera {n}.mp4", folder / f"{n}.html", float(rng.random()), n % 7, 60.0 + n, thumbnail)
        for n in range(n_entries)
    ]
    return write_index(entries, folder / "index.html")


def test_ten_thousand_rows(browser, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (36, 64, 3), dtype=np.uint8)
    write_long_index(tmp_path, 10_000, jpeg(noise))
    with open_page(browser, tmp_path / "index.html") as page:
        assert page.locator("tbody tr").count() == 100
        for n_rows in (200, 300, 400):  # rows come as the list is read
            # Not by the wheel: what it turns before the new rows are laid out ends where the old ones did.
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            until(page, f"document.querySelectorAll('tbody tr').length >= {n_rows}")
        page.get_by_label("Search by name").fill("camera 9999")
        assert names(page) == ["camera 9999.mp4"]
        page.get_by_label("Search by name").fill("")
        page.get_by_role("button", name="Length").click()
        assert page.locator("bdi").first.text_content() == "camera 9999.mp4"


def test_rows_come_until_a_high_screen_is_full(browser, tmp_path):
    write_long_index(tmp_path, 1000)
    with open_page(browser, tmp_path / "index.html", viewport={"width": 700, "height": 20_000}) as page:
        until(page, "document.querySelectorAll('tbody tr').length >= 300")
        page.get_by_label("Search by name").fill("camera")
        until(page, "document.querySelectorAll('tbody tr').length >= 300")


def test_rows_come_when_a_busy_browser_tells_late_that_the_end_left_and_came_back(browser, tmp_path):
    write_long_index(tmp_path, 250)
    context = browser.new_context()
    context.add_init_script(
        "window.IntersectionObserver = class {"
        "  constructor(tell) { window.tell = (...near) => tell(near.map((isIntersecting) => ({ isIntersecting }))); }"
        "  observe() { window.observed = true; }"
        "  disconnect() { window.observed = false; }"
        "};"
    )
    page = context.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    rows = page.locator("tbody tr")
    assert rows.count() == 100
    page.evaluate("tell(false, true)")
    assert (rows.count(), page.evaluate("observed")) == (200, True)
    page.evaluate("tell(true, false)")
    assert rows.count() == 200
    page.evaluate("tell(true)")
    assert (rows.count(), page.evaluate("observed")) == (250, False)
    context.close()


def test_an_empty_list(browser, tmp_path):
    write_index([], tmp_path / "index.html")
    with open_page(browser, tmp_path / "index.html") as page:
        page.get_by_label("Search by name").fill("a")
        assert page.locator("tbody tr").count() == 0
