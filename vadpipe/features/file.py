"""The feature file: what extraction writes and the head reads, one file per video.

A safetensors file with three arrays and, in its header, the record of how they were made. Nothing
in it is executable, and it can be mapped into memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from vadpipe.errors import FeatureError
from vadpipe.features.recipe import Recipe
from vadpipe.features.sampling import Sampling
from vadpipe.files.atomic import atomic_path

SCHEMA = 3
_NAMED_GAPS = 3
SUFFIX = ".safetensors"
_HEADER_KEY = "vadpipe.features"
_LONGEST_S = 1e15
"""What nobody needs more of."""


class Source(BaseModel):
    """The video that features came from.

    Attributes:
        video: its path below the folder that was given, that folder's name included, with ``/``
            (``videos/fight/a.mp4``). Labels are taken from its folders; no absolute path is kept.
        place: digest of its absolute path, by which the same file is known however it was named.
        sha256: digest of its content, by which a copy or a moved folder is known.
        n_bytes, modified_ns: size and modification time; while both stay, the content is not read again. Of a
            remote video the latter is a number that changes with its version.
        n_announced: how many frames the container says that a player shows.
        n_decoded: how many of them could be decoded.
        gaps: ranges [start, stop) of frames before the last decoded one that could not be.
        version: what a store calls that version of a remote video, such as its ETag; None of a local one.
        width_px, height_px: of the picture as shown, after rotation; None if it was not recorded, or the
            features were made elsewhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: str
    place: str
    sha256: str
    n_bytes: int
    modified_ns: int
    n_announced: int = Field(ge=1)
    n_decoded: int = Field(ge=0)
    gaps: tuple[tuple[int, int], ...] = ()
    version: str | None = None
    width_px: int | None = Field(None, ge=1)
    height_px: int | None = Field(None, ge=1)

    @model_serializer(mode="wrap")
    def _without_a_version(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave a version out where there is none, so that records of local videos stay as they are."""
        fields: dict[str, Any] = serialise(self)
        if self.version is None:
            del fields["version"]
        return fields

    @property
    def size_px(self) -> tuple[int, int] | None:
        """Width and height in pixels of the picture as shown, or None where they were not recorded."""
        if self.width_px is None or self.height_px is None:
            return None
        return self.width_px, self.height_px

    @property
    def lost_share(self) -> float:
        """The share of the announced frames that could not be decoded, in [0, 1]."""
        return 1 - self.n_decoded / self.n_announced

    @property
    def partial(self) -> str | None:
        """A description of the missing frames, or None if the video is complete."""
        if self.n_decoded >= self.n_announced:
            return None
        n_lost = self.n_announced - self.n_decoded
        where = [f"{start}" if stop == start + 1 else f"{start} to {stop - 1}" for start, stop in self.gaps]
        if len(where) > _NAMED_GAPS:
            where[_NAMED_GAPS:] = [f"{len(where) - _NAMED_GAPS} more gaps"]
        if n_lost > sum(stop - start for start, stop in self.gaps):
            where.append("the end")
        return f"{n_lost} of {self.n_announced} frames could not be decoded (frames: {', '.join(where)})"


class FeatureHeader(BaseModel):
    """The record in a feature file's header, readable without its arrays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int
    recipe: Recipe
    source: Source
    n_frames: int
    end_s: float = Field(ge=0, le=_LONGEST_S)


@dataclass(frozen=True)
class Features:
    """The features of one video.

    Attributes:
        values: (S, C, D) float32, one row per snippet and view; zeros for a snippet that is lost.
        frame_times_s: (N,) float64, presentation time of each frame, not decreasing, from 0 up.
        end_s: when the last frame ends.
        recipe: how the values were made.
        source: the video that they came from.

    Raises:
        FeatureError: if shapes, numbers or the record contradict each other.
    """

    values: NDArray[np.float32] = field(repr=False)
    frame_times_s: NDArray[np.float64] = field(repr=False)
    end_s: float
    recipe: Recipe
    source: Source

    def __post_init__(self) -> None:
        if self.frame_times_s.ndim != 1 or self.n_frames == 0:
            raise FeatureError("has no frame times", file=self.source.video)
        shape = self.values.shape
        n_rows = self.recipe.sampling.n_snippets(self.frame_times_s, self.end_s)
        expected = (n_rows, self.recipe.crops, self.recipe.feature_dim)
        if shape != expected:
            raise FeatureError(
                f"has features of shape {shape}, but its {self.n_frames} frames need {expected}",
                file=self.source.video,
            )
        fixed = self.recipe.fixed_rows or 1
        if (fixed - 1) * self.recipe.stride_frames >= self.n_frames:
            raise FeatureError(
                f"has {fixed} rows, too many for {self.n_frames} frames", file=self.source.video
            )
        if not np.isfinite(self.values).all():
            raise FeatureError("has features that are not finite", file=self.source.video)
        if not np.isfinite(self.frame_times_s).all() or (np.diff(self.frame_times_s) < 0).any():
            raise FeatureError("has frame times that run backwards", file=self.source.video)

    def __repr__(self) -> str:
        return (
            f"Features({self.source.video!r}, values={self.values.shape}, n_frames={self.n_frames}, "
            f"end_s={self.end_s:.2f}, backbone={self.recipe.backbone!r})"
        )

    @property
    def n_frames(self) -> int:
        """N, the frames that a player shows."""
        return len(self.frame_times_s)

    @cached_property
    def spans(self) -> NDArray[np.int64]:
        """(S, 2) int64: the frames [start, stop) that each snippet speaks for."""
        return self.recipe.sampling.spans(self.frame_times_s, self.end_s)

    @property
    def snippet_times_s(self) -> NDArray[np.float64]:
        """(S, 2) float64: the half-open stretch [start, end) that each snippet speaks for."""
        return np.append(self.frame_times_s, self.end_s)[self.spans]

    @cached_property
    def lost(self) -> NDArray[np.bool_]:
        """(S,) bool: snippets of which a frame could not be decoded; neither learned from nor scored."""
        return lost_snippets(self.recipe.sampling, self.frame_times_s, self.end_s, self.source.gaps)

    def of_views(self, views: Sequence[str]) -> Features:
        """Return only some of the views of these features, in the order in which they lie here.

        Their values lie in memory as those of features that were extracted with these views alone, so that a
        head gives them the same scores to the last bit.

        Raises:
            ValueError: if one is not among them.
        """
        columns = sorted(self.recipe.views.index(view) for view in views)
        kept = [self.recipe.views[column] for column in columns]
        values = np.ascontiguousarray(self.values[:, columns])  # numpy would keep the views furthest apart
        return replace(self, values=values, recipe=self.recipe.of_views(kept))

    def save(self, path: Path) -> None:
        """Write the file atomically. Raises OutputError if that fails."""
        header = FeatureHeader(
            schema_version=SCHEMA,
            recipe=self.recipe,
            source=self.source,
            n_frames=self.n_frames,
            end_s=self.end_s,
        )
        arrays: dict[str, NDArray[Any]] = {
            "features": np.ascontiguousarray(self.values),
            "frame_times_s": np.ascontiguousarray(self.frame_times_s),
            "snippet_times_s": np.ascontiguousarray(self.snippet_times_s),
        }
        with atomic_path(path) as temporary:
            try:
                save_file(arrays, temporary, metadata={_HEADER_KEY: header.model_dump_json()})
            except SafetensorError as error:  # a full disk, say
                raise OSError(str(error)) from error

    @classmethod
    def load(cls, path: Path, *, mapped: bool = False) -> Features:
        """Read a feature file.

        Args:
            path: the file.
            mapped: leave the values in the file, from where they are read when they are needed; so that a
                whole data set fits into memory.

        Raises:
            FeatureError: if it is missing, is not one of vadpipe's, or contradicts itself.
        """
        header = read_header(path)
        try:
            with safe_open(path, framework="numpy") as file:
                return cls(
                    values=_map(path) if mapped else file.get_tensor("features"),
                    frame_times_s=file.get_tensor("frame_times_s"),
                    end_s=float(header.end_s),
                    recipe=header.recipe,
                    source=header.source,
                )
        except SafetensorError as error:
            raise _broken(path, str(error)) from error
        except FeatureError as error:
            raise FeatureError(error.reason, file=path, next_step=_REDO) from error


def _map(path: Path) -> NDArray[np.float32]:
    """Return the values as a view of the file; what is written into it stays in memory.

    By torch, whose maps hold no file open, unlike numpy's: a data set has more files than a process may open.
    """
    with safe_open(path, framework="pt") as file:
        values: NDArray[np.float32] = file.get_tensor("features").numpy()
    return values


def lost_snippets(
    sampling: Sampling, times_s: NDArray[np.float64], end_s: float, gaps: tuple[tuple[int, int], ...]
) -> NDArray[np.bool_]:
    """Return which snippets need a frame of one of the gaps, (S,) bool."""
    if not gaps:
        return np.zeros(sampling.n_snippets(times_s, end_s), dtype=np.bool_)
    missing = np.zeros(len(times_s), dtype=np.bool_)
    for start, stop in gaps:
        missing[start:stop] = True
    return np.asarray(missing[sampling.clips(times_s, end_s)].any(axis=1))


_REDO = "Delete it and run 'vadpipe extract' (or 'vadpipe features import') again."


def read_header(path: Path) -> FeatureHeader:
    """Read only the record of a feature file.

    Raises:
        FeatureError: if it is missing or is not a feature file of this schema.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError as error:
        raise FeatureError("no such feature file", file=path) from error
    except (SafetensorError, OSError) as error:
        raise _broken(path, str(error)) from error
    return header_in(metadata, path)


def header_in(metadata: Mapping[str, str], path: Path) -> FeatureHeader:
    """Return the record in the metadata of a feature file.

    Raises:
        FeatureError: if it is not of a feature file of this schema.
    """
    if "vadpipe.head" in metadata:
        raise FeatureError("is a head, not a feature file", file=path, next_step="Pass it as --head.")
    if _HEADER_KEY not in metadata:
        raise FeatureError("is not a vadpipe feature file", file=path)
    try:
        known = json.loads(metadata[_HEADER_KEY])
        schema = known.get("schema_version") if isinstance(known, dict) else None
        if schema != SCHEMA and isinstance(schema, int):  # its other fields may be anything
            reason = f"has schema {schema}, this vadpipe reads {SCHEMA}"
            raise FeatureError(reason, file=path, next_step=_REDO)
        return FeatureHeader.model_validate(known, strict=False)
    except (ValueError, RecursionError) as error:
        raise _broken(path, "its record does not follow the schema") from error


def read_frame_times(path: Path) -> tuple[NDArray[np.float64], float]:
    """Read only when each frame is shown, (N,) float64 in seconds, and when the last of them ends.

    Raises:
        FeatureError: if the file is missing or is not a feature file of this schema.
    """
    header = read_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            return file.get_tensor("frame_times_s"), header.end_s
    except SafetensorError as error:
        raise _broken(path, str(error)) from error


def _broken(path: Path, why: str) -> FeatureError:
    return FeatureError(f"is not a readable feature file: {why}", file=path, next_step=_REDO)
