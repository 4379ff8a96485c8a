"""The choice of whether a head sees the whole video, by how many training videos are long."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vadpipe.head.methods import CBCG
from vadpipe.head.settings import HeadSettings

LONG_VIDEOS = 100
"""From so many long training videos on, context is used; measured in docs/benchmarks.md."""


def with_context_chosen(settings: HeadSettings, n_snippets: ArrayLike) -> HeadSettings:
    """Return settings in which ``context`` is not ``"auto"``.

    A video is long if it has more snippets than a bag has segments. In short videos context gives the label
    of the bag away. It is chosen once for all videos, so that the heads of folds are like the final one.

    Args:
        settings: of a training.
        n_snippets: of each of its videos, (N,).
    """
    if settings.context != "auto":
        return settings
    n_long = np.count_nonzero(np.asarray(n_snippets) > settings.segments)
    both = settings.method == CBCG and n_long >= LONG_VIDEOS
    return settings.model_copy(update={"context": "both" if both else "none"})
