"""Extraction of the features of one video: decode, cut into clips, run the backbone."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import DecodeError, InputError, printable
from vadpipe.extract.clips import Clips, views_of_frames
from vadpipe.extract.engines.device import choose_device
from vadpipe.extract.run import Reporter
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.snippet_rows import rows_of_windows
from vadpipe.extract.store import FeatureStore, content_digest
from vadpipe.extract.video.container import sniff
from vadpipe.extract.video.decoders import DECODERS, DECORD_FRAMES_BYTES, choose_decoders
from vadpipe.extract.video.discovery import Video, named_video
from vadpipe.extract.video.image_folder import list_images, missing_numbers
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.video.timeline import Timeline
from vadpipe.extract.view_crops import ViewCropper
from vadpipe.features.file import Features, Source
from vadpipe.weights import cache

if TYPE_CHECKING:  # a run in which everything is done already never loads torch
    import torch

    from vadpipe.extract.backbones.loading import ClipNetwork
    from vadpipe.extract.engines.engine import Engine

log = logging.getLogger(__name__)

_TOLD_JUMPS = 3  # a recording that was made by motion alone has a hundred


class Extractor:
    """Turns videos into features; the backbone is loaded at the first.

    It pickles to its settings alone, so that a cluster can map it over videos, each process loading once
    (start processes by spawn: torch does not survive a fork after it has worked):

    >>> extract = Extractor(ExtractSettings(backbone="x3d_s"))
    >>> path = extract("videos/a.mp4", "features")  # doctest: +SKIP

    Args:
        settings: of the extraction.
    """

    def __init__(self, settings: ExtractSettings | None = None) -> None:
        self.settings = settings or ExtractSettings()
        self._stores: dict[Path, FeatureStore] = {}
        self._told_of_rate = False

    def __reduce__(self) -> tuple[type[Extractor], tuple[ExtractSettings]]:
        return Extractor, (self.settings,)

    def __call__(self, video: str | Path, output: str | Path) -> Path:
        """Extract one video into the folder ``output`` and return its feature file.

        Existing features that fit are kept.

        Raises:
            InputError: if it cannot be read.
            WeightsError: if the backbone's weights are not available.
            OutputError: if the folder cannot be written.
        """
        known, folder = named_video(video), Path(output)
        known.check()
        if folder not in self._stores:  # reading it once for each of many videos would take ever longer
            self._stores[folder] = FeatureStore(folder)
        store = self._stores[folder]
        stored = store.find_anew(known)
        if stored is not None and not self.settings.differences(stored.header.recipe, self.weights_sha256):
            return stored.path
        try:
            with self.open(known) as opened:
                return store.write(self.features(opened), known)
        finally:
            known.release()

    @cached_property
    def weights_sha256(self) -> str:
        """Digest of the backbone's published weights; they are fetched where it is not known yet."""
        settings, known = self.settings, self.known_weights_sha256
        if known is not None:
            return known
        return cache.ready(settings.record.weights, local=settings.weights, offline=settings.offline).sha256

    @property
    def known_weights_sha256(self) -> str | None:
        """The same, or None if they were never fetched."""
        return cache.known_digest(self.settings.record.weights, local=self.settings.weights)

    @cached_property
    def device(self) -> torch.device:
        """Where the backbone runs."""
        return choose_device(self.settings.device)

    @cached_property
    def engine(self) -> Engine:
        """What runs the backbone."""
        from vadpipe.extract.engines.engine import EngineOfWindows, build_engine, choose_engine

        settings, record = self.settings, self.settings.record
        name = choose_engine(settings.engine, self.device)
        quantised = settings.quantised_on(name)
        key = f"{record.name}{'-maps' if record.maps else ''}-{self.weights_sha256[:12]}"
        half = settings.precision == "auto"

        def of_length(n_frames: int) -> Engine:
            shape = (n_frames, record.input_px, record.input_px)
            return build_engine(
                name, self._network, shape, self.device, key=key, quantised=quantised, half=half
            )

        lengths = [sampling.n_seen for sampling in settings.samplings]
        if len(lengths) == 1:
            return of_length(lengths[0])
        return EngineOfWindows({n_frames: of_length(n_frames) for n_frames in lengths})

    def open(self, video: Video) -> Opened:
        """Begin to decode a video, in a process of its own.

        Raises:
            InputError: if the file is missing or not a video.
            UsageError: if the requested decoder is not installed.
        """
        video.fetch(self.settings.limits)
        return Opened(video, self.settings, str(self.device))

    def features(self, opened: Opened, report: Reporter | None = None) -> Features:
        """Return the features of a video, made by the first decoder that can read it to its end.

        Raises:
            InputError: if not a single snippet can be decoded.
        """
        for decoder, decoding in opened.attempts():
            try:
                clips, rows = self._rows(decoding, report)
            except DecodeError as error:
                opened.failed(decoder, error)
                continue
            version = DECODERS[decoder].version()
            log.info("%s: %d frames by %s", printable(opened.video.path), clips.n_frames, version)
            timeline = decoding.timeline
            self._tell_of_times(opened.video, timeline)
            if os.path.isdir(opened.video.file):  # noqa: PTH112
                _tell_of_pictures(opened.video, clips)
            sha256, (n_bytes, modified_ns) = content_digest(opened.video.file), opened.state
            if opened.video.state() != opened.state:
                step = "Run again when the file is complete."
                raise InputError("changed while it was read", file=opened.video.path, next_step=step)
            return Features(
                values=rows,
                frame_times_s=timeline.times_s[: clips.n_frames],
                end_s=clips.end_s,
                recipe=self.settings.recipe(
                    weights_sha256=self.weights_sha256,
                    decoder=str(version),
                    engine=self.engine.name,
                    timed=timeline.timed,
                ),
                source=Source(
                    video=opened.video.name,
                    place=opened.video.place,
                    sha256=sha256,
                    n_bytes=n_bytes,
                    modified_ns=modified_ns,
                    n_announced=timeline.n_announced,
                    n_decoded=clips.n_frames - clips.n_missing,
                    gaps=tuple(clips.gaps),
                    version=opened.video.version,
                    width_px=timeline.width_px,
                    height_px=timeline.height_px,
                ),
            )
        raise opened.error

    def _tell_of_times(self, video: Video, timeline: Timeline) -> None:
        """Warn about timestamps that are missing or were repaired."""
        name = printable(video.path)
        if not timeline.timed:
            level = logging.INFO if self._told_of_rate else logging.WARNING
            self._told_of_rate = True
            rate = f"{self.settings.assume_fps:g} frames per second"
            log.log(level, "%s: has no timestamps; assuming %s (--assume-fps)", name, rate)
        if timeline.n_unread_parts:
            what = "%s: %d of the recordings joined in this file cannot be read, from byte %d on; %s"
            step = "split the file to process them"
            log.warning(what, name, timeline.n_unread_parts, timeline.unread_at, step)
        n_jumps = sum(change.kind == "jump" for change in timeline.changes)
        if n_jumps > _TOLD_JUMPS:
            what = "%s: the clock jumps ahead by a minute or more at %d places (-v names them)"
            log.warning(what, name, n_jumps)
        for change in timeline.changes:
            told = change.kind == "jump" and n_jumps <= _TOLD_JUMPS
            log.log(logging.WARNING if told else logging.INFO, "%s: %s", name, change)

    def _rows(self, decoding: Decoding, report: Reporter | None) -> tuple[Clips, NDArray[np.float32]]:
        settings, timeline = self.settings, decoding.timeline
        tell: Callable[[float], None] | None = None
        if report is not None:
            tell = lambda time_s: report(time_s, timeline.end_s)  # noqa: E731
        crop_views = ViewCropper(settings.views, settings.record.input_px)
        # A frame is cut and scaled once, however many snippets and windows hold it.
        shared = tee(views_of_frames(decoding.frames(), crop_views), len(settings.samplings))
        sources = [
            Clips(frames, decoding.decoded, timeline, sampling, tell if place == 0 else None)
            for place, (frames, sampling) in enumerate(zip(shared, settings.samplings, strict=True))
        ]
        n_planned = settings.sampling.n_snippets(timeline.times_s, timeline.end_s)
        shape = (n_planned, len(settings.views), settings.feature_dim)
        self._check_size(decoding, shape)
        rows = rows_of_windows(sources, self.engine, np.zeros(shape, dtype=np.float32))
        clips = sources[0]
        if not clips.drawn or clips.lost.all():
            raise DecodeError("has no decodable snippet", file=decoding.path)
        return clips, rows

    def _check_size(self, decoding: Decoding, shape: tuple[int, int, int]) -> None:
        """Raise InputError where the features of a video would be larger than its decoder may be."""
        n_bytes = math.prod(shape) * np.dtype(np.float32).itemsize
        if n_bytes > self.settings.limits.memory_bytes:
            raise InputError(
                f"would have {shape[0]:,} snippets, {n_bytes / 2**30:.1f} GiB of features",
                file=decoding.path,
                next_step="Use a larger --stride or fewer --fps, or raise --limit memory_bytes=NUMBER.",
            )

    def _network(self) -> ClipNetwork:
        from vadpipe.extract.backbones.loading import load_network

        settings = self.settings
        network, _ = load_network(settings.record, weights=settings.weights, offline=settings.offline)
        return network


def _tell_of_pictures(video: Video, clips: Clips) -> None:
    """Warn about pictures of an image sequence that are missing by number or cannot be read."""
    name, names = printable(video.path), list_images(video.path)
    missing = missing_numbers(names)
    if missing is not None:
        what = "%s: pictures are missing %s; reading the others as one sequence"
        log.warning(what, name, printable(missing))
    lost = [at for start, stop in clips.gaps for at in range(start, stop)]
    lost += range(clips.n_frames, len(names))
    if lost:
        shown = ", ".join(names[at] for at in lost[:3]) + (f" and {len(lost) - 3} more" if lost[3:] else "")
        log.warning("%s: cannot be read as pictures: %s", name, printable(shown))


class Opened:
    """A video that is being decoded, by one decoder after the other until one can read it.

    Args:
        video: which.
        settings: how.
        device: ``"cpu"`` or ``"cuda:0"``, for decoders that can use it.

    Attributes:
        state: size and time of change of the file that is read, see :meth:`Video.state`.
        error: why the last decoder that was tried could not read it.
    """

    def __init__(self, video: Video, settings: ExtractSettings, device: str) -> None:
        self.video = video
        self.error: InputError = DecodeError("cannot be decoded", file=video.path)
        family = sniff(video.file)
        self.state = video.state()
        self._decoders, why = choose_decoders(settings.decoder, device, family, self.state[0])
        log.info("%s: decoder %s on %s, since %s", printable(video.path), *self._decoders[0], why)
        self._job = DecodeJob(
            settings.size,
            sampling=settings.sampling,
            limits=settings.limits,
            assume_fps=settings.assume_fps,
            held_bytes=DECORD_FRAMES_BYTES if settings.decoder == "auto" else None,
        )
        self._decoding = self._start(*self._decoders[0])

    def attempts(self) -> Iterator[tuple[str, Decoding]]:
        """Yield each decoder with what it decodes, the first of which has begun already."""
        for index, (decoder, device) in enumerate(self._decoders):
            if index:
                self._decoding = self._start(decoder, device)
            yield decoder, self._decoding
            self._decoding.close()

    def failed(self, decoder: str, error: DecodeError) -> None:
        """Note that a decoder could not read it."""
        self.error = error
        log.info("%s: %s: %s", printable(self.video.path), decoder, error.reason)

    def close(self) -> None:
        """Stop decoding."""
        self._decoding.close()

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self, decoder: str, device: str) -> Decoding:
        return Decoding(self.video.file, replace(self._job, decoder=decoder, device=device))
