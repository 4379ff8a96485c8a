"""How long it takes to list, divide, name, resume and evaluate very many videos, and what each of them adds.

    python benchmarks/many_names.py FOLDER [--names 10000 100000 1000000] [--files-up-to 100000]

All videos are empty or tiny, so that what is left is what vadpipe does for each name; the functions are those
that the commands call. Empty videos, and feature files of one snippet up to ``--files-up-to``, are written to
FOLDER, 1,000 to a folder, and deleted afterwards. Printed is the CPU time of the process, in all and for each
name: other jobs on the machine do not count.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from safetensors.numpy import save

from vadpipe.annotations.labels import folder_labels, joined_groups
from vadpipe.annotations.matching import match_videos
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.annotations.truth_sheet import read_annotations
from vadpipe.evaluation.alarms import tally
from vadpipe.evaluation.bootstrap import intervals
from vadpipe.evaluation.breakdown import by_class, by_video
from vadpipe.evaluation.metrics import JudgedVideo, frame_metrics
from vadpipe.extract.status import extraction_status
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.video.discovery import Video, find_videos
from vadpipe.extract.video.shards import Shard
from vadpipe.features.file import SCHEMA, FeatureHeader, Source
from vadpipe.features.folder import FeatureFolder
from vadpipe.features.recipe import Recipe
from vadpipe.runs.digests import files_digest
from vadpipe.scoring.outputs import OutputPaths, Outputs

T = TypeVar("T")

IN_A_FOLDER = 1000
N_FRAMES = 16
RESAMPLES = 10
RECIPE = Recipe(
    backbone="imported:made", weights_sha256="0" * 64, feature_dim=1, snippet_frames=16, stride_frames=16,
    view="whole", resize_px=224, input_px=224, crops=1, mean=(0.5,) * 3, std=(0.5,) * 3, decoder="none",
    engine="none",
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--names", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--files-up-to", type=int, default=100_000)
    options = parser.parse_args()
    print(f"{'':<46}" + "".join(f"{n:>24,}" for n in options.names))
    columns: list[dict[str, float]] = []
    for n_names in options.names:
        folder = options.folder / f"names-{n_names}"
        try:
            columns.append(took(folder, n_names, with_files=n_names <= options.files_up_to))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    for what in columns[0]:
        cells = [
            f"{column[what]:>11.2f} s {1e6 * column[what] / n:>7.1f} µs" if what in column else f"{'-':>24}"
            for n, column in zip(options.names, columns, strict=True)
        ]
        print(f"{what:<46}" + "".join(f"{cell:>24}" for cell in cells), flush=True)


def took(folder: Path, n_names: int, *, with_files: bool) -> dict[str, float]:
    """Return the seconds of each step on so many names."""
    found: dict[str, float] = {}

    def timed(what: str, work: Callable[[], T]) -> T:
        start_s = time.process_time()
        result = work()
        found[what] = time.process_time() - start_s
        print(f"{n_names} {what}: {found[what]:.2f} s", file=sys.stderr, flush=True)
        return result

    names = [name_of(index) for index in range(n_names)]
    for name in names:
        path = folder / name
        if path.name.startswith("0000."):
            path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    videos, _ = timed("find videos", lambda: find_videos([folder / "videos"]))
    timed("one shard of 100, by hash", lambda: Shard(7, 100).of_videos(videos))
    lengths = {video.name: float(1 + index % 7) for index, video in enumerate(videos)}
    timed("one shard of 100, by duration", lambda: Shard(7, 100, lengths).of_videos(videos))
    timed("names of results", lambda: OutputPaths(videos, folder / "out", Outputs(report=True)))
    timed("labels from folders", lambda: folder_labels(names))
    timed("groups of copies", lambda: joined_groups({n: n for n in names}, copies(names)))
    files(folder, names, timed) if with_files else None
    evaluation(folder, names, timed)
    return found


def files(folder: Path, names: list[str], timed: Callable[[str, Callable[[], object]], object]) -> None:
    """Time what reads feature files: a resumed extraction, its status, the record of a training."""
    for name in names:
        path = folder / "features" / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiny_features(name, Video(folder / name, name)))
    videos = find_videos([folder / "videos"])[0]
    timed("list feature files", lambda: [*FeatureFolder(folder / "features").files()])
    again = timed("inventory of features", lambda: FeatureStore(folder / "features"))
    assert isinstance(again, FeatureStore)
    timed("look up each video", lambda: [again.find(video) for video in videos])
    timed("extract --status", lambda: [*extraction_status([folder / "videos"], folder / "features")])
    timed(
        "digest of all feature files",
        lambda: files_digest(FeatureFolder(folder / "features").files(), folder / "features"),
    )


def tiny_features(name: str, video: Video) -> bytes:
    """Return a feature file of one snippet of one number."""
    n_bytes, modified_ns = video.state()
    source = Source(
        video=name, place=video.place, sha256=video.place * 4, n_bytes=n_bytes, modified_ns=modified_ns,
        n_announced=N_FRAMES, n_decoded=N_FRAMES,
    )  # fmt: skip
    end_s = N_FRAMES / 25
    header = FeatureHeader(
        schema_version=SCHEMA, recipe=RECIPE, source=source, n_frames=N_FRAMES, end_s=end_s
    )
    arrays = {
        "features": np.zeros((1, 1, 1), np.float32),
        "frame_times_s": np.arange(N_FRAMES) / 25,
        "snippet_times_s": np.array([[0, end_s]]),
    }
    return save(arrays, {"vadpipe.features": header.model_dump_json()})


def evaluation(folder: Path, names: list[str], timed: Callable[[str, Callable[[], object]], object]) -> None:
    """Time what an evaluation does beside scoring; videos have one snippet, and every tenth an event."""
    rng = np.random.default_rng(0)
    truths = [Truth(name, N_FRAMES, ((4, 9),) * (not index % 10)) for index, name in enumerate(names)]
    timed("write the truth", lambda: write_truth(folder / "truth.csv", truths))
    timed("read the truth", lambda: read_annotations(folder / "truth.csv"))
    contents = {f"elsewhere/{name}": name for name in names}
    timed("match the truth, names as they are", lambda: match_videos(names, {name: name for name in names}))
    timed("match the truth, in another folder", lambda: match_videos(names, contents))
    scores = rng.random(len(names)).astype(np.float32)
    times_s = np.arange(N_FRAMES) / 25
    judged = [
        JudgedVideo(truth, np.full(N_FRAMES, score, np.float32), times_s, N_FRAMES / 25)
        for truth, score in zip(truths, scores, strict=True)
    ]
    timed("AUC and AP", lambda: frame_metrics(judged))
    counts = tally(judged[:1], 0.9)
    timed("alarms", lambda: tally(judged, 0.9))
    counts = tally(judged, 0.9)
    timed(f"intervals, {RESAMPLES} resamples", lambda: intervals(judged, counts, resamples=RESAMPLES, seed=0))
    timed("tables of videos and classes", lambda: (by_video(judged, 0.9), by_class(judged)))


def name_of(index: int) -> str:
    """Return the name of a video; each number is there once in each folder, as cameras name their files."""
    kind = ("normal", "fight")[index // IN_A_FOLDER % 2]
    return f"videos/{kind}/{index // IN_A_FOLDER:04d}/{index % IN_A_FOLDER:04d}.mp4"


def copies(names: list[str]) -> dict[str, str]:
    """Return contents of which each is there twice."""
    return {name: str(index // 2) for index, name in enumerate(names)}


if __name__ == "__main__":
    main()
