"""Whether memory is flat in the length of a video while everything is written that can be had of it.

    python benchmarks/scoring.py [--minutes 60] [--fps 25] [--size 320x240]

Fits a small head on random features of X3D-XS, scores one minute of moving noise and the same repeated to the
length wanted, in a process each, with every format, picture, report, annotated video and clip, and prints the
peak of resident memory of the process and of those that it starts.
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

import numpy as np
import psutil
from made import encode_minute, peak_mb, random_weights, repeat

import vadpipe

PARTS = {
    "own_mb": "of the process",
    "decode_mb": "of what decodes",
    "video_export_mb": "of what writes videos",
}
QUICK = {"hidden": 8, "cluster_dim": 4, "steps": 20, "batch_bags": 4, "checks": 2}


def main() -> None:
    """Measure both lengths and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        video, head, weights, threshold = options.child
        print(json.dumps(score_here(Path(video), Path(head), Path(weights), float(threshold))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = random_weights("x3d_xs", folder)
        width, height = map(int, options.size.split("x"))
        minute = encode_minute(folder / "1.mp4", options.fps, width, height)
        head = fit_head(folder, minute, weights)
        # The middle of the scores: half of the video lies in events.
        threshold = np.median(vadpipe.score(minute, head=head, weights=weights).scores)
        peaks = []
        for minutes in (1, options.minutes):
            video = minute if minutes == 1 else repeat(minute, folder / f"{minutes}.mp4", minutes)
            command = [sys.executable, __file__, "--child", str(video), str(head), str(weights or "")]
            command.append(str(threshold))
            one = json.loads(subprocess.check_output(command))
            peaks.append(one)
            print(f"{minutes:3d} minutes: {one['n_frames']} frames in {one['took_s']:.0f} s, ", end="")
            print(f"{one['n_events']} events, {one['n_files']} files", flush=True)
            print("    peak", tell(one))
        print("growth:", tell({key: peaks[1][key] - peaks[0][key] for key in PARTS}))


def tell(peak: dict[str, float]) -> str:
    """Return the memory of each part in words."""
    return ", ".join(f"{what} {peak[key]:.0f} MB" for key, what in PARTS.items())


def fit_head(folder: Path, minute: Path, weights: Path | None) -> Path:
    """Fit a head on two copies of the minute, one of them called a fight."""
    settings = vadpipe.ExtractSettings(backbone="x3d_xs", weights=weights)
    for kind in ("normal", "fight"):
        video = folder / "train" / kind / "a.mp4"
        video.parent.mkdir(parents=True)
        video.hardlink_to(minute)
    vadpipe.extract_features([folder / "train"], folder / "features", settings=settings)
    return vadpipe.fit(
        folder / "features", output=folder / "head", settings=vadpipe.HeadSettings(**QUICK)
    ).head


def score_here(video: Path, head: Path, weights: Path, threshold: float) -> dict[str, float]:
    """Score in this process with every output there is, and return what it took."""
    from vadpipe.output.formats import FORMATS

    known = None if weights == Path() else weights
    outputs = vadpipe.Outputs(
        formats=tuple(FORMATS), plot="png", report=True, embed=False,
        annotate=video.parent / "annotated", clips=video.parent / "clips", explain=True,
    )  # fmt: skip
    scorer = vadpipe.Scorer(head, weights=known, threshold=threshold)
    programs = {"decode": "vadpipe.extract.video.child", "video export": "vadpipe.output.video_export.child"}
    largest, done = dict.fromkeys(programs, 0), threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for kind, program in programs.items():
                with suppress(psutil.NoSuchProcess):
                    for one in psutil.Process().children():
                        if program in str(one.cmdline()):
                            largest[kind] = max(largest[kind], one.memory_info().rss)

    begun_s = time.perf_counter()
    threading.Thread(target=watch, daemon=True).start()
    (scored,) = vadpipe.score_videos([video], scorer, output=video.parent / "out", outputs=outputs).scored
    done.set()
    return {
        "n_frames": len(scored.curve),
        "n_events": len(scored.curve.events),
        "n_files": len(scored.files),
        "took_s": time.perf_counter() - begun_s,
        "own_mb": peak_mb(),
        "decode_mb": largest["decode"] / 1e6,
        "video_export_mb": largest["video export"] / 1e6,
    }


if __name__ == "__main__":
    main()
