"""How long the report of a long video takes to open, how large it is, and how fast its slider answers.

    python benchmarks/report.py [--hours 2] [--fps 30] [--rounds 5] [--browser chromium]

Writes the report of a made curve, with stills of its events, beside a video as long, and opens it in a
headless browser of the system. Opening counts from navigation to the first full drawing; the slider from its
move to the drawing of the new events, the slowest of eight places. Medians over the rounds are printed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from made import encode_minute, repeat
from playwright.sync_api import Page, sync_playwright

from vadpipe.curves.curve import Curve
from vadpipe.output.report import IndexEntry, write_index, write_report

_SLIDE = """async () => {
    const slider = document.querySelector("#slider");
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    let slowest = 0;
    for (let place = 1; place <= 8; place++) {
        await frame();
        const began = performance.now();
        slider.value = place / 10;
        slider.dispatchEvent(new Event("input"));
        await frame(); // the events are found
        await frame(); // and drawn
        slowest = Math.max(slowest, performance.now() - began);
    }
    return slowest;
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--fps", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=10_000, help="of the list of reports")
    parser.add_argument("--browser", default="chromium")
    options = parser.parse_args()
    program = shutil.which(options.browser)
    if program is None:
        parser.error(f"no {options.browser} is installed")
    curve = made_curve(round(options.hours * 3600 * options.fps), options.fps)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        minute = encode_minute(folder / "minute.mp4", round(options.fps), 160, 120)
        video = repeat(minute, folder / "clip.mp4", max(1, round(options.hours * 60)))
        report, index = folder / "report.html", folder / "index.html"
        began_s = time.perf_counter()
        write_report(curve, report, video=video, embed=False)
        wrote_s = time.perf_counter() - began_s
        write_index(
            [IndexEntry(f"{n}.mp4", report, n / options.rows, n % 9, 60.0) for n in range(options.rows)],
            index,
        )
        size = f"{report.stat().st_size / 1e6:.1f} MB"
        print(f"{len(curve)} frames, {len(curve.events)} events: written in {wrote_s:.2f} s, {size}")
        opened_ms, slid_ms, listed_ms = [], [], []
        for _ in range(options.rounds):
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            opened_ms.append(measure(page, report, "vadpipe.openedMs"))
            slid_ms.append(float(page.evaluate(_SLIDE)))
            listed_ms.append(measure(page, index, "performance.now()"))
            browser.close()
        print(f"opens in {statistics.median(opened_ms):.0f} ms (slowest {max(opened_ms):.0f})")
        print(f"the slider answers in {statistics.median(slid_ms):.0f} ms (slowest {max(slid_ms):.0f})")
        print(f"a list of {options.rows} opens in {statistics.median(listed_ms):.0f} ms")


def made_curve(n_frames: int, fps: float) -> Curve:
    """Return a rough curve with a score per frame: the hardest to draw, with many events."""
    rng = np.random.default_rng(0)
    knots = np.arange(0, n_frames + 900, 900)
    slow = np.interp(np.arange(n_frames), knots, rng.random(len(knots)))
    scores = np.clip(slow**3 + rng.normal(0, 0.03, n_frames), 0, 1).astype(np.float32)
    return Curve("long.mp4", scores, np.arange(n_frames) / fps, n_frames / fps, 0.6)


def measure(page: Page, path: Path, expression: str) -> float:
    """Open a page; return what it says of itself, in milliseconds."""
    page.goto(path.as_uri())
    return float(page.evaluate(expression))


if __name__ == "__main__":
    main()
