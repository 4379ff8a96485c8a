"""How long a training step of the head takes, and what training holds in memory.

    python benchmarks/head.py [--rounds 15] [--steps 5] [--videos 40] [--minutes 20]

1. A step (batch, forward, loss, backward, SGD; of the other network Adam) on 16 + 16 bags of 32 x 1024, one
   crop, by vadpipe's default settings once the warm-up is over, and by a network of the shape of RTFM
   (arXiv 2101.10030), written here from its description. Both take their bags from the same training set,
   turn by turn in one process; ratios are taken within a round, and medians over the rounds are printed,
   for one thread and for two.
2. A training set of the size of UCF-Crime's, 1,610 bags of 32 x 1024 random numbers: what it holds, and how
   long a step takes.
3. The peak of what ``fit`` holds beside its files, for short videos and for long ones, in a process each.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads would flatter whatever is compared

import numpy as np
import psutil
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadpipe.features.file import Features, Source
from vadpipe.features.recipe import Recipe
from vadpipe.head.bags import Bag, TrainingSet, balanced_rows
from vadpipe.head.settings import HeadSettings
from vadpipe.training.loop import Training

N_EACH, SEGMENTS, DIM = 16, 32, 1024
UCF_CRIME = 800, 810  # normal and abnormal training videos
GOAL = 5
SNIPPET_FRAMES, FPS = 16, 25
SNIPPETS_A_MINUTE = 60 * FPS // SNIPPET_FRAMES


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=5, help="steps that are timed together")
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--minutes", type=int, default=20, help="length of a long video")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit is not None:
        print(fit_here(options.fit))
        return
    print(f"OMP_WAIT_POLICY={os.environ['OMP_WAIT_POLICY']}, torch {torch.__version__}", flush=True)
    for n_threads in (1, 2):
        compare(n_threads, options.rounds, options.steps)
    hold_ucf_crime(options.rounds, options.steps)
    hold_long_videos(options.videos, options.minutes)


# ---- a step --------------------------------------------------------------------------------------


def compare(n_threads: int, n_rounds: int, n_steps: int) -> None:
    """Print the time of a step of both, and the ratio."""
    torch.set_num_threads(n_threads)
    data = random_set(N_EACH, N_EACH)
    ours, theirs = our_steps(data), rtfm_steps(data)
    for steps in (ours, theirs):
        steps(n_steps)
    rounds = [(took(ours, n_steps), took(theirs, n_steps)) for _ in range(n_rounds)]
    print(f"{n_threads} thread(s), {n_rounds} rounds of {n_steps} steps, medians (lowest to highest):")
    print(f"    vadpipe {spread([1000 * one for one, _ in rounds])} ms a step")
    print(f"    RTFM's shape {spread([1000 * other for _, other in rounds])} ms a step")
    ratios = [other / one for one, other in rounds]
    print(f"    ratio {spread(ratios)}, goal: at least {GOAL} times", flush=True)


def took(steps: Callable[[int], object], n_steps: int) -> float:
    """Return the seconds of one of some steps."""
    start_s = time.perf_counter()
    steps(n_steps)
    return (time.perf_counter() - start_s) / n_steps


def spread(values: list[float]) -> str:
    """Return the median and the range."""
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def random_set(n_normal: int, n_abnormal: int, device: torch.device | None = None) -> TrainingSet:
    """Return bags of random numbers that are views of one small pool; on the CPU by default."""
    pool = np.random.default_rng(0).normal(size=(1, 4096, DIM)).astype(np.float32)
    times_s = np.arange(SEGMENTS) * SNIPPET_FRAMES / FPS
    bags = []
    for index in range(n_normal + n_abnormal):
        start = 97 * index % (4096 - SEGMENTS)
        values, label = pool[:, start : start + SEGMENTS], int(index >= n_normal)
        bags.append(Bag(str(index), values, label, str(index), times_s, SEGMENTS * SNIPPET_FRAMES / FPS))
    return TrainingSet(bags, SEGMENTS, device)


def our_steps(data: TrainingSet) -> Callable[[int], object]:
    """Return what does that many steps of vadpipe's training, beyond its warm-up."""
    settings = HeadSettings(batch_bags=N_EACH, segments=SEGMENTS, warmup=0.0)
    training = Training(data, range(len(data.bags)), settings)
    return lambda n_steps: training.advance(training.step + n_steps)


def rtfm_steps(data: TrainingSet) -> Callable[[int], object]:
    """Return what does that many steps of a network of RTFM's shape."""
    torch.manual_seed(0)
    network = RtfmShape(DIM).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=5e-4)
    done = 0

    def steps(n_steps: int) -> None:
        nonlocal done
        for _ in range(n_steps):
            done += 1
            batch = data.batch(balanced_rows(data, range(len(data.bags)), N_EACH, 0, done))
            optimiser.zero_grad()
            features, scores = network(batch.features[:, 0])
            rtfm_loss(features, scores, batch.labels).backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    return steps


class RtfmShape(nn.Module):
    """The layers that RTFM is described to have, without batch normalisation, which would only add to it.

    Three temporal convolutions of dilation 1, 2 and 4 and a non-local block behind a 1 x 1 convolution, 512
    channels each; their 2,048 channels go through one more convolution and are added to the features. Three
    linear layers of 512, 128 and 1 give the score of a segment.
    """

    def __init__(self, dim: int, width: int = 512) -> None:
        super().__init__()
        self.pyramid = nn.ModuleList(
            nn.Conv1d(dim, width, kernel_size=3, dilation=rate, padding=rate) for rate in (1, 2, 4)
        )
        self.reduce = nn.Conv1d(dim, width, kernel_size=1)
        self.query, self.key, self.value = (nn.Conv1d(width, width // 2, kernel_size=1) for _ in range(3))
        self.back = nn.Conv1d(width // 2, width, kernel_size=1)
        self.merge = nn.Conv1d(4 * width, dim, kernel_size=3, padding=1)
        self.classifier = nn.Sequential(
            nn.Linear(dim, 512), nn.ReLU(), nn.Dropout(0.7),
            nn.Linear(512, 128), nn.ReLU(), nn.Dropout(0.7),
            nn.Linear(128, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, T, D) and scores (N, T) of the segments x (N, T, D)."""
        x = x.transpose(1, 2)
        local = [torch.relu(convolution(x)) for convolution in self.pyramid]
        reduced = torch.relu(self.reduce(x))
        attention = self.query(reduced).transpose(1, 2) @ self.key(reduced) / x.shape[2]
        everywhere = reduced + self.back((attention @ self.value(reduced).transpose(1, 2)).transpose(1, 2))
        merged = F.dropout(x + torch.relu(self.merge(torch.cat([*local, everywhere], dim=1))), 0.7)
        features = merged.transpose(1, 2)
        return features, self.classifier(features).squeeze(-1)


def rtfm_loss(features: Tensor, scores: Tensor, labels: Tensor, margin: float = 100.0) -> Tensor:
    """Return RTFM's loss: BCE of the top 3 by magnitude, their margin, smoothness and sparsity."""
    top = features.norm(dim=2).topk(3, dim=1).indices
    video = scores.gather(1, top).mean(1)
    magnitudes = features.gather(1, top[..., None].expand(-1, -1, features.shape[2])).mean(1).norm(dim=1)
    abnormal = labels.bool()
    apart = ((margin - magnitudes[abnormal]).abs() + magnitudes[~abnormal]).square().mean()
    uneven = (scores[abnormal, 1:] - scores[abnormal, :-1]).square().sum()
    raised = scores[abnormal].norm(dim=1).mean()
    bce = F.binary_cross_entropy(video, labels)
    total: Tensor = bce + 1e-4 * apart + 8e-4 * uneven + 8e-3 * raised
    return total


# ---- memory --------------------------------------------------------------------------------------


def own_mb() -> float:
    """Return the memory of this process that is no file's."""
    memory = psutil.Process().memory_info()
    return float(memory.rss - memory.shared) / 1e6


def hold_ucf_crime(n_rounds: int, n_steps: int) -> None:
    """Print what a training set of UCF-Crime's size holds, and how long a step on it takes."""
    before_mb, start_s = own_mb(), time.perf_counter()
    data = random_set(*UCF_CRIME)
    made_s, held_mb = time.perf_counter() - start_s, own_mb() - before_mb
    values_mb = len(data.bags) * SEGMENTS * DIM * 4 / 1e6
    torch.set_num_threads(1)
    steps = our_steps(data)
    steps(n_steps)
    times_ms = [1000 * took(steps, n_steps) for _ in range(n_rounds)]
    print(f"{len(data.bags)} bags of {SEGMENTS} x {DIM}: made in {made_s:.1f} s, hold {held_mb:.0f} MB")
    print(f"    of which segments {values_mb:.0f} MB; {spread(times_ms)} ms a step, one thread", flush=True)


def hold_long_videos(n_videos: int, minutes: int) -> None:
    """Print the peak of a fit on short videos and on long ones."""
    peaks = []
    for each in (1, minutes):
        with tempfile.TemporaryDirectory() as name:
            files_mb = write_videos(Path(name), n_videos, each) / 1e6
            command = [sys.executable, __file__, "--fit", name]
            peaks.append(float(subprocess.check_output(command)))
        print(f"fit on {n_videos} videos of {each} min, files of {files_mb:.0f} MB: peak {peaks[-1]:.0f} MB")
    print(f"growth: {peaks[1] - peaks[0]:.0f} MB")


def write_videos(folder: Path, n_videos: int, minutes: int) -> int:
    """Write features of as many normal as abnormal videos; return the bytes of their files."""
    rng = np.random.default_rng(0)
    n_snippets = minutes * SNIPPETS_A_MINUTE
    n_frames = n_snippets * SNIPPET_FRAMES
    recipe = Recipe(
        backbone="i3d", weights_sha256="0" * 64, feature_dim=DIM, snippet_frames=SNIPPET_FRAMES,
        stride_frames=SNIPPET_FRAMES, view="whole", resize_px=224, input_px=224, crops=1, mean=(0.5,) * 3,
        std=(0.5,) * 3, decoder="none", engine="none",
    )  # fmt: skip
    total = 0
    for index in range(n_videos):
        video = f"videos/{('normal', 'fight')[index % 2]}/{index}.mp4"
        digest = hashlib.sha256(video.encode()).hexdigest()
        path = folder / "features" / f"{index}.safetensors"
        Features(
            values=rng.normal(size=(n_snippets, 1, DIM)).astype(np.float32),
            frame_times_s=np.arange(n_frames) / FPS,
            end_s=n_frames / FPS,
            recipe=recipe,
            source=Source(
                video=video, place=video, sha256=digest, n_bytes=1, modified_ns=1, n_announced=n_frames,
                n_decoded=n_frames,
            ),
        ).save(path)  # fmt: skip
        total += path.stat().st_size
    return total


def fit_here(folder: Path) -> float:
    """Fit in this process; return the peak of its own memory in MB."""
    from vadpipe.training.fit import fit

    peak_mb, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak_mb
        while not done.wait(0.01):
            peak_mb = max(peak_mb, own_mb())

    torch.set_num_threads(1)
    threading.Thread(target=watch, daemon=True).start()
    fit(folder / "features", output=folder / "head", settings=HeadSettings(steps=10, checks=2))
    done.set()
    return peak_mb


if __name__ == "__main__":
    main()
