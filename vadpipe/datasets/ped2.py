"""UCSD Ped2: 28 clips of one walkway; bicycles, skaters and carts are the anomalies.

Its official split trains on normal clips alone. Weakly supervised papers draw their own: 6 abnormal and 4
normal clips are trained on, the other 6 and 12 are the test, and the mean over ten draws is reported (He et
al. 2018, Zhong et al. 2019). Their draws are not published.

The recipe reads the folders as they are published, see :mod:`~vadpipe.datasets.ped2_folders`; or, where the
pictures were encoded as videos, a table of these: ``file,label,frames,anomalous_frames_half_open``, where
``61:180`` of the published MATLAB file is ``60:180``. A table takes precedence over folders beside it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vadpipe.annotations.truth import Truth
from vadpipe.datasets import parsing
from vadpipe.datasets.dataset import AnnotationFile, Contents, Dataset, Files, Totals, TrainingVideo
from vadpipe.datasets.ped2_folders import read_folders
from vadpipe.errors import UsageError
from vadpipe.published.frame_counts import MAX_FRAMES

N_SPLITS = 10
N_ABNORMAL, N_NORMAL = 6, 4
"""Clips per label in the training set of a random split."""

_TABLE = "labels.csv"
_OTHERS = ("Test/UCSDped2.m", "UCSDped2.m", "UCSDped2/labels.csv", "UCSDped2/Test/UCSDped2.m")
_COLUMNS = ["file", "label", "frames", "anomalous_frames_half_open"]


def read(files: Files) -> Contents:
    """Make the official split. Raises UsageError if the table or the folders cannot be used."""
    clips = _read_clips(files[_TABLE])
    return clips.divided({clip.video for clip in clips.truths if _is_official_training(clip)})


def splits(files: Files, seed: int) -> list[Contents]:
    """Draw :data:`N_SPLITS` weakly supervised splits of all clips.

    Raises:
        UsageError: if the table or the folders cannot be used, or hold too few clips of a label.
    """
    clips = _read_clips(files[_TABLE])
    abnormal, normal = ([clip for clip in clips.truths if clip.abnormal == label] for label in (True, False))
    if len(abnormal) <= N_ABNORMAL or len(normal) <= N_NORMAL:
        reason = f"has {len(abnormal)} abnormal and {len(normal)} normal clips, too few to train on"
        raise UsageError(f"{reason} {N_ABNORMAL} and {N_NORMAL} of them", file=files[_TABLE])
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(N_SPLITS):
        chosen = {abnormal[index].video for index in rng.permutation(len(abnormal))[:N_ABNORMAL]}
        chosen |= {normal[index].video for index in rng.permutation(len(normal))[:N_NORMAL]}
        drawn.append(clips.divided(chosen))
    return drawn


@dataclass(frozen=True)
class _Clips:
    """The frames of all clips; the notes and the form are those of :class:`Contents`."""

    truths: list[Truth]
    notes: list[str]
    form: str

    def divided(self, training: set[str]) -> Contents:
        """Return the contents of a split that trains on the clips of these names and tests on the others."""
        return Contents(
            tuple(TrainingVideo(clip.video, clip.abnormal) for clip in self.truths if clip.video in training),
            tuple(clip for clip in self.truths if clip.video not in training),
            tuple(self.notes),
            self.form,
        )


def _read_clips(path: Path) -> _Clips:
    """Return what a table says, or the folders around a MATLAB file. Raises UsageError as these do."""
    notes: list[str] = []
    if path.suffix == ".m":
        form = f"the published folders of pictures, and {path.name}"
        return _Clips(read_folders(path, notes), notes, form)
    return _Clips(_read_table(path, notes), notes, f"the table {path.name}")


def _is_official_training(clip: Truth) -> bool:
    return clip.video.rpartition("/")[2].lower().startswith("train")


def _read_table(path: Path, notes: list[str]) -> list[Truth]:
    """Return the frames of all clips, in the order of the table."""
    rows = csv.DictReader(parsing.read_text(path).splitlines(), skipinitialspace=True, restval="")
    if [*(rows.fieldnames or ())] != _COLUMNS:
        raise UsageError(f"needs a first line {','.join(_COLUMNS)}", file=path)
    clips = []
    for row in rows:
        video, label, frames, ranges = (row[column].strip() for column in _COLUMNS)
        parsed = parsing.parse_ranges(ranges.replace(":", " ").split())
        has_count = frames.isdecimal() and 1 <= int(frames[:12]) <= MAX_FRAMES
        if None in row or not video or not has_count or parsed is None or label != str(int(bool(parsed))):
            text = ",".join((video, label, frames, ranges))
            raise parsing.broken(path, rows.line_num, text, "a clip, its label, frames and ranges START:STOP")
        anomalies = parsing.within(parsed, int(frames), video, notes)
        clips.append((rows.line_num, video, Truth(video, int(frames), anomalies)))
    if not clips:
        raise UsageError("has no clips below its first line", file=path)
    return [*parsing.keyed(clips, path, notes).values()]


PED2 = Dataset(
    name="ped2",
    title="UCSD Ped2",
    paper="Mahadevan, Li, Bhalodia, Vasconcelos: Anomaly Detection in Crowded Scenes, CVPR 2010; weakly "
    "supervised: He, Shao, Sun: An Anomaly-Introduced Learning Method for Abnormal Event Detection, 2018",
    url="http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm",
    licence="none known; research use",
    metric="ROC-AUC",
    files=(AnnotationFile((_TABLE, *_OTHERS), "label, frames and anomalous ranges of each clip"),),
    known=Totals(16, 0, 0, 12, 2_010, 1_648),
    reader=read,
    splitter=splits,
)
