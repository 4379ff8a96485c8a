"""Squeezed bags of a folder of features on disk, from where a training reads them at each step.

Of more videos than memory holds, a training can neither keep the segments nor read whole feature files at
each step. So the first training on a folder reads every file once and writes what trainings need of it,
squeezed to T segments, to a few files that are mapped into memory: the kernel keeps of them what fits. They
are read as long as the folder holds the same files, by size and modification time, and code and T are the
same; else they are written anew. They may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import OutputError
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder
from vadpipe.features.recipe import Recipe
from vadpipe.files.atomic import CHOOSE_ANOTHER_PLACE
from vadpipe.files.digest import file_digest
from vadpipe.files.locks import VideoLock
from vadpipe.head.bags import squeezed_bag
from vadpipe.training.bags_of_features import bag_of
from vadpipe.training.resume import code_digest

log = logging.getLogger(__name__)

_ARRAYS = {"segments": np.float32, "moments": np.float64, "times_s": np.float64, "spans": np.int64}
_COLUMNS = {
    "n_bytes": np.int64, "modified_ns": np.int64, "recipe": np.int64, "n_snippets": np.int64,
    "n_segments": np.int64, "n_stretches": np.int64, "end_s": np.float64,
}  # fmt: skip

_DAMAGES = (ValueError, LookupError, TypeError, EOFError, BadZipFile, zlib.error, MemoryError, OverflowError)

Stamp = tuple[str, int, int]
"""A file below the folder, its size in bytes and its modification time in ns."""


@dataclass(frozen=True, slots=True)
class PackedVideo:
    """What is known of a video without its features.

    Attributes:
        row: of the pack.
        folder, file: where its feature file lies, and its path from there.
        video, sha256: its name, and the digest of its content.
        recipe: how its features were made; the same object for all videos of one recipe.
        partial: which frames could not be decoded, or None.
        is_lost: whether no snippet could be.
    """

    row: int
    folder: Path
    file: str
    video: str
    sha256: str
    recipe: Recipe
    partial: str | None
    is_lost: bool

    @property
    def path(self) -> Path:
        """Its feature file; made when it is asked for, as a path takes more memory than all else."""
        return self.folder / self.file


class BagPack:
    """The squeezed bags of a folder of features.

    Args:
        place: folder of the pack.
        features: folder of the feature files.

    Raises:
        OSError: if there is none; it or one of ``_DAMAGES`` for a damaged one.
    """

    def __init__(self, place: Path, features: Path) -> None:
        described = json.loads((place / "videos.json").read_text(encoding="utf-8"))
        self.features, self.made_by = features, described["made_by"]
        self._recipes = [Recipe.model_validate(recipe) for recipe in described["recipes"]]
        self._videos: list[tuple[str, str, str, str | None]] = [*map(tuple, described["videos"])]
        with (place / "columns.npz").open("rb") as file, np.load(file) as columns:
            self._columns: dict[str, NDArray[Any]] = {
                name: columns[name] for name in [*_COLUMNS, "file_sha256", "digest"]
            }
        self._arrays = {name: _mapped(place / f"{name}.bin", dtype) for name, dtype in _ARRAYS.items()}
        crops, dims = (
            np.array([getattr(recipe, name) for recipe in self._recipes])[self._columns["recipe"]]
            for name in ("crops", "feature_dim")
        )
        sizes = {
            "segments": self._columns["n_segments"] * crops * dims,
            "moments": 2 * dims,
            "times_s": self._columns["n_stretches"],
            "spans": 2 * self._columns["n_snippets"],
        }
        self._starts = {name: np.cumsum([0, *size]) for name, size in sizes.items()}
        if any(len(self._arrays[name]) != starts[-1] for name, starts in self._starts.items()):
            raise ValueError("a file is cut short")

    def is_of(self, stamps: Sequence[Stamp], made_by: str) -> bool:
        """Return whether it was made of exactly these files, in this order, by this code."""
        if self.made_by != made_by or len(stamps) != len(self._videos):
            return False
        sizes, times = (np.array([stamp[part] for stamp in stamps], np.int64) for part in (1, 2))
        return (
            all(known[0] == stamp[0] for known, stamp in zip(self._videos, stamps, strict=True))
            and np.array_equal(sizes, self._columns["n_bytes"])
            and np.array_equal(times, self._columns["modified_ns"])
        )

    def videos(self) -> Iterator[PackedVideo]:
        """Yield every video, in the order of the files."""
        for row, (name, video, sha256, partial) in enumerate(self._videos):
            recipe = self._recipes[self._columns["recipe"][row]]
            is_lost = not self._columns["n_snippets"][row]
            yield PackedVideo(row, self.features, name, video, sha256, recipe, partial, is_lost)

    def path(self, row: int) -> Path:
        """Return a video's feature file."""
        return self.features / self._videos[row][0]

    def files_digest(self) -> tuple[int, str]:
        """Return what :func:`vadpipe.runs.digests.files_digest` says of the files, without reading them."""
        whole = hashlib.sha256()
        for (name, *_), digest in zip(self._videos, self._columns["file_sha256"], strict=True):
            whole.update(name.encode(errors="surrogateescape") + b"\0" + bytes(digest).hex().encode() + b"\n")
        return len(self._videos), whole.hexdigest()

    def recipe(self, row: int) -> Recipe:
        """Return how the features of a video were made."""
        return self._recipes[int(self._columns["recipe"][row])]

    def segments(self, row: int) -> NDArray[np.float32]:
        """Return the segments (C, T, D) of a video."""
        recipe = self.recipe(row)
        return self._part("segments", row).reshape(recipe.crops, -1, recipe.feature_dim)

    def n_segments(self, rows: Sequence[int]) -> list[int]:
        """Return how many segments each of these videos has."""
        return [int(number) for number in self._columns["n_segments"][rows]]

    def counts(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """Return how many snippets, in all crops, each of these videos has, (N,)."""
        crops = np.array([recipe.crops for recipe in self._recipes])
        counts = self._columns["n_snippets"][rows] * crops[self._columns["recipe"][rows]]
        return np.asarray(counts, np.float64)

    def moments(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """Return the sums of values and of squares of these videos of one recipe, (N, 2, D)."""
        dim = self.recipe(rows[0]).feature_dim
        places = self._starts["moments"][rows][:, None] + np.arange(2 * dim)
        moments: NDArray[np.float64] = self._arrays["moments"][places].reshape(-1, 2, dim)
        return moments

    def times_s(self, row: int) -> NDArray[np.float64]:
        """Return when each stretch of frames begins, (K,)."""
        return self._part("times_s", row)

    def spans(self, row: int) -> NDArray[np.int64]:
        """Return the stretches that each snippet speaks for, (S, 2)."""
        return self._part("spans", row).reshape(-1, 2)

    def end_s(self, row: int) -> float:
        """Return when the last stretch ends."""
        return float(self._columns["end_s"][row])

    def digests(self, rows: Sequence[int]) -> Iterator[bytes]:
        """Yield the digest of each bag, see :class:`vadpipe.head.bags.SqueezedBag`."""
        for row in rows:
            yield bytes(self._columns["digest"][row])

    def _part(self, name: str, row: int) -> NDArray[Any]:
        starts = self._starts[name]
        return self._arrays[name][starts[row] : starts[row + 1]]


def stamps_of(folder: FeatureFolder) -> list[Stamp]:
    """Return the feature files below a folder as they are now."""
    found = []
    for path in folder.files():
        stat = path.stat()
        found.append((path.relative_to(folder.path).as_posix(), stat.st_size, stat.st_mtime_ns))
    return found


def open_pack(folder: FeatureFolder, stamps: Sequence[Stamp], segments: int, output: Path) -> BagPack:
    """Return the pack of a folder, after writing it where there is none of these files.

    It lies in the folder, or in ``output`` where that cannot be written. Another process waits for it.

    Args:
        folder: of the feature files.
        stamps: of them.
        segments: T.
        output: of the training.

    Raises:
        FeatureError: if a feature file is broken.
        OutputError: if the pack cannot be written.
    """
    base = folder.path if os.access(folder.path, os.W_OK) else output
    place, made_by = base / f".training-{segments}", f"{code_digest()} {segments}"
    lock = VideoLock(base / f".training-{segments}.lock")
    lock.take(wait=True)
    try:
        known = _known(place, folder.path)
        if known is not None and known.is_of(stamps, made_by):
            return known
        log.info(
            "%s: reading %d feature files once, for this training and later ones", folder.path, len(stamps)
        )
        try:
            _write(place, folder.path, stamps, segments, made_by)
        except OSError as error:
            reason = f"cannot be written: {error.strerror or error}"
            raise OutputError(reason, file=place, next_step=CHOOSE_ANOTHER_PLACE) from error
        return BagPack(place, folder.path)
    finally:
        lock.close()


def _known(place: Path, features: Path) -> BagPack | None:
    try:
        return BagPack(place, features)
    except (*_DAMAGES, OSError):  # none, or one that was damaged
        return None


def _write(place: Path, features: Path, stamps: Sequence[Stamp], segments: int, made_by: str) -> None:
    """Write a pack beside its place, and move it there when it is complete."""
    new = place.with_name(f"{place.name}.part")
    shutil.rmtree(new, ignore_errors=True)  # what an interruption has left
    new.mkdir(parents=True)
    try:
        _fill(new, features, stamps, segments, made_by)
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _fill(new: Path, features: Path, stamps: Sequence[Stamp], segments: int, made_by: str) -> None:
    recipes: dict[Recipe, int] = {}
    videos: list[tuple[str, str, str, str | None]] = []
    columns = {name: np.zeros(len(stamps), dtype) for name, dtype in _COLUMNS.items()}
    digests = {name: np.zeros((len(stamps), 32), np.uint8) for name in ("file_sha256", "digest")}
    with ExitStack() as stack:
        files = {name: stack.enter_context((new / f"{name}.bin").open("wb")) for name in _ARRAYS}
        for row, (name, n_bytes, modified_ns) in enumerate(stamps):
            path = features / name
            read = Features.load(path)
            source = read.source
            videos.append((name, source.video, source.sha256, source.partial))
            known: dict[str, float] = {"n_bytes": n_bytes, "modified_ns": modified_ns, "end_s": read.end_s}
            known["recipe"] = recipes.setdefault(read.recipe, len(recipes))
            digests["file_sha256"][row] = _bytes(bytes.fromhex(file_digest(path)))
            if read.lost.all():
                np.zeros(2 * read.recipe.feature_dim).tofile(files["moments"])
            else:
                digest, sizes = _append(read, segments, files)
                digests["digest"][row] = _bytes(digest)
                known |= sizes
            for column, value in known.items():
                columns[column][row] = value
    np.savez(new / "columns.npz", **columns, **digests)  # type: ignore[arg-type]
    described = {
        "made_by": made_by,
        "recipes": [recipe.model_dump(mode="json") for recipe in recipes],
        "videos": videos,
    }
    (new / "videos.json").write_text(json.dumps(described), encoding="utf-8")


def _append(read: Features, segments: int, files: Mapping[str, BinaryIO]) -> tuple[bytes, dict[str, int]]:
    """Append what a training needs of a video; return its digest, and the sizes."""
    bag = bag_of(read, 0, "")
    squeezed = squeezed_bag(bag, segments)
    assert bag.spans is not None
    moments = np.stack(squeezed.moments[1:])
    parts = {"segments": squeezed.values, "moments": moments, "times_s": bag.times_s, "spans": bag.spans}
    for name, values in parts.items():
        files[name].write(np.ascontiguousarray(values, _ARRAYS[name]).data)
    sizes = {
        "n_segments": squeezed.values.shape[1],
        "n_snippets": len(bag.spans),
        "n_stretches": len(bag.times_s),
    }
    return squeezed.digest, sizes


def _bytes(digest: Iterable[int]) -> NDArray[np.uint8]:
    return np.fromiter(digest, np.uint8, 32)


def _mapped(path: Path, dtype: type) -> NDArray[Any]:
    """Return an array that stays in its file."""
    if not path.stat().st_size:  # nothing cannot be mapped
        return np.empty(0, dtype)
    return np.asarray(np.memmap(path, dtype, mode="r"))
