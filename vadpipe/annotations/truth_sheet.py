"""Reading of the truth about test videos: from a sheet, or from a joined array."""

from __future__ import annotations

import logging
from pathlib import Path

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.joined_array import read_joined
from vadpipe.annotations.sheet import read_sheet
from vadpipe.annotations.truth import Truth
from vadpipe.errors import UsageError
from vadpipe.extract.video.names import match, tell
from vadpipe.features.file import read_frame_times
from vadpipe.features.folder import FeatureFolder
from vadpipe.files.tables_from_memory import GivenTable

log = logging.getLogger(__name__)


def read_annotations(path: Path | GivenTable, features: Path | None = None) -> list[Annotation]:
    """Return what a file says about each test video, see ``docs/how-to/labels-and-truth.md``.

    :meth:`Annotation.truth` makes frames of it once the times of a video's frames are known. Videos that are
    labelled abnormal without a time are left out, with a warning.

    Args:
        path: a CSV or Excel file, or a table in memory, with ``video,anomalies`` or ``video,start_s,end_s``;
            or a ``.npy`` of all frames with the names of its videos beside it, see
            :func:`vadpipe.annotations.joined_array.read_joined`.
        features: folder of features; a joined array may need their numbers of frames.

    Raises:
        UsageError: naming file and line, where the file cannot be read, lacks a column, a number or range is
            invalid, or a video occurs twice.
    """
    if isinstance(path, Path) and path.suffix.lower() == ".npy":
        return read_joined(path, features)
    sheet = read_sheet(path, needs="truth")
    sheet.check()
    untimed = [item.video for item in sheet.annotations if item.untimed]
    tell(log, "abnormal videos whose time is not given, left out", untimed)
    return [item for item in sheet.annotations if not item.untimed]


def read_truth(path: Path | GivenTable) -> list[Truth]:
    """Read a sheet that alone says the truth: ranges of frames, and how many frames each video has.

    Raises:
        UsageError: as :func:`read_annotations`, and if a video's number of frames is missing or its ranges
            are seconds.
    """
    try:
        return [item.stated_truth() for item in read_annotations(path)]
    except UsageError as error:
        raise UsageError(error.reason, file=path, next_step=error.next_step) from error


def read_truth_with_features(path: Path | GivenTable, features: Path) -> list[Truth]:
    """Read a sheet that says the truth in any form; frame times come from features where they are needed.

    Args:
        path: as :func:`read_annotations` takes it.
        features: folder of features of the same videos; it need not exist where the sheet alone says it.

    Raises:
        UsageError: as :func:`read_annotations`, and if the frames of a video are needed and there are no
            features of it.
        FeatureError: if a range does not lie in its video.
    """
    found = read_annotations(path, features)
    needing = [item.video for item in found if not item.stated]
    files: dict[str, Path] = {}
    if needing:
        for file, header in FeatureFolder(features).headers(lambda *_: None):
            files.setdefault(header.source.video, file)
    matched = match(needing, files).found
    truths: list[Truth] = []
    for item in found:
        if item.video in matched:
            truths.append(item.truth(*read_frame_times(files[matched[item.video]])))
            continue
        try:
            truths.append(item.stated_truth())
        except UsageError as error:
            raise UsageError(error.reason, file=path, next_step=error.next_step) from error
    return truths
