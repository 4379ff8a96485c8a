"""Preview copies: MP4 copies of videos that browsers cannot play, for reports."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vadpipe.curves.curve import Curve
from vadpipe.errors import InputError, OutputError
from vadpipe.extract.video.container import FAMILIES, sniff
from vadpipe.extract.video.limits import Limits
from vadpipe.output.video_export.job import Clip, ExportJob
from vadpipe.output.video_export.process import ExportProcess

SUFFIX = ".preview.mp4"


def needs_preview(video: Path) -> bool:
    """Return whether browsers cannot play a video's container; False if there is no such video."""
    try:
        return not FAMILIES[sniff(video)].plays
    except InputError:
        return False


@contextmanager
def preview(curve: Curve, video: Path, folder: Path, limits: Limits) -> Iterator[Path]:
    """Copy all of a video into MP4 and give the file, which is gone afterwards unless it was moved away.

    H.264 is kept as it is where its timestamps are; everything else is encoded again.

    Args:
        curve: of this video.
        video: the file, or the folder of an image sequence.
        folder: where the copy lies meanwhile.
        limits: what the video may ask for.

    Raises:
        InputError: if the video cannot be read, or is not the one that the curve belongs to.
        OutputError: if the copy cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=".part-", dir=folder)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", file=folder) from error
    with temporary as inside:
        path = Path(inside).absolute() / "preview.mp4"
        path.touch()
        clip = Clip(float(curve.times_s[0]), curve.end_s, str(path), for_browsers=True)
        job = ExportJob(limits, curve.times_s, curve.end_s, (clip,))
        with ExportProcess(video, job, folder) as filming:
            filming.finish()
        yield path
