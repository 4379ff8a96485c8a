"""Settings of an import, and the recipe made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.from_memory import FPS, imported_recipe
from vadpipe.features.recipe import IMPORTED, Recipe
from vadpipe.features.sampling import SNIPPET_FRAMES
from vadpipe.features.views import CROPS
from vadpipe.published.axes import LAYOUTS

ROWS = ("stride", "even")
"""Which frames a row speaks for: from its stride on, or its part of the whole video."""


@dataclass(frozen=True)
class ImportSettings:
    """Settings that describe published features.

    Attributes:
        backbone: what made them, in the user's words: ``"i3d_r50"``. Features are comparable where it is the
            same; feature files name it with :data:`vadpipe.features.recipe.IMPORTED` before it.
        crops: 1, 5 or 10 squares of each snippet; None recognises them. 1 takes each file as a separate
            video, whatever its name.
        layout: order of the axes, one of :data:`vadpipe.published.axes.LAYOUTS`. One of a file that holds
            all crops (``"tcd"``, ``"ctd"``) takes each file as a separate video, too.
        rows: one of :data:`ROWS`.
        stride: frames from the start of one row to the start of the next; with even rows it only says how
            many frames there are where no list of counts does.
        fps: nominal frames per second.
        feature_dim: D where it is known: another last axis is refused, and ``[D, T]`` is turned round.
        array: which array to take of files that hold several for each video: of ``.npz`` files, and of the
            groups of HDF5 files and the dicts of ``.pt`` files.

    Raises:
        UsageError: if one of them is out of range.
    """

    backbone: str
    crops: int | None = None
    layout: str = "auto"
    rows: str = "stride"
    stride: int = SNIPPET_FRAMES
    fps: float = FPS
    feature_dim: int | None = None
    array: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.+-]{1,100}", self.backbone.removeprefix(IMPORTED)):
            raise UsageError(
                f"{self.backbone!r} is not a valid backbone name",
                next_step="Use only letters, digits and . _ + -, as in i3d_r50.",
            )
        for what, value, choices in (
            ("layout", self.layout, LAYOUTS),
            ("rule for rows", self.rows, ROWS),
            ("number of crops", self.crops, (None, *CROPS)),
        ):
            if value not in choices:
                named = ", ".join("auto" if choice is None else str(choice) for choice in choices)
                raise UsageError(f"unknown {what} {value!r}", next_step=f"Choose one of: {named}.")
        if not 1 <= self.stride <= 100_000:
            raise UsageError(f"a stride of {self.stride} frames is out of range", next_step="Use 1 or more.")
        if not 0.01 <= self.fps <= 1000:
            raise UsageError(f"{self.fps:g} frames per second is out of range", next_step="Use 0.01 to 1000.")

    @property
    def recorded_backbone(self) -> str:
        """The backbone's name as feature files have it."""
        return IMPORTED + self.backbone.removeprefix(IMPORTED)

    @property
    def joins_crops(self) -> bool:
        """Whether files with a crop number are crops of one video."""
        return self.crops != 1 and self.layout not in ("tcd", "ctd")

    def recipe(self, values: NDArray[np.float32], n_frames: int | None) -> Recipe:
        """Return the record of features (T, C, D) of a video of so many frames; what is unknown says so."""
        even = self.rows == "even"
        return imported_recipe(
            self.recorded_backbone,
            values,
            stride=self.stride,
            even_rows=len(values) if even else None,
            fixed_rows=None if even else self.fixed_rows(len(values), n_frames),
            engine=self.asked(n_frames),
        )

    def fixed_rows(self, n_rows: int, n_frames: int | None) -> int:
        """Return the rows of a video with a stride, where they fit its frames.

        Raises:
            FeatureError: if there are more rows than frames for them, or more than a snippet of frames is
                left after the last row. It names no file.
        """
        if n_frames is None:
            return n_rows
        needed = -(-n_frames // self.stride)
        span = max(self.stride, SNIPPET_FRAMES)
        left = n_frames - ((n_rows - 1) * self.stride + span)
        if n_rows <= needed and left <= span:
            return n_rows
        raise FeatureError(
            f"has {n_rows} rows, but its {n_frames} frames need {needed} at a stride of {self.stride}",
            next_step="Correct --stride or the number of frames; or --rows even spreads the rows over all "
            "frames (then for all videos of the set).",
        )

    def asked(self, n_frames: int | None) -> str:
        """Return the settings of one video as text, so that a change of them is noticed."""
        known = {
            "crops": self.crops or "auto",
            "layout": self.layout,
            "rows": self.rows,
            "stride": self.stride,
            "fps": float(self.fps),
            "frames": n_frames or "unknown",
            "feature_dim": self.feature_dim or "any",
            "array": self.array or "the only one",
        }
        return "imported: " + ", ".join(f"{name} {value}" for name, value in known.items())
