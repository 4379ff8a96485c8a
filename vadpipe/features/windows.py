"""Window arithmetic: a backbone that runs over time sees more than a snippet at once.

A window of W samples gives one feature for each of its positions (stretches of 8 samples with Inception I3D),
which knows what comes before and after. A snippet is the mean of the features of its 16 samples. Consecutive
windows share :data:`OVERLAP` samples, of which the first half is taken from the one before and the second
from the one behind, since at its borders the backbone sees zeros. The last window ends with the video. A
short video is continued by its reflection, whose features nobody takes.

Features may be made by several windows, of 16 and of 64 samples, say: a snippet by itself tells its moment
from those beside it, and a longer window knows what it belongs to. The row of a snippet then holds its
feature by each, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import UsageError

SNIPPET_FRAMES = 16
"""Samples of a snippet, as everywhere in the field."""

OVERLAP = 16
"""Samples that two consecutive windows share."""

WINDOWS = (SNIPPET_FRAMES, 48, 64, 96, 128, 192, 256)
"""Samples that a backbone may see at once. Longer ones compute fewer frames twice and take more memory."""


def parse_windows(window: int | str | Iterable[int]) -> tuple[int, ...]:
    """Return the requested windows, the shortest first.

    Args:
        window: one; or several, with commas between them or one by one.

    Raises:
        UsageError: if one does not exist, or is named twice.
    """
    parts: Iterable[object] = [window]
    if isinstance(window, str):
        parts = [int(text) if text.strip().isdecimal() else text.strip() for text in window.split(",")]
    elif isinstance(window, Iterable):
        parts = window
    windows = []
    for part in parts:
        if part not in WINDOWS or isinstance(part, bool):
            raise UsageError(f"unsupported window: {part!r}", next_step=f"Choose from: {text_of(WINDOWS)}.")
        windows.append(int(part))
    if not windows or len({*windows}) < len(windows):
        raise UsageError(
            "a window is named twice, or none", next_step="Name each window once, such as 16,64."
        )
    return tuple(sorted(windows))


def text_of(windows: Iterable[int]) -> str:
    """Return how options name windows: ``"16"``, ``"16,64"``."""
    return ",".join(map(str, windows))


@dataclass(frozen=True)
class Windows:
    """The windows over a video of M samples.

    Attributes:
        n_samples: M, 1 or more.
        window: W, samples of each; at least three times the overlap, so that the last 16 samples of a video
            are taken from its last window alone.
    """

    n_samples: int
    window: int

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(K,) int64, the first sample of each window."""
        beyond, step = max(self.n_samples - self.window, 0), self.window - OVERLAP
        return np.minimum(np.arange(1 - (-beyond // step)) * step, beyond)

    def samples(self) -> NDArray[np.int64]:
        """Return the samples of each window, (K, W) int64."""
        samples = self.starts[:, None] + np.arange(self.window)
        if self.n_samples >= self.window:
            return samples
        period = max(2 * (self.n_samples - 1), 1)
        samples %= period
        return np.minimum(samples, period - samples) if self.n_samples > 1 else np.zeros_like(samples)

    def taken(self, index: int) -> tuple[int, int]:
        """Return the samples [start, stop) whose features are taken from a window."""
        begin = 0 if index == 0 else self._border(index)
        return begin, self.n_samples if index == len(self.starts) - 1 else self._border(index + 1)

    def _border(self, index: int) -> int:
        """Return the first sample that is taken from a window, and not from the one before."""
        return int(self.starts[index] + self.starts[index - 1] + self.window + 1) // 2

    def shares(self, index: int, n_positions: int, snippets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what each snippet takes of the features of a window's positions, (S, n_positions) float32.

        Over all windows the shares of a snippet sum to 1.

        Args:
            index: of the window.
            n_positions: features of a window, a divisor of W.
            snippets: (S, 2) int64, the samples [start, stop) of each snippet.
        """
        begin, end = self.taken(index)
        edges = self.starts[index] + np.arange(n_positions + 1) * (self.window // n_positions)
        low = np.maximum(snippets[:, :1], np.maximum(edges[:-1], begin))
        high = np.minimum(snippets[:, 1:], np.minimum(edges[1:], end))
        lengths = snippets[:, 1:] - snippets[:, :1]
        shares: NDArray[np.float32] = (np.maximum(high - low, 0) / lengths).astype(np.float32)
        return shares
