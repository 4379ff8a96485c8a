"""Preview copies: MP4 copies of videos that browsers cannot play, for reports."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vadpipe.curves.curve import Curve
from vadpipe.errors import InputError, OutputError, printable
from vadpipe.extract.video.container import FAMILIES, sniff
from vadpipe.extract.video.limits import Limits
from vadpipe.output.video_export.exports import Exports
from vadpipe.output.video_export.job import Clip, ExportJob

SUFFIX = ".preview.mp4"

log = logging.getLogger(__name__)


def needs_preview(video: Path) -> bool:
    """Return whether browsers cannot play a video's container; False if there is no such video."""
    try:
        return not FAMILIES[sniff(video)].plays
    except InputError:
        return False


@contextmanager
def preview(curve: Curve, folder: Path, limits: Limits | None) -> Iterator[ExportJob]:
    """Give the job that copies all of a video into MP4; its file is gone afterwards unless it was moved away.

    H.264 is kept as it is where its timestamps are; everything else is encoded again.

    Args:
        curve: of the video.
        folder: where the copy lies meanwhile.
        limits: what the video may ask for.

    Raises:
        OutputError: where the copy cannot be written.
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
        yield ExportJob(limits or Limits(), curve.times_s, curve.end_s, (clip,), target=folder)


def finished_preview(job: ExportJob, exports: Exports, video: Path) -> Path | None:
    """Wait until a copy is made, the next of the exports, and return its file.

    None where the video cannot be copied, which a warning says: the curve stands, and a report that plays
    nothing is better than none.

    Raises:
        OutputError: where the copy cannot be written.
    """
    try:
        exports.finish()
    except InputError as error:
        log.warning("%s: no copy for browsers could be made: %s", printable(video), error.reason)
        return None
    return Path(job.clips[0].output)
