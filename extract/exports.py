"""Export of features as plain arrays, for other tools."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vadpipe.errors import UsageError
from vadpipe.features.file import Features
from vadpipe.files.atomic import atomic_path
from vadpipe.remote.address import address_of

FORMATS = ("safetensors", "npy")


def check_format(name: str, output: str | os.PathLike[str]) -> None:
    """Raise UsageError where there is no such format, or none for a remote folder."""
    if name not in FORMATS:
        raise UsageError(f"unknown format {name!r}", next_step=f"Choose one of: {', '.join(FORMATS)}.")
    if name == "npy" and address_of(output) is not None:
        step = "Extract to a local folder, or export arrays there: vadpipe extract -o FOLDER --format npy."
        raise UsageError("plain arrays are written to local folders only", next_step=step)


def npy_name(path: Path) -> Path:
    """Return where the plain array of a feature file lies."""
    return path.with_suffix(".npy")


def npy_beside(path: Path) -> Path:
    """Write NAME.npy beside a feature file NAME.safetensors, unless it is there and newer; return where.

    The array is float32, [T, D] for one view and [T, C, D] for several, as RTFM and its relatives read it;
    snippets that were lost are left out.

    Raises:
        FeatureError: if the feature file cannot be read.
        OutputError: if the array cannot be written.
    """
    target = npy_name(path)
    if target.is_file() and target.stat().st_mtime_ns >= path.stat().st_mtime_ns:
        return target
    features = Features.load(path)
    kept = features.values[~features.lost]
    with atomic_path(target) as temporary:
        np.save(temporary, kept[:, 0] if kept.shape[1] == 1 else kept)
    return target
