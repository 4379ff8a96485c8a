"""The choice of whether a head sees the whole video, by how many training videos are long."""

from __future__ import annotations

import numpy as np

from vadpipe.head.bags import TrainingSet
from vadpipe.head.settings import HeadSettings

LONG_VIDEOS = 100
"""From so many long training videos on, context is used; measured in docs/benchmarks.md."""


def with_context_chosen(settings: HeadSettings, data: TrainingSet) -> HeadSettings:
    """Return settings in which ``context`` is not ``"auto"``.

    A video is long if it has more snippets than a bag has segments. In short videos context gives the label
    of the bag away. All videos of the set count, so that the heads of its folds are like the final one.

    Args:
        settings: of a training.
        data: its videos.
    """
    if settings.context != "auto":
        return settings
    n_long = np.count_nonzero(data.n_snippets > settings.segments)
    return settings.model_copy(update={"context": "both" if n_long >= LONG_VIDEOS else "none"})
