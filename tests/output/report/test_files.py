"""The files of reports, read without a browser: well formed, self-contained, and nothing gets out of its place."""

import base64
import hashlib
import json
import logging
import os
from html.parser import HTMLParser

import numpy as np
import pytest

from support.curves import explanation_of, peaks_curve
from support.videos import write_video
from vadpipe.curves.curve import Curve
from vadpipe.curves.explanation import Explanation
from vadpipe.errors import InputError, OutputError
from vadpipe.output.report import IndexEntry, write_index, write_report
from vadpipe.output.report import page as page_module
from vadpipe.output.report.stills import MAX_THUMBNAILS, heat_png

VOID = {"meta", "link", "input", "img", "br"}
HOSTILE = "</script><!--<script><img src=x onerror=alert(1)>\"'&{{7*7}}.mp4"


class Page(HTMLParser):
    """Which elements there are, with their attributes and texts; fails where they are not nested well."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.setdefault(tag, [])
        if tag not in VOID:
            self.open.append(tag)
            self.texts[tag].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data

    @property
    def data(self) -> dict:
        return json.loads(self.texts["script"][0])

    @property
    def policy(self) -> dict[str, str]:
        content = next(a["content"] for _, a in self.elements if a.get("http-equiv"))
        return dict(part.split(" ", 1) for part in content.split("; "))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clips") / "clip.mp4", 100)


@pytest.fixture
def curve():
    return peaks_curve(np.arange(100) / 25, 4.0)


def report(tmp_path, curve, video, **options) -> Page:
    write_report(curve, tmp_path / "r.html", video=video, **options)
    return Page((tmp_path / "r.html").read_text())


def digests(texts):
    return {"'sha256-" + base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() + "'" for t in texts}


def check_policy(page: Page, media: str, scripts: list[str]) -> None:
    assert page.policy == {
        "default-src": "'none'",
        "script-src": page.policy["script-src"],
        "style-src": page.policy["style-src"],
        "img-src": "data:",
        "media-src": media,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert set(page.policy["script-src"].split()) == digests(scripts)
    assert set(page.policy["style-src"].split()) == digests(page.texts["style"])
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
        for name in ("src", "href"):
            assert not attributes.get(name, "").startswith(("http", "//", "/", "file", "javascript")), tag
    # The policy must come before anything that it is to govern.
    assert [tag for tag, _ in page.elements[:4]] == ["html", "head", "meta", "meta"]


@pytest.mark.parametrize(("embed", "media"), [(True, "data:"), (False, "'self' file:")])
def test_the_policy_names_the_page_s_own_parts_and_no_others(tmp_path, curve, clip, embed, media):
    page = report(tmp_path, curve, clip, embed=embed)
    check_policy(page, media, page.texts["script"][1:2])


def test_the_numbers_are_the_curve_s_bit_for_bit(tmp_path, clip):
    rng = np.random.default_rng(0)
    scores = rng.random(100, np.float32)
    scores[20:30] = np.nan
    times_s = np.sort(rng.random(100)) * 4
    page = report(tmp_path, Curve("clip.mp4", scores, times_s, 4.1, None), clip)
    assert np.frombuffer(base64.b64decode(page.data["scores"]), "<f4").tobytes() == scores.tobytes()
    assert np.frombuffer(base64.b64decode(page.data["times"]), "<f8").tobytes() == times_s.tobytes()
    assert (page.data["end_s"], page.data["threshold"], page.data["stills"]) == (4.1, None, {})


def test_a_video_goes_in_by_pieces_and_comes_out_whole(tmp_path, curve, clip, monkeypatch):
    monkeypatch.setattr(page_module, "PIECE_BYTES", 3 * 100)
    page = report(tmp_path, curve, clip, embed=True)
    kind, _, content = page.texts["script"][2].partition(",")
    assert kind == "data:video/mp4;base64"
    assert base64.b64decode(content, validate=True) == clip.read_bytes()
    assert page.data["video"] is None


def test_size_decides_where_the_caller_does_not(tmp_path, curve, clip, monkeypatch):
    assert report(tmp_path, curve, clip).data["video"] is None
    monkeypatch.setattr(page_module, "MAX_EMBEDDED_BYTES", clip.stat().st_size - 1)
    assert report(tmp_path, curve, clip).data["video"].endswith("clip.mp4")


def test_the_address_is_relative_and_encoded_and_no_other_path_is_there(tmp_path, curve):
    video = write_video(tmp_path / "a b" / "50%#?é.mp4", 30)
    page = tmp_path / "reports" / "r.html"
    write_report(curve, page, video=video, embed=False)
    text = page.read_text()
    assert Page(text).data["video"] == "../a%20b/50%25%23%3F%C3%A9.mp4"
    assert str(tmp_path) not in text
    assert tmp_path.name not in text


def test_a_name_cannot_break_out(tmp_path, clip):
    plain = peaks_curve(np.arange(100) / 25, 4.0)
    name = HOSTILE.replace("/", "\\/")  # a file's name has no slash
    curve = Curve(name, plain.scores, plain.times_s, 4.0, 0.5)
    page = report(tmp_path, curve, clip, embed=False)
    usual = report(tmp_path, plain, clip, embed=False)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in usual.elements]
    assert page.texts["bdi"][0] == name.split("/")[-1]


def test_bytes_that_are_no_text_do_not_stop_a_report(tmp_path, clip):
    video = tmp_path / os.fsdecode(b"\xff\xfe.mp4")
    video.write_bytes(clip.read_bytes())
    plain = peaks_curve(np.arange(100) / 25, 4.0)
    page = report(tmp_path, Curve(video.name, plain.scores, plain.times_s, 4.0, 0.5), video, embed=False)
    assert page.data["video"] == "%FF%FE.mp4"
    assert page.texts["bdi"][0] == "\ufffd\ufffd.mp4"


def test_the_highest_events_have_stills(tmp_path, clip, monkeypatch):
    peaks = [(start, start + 2, 0.6 + start / 1000) for start in range(0, 100, 4)]
    curve = peaks_curve(np.arange(100) / 25, 4.0, peaks=peaks).at(0.5, peaks_rule())
    assert len(curve.events) == 25 <= MAX_THUMBNAILS
    monkeypatch.setattr("vadpipe.output.report.stills.MAX_THUMBNAILS", 3)
    stills = report(tmp_path, curve, clip).data["stills"]
    assert {int(frame) for frame in stills} == {event.peak_frame for event in curve.events[-3:]}
    for still in stills.values():
        assert base64.b64decode(still.removeprefix("data:image/jpeg;base64,"))[:2] == b"\xff\xd8"


def peaks_rule():
    from vadpipe.curves.events import EventRule

    return EventRule(merge_gap_s=0.0)


def test_a_video_that_is_not_there_costs_the_stills_alone(tmp_path, curve, caplog):
    with caplog.at_level(logging.WARNING, "vadpipe"):
        page = report(tmp_path, curve, tmp_path / "gone.mp4")
    assert "gone.mp4: no such file" in caplog.text
    assert (page.data["video"], page.data["stills"]) == ("gone.mp4", {})
    with pytest.raises(InputError, match="gone.mp4: no such file"):
        write_report(curve, tmp_path / "other.html", video=tmp_path / "gone.mp4", embed=True)
    assert not (tmp_path / "other.html").exists()


def test_a_video_too_large_for_a_page_is_told_of(tmp_path, curve, clip, caplog, monkeypatch):
    monkeypatch.setattr(page_module, "TOO_LONG_BYTES", 10)
    with caplog.at_level(logging.WARNING, "vadpipe"):
        report(tmp_path, curve, clip, embed=True)
        assert "clip.mp4: too large" in caplog.text


def test_a_place_that_cannot_be_written(tmp_path, curve, clip):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(curve, tmp_path / "file" / "r.html", video=clip)
    with pytest.raises(OutputError, match="cannot be written"):
        write_index([], tmp_path / "file" / "index.html")


def test_truth_is_kept_within_the_video(tmp_path, curve, clip):
    page = report(tmp_path, curve, clip, truth=[(3.0, 9.0), (-1.0, 0.5), (2.0, 2.0), (7.0, 8.0)])
    assert page.data["truth"] == [[0.0, 0.5], [3.0, 4.0]]
    assert "ground truth" in " ".join(page.texts["li"])
    assert "ground truth" not in " ".join(report(tmp_path, curve, clip).texts["li"])


def test_explanations_belong_to_the_frame_of_their_peak(tmp_path, curve, clip):
    page = report(tmp_path, curve, clip, explanations=[explanation_of(curve.events[0])])
    (frame, why), *others = page.data["explanations"].items()
    assert (int(frame), others) == (curve.events[0].peak_frame, [])
    assert why["snippets"] == [{"start_s": 0.32, "end_s": 0.96, "score": 0.875}]
    assert why["where"] == "The score falls most, by 0.25, where the top right is covered."
    assert why["box"] == [0.1, 0.0, 0.9, 1.0]


def test_heat_is_clear_where_covering_does_not_lower_the_score():
    import io

    from PIL import Image

    heat = np.array([[-0.5, 0.0], [0.1, 0.2]], np.float32)
    pixels = np.asarray(Image.open(io.BytesIO(heat_png(heat))))
    alpha = pixels[..., 3].astype(int)
    assert (alpha[0].tolist(), alpha[1, 0] < alpha[1, 1]) == ([0, 0], True)
    assert pixels[1, 1, :3].tolist() == [213, 94, 0]
    assert not np.asarray(Image.open(io.BytesIO(heat_png(-np.abs(heat)))))[..., 3].any()


def test_no_heat_is_shown_where_nothing_lowers_the_score(tmp_path, curve, clip):
    plain = explanation_of(curve.events[0])
    cold = Explanation(plain.event, plain.snippets, -plain.heat, plain.box, plain.still, plain.still_s)
    (why,) = report(tmp_path, curve, clip, explanations=[cold]).data["explanations"].values()
    assert (why["heat"], why["where"]) == (None, "No single part of the picture drove the score.")


def test_an_index_is_sorted_by_peak_and_links_are_relative(tmp_path):
    entries = [
        IndexEntry("b.mp4", tmp_path / "r" / "b 1.html", 0.5, 2, 61.0),
        IndexEntry(HOSTILE, tmp_path / "r" / "#x%.html", 0.9, 1, 5.0, b"\xff\xd8"),
        IndexEntry("none.mp4", tmp_path / "none.html", None, 0, 4000.0),
    ]
    write_index(entries, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    page = Page(text)
    check_policy(page, "'none'", page.texts["script"][1:])
    assert [row["name"] for row in page.data] == [HOSTILE, "b.mp4", "none.mp4"]
    assert [row["address"] for row in page.data] == ["r/%23x%25.html", "r/b%201.html", "none.html"]
    assert [row["length_text"] for row in page.data] == ["5 s", "1:01", "1:06:40"]
    assert str(tmp_path) not in text


def test_pages_are_the_same_each_time(tmp_path, curve, clip):
    for name in ("a.html", "b.html"):
        write_report(curve, tmp_path / name, video=clip, embed=True)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
