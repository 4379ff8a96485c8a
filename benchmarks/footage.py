"""The real footage by which defaults are judged, as videos with the truth about their frames.

The clips of a recording are joined into one untrimmed video in one stated way: calm, fight, calm. Of the calm
clips the first half (of an odd number the larger) comes before the fights, in the order of their names;
pictures are taken at 25 a second by their timestamps and resized. UR Fall Detection and UCSD Ped2 are
taken as they are.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vadpipe import datasets
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.files.atomic import atomic_path

FPS = 25
SIZES = {"fight_surv": (320, 240), "vioperu": (640, 360)}
"""Collections of clips that are joined, and the size of their pictures."""

UNJOINED = ("urfall", "ucsd_ped2")

Row = dict[str, str]


def collect(data: Path, work: Path) -> tuple[list[Path], Path]:
    """Return the folders of all videos, and the file of their truth; what is there is not made again.

    It is made again after a change to this file.
    """
    folders = [work / "videos" / name for name in SIZES] + [data / name for name in UNJOINED]
    file = work / f"truth-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]}.csv"
    if not file.exists():
        truths = [
            truth
            for name in SIZES
            for truth in join_recordings(data / name, work / "videos" / name, SIZES[name])
        ]
        write_truth(file, [*truths, *_urfall(data / "urfall"), *_ped2(data / "ucsd_ped2")])
    return folders, file


def join_recordings(data: Path, target: Path, size: tuple[int, int]) -> list[Truth]:
    """Join the clips of each recording; its truth is the label of each clip."""
    truths = []
    for group, rows in recordings(data).items():
        name = f"{group:03d}.mp4"
        labels = join(data, in_order(rows), target / name, size)
        truths.append(Truth.of_frames(f"{data.name}/{name}", labels, group=f"{data.name} {group}"))
    return truths


def recordings(data: Path) -> dict[int, list[Row]]:
    """Return the clips of each recording of a collection, by its number."""
    found: dict[int, list[Row]] = defaultdict(list)
    with (data / "scene_groups.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            found[int(row["scene_group"])].append(row)
    return dict(sorted(found.items()))


def in_order(rows: list[Row]) -> list[Row]:
    """Return the clips of a recording as they are joined: calm, fight, calm."""
    rows = sorted(rows, key=lambda row: row["file"])
    calm, fights = ([row for row in rows if row["label"] == label] for label in "01")
    before = -(-len(calm) // 2)
    return [*calm[:before], *fights, *calm[before:]]


def join(data: Path, rows: list[Row], target: Path, size: tuple[int, int]) -> list[int]:
    """Encode clips behind each other; return the label of each frame."""
    labels: list[int] = []
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary, av.open(temporary, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.thread_count = 1  # x264 encodes otherwise by the number of its threads
        for row in rows:
            for picture in _at_25_fps(data / row["file"]):
                frame = picture.reformat(*size, format="yuv420p", interpolation="AREA")
                frame.pts, frame.time_base = len(labels), Fraction(1, FPS)
                labels.append(int(row["label"]))
                output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return labels


def _at_25_fps(path: Path) -> list[av.VideoFrame]:
    """Return the picture that is shown at each 25th of a second."""
    with av.open(path) as clip:
        stream = clip.streams.video[0]
        pictures = [frame for frame in clip.decode(stream) if frame.time is not None]
        times_s = np.array([frame.time for frame in pictures]) - float(pictures[0].time or 0)
        last_s = float(1 / (stream.average_rate or FPS))
    at_s = np.arange(0, times_s[-1] + last_s - 1e-6, 1 / FPS)
    return [pictures[at - 1] for at in np.searchsorted(times_s, at_s + 1e-6, side="right")]


def _urfall(folder: Path) -> list[Truth]:
    """Falls seen by camera 0 with their frames, those of camera 1 as wholly abnormal, and daily life.

    Nothing says when camera 1 sees a fall, so its videos are for training alone: see ``protocols.py``.
    """
    marks: dict[str, list[int]] = defaultdict(list)
    with (folder / "frame_truth.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            marks[row["file"]] += [int(row["truth"])] * (int(row["last_frame"]) + 1 - int(row["first_frame"]))
    truths = []
    with (folder / "clips.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            n_frames, file = int(row["frames"]), row["file"]
            labels = [int(row["label"] == "fall")] * n_frames
            labels[: len(marks[file])] = marks[file][:n_frames]
            truths.append(Truth.of_frames(f"urfall/{file}", labels, group=f"urfall {row['group']}"))
    return truths


def _ped2(folder: Path) -> list[Truth]:
    """All clips of Ped2, each of which is tested by one of the drawn splits at least."""
    clips = {truth.video: truth for split in datasets.get("ped2").splits(folder) for truth in split.test}
    return [replace(truth, video=f"{folder.name}/{truth.video}") for _, truth in sorted(clips.items())]
