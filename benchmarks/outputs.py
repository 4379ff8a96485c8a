"""How long everything takes that can be written of a video, and how often it is opened for that.

    python benchmarks/outputs.py DATA [--minutes 10] [--without-films] [--checkout FOLDER]...

Repeats a recording of DATA, the folder of the collections, to the length wanted, fits a small head on random
features of X3D-XS, and scores the video with every format, plot, report, explanations, annotated
video and clips, in a process of its own for each checkout of vadpipe. Twelve events are put into the curve,
whatever the footage shows, and the highest five are explained. Printed are the processes that open the video,
and what is written once there is a curve: seconds of wall time, and processor seconds of this process and of
those.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from made import random_weights, repeat

import vadpipe
from scoring import fit_head
from vadpipe.curves.events import EventRule
from vadpipe.extract.video.sandboxed_process import SandboxedProcess
from vadpipe.features.file import Features
from vadpipe.output.formats import FORMATS

CLIP = "intel_sample_videos/bottle-detection.mp4"
CLIP_S = 39.6
N_EVENTS = 12


def main() -> None:
    """Measure each checkout and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--without-films", action="store_true", help="neither annotated video nor clips")
    parser.add_argument(
        "--checkout", type=Path, action="append", help="folder of another vadpipe; repeatable"
    )
    parser.add_argument("--child", nargs=3, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(write_everything(*options.child, films=not options.without_films)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = random_weights("x3d_xs", folder)
        head = fit_head(folder, repeat(options.data / CLIP, folder / "once.mp4", 1), weights)
        (folder / "in").mkdir()
        video = repeat(options.data / CLIP, folder / "in/long.mp4", round(options.minutes * 60 / CLIP_S))
        flags = ["--without-films"] * options.without_films
        for checkout in options.checkout or [Path(__file__).parents[1]]:
            command = [sys.executable, __file__, str(options.data), *flags, "--child"]
            command += [str(video), str(head), str(weights or "")]
            environment = os.environ | {"PYTHONPATH": str(checkout.absolute())}
            result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            print(f"{checkout}: {tell(json.loads(result.stdout))}", flush=True)


def tell(found: dict[str, float | dict[str, int]]) -> str:
    """Return a measurement in words."""
    opened = found["opened"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(opened.items()))
    times = ", ".join(f"{what} {found[what]:.1f} s" for what in ("wall", "own", "others"))
    return f"opened {sum(opened.values())} times ({kinds}), {found['files']} files; {times}"


class TwelveEvents(vadpipe.Scorer):
    """A scorer whose curves have the same events, whatever the head says, and that notes when it has one."""

    def curve(self, features: Features) -> vadpipe.Curve:
        """Return the curve, its scores made up, and begin to count the time."""
        curve = super().curve(features)
        scores = np.full(len(curve), 0.1, np.float32)
        for number, start in enumerate(np.linspace(0, len(curve), N_EVENTS, endpoint=False).astype(int)):
            scores[start + 100 : start + 200] = 0.6 + number / 100
        self.began = measure()
        return replace(curve, scores=scores, threshold=0.5, rule=EventRule(0.0, 0.0, 0.0))


def write_everything(
    video: Path, head: Path, weights: Path, *, films: bool
) -> dict[str, float | dict[str, int]]:
    """Score a video here, write all of it, and return what that took."""
    opened, started = Counter[str](), SandboxedProcess.__init__

    def noted(process: SandboxedProcess, *args: object, **options: object) -> None:
        opened[type(process).__name__] += 1
        started(process, *args, **options)

    SandboxedProcess.__init__ = noted
    scorer = TwelveEvents(head, weights=None if weights == Path() else weights)
    with tempfile.TemporaryDirectory(dir=video.parent.parent) as name:
        folder = Path(name)
        outputs = vadpipe.Outputs(
            formats=tuple(FORMATS), plot="png", report=True, embed=False, explain=True,
            annotate=folder / "films" if films else None, clips=folder / "clips" if films else None,
        )  # fmt: skip
        (scored,) = vadpipe.score_videos([video], scorer, output=folder / "out", outputs=outputs).scored
    now = measure()
    took = {what: now[what] - scorer.began[what] for what in now}
    return {"opened": dict(opened), "files": len(scored.files), **took}


def measure() -> dict[str, float]:
    """Return seconds: of wall time, and of processors by this process and by those that it has started."""
    of_kind = {"own": resource.RUSAGE_SELF, "others": resource.RUSAGE_CHILDREN}
    usage = {what: resource.getrusage(who) for what, who in of_kind.items()}
    return {"wall": time.perf_counter()} | {what: one.ru_utime + one.ru_stime for what, one in usage.items()}


if __name__ == "__main__":
    main()
