"""How close extraction comes to what the machine can do, and how far it is ahead of a plain loop.

    python benchmarks/extract.py VIDEO [--backbone x3d_s] [--engine auto] [--decoder decord] [--rounds 5]

Each round measures, on one file: decoding alone (one thread, in this process), cutting and stacking clips
alone, the backbone alone (all workers), the whole of it as ``vadpipe extract`` does it, and the plain loop
that a user would write (decode all, resize, then run eager torch), in a process of its own. Figures are
frames per second of wall time; ratios are taken within a round, and medians over the rounds are printed.

Perfect overlap on C processors takes (decode + transform) / C + backbone seconds a frame, where the
backbone's seconds are those with all C at work, and never less than decoding on its one thread.

Snippets follow each other without overlap (a stride of 16 frames) in all of it, as in the plain loop.
Weights do not change the speed: where none of the backbone are in the cache, random ones are taken.

    python benchmarks/extract.py VIDEO --recipes [--rounds 5]

compares whole extractions by I3D instead: isolated snippets in float32, as version 0.1 began, windows,
both in int8, at half the rate, and the defaults, one after the other in each round. Ratios are to the first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads would flatter whatever is compared

import numpy as np
from made import random_weights
from numpy.typing import NDArray

from vadpipe.extract.clips import Clips, interleaved, views_of_frames
from vadpipe.extract.engines.cores import usable_cores
from vadpipe.extract.engines.overlap import run_engine
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.video.decoders import DECODERS
from vadpipe.extract.video.discovery import named_video
from vadpipe.extract.video.frame import Frame, Reading
from vadpipe.extract.video.timeline import Timeline
from vadpipe.extract.video.timeline_reader import read_timeline
from vadpipe.extract.view_crops import ViewCropper
from vadpipe.features.sampling import SNIPPET_FRAMES
from vadpipe.weights import cache


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--backbone", default="x3d_s")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--decoder", default="decord")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--recipes", action="store_true", help="compare whole extractions by I3D")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain is not None:
        print(plain_loop(options.video, options.backbone, options.plain))
        return
    if options.recipes:
        rounds = compare_recipes(options.video, options.rounds)
        show(rounds, f"{options.video.name}, i3d, whole extractions")
        return
    with tempfile.TemporaryDirectory() as folder:
        weights = random_weights(options.backbone, Path(folder))
        settings = ExtractSettings(
            backbone=options.backbone,
            stride=SNIPPET_FRAMES,
            engine=options.engine,
            decoder=options.decoder,
            weights=weights,
        )
        what = (
            f"{options.video.name}, {settings.backbone}, engine {options.engine}, decoder {options.decoder}"
        )
        show(measure(options.video, settings, options.rounds, Path(folder)), what)


_FIRST = ExtractSettings(view="whole", window=16, target_fps="all", precision="float32")
RECIPES = {
    "isolated, float32": _FIRST,
    "windows, float32": replace(_FIRST, window=64),
    "isolated, int8": replace(_FIRST, precision="int8"),
    "windows, int8": replace(_FIRST, window=64, precision="int8"),
    "windows, int8, 12.5 fps": replace(_FIRST, window=64, precision="int8", target_fps=12.5),
    "two views, isolated, int8, 12.5 fps": ExtractSettings(window=16),
    "the defaults": ExtractSettings(),
}


def compare_recipes(video: Path, n_rounds: int) -> list[dict[str, float]]:
    """Return the frames per second of each of :data:`RECIPES`, and their ratios, a dict a round."""
    extractors = {name: Extractor(settings) for name, settings in RECIPES.items()}
    n_frames = len(read_timeline(video).times_s)
    for extractor in extractors.values():
        extractor.engine  # noqa: B018  builds it
    rounds = []
    for _ in range(n_rounds):
        one = {
            name: n_frames / took(partial(extract_whole, extractor, video))
            for name, extractor in extractors.items()
        }
        first, *others = one
        rounds.append(one | {f"{name} / {first}": one[name] / one[first] for name in others})
    return rounds


def measure(video: Path, settings: ExtractSettings, n_rounds: int, folder: Path) -> list[dict[str, float]]:
    """Return the frames per second of each part, a dict a round."""
    extractor, n_cores = Extractor(settings), usable_cores()
    timeline = read_timeline(video)
    n_frames = len(timeline.times_s)
    frames = list(decode(video, timeline, settings))
    clips = list(clips_of(frames, timeline, settings))
    weights_file = folder / "plain.safetensors"
    weights_file.symlink_to(
        cache.ready(settings.record.weights, local=settings.weights, offline=settings.offline).path
    )
    command = [sys.executable, __file__, str(video), "--backbone", settings.backbone]
    extract_whole(extractor, video)  # builds the engine, warms up
    rounds = []
    for _ in range(n_rounds):
        one = {
            "decode": n_frames / took(lambda: [None for _ in decode(video, timeline, settings)]),
            "transform": n_frames / took(lambda: cut(frames, timeline, settings)),
            "backbone": n_frames / took(lambda: list(run_engine(extractor.engine, clips))),
            "whole": n_frames / took(lambda: extract_whole(extractor, video)),
            "plain": n_frames / float(subprocess.check_output([*command, "--plain", str(weights_file)])),
        }
        overlapped_s = (1 / one["decode"] + 1 / one["transform"]) / n_cores + 1 / one["backbone"]
        one["perfect"] = min(one["decode"], 1 / overlapped_s)
        one["whole / perfect"] = one["whole"] / one["perfect"]
        one["whole / plain"] = one["whole"] / one["plain"]
        rounds.append(one)
    return rounds


def took(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def decode(video: Path, timeline: Timeline, settings: ExtractSettings) -> list[Frame]:
    """Decode all wanted frames in this process."""
    wanted = np.zeros(len(timeline.times_s), dtype=np.bool_)
    wanted[settings.sampling.seen(timeline.times_s, timeline.end_s).ravel()] = True
    reading = Reading(str(video), timeline, settings.size.of(timeline), wanted)
    return list(DECODERS[settings.decoder].frames()(reading))


def clips_of(
    frames: list[Frame], timeline: Timeline, settings: ExtractSettings
) -> Iterator[NDArray[np.uint8]]:
    """Return the clips of each view of a video that is whole."""
    whole = np.ones(len(timeline.times_s), dtype=np.bool_)
    views = list(views_of_frames(frames, ViewCropper(settings.views, settings.record.input_px)))
    sources = [Clips(views, lambda: whole, timeline, sampling) for sampling in settings.samplings]
    return (clip for _, clip in interleaved(sources))


def cut(frames: list[Frame], timeline: Timeline, settings: ExtractSettings) -> None:
    """Make clips of each view of decoded frames, and nothing of them."""
    for clip in clips_of(frames, timeline, settings):
        np.stack([clip])


def extract_whole(extractor: Extractor, video: Path) -> None:
    """Extract as the product does, from the path to the features."""
    with extractor.open(named_video(video)) as opened:
        extractor.features(opened)


def plain_loop(video: Path, backbone: str, weights: Path) -> float:
    """Return the seconds of the loop that a user would write; importing and loading are not counted."""
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional as F

    from vadpipe.extract.backbones.registry import find_backbone
    from vadpipe.extract.video.decord_decoder import import_decord

    record = find_backbone(backbone)
    network = record.build().eval()
    network.load_state_dict(load_file(weights))
    mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in (record.mean, record.std))
    decord = import_decord()
    start_s = time.perf_counter()
    reader = decord.VideoReader(str(video))
    video_frames = torch.from_numpy(reader.get_batch(range(len(reader))).asnumpy())
    pixels = F.interpolate(
        video_frames.permute(0, 3, 1, 2).float(), size=(record.input_px, record.input_px), mode="bilinear"
    )
    clips = (pixels.permute(1, 0, 2, 3) / 255 - mean) / std
    with torch.no_grad():
        for start in range(0, clips.shape[1], 16):
            clip = clips[:, start : start + 16]
            if clip.shape[1] < 16:
                clip = torch.cat([clip, clip[:, -1:].expand(-1, 16 - clip.shape[1], -1, -1)], dim=1)
            network(clip[None])
    return time.perf_counter() - start_s


def show(rounds: list[dict[str, float]], what: str) -> None:
    """Print the medians, and each round as JSON."""
    print(what)
    print(
        f"{platform.processor() or platform.machine()} ({instructions()}), {usable_cores()} processors, ",
        end="",
    )
    print(f"Python {platform.python_version()}, {len(rounds)} rounds\n")
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        unit = "" if "/" in name else " frames/s"
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:>36} {middle:10.2f}{unit}   ({low:.2f} to {high:.2f})")
    for one in rounds:
        print(json.dumps({name: round(value, 3) for name, value in one.items()}), file=sys.stderr)


def instructions() -> str:
    """Return the instructions of the processor that decide how fast a backbone is."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = set(cpuinfo.read_text().split()) if cpuinfo.is_file() else set()
    known = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8")
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return " ".join(flag for flag in known if flag in flags) + (f", limited to {limit}" if limit else "")


if __name__ == "__main__":
    main()
