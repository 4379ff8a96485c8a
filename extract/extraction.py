"""Videos in, feature files out."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vadpipe.atomic import check_writable
from vadpipe.errors import InputError, printable
from vadpipe.extract.claims import Claim
from vadpipe.extract.decode.container import sniff
from vadpipe.extract.exports import FORMATS, check_format, npy_beside
from vadpipe.extract.extractor import Extractor, Opened
from vadpipe.extract.record import Extraction, asked_of, write_run
from vadpipe.extract.run import OnFailure, OnProgress, Reporter, run_over
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.store import FeatureStore, Stored
from vadpipe.extract.videos import Video, find_videos
from vadpipe.features import Source

log = logging.getLogger(__name__)

TOLERATED_SHARE = 0.05


def extract_features(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] = "features",
    *,
    settings: ExtractSettings | None = None,
    retry: bool = False,
    tolerate: float = TOLERATED_SHARE,
    format: str = FORMATS[0],  # noqa: A002  the option's name
    on_progress: OnProgress | None = None,
    on_failure: OnFailure | None = None,
) -> Extraction:
    """Turn videos into one feature file each, named after the video below ``output``.

    A video whose feature file exists, was made by the same recipe and from an unchanged file is
    skipped. One that cannot be read is reported, remembered, and the rest goes on; so is one that another
    process works on, which is waited for at the end. ``run.json`` says what was done.

    Args:
        inputs: files, folders (searched recursively) and patterns.
        output: folder of the feature files.
        settings: every choice there is.
        retry: try again what failed before.
        tolerate: share of a video's frames that may be lost before it is called damaged.
        format: ``"npy"`` writes a NAME.npy beside each feature file, for the field's other tools.
        on_progress: called as a video is read.
        on_failure: called at once for each video that cannot be used.

    Raises:
        UsageError: for an unknown format, device, decoder or engine.
        WeightsError: where the backbone's weights cannot be had.
        OutputError: where ``output`` cannot be written.
    """
    check_format(format)
    videos, unusable = find_videos(inputs)
    for failure in unusable:
        if on_failure is not None:
            on_failure(failure)
    work = _Work(
        Extractor(settings), FeatureStore(Path(output)), retry=retry, tolerate=tolerate, format=format
    )
    began_s = time.monotonic()
    failed = list(unusable)
    try:
        failed += run_over(videos, work.begin, work.finish, on_progress=on_progress, on_failure=on_failure)
        # What another process has claimed is looked at last, one by one: two that wait for each other
        # while they hold something would wait for ever.
        work.wait = True
        failed += run_over(
            work.busy,
            work.begin,
            work.finish,
            look_ahead=False,
            on_progress=on_progress,
            on_failure=on_failure,
        )
    finally:
        work.result.failed.extend(failed)
        if work.result.written or failed:
            write_run(
                Path(output),
                work.extractor.settings,
                work.result,
                work.sources,
                n_snippets=work.n_snippets,
                took_s=time.monotonic() - began_s,
            )
    return work.result


class _Work:
    """What is done with each video of a run."""

    def __init__(
        self,
        extractor: Extractor,
        store: FeatureStore,
        *,
        retry: bool,
        tolerate: float,
        format: str,  # noqa: A002
    ) -> None:
        self.extractor, self.store = extractor, store
        self.wait = False
        self.busy: list[Video] = []
        self.result = Extraction()
        self.sources: dict[Path, Source] = {}
        self.n_snippets = 0
        self._retry, self._tolerate, self._format = retry, tolerate, format
        self._asked = asked_of(extractor.settings)
        self._ready = False

    def begin(self, video: Video) -> _Claimed | None:
        """Start to decode a video, unless there is nothing to do or another process is at it."""
        sniff(video.path)
        if self._is_done(video, self.store.find(video)):
            return None
        if not self._retry:
            past = self.store.past_failure(video, self._asked)
            if past is not None:
                raise past
        if not self._ready:
            check_writable(self.store.folder)
            self.extractor.engine  # noqa: B018  what is missing shows before anything is decoded
            self._ready = True
        claim = self.store.claim(video)
        if not claim.take(wait=self.wait):
            self.busy.append(video)
            log.info("%s: another process is at it", printable(video.path))
            return None
        try:
            if self._is_done(video, self.store.find_anew(video)):
                claim.close()
                return None
            return _Claimed(self.extractor.open(video), claim)
        except BaseException as error:
            claim.close()
            if isinstance(error, InputError):
                self.store.remember_failure(video, self._asked, error)
            raise

    def finish(self, claimed: _Claimed, report: Reporter | None) -> None:
        """Compute the features of a video that is being decoded, and write them."""
        video = claimed.opened.video
        try:
            features = self.extractor.features(claimed.opened, report)
        except InputError as error:
            self.store.remember_failure(video, self._asked, error)
            raise
        path = self.store.write(features, video)
        self.result.written.append(path)
        self.n_snippets += len(features.values)
        self._note(video, path, features.source)

    def _is_done(self, video: Video, stored: Stored | None) -> bool:
        if stored is None:
            return False
        differences = self.extractor.settings.differences(stored.header.recipe, self.extractor.weights_sha256)
        if differences:
            what = printable(video.path)
            log.warning("%s: features of another recipe are replaced (%s)", what, differences[0])
            return False
        path = self.store.refresh(stored, video)
        self.result.skipped.append(path)
        log.info("%s: there already as %s", printable(video.path), path)
        self._note(video, path, stored.header.source)
        return True

    def _note(self, video: Video, path: Path, source: Source) -> None:
        self.sources[path] = source
        warn_of_damage(video, source)
        if source.lost_share > self._tolerate:
            self.result.damaged.append(path)
        if self._format == "npy":
            npy_beside(path)


@dataclass(frozen=True)
class _Claimed:
    """A video that is being decoded, and the claim on it."""

    opened: Opened
    claim: Claim

    def close(self) -> None:
        self.opened.close()
        self.claim.close()


def warn_of_damage(video: Video, source: Source) -> None:
    """Say so where more than a frame of a video was lost, each time its features are used."""
    if source.n_announced - source.n_decoded > 1:
        log.warning("%s: damaged, %s", printable(video.path), source.partial)
