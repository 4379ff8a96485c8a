"""Features of a video as a bag."""

from __future__ import annotations

import numpy as np

from vadpipe.features.file import Features
from vadpipe.head.bags import Bag


def bag_of(features: Features, label: int, group: str) -> Bag:
    """Return a video's features as a bag; snippets that could not be decoded are left out."""
    values, spans = features.values.transpose(1, 0, 2), features.spans
    # The frames between two edges are held by the same snippets.
    edges = np.unique([0, *spans.ravel(), features.n_frames])
    times_s, spans = features.frame_times_s[edges[:-1]], np.searchsorted(edges, spans)
    if features.lost.any():
        values, spans = values[:, ~features.lost], spans[~features.lost]
    n_windows = len(features.recipe.windows)
    return Bag(features.source.video, values, label, group, times_s, features.end_s, spans, n_windows)
