"""The plan of a run (``--dry-run``): what it would do, without doing it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import FeatureError, InputError
from vadpipe.extract.cluster import check_local
from vadpipe.extract.cluster_nodes import RayCluster
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.record import asked_of, snippets_per_s
from vadpipe.extract.remote_store import open_store
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.video.discovery import Video, find_videos
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.video.shards import Shard

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Planned:
    """What would become of one video.

    Attributes:
        path: the video.
        state: ``"extract"``, ``"there"`` (nothing to do) or ``"unusable"``.
        why: the reason, where there is one.
        n_frames, duration_s, n_snippets: its size, 0 where it is not to be extracted.
        n_bytes: of its features.
        takes_s: how long it would take at the speed of the folder's last run, or None without one.
    """

    path: Path
    state: str
    why: str = ""
    n_frames: int = 0
    duration_s: float = 0.0
    n_snippets: int = 0
    n_bytes: int = 0
    takes_s: float | None = None


def plan_extraction(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] = "features",
    *,
    settings: ExtractSettings | None = None,
    shard: Shard | None = None,
    retry: bool = False,
    ray: RayCluster | str | None = None,
) -> Iterator[Planned]:
    """Yield what :func:`vadpipe.extract_features` would do with each video; nothing is decoded or written.

    The arguments are those of :func:`vadpipe.extract_features`. Weights that were never fetched are not
    fetched: existing features then count as not fitting. No cluster is connected to.

    Raises:
        UsageError, OutputError: as :func:`vadpipe.extract_features` does before it begins.
    """
    extractor = Extractor(settings)
    extractor.settings.check_here()
    videos, unusable = find_videos(inputs)
    if ray is not None:
        check_local(output, videos)
    store = open_store(output, places=(video.place for video in videos))
    store.check_writable()
    digest = extractor.known_weights_sha256 or "never fetched"
    speed = snippets_per_s(Path(output), extractor.settings, shard)
    if shard is not None:
        videos, unusable = shard.of_videos(videos), shard.told_here(unusable)
    for failure in unusable:
        yield Planned(failure.path, "unusable", failure.error.reason)
    for video in videos:
        try:
            yield _planned(video, extractor.settings, store, digest, retry=retry, speed=speed)
        except (InputError, FeatureError) as error:
            yield Planned(video.path, "unusable", error.reason)


def _planned(
    video: Video,
    settings: ExtractSettings,
    store: FeatureStore,
    weights_sha256: str,
    *,
    retry: bool,
    speed: float | None,
) -> Planned:
    video.check()
    stored, why = store.find(video), "no features yet"
    if stored is not None:
        differences = settings.differences(stored.header.recipe, weights_sha256)
        if not differences:
            return Planned(video.path, "there", str(store.shown(stored.path)))
        why = f"features of another recipe ({differences[0]})"
    past = store.past_failure(video, asked_of(settings))
    if past is not None and not retry:
        raise past
    if video.is_remote:  # to know more, it would have to be fetched
        return Planned(video.path, "extract", f"{video.state()[0] / 1e6:.1f} MB to fetch, {why}")
    job = DecodeJob(settings.size, limits=settings.limits, assume_fps=settings.assume_fps, stills=())
    with Decoding(video.path, job) as decoding:
        timeline = decoding.timeline
    n_snippets = settings.sampling.n_snippets(timeline.times_s, timeline.end_s)
    n_values = n_snippets * len(settings.views) * settings.feature_dim
    return Planned(
        path=video.path,
        state="extract",
        why=why,
        n_frames=len(timeline.times_s),
        duration_s=timeline.end_s,
        n_snippets=n_snippets,
        n_bytes=n_values * _FLOAT_BYTES,
        takes_s=None if speed is None else n_snippets / speed,
    )
