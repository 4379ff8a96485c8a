"""Videos in, feature files out."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadpipe.atomic import check_writable
from vadpipe.device import choose_device
from vadpipe.errors import DecodeError, WeightsError, printable
from vadpipe.extract.backbone import DEFAULT, DEFAULT_VIEW, Backbone, check_view, find_backbone
from vadpipe.extract.container import sniff
from vadpipe.extract.frames import DECODERS, Frame, decoder_version
from vadpipe.extract.run import OnProgress, Reporter, run_over
from vadpipe.extract.snippets import snippets
from vadpipe.extract.store import FeatureStore, content_digest
from vadpipe.extract.timeline import Timeline, read_timeline
from vadpipe.extract.videos import Failure, Video, find_videos
from vadpipe.features import Features, Recipe, Source
from vadpipe.weights import cache

log = logging.getLogger(__name__)

if TYPE_CHECKING:  # a run in which everything is done already never loads torch
    import torch

    from vadpipe.extract.network import LoadedBackbone


@dataclass(frozen=True)
class Extraction:
    """What :func:`extract_features` did, in the order of the input.

    Attributes:
        written: feature files made by this call.
        skipped: feature files that were there already and still fit.
        failed: videos that could not be used, and why.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


def extract_features(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] = "features",
    *,
    backbone: str = DEFAULT,
    view: str = DEFAULT_VIEW,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    on_progress: OnProgress | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Extraction:
    """Turn videos into one feature file each, named after the video below ``output``.

    A video whose feature file exists, was made by the same recipe and from an unchanged file is
    skipped. One that cannot be read is reported and the rest goes on.

    Args:
        inputs: files, folders (searched recursively) and patterns.
        output: folder of the feature files.
        backbone: a name in :data:`vadpipe.extract.backbone.BACKBONES`.
        view: which part of a frame the backbone sees, one of :data:`vadpipe.extract.backbone.VIEWS`.
        weights: the backbone's published weights in a local file, instead of a download.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``.
        on_progress: called after each frame that was read.
        on_failure: called at once for each video that cannot be used.

    Raises:
        UsageError: for an unknown backbone, view or device.
        WeightsError: where the backbone's weights cannot be had.
        OutputError: where ``output`` cannot be written.
    """
    folder, local = Path(output), None if weights is None else Path(weights)
    recipe = _planned(find_backbone(backbone), check_view(view), local)
    videos, unusable = find_videos(inputs)
    store = FeatureStore(folder)
    result = Extraction()
    network: LoadedBackbone | None = None

    def extract_one(video: Video, report: Reporter | None) -> None:
        nonlocal network
        stored = store.find(video)
        differences = recipe.differences(stored.header.recipe) if stored else []
        if stored and not differences:
            result.skipped.append(store.refresh(stored, video))
            log.info("%s: there already as %s", printable(video.path), result.skipped[-1])
            warn_of_damage(video, stored.header.source)
            return
        if differences:
            log.warning(
                "%s: features of another recipe are replaced (%s)", printable(video.path), differences[0]
            )
        if network is None:
            chosen = choose_device(device)
            check_writable(folder)
            network = load_network(backbone, view=view, weights=local, device=chosen)
        name = stored.header.source.video if stored else store.name_for(video)
        features = extract_video(replace(video, name=name), network, report)
        warn_of_damage(video, features.source)
        result.written.append(store.write(features))

    result.failed.extend(
        run_over(videos, unusable, extract_one, on_progress=on_progress, on_failure=on_failure)
    )
    return result


def warn_of_damage(video: Video, source: Source) -> None:
    """Say so where only a part of a video could be decoded, each time its features are used."""
    if source.partial:
        log.warning("%s: damaged, %s", printable(video.path), source.partial)


def load_network(backbone: str, *, view: str, weights: Path | None, device: torch.device) -> LoadedBackbone:
    """Load a backbone onto a device; see :func:`vadpipe.extract.network.load_backbone`."""
    from vadpipe.extract.network import load_backbone

    return load_backbone(backbone, view=view, weights=weights, device=device)


def extract_video(video: Video, network: LoadedBackbone, report: Reporter | None = None) -> Features:
    """Return the features of one video, made by the first decoder that can read it to its end.

    Where none can, the longest part that one of them decoded is kept, marked as partial.

    Raises:
        InputError: where the file is no video or not one frame can be decoded.
    """
    family = sniff(video.path)
    stat = video.path.stat()
    timeline = read_timeline(video.path)
    size_px = network.size_px(timeline)
    # decord loses or invents frames of transport streams, and its index of them can hang.
    candidates = [name for name in DECODERS if not (family == "ts" and name == "decord")]
    best: tuple[str, _Tolerant, list[NDArray[np.float32]]] | None = None
    for decoder in candidates:
        stream = _Tolerant(video, timeline, decoder, size_px, report)
        rows = [network(snippet) for snippet in snippets(stream)]
        if best is None or len(stream.times_s) >= len(best[1].times_s):
            best = decoder, stream, rows
        if stream.error is None:
            break
        log.info("%s: %s", printable(video.path), stream.error.reason)
    assert best is not None
    decoder, stream, rows = best
    if not rows:
        raise stream.error or DecodeError("holds no frame that can be decoded", file=video.path)
    log.info("%s: %d frames by %s", printable(video.path), len(stream.times_s), decoder_version(decoder))
    n_frames = len(stream.times_s)
    complete = n_frames == timeline.n_announced
    partial = None if complete else f"{n_frames} of {timeline.n_announced} frames decoded"
    return Features(
        values=np.stack(rows),
        frame_times_s=np.array(stream.times_s, dtype=np.float64),
        end_s=timeline.end_s if complete else stream.times_s[-1] + timeline.frame_s,
        recipe=network.backbone.recipe(
            view=network.view,
            weights_sha256=network.weights_sha256,
            decoder=decoder_version(decoder),
            engine=f"torch float32 on {network.device.type}",
        ),
        source=Source(
            video=video.name,
            place=video.place,
            sha256=content_digest(video.path),
            n_bytes=stat.st_size,
            modified_ns=stat.st_mtime_ns,
            partial=partial,
        ),
    )


class _Tolerant:
    """The pixels of a video up to the first frame that cannot be decoded, and their times."""

    def __init__(
        self,
        video: Video,
        timeline: Timeline,
        decoder: str,
        size_px: tuple[int, int],
        report: Reporter | None,
    ) -> None:
        self.times_s: list[float] = []
        self.error: DecodeError | None = None
        self._total_s, self._report = timeline.end_s, report
        self._frames: Iterator[Frame] = DECODERS[decoder](video.path, timeline, size_px)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        try:
            for frame in self._frames:
                self.times_s.append(frame.time_s)
                if self._report is not None:
                    self._report(frame.time_s, self._total_s)
                yield frame.pixels
        except DecodeError as error:
            self.error = error


def _planned(backbone: Backbone, view: str, weights: Path | None) -> Recipe:
    """Return the recipe that a run would follow, without loading anything."""
    if backbone.weights is not None:
        digest = backbone.weights.sha256
    elif weights is not None and weights.is_file():
        digest = cache.digest(weights)
    else:
        raise WeightsError(
            f"the backbone {backbone.name} has no weights that vadpipe can fetch yet"
            if weights is None
            else "no such file",
            file=weights,
            next_step="Name its published Kinetics weights in a local file with --weights FILE.",
        )
    return backbone.recipe(view=view, weights_sha256=digest, decoder="", engine="")
