"""Reading of the truth about test videos: from a sheet, or from a joined array."""

from __future__ import annotations

import logging
from pathlib import Path

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.joined_array import read_joined
from vadpipe.annotations.sheet import read_sheet
from vadpipe.annotations.truth import Truth
from vadpipe.errors import UsageError
from vadpipe.extract.video.names import tell

log = logging.getLogger(__name__)


def read_annotations(path: Path, features: Path | None = None) -> list[Annotation]:
    """Return what a file says about each test video, see ``docs/how-to/labels-and-truth.md``.

    :meth:`Annotation.truth` makes frames of it once the times of a video's frames are known. Videos that are
    labelled abnormal without a time are left out, with a warning.

    Args:
        path: a CSV or Excel file with ``video,anomalies`` or ``video,start_s,end_s``; or a ``.npy`` of all
            frames with the names of its videos beside it, see
            :func:`vadpipe.annotations.joined_array.read_joined`.
        features: folder of features; a joined array may need their numbers of frames.

    Raises:
        UsageError: naming file and line, where the file cannot be read, lacks a column, a number or range is
            invalid, or a video occurs twice.
    """
    if path.suffix.lower() == ".npy":
        return read_joined(path, features)
    sheet = read_sheet(path, needs="truth")
    sheet.check()
    untimed = [item.video for item in sheet.annotations if item.untimed]
    tell(log, "abnormal videos whose time is not given, left out", untimed)
    return [item for item in sheet.annotations if not item.untimed]


def read_truth(path: Path) -> list[Truth]:
    """Read a sheet that alone says the truth: ranges of frames, and how many frames each video has.

    Raises:
        UsageError: as :func:`read_annotations`, and if a video's number of frames is missing or its ranges
            are seconds.
    """
    try:
        return [item.stated_truth() for item in read_annotations(path)]
    except UsageError as error:
        raise UsageError(error.reason, file=path, next_step=error.next_step) from error
