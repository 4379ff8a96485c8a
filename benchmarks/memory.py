"""Whether memory is flat in the length of a video.

    python benchmarks/memory.py [--minutes 60] [--backbone x3d_s] [--stride 8] [--fps 25] [--size 640x360]

Encodes one minute of moving noise, repeats its packets to the length wanted, extracts both files in a
process each, and prints the peak of resident memory of the process, and of the one that decodes for it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
from made import encode_minute, peak_mb, random_weights, repeat


def main() -> None:
    """Measure both lengths and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--backbone", default="x3d_s")
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(extract_here(*options.child, options.backbone, options.stride)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = random_weights(options.backbone, folder)
        width, height = map(int, options.size.split("x"))
        minute = encode_minute(folder / "1.mp4", options.fps, width, height)
        peaks = []
        for minutes in (1, options.minutes):
            video = minute if minutes == 1 else repeat(minute, folder / f"{minutes}.mp4", minutes)
            command = [sys.executable, __file__, "--backbone", options.backbone, f"--stride={options.stride}"]
            command += ["--child", str(video), str(weights or "")]
            one = json.loads(subprocess.check_output(command))
            peaks.append(one)
            print(f"{minutes:3d} minutes: {one['n_frames']} frames in {one['took_s']:.0f} s", flush=True)
            print(f"    peak {one['own_mb']:.0f} MB, of the decoding process {one['child_mb']:.0f} MB")
        own, child = (peaks[1][key] - peaks[0][key] for key in ("own_mb", "child_mb"))
        print(f"growth: {own:.0f} MB, of the decoding process {child:.0f} MB")


def extract_here(video: Path, weights: Path, backbone: str, stride: int) -> dict[str, float]:
    """Extract in this process and return what it took."""
    from vadpipe.extract.extractor import Extractor
    from vadpipe.extract.settings import ExtractSettings
    from vadpipe.features.file import read_header

    known = None if weights == Path() else weights
    settings = ExtractSettings(backbone=backbone, stride=stride, weights=known)
    extractor = Extractor(settings)
    child_bytes = 0
    done = threading.Event()

    def watch() -> None:
        # What the kernel accounts for ended children also counts the fork of this process before each began.
        nonlocal child_bytes
        while not done.wait(0.05):
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process().children()
                started = [child for child in children if "extract.video.child" in str(child.cmdline())]
                here = [child.memory_info().rss for child in started]
                child_bytes = max(child_bytes, *here, 0)

    start_s = time.perf_counter()
    threading.Thread(target=watch, daemon=True).start()
    header = read_header(extractor(video, video.with_suffix(".features")))
    done.set()
    return {
        "n_frames": header.n_frames,
        "took_s": time.perf_counter() - start_s,
        "own_mb": peak_mb(),
        "child_mb": child_bytes / 1e6,
    }


if __name__ == "__main__":
    main()
