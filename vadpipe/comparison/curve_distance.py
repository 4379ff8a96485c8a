"""How far apart the curves of one video lie, whatever scales their scores are on.

The scores of two heads cannot be subtracted: one may have all of them between 0.2 and 0.4 and rank frames as
well as the other. So a frame counts by its *rank*: the share of all compared frames, of all videos, that the
same candidate scores lower (half of those it scores alike). Curves of a video are as far apart as the
highest and the lowest rank of a frame are, on average over its frames: 0 where all candidates rank its frames
alike, 0.3 where a frame ranks 30 percentage points higher in one than in another. Stretching the scores of a
candidate does not change it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from vadpipe.evaluation.metrics import JudgedVideo


def apart(judged: Sequence[Sequence[JudgedVideo]]) -> list[float]:
    """Return how far apart the curves of each video lie, in [0, 1].

    Args:
        judged: the V videos of each candidate, scored on the same frames.
    """
    ranks = np.stack([_ranks(videos) for videos in judged])
    edges = np.cumsum([int((~np.isnan(video.scores)).sum()) for video in judged[0]])
    of_videos = np.split(np.ptp(ranks, axis=0), edges[:-1])
    return [float(distances.mean()) for distances in of_videos]


def _ranks(videos: Sequence[JudgedVideo]) -> NDArray[np.float64]:
    """Return the rank of each scored frame among all of them, in (0, 1)."""
    scores = np.concatenate([video.scores for video in videos])
    scores = scores[~np.isnan(scores)]
    return np.asarray((rankdata(scores) - 0.5) / len(scores), dtype=np.float64)
