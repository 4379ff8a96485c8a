"""How much a whole frame that was scaled from a larger one differs from one that was decoded as a square.

    python benchmarks/views.py VIDEOS... [--precision auto]

A whole frame seen alone is decoded as a square; beside other views it is scaled from the frame that these are
cut from. Printed are the cosines between the features that I3D gives of each snippet, the differences between
the scores of the included head, and what cutting and scaling views takes of a processor, a frame.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from numpy.typing import NDArray

from vadpipe.extract.decode.job import Job
from vadpipe.extract.decode.process import Decoding
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.views import Looking
from vadpipe.features import Features
from vadpipe.scoring.scorer import Scorer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    alone = Extractor(ExtractSettings(precision=options.precision))
    beside = Extractor(ExtractSettings(view="whole,centre", precision=options.precision))
    scorer, cosines, falls = Scorer(), [], []
    for video in options.videos:
        one, other = features_of(alone, video), features_of(beside, video).of_views(["whole"])
        a, b = one.values[~one.lost, 0], other.values[~other.lost, 0]
        cosines.append((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))
        falls.append(np.abs(scorer.curve(one).scores - scorer.curve(other).scores))
    cosine, fall = np.concatenate(cosines), np.concatenate(falls)
    print(f"{len(cosine)} snippets by {one.recipe.engine}")
    print(f"cosine: mean {cosine.mean():.4f}, lowest {cosine.min():.4f}")
    print(f"score: mean difference {np.nanmean(fall):.3f}, largest {np.nanmax(fall):.3f}")
    frames = decoded(options.videos[0], beside.settings)
    for views in (["whole"], ["left", "right"], ["whole", "left", "right"], ["centre"]):
        took_ms = 1e3 * took_s(Looking(views, beside.settings.record.input_px), frames) / len(frames)
        print(f"{', '.join(views)} of {frames[0].shape[1]} x {frames[0].shape[0]}: {took_ms:.2f} ms a frame")


def features_of(extractor: Extractor, video: Path) -> Features:
    """Extract a video into a folder that is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        return Features.load(extractor(video, folder))


def decoded(video: Path, settings: ExtractSettings) -> list[NDArray[np.uint8]]:
    """Return the frames from which views are cut."""
    with Decoding(video, Job(settings.size)) as decoding:
        return [frame.pixels for frame in decoding.frames()]


def took_s(look: Looking, frames: list[NDArray[np.uint8]]) -> float:
    """Return the processor's seconds of looking at all frames, the least of five."""
    seconds = []
    for _ in range(5):
        began_s = time.process_time()
        for frame in frames:
            look(frame)
        seconds.append(time.process_time() - began_s)
    return min(seconds)


if __name__ == "__main__":
    main()
