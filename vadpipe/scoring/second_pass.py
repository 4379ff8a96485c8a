"""The second pass over a scored video: stills for every output, and frames for explanations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing

from vadpipe.curves.curve import Curve
from vadpipe.curves.explanation import Explanation
from vadpipe.errors import InputError, WeightsError, printable
from vadpipe.extract.stills import StillFrames, Stills, read_together
from vadpipe.extract.video.discovery import Video
from vadpipe.extract.video.job import StillRequest
from vadpipe.features.file import Features
from vadpipe.scoring.explain import Explaining, HeadAndBackbone
from vadpipe.scoring.outputs import Outputs

log = logging.getLogger(__name__)


def stills_wanted(curve: Curve, outputs: Outputs, *, listed: bool) -> list[StillRequest]:
    """Return the stills that outputs show of a scored video.

    Args:
        curve: of the video.
        outputs: what is written of it.
        listed: whether a list of several reports shows it too.
    """
    wanted = []
    if outputs.plot is not None:
        from vadpipe.output.plot import plot_stills

        wanted.append(plot_stills(curve))
    if outputs.report:
        from vadpipe.output.report.stills import index_still, report_stills

        wanted.append(report_stills(curve))
        if listed:
            wanted.append(index_still(curve))
    return wanted


def read_again(
    scorer: HeadAndBackbone,
    features: Features,
    curve: Curve,
    video: Video,
    stills: Sequence[StillRequest],
    *,
    explain: bool = False,
    on_progress: Callable[[float, float], None] | None = None,
) -> tuple[Stills, Sequence[Explanation]]:
    """Read the stills of a scored video, and explain its highest events, in one pass over the video.

    The scores stand, whatever goes wrong: what cannot be read is told by :meth:`Stills.of`, and of events
    that cannot be explained a warning is logged. Memory holds the stills and the frames of one event.

    Args:
        scorer: that scored the video.
        features: of the video.
        curve: that the scorer made of them.
        video: which.
        stills: what is wanted of it.
        explain: whether events are explained as well.
        on_progress: told up to what time events are explained, and when the video ends, in seconds.

    Returns:
        The stills; and the explanations, none where one of them failed.
    """
    reasons = _Reasons(scorer, features, curve, video, on_progress) if explain else None
    requests = [*stills, *(reasons.requests if reasons is not None else ())]
    frames: dict[StillRequest, StillFrames] = {}
    error: InputError | None = None
    if not requests:
        return Stills(), ()
    try:
        reading = read_together(video.footage, requests, scorer.limits, assume_fps=curve.frame_rate)
        with closing(reading):
            for request, read in reading:
                if request in stills:
                    frames[request] = read
                if reasons is not None:
                    reasons.take(request, read)
    except InputError as failure:
        error = failure
    return Stills(frames, error), () if reasons is None else reasons.finish(error)


class _Reasons:
    """Explanations of a video whose scores stand where it cannot be explained."""

    def __init__(
        self,
        scorer: HeadAndBackbone,
        features: Features,
        curve: Curve,
        video: Video,
        on_progress: Callable[[float, float], None] | None,
    ) -> None:
        self._video, self._failed = video, False
        self._explaining = Explaining(scorer, features, curve, video.path, on_progress=on_progress)
        self.requests = self._explaining.requests

    def take(self, request: StillRequest, frames: StillFrames) -> None:
        """Explain what can be explained with these frames."""
        if self._failed:
            return
        try:
            self._explaining.take(request, frames)
        except (InputError, WeightsError, MemoryError) as error:
            self._fail(error)

    def finish(self, error: InputError | None) -> Sequence[Explanation]:
        """Return all explanations, or none where there was an error, here or of the reading."""
        if error is not None and not self._failed and not self._explaining.done:
            self._fail(error)
        return () if self._failed else self._explaining.found

    def _fail(self, error: Exception) -> None:
        self._failed = True
        log.warning("%s: not explained: %s", printable(self._video.path), error or "too little memory")
