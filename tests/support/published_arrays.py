"""Arrays as other projects publish them, and their import."""

import numpy as np

from vadpipe.published.import_features import import_features
from vadpipe.published.settings import ImportSettings


def random_array(rows=6, width=8, crops=None, seed=0):
    """Return float32 noise, (rows, width) or (rows, crops, width)."""
    shape = (rows, width) if crops is None else (rows, crops, width)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def save_array(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)
    return path


def import_arrays(*inputs, backbone="i3d_r50", frame_counts=None, **options):
    """Import into the folder ``features`` below the current one."""
    settings = ImportSettings(backbone=backbone, **options)
    return import_features(inputs, "features", settings=settings, frame_counts=frame_counts)


def only_error(result):
    """Return the message of the one file that failed."""
    (failure,) = result.failed
    return str(failure.error)
