"""Extraction of features from many videos."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from vadpipe.errors import InputError, printable
from vadpipe.extract.cluster import check_local, cluster_workers
from vadpipe.extract.cluster_nodes import RayCluster
from vadpipe.extract.cluster_run import ClusterRun
from vadpipe.extract.exports import FORMATS, check_format, npy_beside, npy_name
from vadpipe.extract.extractor import Extractor, Opened
from vadpipe.extract.record import Extraction, asked_of
from vadpipe.extract.remote_store import begin_record, open_store
from vadpipe.extract.run import OnFailure, OnProgress, Reporter, run_over
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.store import FeatureStore, StoredVideo, StorePart
from vadpipe.extract.video.discovery import Failure, Video, find_videos, named_video
from vadpipe.extract.video.shards import Shard
from vadpipe.features.file import FeatureHeader, Source, read_header
from vadpipe.files.arguments import NUMBER, PATH, SWITCH, TEXT, Kind, check_arguments
from vadpipe.files.locks import VideoLock
from vadpipe.runs.journal import journal
from vadpipe.runs.record import FILE_NAME
from vadpipe.runs.recording import recorded

log = logging.getLogger(__name__)

TOLERATED_SHARE = 0.05


@recorded("extract")
def extract_features(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] = "features",
    *,
    settings: ExtractSettings | None = None,
    shard: Shard | None = None,
    retry: bool = False,
    tolerate: float = TOLERATED_SHARE,
    format: str = FORMATS[0],  # noqa: A002  the option's name
    ray: RayCluster | str | None = None,
    on_progress: OnProgress | None = None,
    on_failure: OnFailure | None = None,
) -> Extraction:
    """Turn videos into one feature file each, named after the video below ``output``.

    A video whose feature file exists, was made by the same recipe and from an unchanged file is
    skipped. One that cannot be read is reported, remembered, and the rest goes on; one that another process
    is working on is waited for at the end. ``run.json`` (of a shard ``run-3-of-8.json``) says what was
    done.

    Args:
        inputs: files, folders (searched recursively), patterns and addresses (``s3://bucket/videos``).
        output: folder of the feature files, or its address.
        settings: of the extraction.
        shard: take this part of the videos alone; other machines take the others.
        retry: retry videos that failed before.
        tolerate: share of a video's frames that may be lost before it is called damaged.
        format: ``"npy"`` writes a NAME.npy beside each feature file, for the field's other tools.
        ray: have it done by the workers of this Ray cluster, or that of this address, see
            :class:`vadpipe.extract.cluster_nodes.RayCluster`.
        on_progress: called as a video is read.
        on_failure: called at once for each video that cannot be used.

    Raises:
        UsageError: for an unknown format, device, decoder or engine; if a Ray cluster cannot be used.
        WeightsError: if the backbone's weights are not available.
        OutputError: if ``output`` cannot be written.
    """
    check_arguments(
        output=(output, PATH),
        settings=(settings, Kind("vadpipe.ExtractSettings", (ExtractSettings,)).or_none),
        shard=(shard, Kind("vadpipe.extract.video.shards.Shard", (Shard,)).or_none),
        retry=(retry, SWITCH),
        tolerate=(tolerate, NUMBER),
        format=(format, TEXT),
    )
    check_format(format, output)
    extractor = Extractor(settings)
    extractor.settings.check_here()
    videos, unusable = find_videos(inputs)
    if ray is not None:
        check_local(output, videos)
    store = open_store(output, places=(video.place for video in videos))
    if shard is not None:
        videos, unusable = shard.of_videos(videos), shard.told_here(unusable)
    work = _ExtractionTask(extractor, store, retry=retry, tolerate=tolerate, format=format)

    def note(failure: Failure) -> None:
        work.result.failed.append(failure)
        journal().failed(failure.path, named_video(failure.path).name, failure.error)
        if on_failure is not None:
            on_failure(failure)

    begin_record(store, FILE_NAME if shard is None else shard.own_name(FILE_NAME))
    for failure in unusable:
        note(failure)
    # What another process has claimed is looked at last, one by one: two that wait for each other
    # while they hold something would wait for ever.
    if ray is None:
        run_over(videos, work.begin, work.finish, on_progress=on_progress, on_failure=note)
        work.wait = True
        run_over(
            work.busy, work.begin, work.finish, look_ahead=False, on_progress=on_progress, on_failure=note
        )
    else:
        make = partial(_shared, extractor, store.places)
        with cluster_workers(ray, make, device=extractor.settings.device, output=store.folder) as workers:
            told: dict[str, Any] = {
                "on_progress": on_progress,
                "on_failure": note,
                "on_quarantine": work.remember,
            }
            workers.do(ClusterRun(videos, work.part_of, work.add, **told))
            work.wait = True
            workers.do(ClusterRun([*work.busy], work.part_of, work.add, look_ahead=False, **told))
        work.put_in_order(videos)
    order = {video.path: index for index, video in enumerate(videos)}
    work.result.failed.sort(key=lambda failure: order.get(failure.path, -1))
    return work.result


class _ExtractionTask:
    """The two steps, begin and finish, for each video of a run."""

    def __init__(
        self,
        extractor: Extractor,
        store: FeatureStore,
        *,
        retry: bool,
        tolerate: float,
        format: str,  # noqa: A002
        wait: bool = False,
    ) -> None:
        self.extractor, self.store = extractor, store
        self.wait = wait
        self.busy: list[Video] = []
        self.result = Extraction()
        self._retry, self._tolerate, self._format = retry, tolerate, format
        self._asked = asked_of(extractor.settings)
        self._ready = False
        self._done: dict[Video, Extraction] = {}

    def begin(self, video: Video) -> _Claimed | None:
        """Start decoding a video, unless there is nothing to do or another process is working on it."""
        video.check()
        if self._is_known(video, self.store.find(video)):
            return None
        if not self._ready:
            self.store.check_writable()
            self.extractor.engine  # noqa: B018  what is missing shows before anything is decoded
            self._ready = True
        claim = self.store.claim(video)
        if not claim.take(wait=self.wait):
            self.busy.append(video)
            log.info("%s: another process is working on it", printable(video.path))
            return None
        try:
            stored = self.store.find_anew(video)
            if self._is_known(video, stored):
                claim.close()
                return None
            self._warn_of_another_recipe(video, stored)
            video.fetch(self.extractor.settings.limits)  # what fails here is the network's fault
            with self._remembering(video, video.state()):
                return _Claimed(self.extractor.open(video), claim)
        except BaseException:
            claim.close()
            raise

    def finish(self, claimed: _Claimed, report: Reporter | None) -> None:
        """Compute the features of a video that is being decoded, and write them."""
        video = claimed.opened.video
        with self._remembering(video, claimed.opened.state):
            features = self.extractor.features(claimed.opened, report)
        path = self.store.write(features, video)
        self.result.written.append(self.store.shown(path))
        header = read_header(path)  # with the name that it got
        self._note(video, path, header, skipped=False)
        journal().made_by(header.recipe, n_snippets=len(features.values))
        self.store.settle(path)

    def part_of(self, videos: Sequence[Video]) -> Callable[[_Shared], _ExtractionTask]:
        """Return the same work on some of the videos, for another process."""
        return partial(
            _task_of_part,
            type(self),
            self.store.part_of(videos),
            retry=self._retry,
            tolerate=self._tolerate,
            format=self._format,
            wait=self.wait,
        )

    def take(self) -> object:
        """Return what was done since the last time, and which videos another process is working on."""
        done, self.result = self.result, Extraction()
        busy, self.busy = self.busy, []
        return done, busy

    def add(self, video: Video, done: object) -> None:
        """Note what another process did with a video."""
        result, busy = cast("tuple[Extraction, list[Video]]", done)
        self._done[video] = result
        self.busy.extend(busy)

    def put_in_order(self, videos: Iterable[Video]) -> None:
        """Take what other processes did for the result, in the order of the videos."""
        for video in videos:
            done = self._done.pop(video, Extraction())
            self.result.written.extend(done.written)
            self.result.skipped.extend(done.skipped)
            self.result.damaged.extend(done.damaged)

    def remember(self, video: Video, error: InputError) -> None:
        """Have a failure remembered."""
        self.store.remember_failure(video, self._asked, error)

    def _is_known(self, video: Video, stored: StoredVideo | None) -> bool:
        """Return whether a video already has features that fit.

        Raises:
            InputError: if it failed before.
        """
        if stored is not None and not self._differences(stored):
            fresh = self.store.refresh(stored, video)
            if fresh is not None:
                shown = self.store.shown(fresh.path)
                self.result.skipped.append(shown)
                log.info("%s: already done, see %s", printable(video.path), shown)
                self._note(video, fresh.path, fresh.header, skipped=True)
                journal().made_by(fresh.header.recipe)
                return True
        past = None if self._retry else self.store.past_failure(video, self._asked)
        if past is not None:
            raise past
        return False

    def _differences(self, stored: StoredVideo) -> list[str]:
        return self.extractor.settings.differences(stored.header.recipe, self.extractor.weights_sha256)

    def _warn_of_another_recipe(self, video: Video, stored: StoredVideo | None) -> None:
        differences = [] if stored is None else self._differences(stored)
        if differences:
            what = printable(video.path)
            log.warning("%s: replacing features of another recipe (%s)", what, differences[0])

    @contextmanager
    def _remembering(self, video: Video, state: tuple[int, int]) -> Iterator[None]:
        """Have an InputError remembered, unless the file has changed; take the loss of the video for one."""
        try:
            yield
        except InputError as error:
            with suppress(InputError):
                if video.state() == state:
                    self.store.remember_failure(video, self._asked, error)
            raise
        except OSError as error:
            if error.filename != os.fspath(video.file):
                raise
            raise InputError(f"cannot be read: {error.strerror}", file=video.path) from error

    def _note(self, video: Video, path: Path, header: FeatureHeader, *, skipped: bool) -> None:
        source, files = header.source, [path]
        warn_of_damage(video, source)
        damaged = source.lost_share > self._tolerate
        if damaged:
            self.result.damaged.append(self.store.shown(path))
        if self._format == "npy" or npy_name(path).is_file():  # an older one must not outlive its features
            files.append(npy_beside(path))
        journal().did(video.path, source, files, damaged=damaged, skipped=skipped)


_Shared = tuple[Extractor, frozenset[str]]
"""What all parts of the work have in common: the extractor, and the places of all videos."""


def _shared(extractor: Extractor, places: frozenset[str]) -> _Shared:
    return extractor, places


def _task_of_part(
    kind: type[_ExtractionTask],
    part: StorePart,
    shared: _Shared,
    **options: Any,  # noqa: ANN401
) -> _ExtractionTask:
    extractor, places = shared
    return kind(extractor, FeatureStore.of_part(part, places), **options)


@dataclass(frozen=True)
class _Claimed:
    """A video that is being decoded, and the claim on it."""

    opened: Opened
    claim: VideoLock

    def close(self) -> None:
        self.opened.close()
        self.claim.close()


def warn_of_damage(video: Video, source: Source) -> None:
    """Warn if more than a frame of a video was lost, each time its features are used."""
    if source.n_announced - source.n_decoded > 1:
        log.warning("%s: damaged, %s", printable(video.path), source.partial)
