"""XD-Violence: 4754 clips of films, games, news and CCTV, 6 classes of violence.

Labels and classes are in the names: ``…_label_A`` is normal, ``…_label_B2-G-0`` has shooting and then an
explosion. What stands before ``__#`` is the film or web video that a clip was cut from: clips of one are a
group. 184 of these groups have clips in both splits. The test split is the list of frames, which spells some
names without the suffix that they have in the list of ranges.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from vadpipe.annotations.truth import Truth
from vadpipe.datasets import parsing
from vadpipe.datasets.dataset import AnnotationFile, Contents, Dataset, Files, Totals, TrainingVideo
from vadpipe.extract.video.names import bare
from vadpipe.published.frame_counts import read_frame_counts

CLASSES = {
    "B1": "fighting",
    "B2": "shooting",
    "B4": "riot",
    "B5": "abuse",
    "B6": "car accident",
    "G": "explosion",
}
_TRAIN, _RANGES, _FRAMES = "xdv_flist_train.txt", "annotations.txt", "xdv_tframes.txt"
_NAME = re.compile(r"(?P<group>.+?)__#.*_label_(?P<codes>A|(B1|B2|B4|B5|B6|G)(-(B1|B2|B4|B5|B6|G|0))*)")
_NAME_FORM = "a name that ends like _label_A or _label_B2-G-0"


class _Named(NamedTuple):
    """What a name says; the category holds the classes in their order, joined with +."""

    abnormal: bool
    category: str | None
    group: str


def read(files: Files) -> Contents:
    """Return the contents of the lists. Raises UsageError if one cannot be used."""
    notes: list[str] = []
    training = _named(files[_TRAIN], parsing.read_lines(files[_TRAIN]), notes)
    counted = read_frame_counts(files[_FRAMES])
    test = _named(files[_FRAMES], [(line, name) for line, name, _ in counted], [])
    counts = parsing.keyed(counted, files[_FRAMES], notes)
    annotated = _read_ranges(files[_RANGES], notes)
    abnormal = [video for video, named in test.items() if named.abnormal]
    row_of = parsing.paired(abnormal, annotated, files[_RANGES], notes)
    truths = []
    for video, named in test.items():
        ranges = annotated[row_of[video]] if named.abnormal else ()
        frames = parsing.within(ranges, counts[video], video, notes)
        truths.append(Truth(video, counts[video], frames, named.category, named.group))
    return Contents(
        tuple(TrainingVideo(video, *named) for video, named in training.items()), tuple(truths), tuple(notes)
    )


def _named(path: Path, lines: list[tuple[int, str]], notes: list[str]) -> dict[str, _Named]:
    """Return what each name of a list says."""
    rows = []
    for line, text in lines:
        match = _NAME.fullmatch(bare(PurePosixPath(text).name))
        if match is None:
            raise parsing.broken(path, line, text, _NAME_FORM)
        codes = [code for code in dict.fromkeys(match["codes"].split("-")) if code in CLASSES]
        category = "+".join(CLASSES[code] for code in codes) or None
        rows.append((line, text, _Named(bool(codes), category, match["group"])))
    return parsing.keyed(rows, path, notes)


def _read_ranges(path: Path, notes: list[str]) -> dict[str, tuple[parsing.Range, ...]]:
    """Return the annotated ranges of each abnormal test video, of lines ``video start stop start stop …``."""
    rows = []
    for line, text in parsing.read_lines(path):
        name, *rest = text.split()
        ranges = parsing.parse_ranges(rest)
        if not ranges:
            raise parsing.broken(path, line, text, "a video and pairs START STOP")
        rows.append((line, name, ranges))
    return parsing.keyed(rows, path, notes)


XD_VIOLENCE = Dataset(
    name="xd-violence",
    title="XD-Violence",
    paper="Wu, Liu, Shi, Sun, Shao, Wu, Yang: Not only Look, but also Listen: Learning Multimodal Violence "
    "Detection under Weak Supervision, ECCV 2020, arXiv 2007.04687",
    url="https://roc-ng.github.io/XD-Violence/",
    licence="none known; research use",
    metric="AP",
    files=(
        AnnotationFile((_TRAIN,), "names of the training videos"),
        AnnotationFile((_RANGES,), "anomalous ranges of the abnormal test videos"),
        AnnotationFile((_FRAMES,), "test videos and their frames, NAME@FRAMES"),
    ),
    known=Totals(2049, 1905, 300, 500, 2_335_801, 538_324),
    reader=read,
    known_cut=Totals(2049, 1905, 300, 500, 2_330_384, 537_805),
)
