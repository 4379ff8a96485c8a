"""UCF-Crime: 1900 long CCTV videos from the web, 13 classes of crime and accident.

A video's class is in its name. The lists spell normal videos in several ways
(``Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4``, ``Normal_Videos001_x264.mp4``, ``Normal003``).
Annotated ranges are taken as half-open; a few end beyond the last frame, and are cut there.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from vadpipe.annotations.truth import Truth
from vadpipe.datasets import parsing
from vadpipe.datasets.dataset import AnnotationFile, Contents, Dataset, Files, Totals, TrainingVideo
from vadpipe.extract.video.names import bare

NORMAL = "Normal"
CLASSES = (
    *("Abuse", "Arrest", "Arson", "Assault", "Burglary", "Explosion", "Fighting", "RoadAccidents"),
    *("Robbery", "Shooting", "Shoplifting", "Stealing", "Vandalism"),
)
_TRAIN, _TEST = "Anomaly_Train.txt", "Anomaly_Test.txt"
_RANGES, _FRAMES = "Temporal_Anomaly_Annotation_for_Testing_Videos.txt", "ucf_tframes.txt"


def read(files: Files) -> Contents:
    """Return the contents of the lists. Raises UsageError if one cannot be used."""
    notes: list[str] = []
    training = _read_names(files[_TRAIN], notes)
    test = _read_names(files[_TEST], notes)
    annotated = _read_ranges(files[_RANGES], notes)
    counts = parsing.read_counts(files[_FRAMES], notes)
    row_of = parsing.paired([*test], annotated, files[_RANGES], notes)
    count_of = parsing.paired([*test], counts, files[_FRAMES], notes)
    truths = []
    for video, category in test.items():
        ranges = parsing.within(annotated[row_of[video]], counts[count_of[video]], video, notes)
        if bool(ranges) == (category == NORMAL):
            notes.append(f"{video} is of class {category}, but has {len(ranges)} annotated ranges")
        truths.append(Truth(video, counts[count_of[video]], ranges, _category(category)))
    return Contents(
        tuple(TrainingVideo(video, name != NORMAL, _category(name)) for video, name in training.items()),
        tuple(truths),
        tuple(notes),
    )


def _read_names(path: Path, notes: list[str]) -> dict[str, str]:
    """Return the class of each video that a split lists."""
    rows = []
    for line, text in parsing.read_lines(path):
        category = _class_of(text)
        if category is None:
            raise parsing.broken(path, line, text, "the name of a video such as Abuse/Abuse001_x264.mp4")
        rows.append((line, text, category))
    return parsing.keyed(rows, path, notes)


def _read_ranges(path: Path, notes: list[str]) -> dict[str, tuple[parsing.Range, ...]]:
    """Return the annotated ranges of each test video, of lines ``video class start stop start stop``."""
    rows = []
    for line, text in parsing.read_lines(path):
        name, *rest = text.split()
        ranges = parsing.parse_ranges(rest[1:]) if len(rest) > 2 else None
        if ranges is None or rest[0] != _class_of(name):
            raise parsing.broken(
                path, line, text, "a video, its class and pairs START STOP, where -1 -1 means none"
            )
        rows.append((line, name, ranges))
    return parsing.keyed(rows, path, notes)


def _class_of(name: str) -> str | None:
    """Return the class that a name begins with, or None."""
    match = re.fullmatch(r"([A-Za-z]+)\d+(_\d+)?", bare(PurePosixPath(name).name))
    return match[1] if match and match[1] in (NORMAL, *CLASSES) else None


def _category(name: str) -> str | None:
    return None if name == NORMAL else name


UCF_CRIME = Dataset(
    name="ucf-crime",
    title="UCF-Crime",
    paper="Sultani, Chen, Shah: Real-World Anomaly Detection in Surveillance Videos, CVPR 2018, arXiv "
    "1801.04264",
    url="https://www.crcv.ucf.edu/projects/real-world/",
    licence="none known; research use",
    metric="ROC-AUC",
    files=(
        AnnotationFile((_TRAIN,), "names of the training videos"),
        AnnotationFile((_TEST,), "names of the test videos"),
        AnnotationFile((_RANGES, "Temporal_Anomaly_Annotation.txt"), "anomalous ranges of the test videos"),
        AnnotationFile((_FRAMES,), "frames of each test video, NAME@FRAMES"),
    ),
    known=Totals(800, 810, 150, 140, 1_111_808, 84_182),
    reader=read,
)
