"""Import of published features: arrays in, feature files out.

What such files do not say is assumed by rule, and recorded:

* **Frames.** Row i speaks for the frames ``[16 i, 16 i + 16)``; where the rows are spread over the video
  instead (``rows="even"``, as with C3D features squeezed to 32 segments), for its part of all frames.
* **N.** A list of frame counts tells how many frames a video has; without one it has as many as its rows
  fill. Most extractors make no row of the last frames where these fill no snippet, and some lose a whole one
  where 16 divides the count: up to one snippet of frames beyond the last row belongs to that row. A curve
  then has N values all the same, as :mod:`vadpipe.features.sampling` promises.
* **Time.** There are no presentation times: frames are taken to come at an even rate, nominally the 30 a
  second of UCF-Crime.
* **Recipe.** The backbone's name begins with :data:`vadpipe.features.recipe.IMPORTED`, so that these features
  are never taken for vadpipe's own, nor a head that was trained on them used on videos directly.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError, InputError, printable
from vadpipe.extract.store import FeatureStore, StoredVideo
from vadpipe.extract.video.discovery import Failure, Video
from vadpipe.features.file import FeatureHeader, Features, Source, read_header
from vadpipe.features.recipe import Recipe
from vadpipe.files.arguments import PATH, Kind, check_arguments
from vadpipe.published.axes import in_order
from vadpipe.published.containers import Containers
from vadpipe.published.files import find_published
from vadpipe.published.frame_counts import MAX_FRAMES, FrameCounts
from vadpipe.published.settings import ImportSettings
from vadpipe.published.videos import Published
from vadpipe.runs.journal import journal
from vadpipe.runs.recording import recorded

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Imported:
    """Result of :func:`import_features`, in the order of the input.

    Attributes:
        written: feature files made by this call.
        skipped: existing feature files, of unchanged files and the same settings.
        failed: files that could not be used, and why.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


@recorded("features import")
def import_features(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] = "features",
    *,
    settings: ImportSettings,
    frame_counts: str | os.PathLike[str] | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Imported:
    """Turn published features into one feature file per video, for ``fit`` and for a head that it makes.

    Taken are ``.npy``, ``.npz``, ``.txt``, HDF5 and what ``torch.save`` wrote (``.pt``, ``.pth``) with
    ``[T, D]``, ``[T, C, D]`` or ``[C, T, D]`` (T rows, C crops and D numbers of a feature), or ``[T, D]`` in
    one file per crop: ``NAME__0.npy`` to ``NAME__4.npy`` or ``NAME__9.npy``. A video is named by its folders
    and the file's name, without the suffix of the array: ``feats/fight/a.mp4.npy`` is ``feats/fight/a.mp4``;
    labels are taken from there as they are for videos. A file that holds many videos is a folder of theirs:
    ``01_0014`` in ``feats/SHT.h5`` is ``feats/SHT/01_0014``, see :mod:`vadpipe.published.members`. What was
    imported before, and has not changed, is skipped. Files that cannot be used are reported, and the rest
    goes on.

    Args:
        inputs: files, folders (searched recursively) and patterns.
        output: folder of the feature files.
        settings: what is known of the features.
        frame_counts: list of how many frames each video has, see
            :class:`vadpipe.published.frame_counts.FrameCounts`; without it N is the rows times the stride.
        on_failure: called at once for each file that cannot be used.

    Raises:
        UsageError: if the list of frame counts cannot be used.
        OutputError: if ``output`` cannot be written.
    """
    check_arguments(
        output=(output, PATH),
        settings=(settings, Kind("vadpipe.ImportSettings", (ImportSettings,))),
        frame_counts=(frame_counts, PATH.or_none),
    )
    listed = None if frame_counts is None else Path(frame_counts)
    counts = None if listed is None else FrameCounts(listed)
    result = Imported()

    def fail(failure: Failure) -> None:
        result.failed.append(failure)
        journal().failed(failure.path, str(failure.path), failure.error)
        if on_failure is not None:
            on_failure(failure)

    journal().reads("frame_counts", listed)
    journal().begin(Path(output))
    with Containers() as containers:
        videos, unusable = find_published(
            inputs, containers, array=settings.array, join=settings.joins_crops, leave_out=listed
        )
        for failure in unusable:
            fail(failure)
        work = _ImportTask(
            settings, counts, _ImportStore(Path(output), [video.place for video in videos]), result
        )
        for video in videos:
            try:
                work.do(video)
            except (FeatureError, InputError) as error:
                fail(Failure(Path(video.label), error))
    work.tell_doubts()
    return result


class _ImportStore(FeatureStore):
    """The folder of feature files, by the published files that they were imported from."""

    def find(self, video: Video) -> StoredVideo | None:
        """Return what was imported from these very files as they are now, whatever was asked then.

        As for videos, only that the content of all files counts, of which a video may have one a crop.
        """
        if not isinstance(video, Published):
            return super().find(video)
        here, namesake = self._by_place.get(video.place), self._by_name.get(video.name)
        if namesake is not None and namesake.header.source.place in self._places:
            namesake = None
        n_bytes, modified_ns = video.state()
        for stored in (here, namesake):
            if stored is None or stored.header.source.n_bytes != n_bytes:
                continue
            source = stored.header.source
            if (stored is here and source.modified_ns == modified_ns) or source.sha256 == video.digest():
                return stored
        return None


class _ImportTask:
    """The work on each video of a run."""

    def __init__(
        self, settings: ImportSettings, counts: FrameCounts | None, store: _ImportStore, result: Imported
    ) -> None:
        self.settings, self.counts, self.store, self.result = settings, counts, store, result
        self._guessed = 0  # videos whose number of frames nothing tells
        self._n_rows: list[int] = []
        self._first: tuple[str, int] | None = None

    def do(self, video: Published) -> None:
        """Import one video, unless that is already done.

        Raises:
            FeatureError, InputError: if it cannot be used.
            OutputError: if its feature file cannot be written.
        """
        stored = self.store.find(video)
        n_frames = None if self.counts is None else self.counts.of(video.name)
        if stored is not None:  # of the same content: its name and place follow, whatever else is asked now
            stored = self.store.refresh(stored, video)
        if stored is not None and self._is_as_asked(stored.header.recipe, n_frames):
            log.info("%s: already imported as %s", printable(video.label), stored.path)
            self._check_width(video, stored.header.recipe.feature_dim)
            self.result.skipped.append(stored.path)
            self._note(video, stored.path, stored.header, skipped=True)
            return
        features = read_features(video, self.settings, n_frames)
        self._check_width(video, features.recipe.feature_dim)
        self._guessed += n_frames is None
        self._n_rows.append(len(features.values))
        self.result.written.append(self.store.write(features, video))
        path = self.result.written[-1]
        self._note(video, path, read_header(path), skipped=False)

    def _note(self, video: Published, path: Path, header: FeatureHeader, *, skipped: bool) -> None:
        journal().did(video.label, header.source, [path], skipped=skipped)
        journal().made_by(header.recipe)

    def tell_doubts(self) -> None:
        """Warn about assumptions made about the features that were read."""
        even = self.settings.rows == "even"
        if self._guessed:
            # Rows of a stride are off by less than one snippet, even ones by anything.
            log.log(
                logging.WARNING if even else logging.INFO,
                "assuming %d frames per row for %d videos, as no frame counts were given (--frame-counts)",
                self.settings.stride,
                self._guessed,
            )
        if not even and len(self._n_rows) > 2 and len({*self._n_rows}) == 1:
            what = "each of %d videos has %d rows: if they were resampled to that number, pass --rows even"
            if self._n_rows[0] == 1:  # some sets have an array for each snippet
                what = "each of %d videos has %d row: if each is a snippet, join the rows of each video first"
            log.warning(what, len(self._n_rows), self._n_rows[0])

    def _is_as_asked(self, recipe: Recipe, n_frames: int | None) -> bool:
        asked = (self.settings.recorded_backbone, self.settings.asked(n_frames))
        return (recipe.backbone, recipe.engine) == asked

    def _check_width(self, video: Published, feature_dim: int) -> None:
        """Refuse features of another width than the first: of another backbone, or transposed."""
        if self._first is None:
            self._first = video.label, feature_dim
        first, width = self._first
        if width != feature_dim:
            raise FeatureError(
                f"has {feature_dim} dimensions, but {printable(first)} has {width}",
                file=video.label,
                next_step="Import features of another kind separately; for arrays [D, T], pass "
                "--feature-dim.",
            )


def read_features(video: Published, settings: ImportSettings, n_frames: int | None = None) -> Features:
    """Read the published features of one video.

    Args:
        video: its files.
        settings: what is known of them.
        n_frames: N where it is known.

    Raises:
        FeatureError: if a file cannot be used, changes meanwhile, or contradicts another or N.
        InputError: if a file is gone.
    """
    n_bytes, modified_ns = video.state()
    values = _values(video, settings)
    count = n_frames or len(values) * settings.stride
    if count > MAX_FRAMES:
        raise FeatureError(f"needs {count} frames, above the limit of {MAX_FRAMES}", file=video.label)
    try:
        recipe = settings.recipe(values, n_frames)
    except FeatureError as error:
        raise FeatureError(error.reason, file=video.label, next_step=error.next_step) from error
    digest = video.digest()
    if video.state() != (n_bytes, modified_ns):
        step = "Run again when the file is complete."
        raise FeatureError("changed while it was read", file=video.label, next_step=step)
    return Features(
        values=np.ascontiguousarray(values),
        frame_times_s=np.arange(count) / settings.fps,
        end_s=count / settings.fps,
        recipe=recipe,
        source=Source(
            video=video.name,
            place=video.place,
            sha256=digest,
            n_bytes=n_bytes,
            modified_ns=modified_ns,
            n_announced=count,
            n_decoded=count,
        ),
    )


def _values(video: Published, settings: ImportSettings) -> NDArray[np.float32]:
    """Read the array or arrays of a video, (T, C, D) float32."""
    joined = len(video.parts) > 1
    if joined and settings.crops not in (None, len(video.parts)):
        raise FeatureError(
            f"is one of {len(video.parts)} crops by its name, not {settings.crops}", file=video.label
        )
    crops = 1 if joined else settings.crops
    arrays = [
        in_order(
            part.read(settings.array),
            part.label,
            layout=settings.layout,
            crops=crops,
            feature_dim=settings.feature_dim,
        )
        for part in video.parts
    ]
    for part, array in zip(video.parts, arrays, strict=True):
        if array.shape != arrays[0].shape:
            first = video.label.rpartition("/")[2]
            reason = f"is a crop with {_size(array)}, but {printable(first)} has {_size(arrays[0])}"
            raise FeatureError(reason, file=part.label, next_step="Download the crops of that video again.")
    return np.concatenate(arrays, axis=1) if joined else arrays[0]


def _size(array: NDArray[np.float32]) -> str:
    return f"{array.shape[0]} rows of {array.shape[2]} values"
