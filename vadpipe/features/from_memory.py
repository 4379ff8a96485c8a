"""Features that are passed from Python: arrays, which no file describes, or feature records.

An array has one row for each snippet and says neither when that is nor how it was made. So it is taken as
published features are: row i speaks for the frames [16 i, 16 i + 16) of a video at nominally 30 frames per
second, and its backbone is :data:`vadpipe.features.commands.GIVEN`. Where a head expects imported features,
arrays are taken to be these, with their stride.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.commands import GIVEN
from vadpipe.features.file import SCHEMA, FeatureHeader, Features, Source
from vadpipe.features.folder import FeatureFolder, of_one_recipe
from vadpipe.features.recipe import Recipe
from vadpipe.features.sampling import SNIPPET_FRAMES
from vadpipe.features.views import VIEWS
from vadpipe.files.arguments import described

FPS = 30.0
"""Nominal frames per second of a video of which only an array is known, those of UCF-Crime."""

_SHAPES = "Pass an array (S, D) of S snippets and D dimensions, or (C, S, D) of C views, for each video."

GivenArray = ArrayLike | Features
"""(S, D) or (C, S, D), or a feature file that was loaded."""

Given = str | os.PathLike[str] | Mapping[str, GivenArray]
"""A folder of feature files, or the features of each video by its name."""


class GivenFeatures:
    """The features of several videos in memory; stands for a folder of feature files.

    Args:
        features: of each video, by its name with ``/``.
        expected: recipe of the head that is to score them; imported features are taken as made so.

    Raises:
        UsageError: if it is empty, or a name is not a string.
        FeatureError: if an array does not have the shape, holds no numbers or some that are not finite.
    """

    def __init__(self, features: Mapping[str, GivenArray], expected: Recipe | None = None) -> None:
        if not features:
            raise UsageError("no features are given", next_step=_SHAPES)
        self._given = features
        self._features = {
            Path(_name(name)): given_to_features(name, given, expected) for name, given in features.items()
        }

    def __fspath__(self) -> str:
        return "given features"  # for messages

    def __str__(self) -> str:
        return os.fspath(self)

    def like(self, recipe: Recipe) -> GivenFeatures:
        """Return the same features for a head that expects a recipe."""
        return GivenFeatures(self._given, recipe)

    def headers(
        self,
        on_broken: Callable[[Path, FeatureError], None],  # noqa: ARG002  as of FeatureFolder
    ) -> Iterator[tuple[Path, FeatureHeader]]:
        """Yield the name of each video as a path, with the record of its features."""
        for name, features in self._features.items():
            yield (
                name,
                FeatureHeader(
                    schema_version=SCHEMA,
                    recipe=features.recipe,
                    source=features.source,
                    n_frames=features.n_frames,
                    end_s=features.end_s,
                ),
            )

    def at(self, name: Path) -> Features:
        """Return the features of that name."""
        return self._features[name]

    def load(self, backbone: str | None = None, recipe: Iterable[str] = ()) -> list[Features]:
        """Return all features, of one recipe.

        Raises:
            FeatureError: if there are none of the backbone, or two recipes differ.
        """
        return of_one_recipe(list(self._features.items()), backbone, self, recipe)


def given_features(features: Given) -> Path | GivenFeatures:
    """Return the folder, or the features in memory, that a caller passed.

    Raises:
        UsageError: if it is neither.
        FeatureError: as :class:`GivenFeatures` does.
    """
    if isinstance(features, (str, os.PathLike)):
        return Path(features)
    if isinstance(features, Mapping):
        return GivenFeatures(features)
    raise UsageError(
        f"features is {described(features)}",
        next_step="Pass a folder of feature files, or a dictionary: the name of each video and its array, "
        "(S, D) or (C, S, D).",
    )


def folder_of(
    features: Path | GivenFeatures, expected: Recipe | None = None
) -> FeatureFolder | GivenFeatures:
    """Return what finds and loads features: of a folder, or in memory, for a head that expects a recipe."""
    if isinstance(features, Path):
        return FeatureFolder(features)
    return features if expected is None else features.like(expected)


def given_to_features(name: str, given: GivenArray, expected: Recipe | None = None) -> Features:
    """Return the features of one video that a caller passed.

    Args:
        name: of the video, with ``/``.
        given: (S, D) or (C, S, D); or features, which get the name.
        expected: recipe of the head that is to score them.

    Raises:
        FeatureError: if the array does not have the shape, holds no numbers or some that are not finite.
    """
    if isinstance(given, Features):
        if given.source.video == name:
            return given
        return replace(given, source=given.source.model_copy(update={"video": name}))
    values = _values(name, given)
    backbone, stride, even = GIVEN, SNIPPET_FRAMES, False
    if expected is not None and expected.imported:
        backbone, stride, even = expected.backbone, expected.stride_frames, expected.even_rows is not None
    n_frames = len(values) * stride
    recipe = imported_recipe(
        backbone,
        values,
        stride=stride,
        even_rows=len(values) if even else None,
        fixed_rows=None if even else len(values),
        engine="passed as an array",
    )
    digest = hashlib.sha256(f"{values.shape}".encode() + values.tobytes()).hexdigest()
    return Features(
        values=values,
        frame_times_s=np.arange(n_frames) / FPS,
        end_s=n_frames / FPS,
        recipe=recipe,
        source=Source(
            video=name,
            place=hashlib.sha256(f"array {name}".encode()).hexdigest()[:16],
            sha256=digest,
            n_bytes=values.nbytes,
            modified_ns=0,
            n_announced=n_frames,
            n_decoded=n_frames,
        ),
    )


def imported_recipe(
    backbone: str,
    values: NDArray[np.float32],
    *,
    stride: int,
    even_rows: int | None,
    fixed_rows: int | None,
    engine: str,
) -> Recipe:
    """Return the record of features (S, C, D) that were made elsewhere; what is unknown says so.

    Args:
        backbone: with :data:`vadpipe.features.recipe.IMPORTED` before it.
        values: the features.
        stride: frames from the start of one row to the start of the next.
        even_rows: as in :class:`vadpipe.features.recipe.Recipe`.
        fixed_rows: likewise.
        engine: what is recorded of how they came here.
    """
    return Recipe(
        backbone=backbone,
        weights_sha256="unknown",
        feature_dim=values.shape[2],
        snippet_frames=SNIPPET_FRAMES,
        stride_frames=stride,
        even_rows=even_rows,
        fixed_rows=fixed_rows,
        view="unknown",
        resize_px=0,
        input_px=0,
        crops=values.shape[1],
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        decoder="imported",
        engine=engine,
    )


def _name(name: object) -> str:
    if isinstance(name, str) and name:
        return name
    raise UsageError(
        f"{name!r} is not the name of a video",
        next_step="Pass a dictionary: the name of each video and its array.",
    )


def _values(name: str, given: ArrayLike) -> NDArray[np.float32]:
    """Return an array as (S, C, D) float32 of its own."""
    try:
        array = np.asarray(given)
    except (
        ValueError,
        TypeError,
        RuntimeError,
    ) as error:  # rows of several lengths, a tensor with a gradient
        raise FeatureError(f"is not an array: {error}", file=name, next_step=_SHAPES) from error
    if array.dtype.kind not in "fiu":
        raise FeatureError(
            f"holds values of type {array.dtype}, not real numbers", file=name, next_step=_SHAPES
        )
    if array.ndim not in (2, 3) or not array.size:
        raise FeatureError(f"has the shape {array.shape}", file=name, next_step=_SHAPES)
    if array.ndim == 3 and array.shape[0] > len(VIEWS):
        step = "The axes are (C, S, D): of an array (S, C, D) pass array.transpose(1, 0, 2)."
        raise FeatureError(
            f"has {array.shape[0]} views, by its shape {array.shape}", file=name, next_step=step
        )
    with np.errstate(over="ignore"):  # what is too large for float32 is refused below
        values = np.array(array if array.ndim == 3 else array[None], dtype=np.float32).transpose(1, 0, 2)
    if not np.isfinite(values).all():
        raise FeatureError("holds numbers that are not finite", file=name)
    return np.ascontiguousarray(values)
