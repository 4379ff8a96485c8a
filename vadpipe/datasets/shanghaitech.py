"""ShanghaiTech Campus in its weakly supervised split: 437 clips of 13 cameras on a campus.

Zhong et al. (2019) divided all clips again, so that both splits hold abnormal ones. Clips with four digits
(``01_0014``) come from the original test set and are abnormal, those with three (``01_001``) from the
original training set and are normal.

The ground truth is the JSON of that split. It counts frames up to the next multiple of 16: of the 44 test
clips that have an official mask of frames, the JSON holds the mask, and its last value 3 to 15 times more.
Where the masks lie beside the lists this is checked. The published features have whole snippets and fit the
JSON; the official folders of pictures and videos have the true number of frames, as the masks do.
:attr:`Contents.true_frames` lists the possible numbers: the length of the mask, or without one any number
that the JSON may have filled up.

Test truths have the camera as their group. Training clips have no groups: the cameras are in both
splits, so a held-out camera would ask for more than the test does, and would leave too few of them without
anomalies.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from vadpipe.annotations.truth import Truth
from vadpipe.datasets import parsing
from vadpipe.datasets.dataset import (
    AnnotationFile,
    Contents,
    Dataset,
    Files,
    Totals,
    TrainingVideo,
    shortlist,
)
from vadpipe.datasets.parsing import Marks
from vadpipe.errors import UsageError
from vadpipe.extract.video.names import bare, match
from vadpipe.features.sampling import SNIPPET_FRAMES

_TRAIN, _TEST, _MASKS = "SH_Train.txt", "SH_Test.txt", "test_frame_mask"
_JSON = "shanghaitech_ground_truth.testing.json"


def read(files: Files) -> Contents:
    """Return the contents of the lists. Raises UsageError if one cannot be used."""
    notes: list[str] = []
    training, test = _read_names(files[_TRAIN], notes), _read_names(files[_TEST], notes)
    marks = _read_json(files[_JSON])
    key_of = parsing.paired([*test], marks, files[_JSON], notes)
    truths = []
    for video, abnormal in test.items():
        frames = marks[key_of[video]]
        if frames.any() != abnormal:
            kind = "abnormal" if abnormal else "normal"
            notes.append(f"{video} is {kind} by its name, but has {frames.sum()} anomalous frames")
        truths.append(Truth.of_frames(video, frames, group=video.partition("_")[0]))
    listed = {video: marks[key] for video, key in key_of.items()}
    true_frames = {video: _before_filling(frames) for video, frames in listed.items()}
    if _MASKS in files:
        true_frames |= _compare(files[_MASKS], listed, notes)
    return Contents(
        tuple(TrainingVideo(video, abnormal) for video, abnormal in training.items()),
        tuple(truths),
        tuple(notes),
        true_frames=true_frames,
    )


def _read_names(path: Path, notes: list[str]) -> dict[str, bool]:
    """Return whether each clip of a split is abnormal."""
    rows = []
    for line, text in parsing.read_lines(path):
        match = re.fullmatch(r"\d\d_(\d{3}|\d{4})", bare(text))
        if match is None:
            raise parsing.broken(path, line, text, "the name of a clip such as 01_001 or 01_0014")
        rows.append((line, text, len(match[1]) == 4))
    return parsing.keyed(rows, path, notes)


def _read_json(path: Path) -> dict[str, Marks]:
    """Return the anomalous frames of each test clip, (N,) bool.

    Raises:
        UsageError: if the file has not the form ``{clip: {"num_frames": N, "labels": [0.0, 1.0, …]}}``.
    """
    try:
        clips = json.loads(parsing.read_text(path))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"is not JSON: {error}", file=path, next_step="Download it again.") from error
    if not isinstance(clips, dict) or not clips:
        raise UsageError("names no clips", file=path, next_step="Download it again.")
    marks: dict[str, Marks] = {}
    for name, clip in clips.items():
        labels = clip.get("labels") if isinstance(clip, dict) else None
        if not isinstance(labels, list) or not labels or any(label not in (0, 1) for label in labels):
            raise UsageError(f"{name!r} has no labels of 0 and 1", file=path, next_step="Download it again.")
        if clip.get("num_frames") != len(labels):
            reason = f"{name!r} has {len(labels)} labels, but {clip.get('num_frames')!r} frames"
            raise UsageError(reason, file=path, next_step="Download it again.")
        marks[name] = np.array(labels) == 1
    return marks


def _before_filling(frames: Marks) -> range:
    """Return how many frames a clip may have that its last value was repeated for, up to a whole snippet."""
    if len(frames) % SNIPPET_FRAMES:
        return range(len(frames), len(frames) + 1)
    changes = np.flatnonzero(frames[1:] != frames[:-1])
    shortest = int(changes[-1]) + 2 if len(changes) else 1  # it has a frame of the last value
    return range(max(shortest, len(frames) - SNIPPET_FRAMES + 1), len(frames) + 1)


def _compare(folder: Path, marks: dict[str, Marks], notes: list[str]) -> dict[str, range]:
    """Note whether the official masks and the JSON agree.

    Returns:
        The number of frames of each clip that has a mask; no number where the JSON holds another one.

    Raises:
        UsageError: if a mask cannot be read.
    """
    true_frames: dict[str, range] = {}
    masks = {path.stem: path for path in sorted(folder.glob("*.npy"))}
    found = match(marks, masks).found
    others: list[str] = []
    for video, name in found.items():
        mask, frames = _read_mask(masks[name]), marks[video]
        n_more = -len(mask) % SNIPPET_FRAMES
        true_frames[video] = range(len(mask), len(mask) + 1)
        if not np.array_equal(np.pad(mask, (0, n_more), mode="edge"), frames):
            others.append(f"{video} ({len(mask)} and {len(frames)} frames)")
            true_frames[video] = range(0)
    notes.append(
        f"{len(found) - len(others)} of {len(found)} masks of test clips match {_JSON}, which repeats "
        f"their last value up to a multiple of {SNIPPET_FRAMES} frames"
    )
    if others:
        notes.append(f"{len(others)} masks of test clips differ from {_JSON}: {shortlist(others)}")
    unmasked = [video for video, frames in marks.items() if frames.any() and video not in found]
    if unmasked:
        notes.append(f"{len(unmasked)} abnormal test clips have no mask: {shortlist(unmasked)}")
    return true_frames


def _read_mask(path: Path) -> Marks:
    try:
        mask = np.lib.format.open_memmap(path, mode="r")  # needs no more memory than the file has bytes
    except (OSError, ValueError) as error:
        raise UsageError(
            f"is not a readable array: {error}", file=path, next_step="Download it again."
        ) from error
    if mask.ndim != 1 or not len(mask) or mask.dtype.kind not in "buif":
        raise UsageError(
            "is not a one-dimensional array of frames", file=path, next_step="Download it again."
        )
    return np.asarray(mask != 0)


SHANGHAITECH = Dataset(
    name="shanghaitech",
    title="ShanghaiTech (weakly supervised split)",
    paper="Luo, Liu, Gao: A Revisit of Sparse Coding Based Anomaly Detection in Stacked RNN Framework, "
    "ICCV 2017; the split: Zhong, Li, Kong, Liu, Li, Li: Graph Convolutional Label Noise Cleaner, CVPR 2019, "
    "arXiv 1903.07256",
    url="https://svip-lab.github.io/dataset/campus_dataset.html",
    licence="none known; research use",
    metric="ROC-AUC",
    files=(
        AnnotationFile((_TRAIN,), "names of the training clips"),
        AnnotationFile((_TEST,), "names of the test clips"),
        AnnotationFile((_JSON,), "frames and labels of the test clips"),
        AnnotationFile((_MASKS, f"testing/{_MASKS}"), "official masks of frames", needed=False),
    ),
    known=Totals(175, 63, 155, 44, 142_912, 8_028),
    reader=read,
)
