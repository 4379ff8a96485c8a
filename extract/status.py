"""How far the extraction of videos into a folder is (``--status``): done, failed or missing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vadpipe.errors import InputError
from vadpipe.extract.remote_store import open_store
from vadpipe.extract.video.discovery import find_videos
from vadpipe.extract.video.shards import Shard


@dataclass(frozen=True)
class VideoStatus:
    """What is there of one video.

    Attributes:
        path: the video.
        state: ``"done"`` where there are features of it as it is now, whatever recipe made them; ``"failed"``
            where it is not a video, or an earlier run could not use it; ``"missing"`` otherwise.
        detail: the feature file, or why it failed.
    """

    path: Path
    state: Literal["done", "failed", "missing"]
    detail: str = ""


def extraction_status(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] = "features",
    *,
    shard: Shard | None = None,
) -> Iterator[VideoStatus]:
    """Yield what is there of each video; of one without features only the first bytes are read.

    Args:
        inputs: files, folders (searched recursively) and patterns.
        output: folder of the feature files, which other processes may be writing to.
        shard: look at this part of the videos alone; what is no video belongs to the first part.
    """
    videos, unusable = find_videos(inputs)
    store = open_store(output, places=(video.place for video in videos))
    if shard is not None:
        videos, unusable = shard.of_videos(videos), shard.told_here(unusable)
    for failure in unusable:
        yield VideoStatus(failure.path, "failed", failure.error.reason)
    for video in videos:
        try:
            stored, failed = store.find(video), store.last_failure(video)
            if stored is None and failed is None:
                video.check()  # what is not a video is not recorded as a failure
        except InputError as error:
            yield VideoStatus(video.path, "failed", error.reason)
            continue
        if stored is not None:
            yield VideoStatus(video.path, "done", str(store.shown(stored.path)))
        elif failed is not None:
            yield VideoStatus(video.path, "failed", failed)
        else:
            yield VideoStatus(video.path, "missing")
