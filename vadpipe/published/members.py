"""Files that hold many arrays, HDF5 and PyTorch's: which of them are videos, and what these are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vadpipe.errors import FeatureError

_GENERIC = frozenset({"features", "feature", "feats", "feat", "data", "x", "i3d", "c3d", "x3d", "rgb"})
"""What the only array of a video's group may be called, as it cannot be the name of a video."""


class Member(NamedTuple):
    """The features of one video inside a file: where they are in it, and the video's name within the file."""

    key: str
    video: str


def videos_of(keys: Iterable[str], path: Path, array: str | None) -> list[Member]:
    """Return which arrays of a file are the features of a video, sorted by the video's name.

    One array a video, or one group (or dictionary) a video with the array inside it:

    * ``01_0014``, ``Abuse/Abuse001``: an array is a video, and groups are its folders.
    * ``01_0014/features``, ``01_0015/features``: a group is a video, since its only array is called as no
      video is.
    * Where groups hold several arrays of the same names, ``array`` has to name one.

    Args:
        keys: of all arrays in the file, with ``/`` between the names of groups.
        path: the file, for messages.
        array: which array of each group, or the key of the only one to take.

    Raises:
        FeatureError: where there is none, or several could be the features of one video.
    """
    keys = sorted(keys)
    if not keys:
        raise FeatureError("holds no arrays", file=path, next_step="Fetch the file again, or leave it out.")
    if array is not None:
        chosen = [key for key in keys if key == array or key.endswith(f"/{array}")]
        if not chosen:
            raise FeatureError(
                f"holds no array named {array!r}", file=path, next_step=f"It holds: {', '.join(keys[:8])}."
            )
        return [Member(key, key.removesuffix(array).removesuffix("/")) for key in chosen]
    groups: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        group, _, name = key.rpartition("/")
        groups[group].add(name)
    named = [frozenset(names) for group, names in groups.items() if group]
    alike = len(named) > 1 and len({*named}) == 1
    if alike and len(named[0]) > 1 and {name.lower() for name in named[0]} & _GENERIC:
        several = ", ".join(sorted(named[0])[:8])
        raise FeatureError(
            f"holds several arrays for each video: {several}",
            file=path,
            next_step="Name one with --array NAME.",
        )
    members = []
    for key in keys:
        group, _, name = key.rpartition("/")
        only = len(groups[group]) == 1
        is_group = bool(group) and only and name.lower() in _GENERIC
        members.append(Member(key, group if is_group else key))
    if len(members) == 1 and (members[0].key.lower() in _GENERIC or "/" not in members[0].key):
        return [Member(members[0].key, "")]
    return members
