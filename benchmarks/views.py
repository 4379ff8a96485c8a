"""How much views that are scaled from a larger frame differ from those that are decoded to their size.

    python benchmarks/views.py VIDEOS... [--precision auto]

A whole frame seen alone is decoded as a square, and left and right alone to their size; beside other views
they are scaled from the frame that these are cut from. Printed are the cosines between the features that I3D
gives of each snippet, the differences between the scores of the included head where it knows the views, and
what cutting and scaling views takes of a processor, a frame.
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

from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.view_crops import ViewCropper
from vadpipe.features.file import Features
from vadpipe.scoring.scorer import Scorer

PAIRS = (("whole", "whole,centre"), ("left,right", "whole,left,right"))
"""Views, and the same beside others."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    for views, beside in PAIRS:
        compare(options.videos, views, beside, options.precision)
    settings = ExtractSettings(view="whole,centre")
    frames = decoded(options.videos[0], settings)
    for names in (["whole"], ["left", "right"], ["whole", "left", "right"], ["centre"]):
        took_ms = 1e3 * took_s(ViewCropper(names, settings.record.input_px), frames) / len(frames)
        print(f"{', '.join(names)} of {frames[0].shape[1]} x {frames[0].shape[0]}: {took_ms:.2f} ms a frame")


def compare(videos: list[Path], views: str, beside: str, precision: str) -> None:
    """Print how much features of views alone differ from the same views beside others."""
    alone = Extractor(ExtractSettings(view=views, precision=precision))
    together = Extractor(ExtractSettings(view=beside, precision=precision))
    scorer, cosines, changes = Scorer(), [], []
    knows = {*alone.settings.views} <= {*scorer.head.record.recipe.views}
    for video in videos:
        one = features_of(alone, video)
        other = features_of(together, video).of_views(alone.settings.views)
        a, b = one.values[~one.lost], other.values[~other.lost]
        cosines.append(((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).ravel())
        if knows:
            changes.append(np.abs(scorer.curve(one).scores - scorer.curve(other).scores))
    cosine = np.concatenate(cosines)
    print(f"{views} alone and beside others: {len(cosine)} features by {one.recipe.engine}")
    print(f"cosine: mean {cosine.mean():.4f}, lowest {cosine.min():.4f}")
    if knows:
        change = np.concatenate(changes)
        print(f"score: mean difference {np.nanmean(change):.3f}, largest {np.nanmax(change):.3f}")


def features_of(extractor: Extractor, video: Path) -> Features:
    """Extract a video into a folder that is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        return Features.load(extractor(video, folder))


def decoded(video: Path, settings: ExtractSettings) -> list[NDArray[np.uint8]]:
    """Return the frames from which views are cut."""
    with Decoding(video, DecodeJob(settings.size)) as decoding:
        return [frame.pixels for frame in decoding.frames()]


def took_s(crop_views: ViewCropper, frames: list[NDArray[np.uint8]]) -> float:
    """Return the processor's seconds of cutting views out of all frames, the least of five."""
    seconds = []
    for _ in range(5):
        began_s = time.process_time()
        for frame in frames:
            crop_views(frame)
        seconds.append(time.process_time() - began_s)
    return min(seconds)


if __name__ == "__main__":
    main()
