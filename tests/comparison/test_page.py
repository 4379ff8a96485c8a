"""The page of a comparison: what it says, and in a real browser how it orders, finds and reads curves."""

import json
import re

import numpy as np
import pytest

import vadpipe
from support.browser import open_page, until
from support.comparisons import SCORES
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.comparison.page import MAX_STEPS, steps


@pytest.fixture
def page_file(folder):
    vadpipe.compare("head", "worse", "arrays", truth="truth.csv", bootstrap=20)
    return folder / "comparison" / "comparison.html"


def names(page):
    return page.locator("article:visible h3").all_text_contents()


def data_of(path):
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.S)
    return json.loads(block[1])


def test_curves_are_steps():
    scores = np.array([0.5, 0.5, np.nan, np.nan, 0.25, 0.75, 0.75], np.float32)
    edges_s = np.array([0, 1, 2, 3, 4, 5, 6, 8.0])
    assert steps(scores, edges_s) == ([0, 2, 4, 5], [0.5, None, 0.25, 0.75])


def test_rough_curves_keep_their_extremes():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.4, 0.6, 100_000).astype(np.float32)
    scores[7_777], scores[50_000], scores[70_000:80_000] = 1, 0, np.nan
    times_s, values = steps(scores, np.arange(100_001) / 25)
    assert len(times_s) == len(values) == MAX_STEPS
    assert times_s == sorted(times_s)
    scored = [value for value in values if value is not None]
    assert (max(scored), min(scored)) == (1, 0)
    assert times_s[values.index(1)] == pytest.approx(7_777 / 25, abs=2 * 4000 / MAX_STEPS)
    assert values[int(0.75 * MAX_STEPS)] is None


def test_the_page_holds_the_curves(page_file):
    data = data_of(page_file)
    assert [each["name"] for each in data["candidates"]] == ["head", "worse", "arrays"]
    assert [each["threshold"] for each in data["candidates"]] == [0.5, 0.6, None]
    video = next(each for each in data["videos"] if each["name"] == "Abuse028_x264")
    assert video["truth"] == [[0.64, 1.6]]
    assert video["end_s"] == 2.56
    assert video["curves"][0] == [[0, 0.64, 1.28, 1.92], pytest.approx(SCORES["Abuse028_x264.mp4"], abs=1e-4)]
    assert video["curves"][1][1] == pytest.approx([0.9, 0.1, 0.3, 0.7], abs=1e-4)
    apart = [each["apart"] for each in data["videos"]]
    assert apart == sorted(apart, reverse=True)


def test_order_and_search(browser, page_file):
    with open_page(browser, page_file) as page:
        apart = names(page)
        assert apart == [each["name"] for each in data_of(page_file)["videos"]]
        page.get_by_label("Order").select_option("name")
        assert names(page) == ["Abuse028_x264", "Arson011_x264", "calm", "other$1$"]
        page.get_by_label("Order").select_option("auc_apart")
        assert {*names(page)[:2]} == {"Abuse028_x264", "Arson011_x264"}  # the others have no AUC
        page.get_by_label("Search by name").fill("ARSON")  # a class, too
        assert names(page) == ["Arson011_x264"]
        assert page.locator("#found").inner_text() == "1 of 4"
        page.get_by_label("Search by name").fill("nothing")
        assert page.get_by_text("No matching videos.").is_visible()


def test_scores_are_read_under_the_pointer(browser, page_file):
    with open_page(browser, page_file) as page:
        page.get_by_label("Search by name").fill("Abuse")
        area = page.locator(".area")
        box = area.bounding_box()
        assert area.locator("path").count() == 3
        assert area.locator("line.threshold").count() == 2
        assert area.locator("rect.truth").count() == 1
        area.hover(position={"x": box["width"] * 1.0 / 2.56, "y": 20})
        assert page.locator(".tip").inner_text().split() == ["1.00", "s", "0.90", "0.10", "0.90"]
        page.locator("h1").hover()
        assert page.locator(".tip").is_hidden()


def test_curves_are_drawn_where_they_are(browser, page_file):
    with open_page(browser, page_file) as page:
        page.get_by_label("Search by name").fill("Abuse")
        drawn = page.locator(".area path").first.get_attribute("d")
        assert drawn == "M0.0 90.0H250.0V10.0H500.0V30.0H750.0V70.0H1000.0"
        rect = page.locator(".area rect.truth").first
        assert float(rect.get_attribute("x")) == pytest.approx(250)
        assert float(rect.get_attribute("width")) == pytest.approx(375)


def test_hostile_names_are_only_text(browser, folder):
    video = "</script><img src=x onerror=alert(1)>"
    write_truth(folder / "truth.csv", [Truth(video, 8, ((0, 4),), category="<b>&\"'")])
    for name in ("<i>a", "b&amp;"):
        (folder / name / "<").mkdir(parents=True)
        np.save(folder / name / "<" / f"{video.rpartition('/')[2]}.npy", np.linspace(0, 1, 8))
    vadpipe.compare("<i>a", "b&amp;", truth="truth.csv", bootstrap=0, threshold=0.5)
    with open_page(browser, folder / "comparison" / "comparison.html") as page:
        assert names(page) == [video]
        assert page.locator(".candidates bdi").all_text_contents() == ["<i>a", "b&amp;"]


def test_many_videos_come_as_the_list_is_scrolled(browser, folder):
    (folder / "others").mkdir()
    truths = [Truth(f"v{index}", 10, ((2, 5),)) for index in range(70)]
    rng = np.random.default_rng(0)
    for place in ("arrays", "others"):
        for truth in truths:
            np.save(folder / place / f"{truth.video}.npy", rng.random(10))
    write_truth(folder / "truth.csv", truths)
    vadpipe.compare("arrays", "others", truth="truth.csv", bootstrap=0)
    with open_page(browser, folder / "comparison" / "comparison.html") as page:
        assert 0 < page.locator("article").count() < 70
        until(page, "window.scrollTo(0, 1e6) || document.querySelectorAll('article').length === 70")


def test_a_phone_scrolls_one_way(browser, page_file):
    with open_page(browser, page_file, viewport={"width": 360, "height": 640}, is_mobile=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
