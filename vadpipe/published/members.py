"""Files with many arrays: which array belongs to which video.

Such files come in three forms, and are told apart by the names in them:

* an array a video: ``01_0014``, ``Abuse001_x264``, or below groups that are its folders, ``Abuse/Abuse001``;
* a group a video, with an array in it that is called alike in each: ``Abuse001_x264/features``; where a group
  holds several (``features``, ``picks``), the user names the one to take;
* the features of one video alone, whatever they are called: that video is named after the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from vadpipe.errors import FeatureError, printable

Address = tuple[str, ...]
"""The address of an array in its file: the names of its groups, and its own; ``()`` for the only one."""

ARRAY_NAMES = frozenset(
    {"feature", "features", "feat", "feats", "embedding", "embeddings", "rgb", "flow"}
    | {"data", "label", "labels", "score", "scores"}
)
"""Array names that describe the content, never the video."""

_SHOWN = 8


def videos_in(addresses: Sequence[Address], array: str | None, file: Path) -> list[tuple[Address, Address]]:
    """Return the arrays that are features, each after the name of its video below the file.

    Args:
        addresses: of all arrays of the file.
        array: the name of the arrays to take; without it they are recognised.
        file: for messages.

    Returns:
        Pairs of a video's name and an array's address, in the order given. The name of the file's only video
        is ``()``. No part of a name is empty or leads elsewhere (``..``), and all can be printed.

    Raises:
        FeatureError: if there is no array, none of that name, or several that may be of one video.
    """
    if not addresses:
        raise FeatureError("contains no arrays", file=file)
    if addresses[0] == ():
        return [((), ())]
    if array is not None:
        chosen = [address for address in addresses if address[-1] == array]
        if not chosen:
            raise FeatureError(
                f"has no array named {array!r}",
                file=file,
                next_step=f"It contains: {_listed(address[-1] for address in addresses)}.",
            )
        return [(_name(address[:-1], file), address) for address in chosen]
    if len(addresses) == 1:
        return [((), addresses[0])]
    groups = _by_group(addresses)
    if _alike(groups):
        return [(_name(address[:-1], file), address) for address in addresses]
    found: list[tuple[Address, Address]] = []
    videos: list[Address] = []
    for group, members in groups.items():
        called = [address for address in members if address[-1].casefold() in ARRAY_NAMES]
        if called and (len(members) > 1 or not group):
            raise _several(members, called[0][-1], file)
        found += [(_name(group if called else address, file), address) for address in members]
        videos += [] if called else members
    # Videos of many groups have many names; a few that recur from group to group are of arrays.
    if len({address[-1] for address in videos}) < len(_by_group(videos)):
        raise _several(videos, videos[0][-1], file)
    return found


def spelled(address: Address) -> str:
    """Return an address as ``h5ls`` writes it: ``Abuse/Abuse001``."""
    return "/".join(address)


def _by_group(addresses: Iterable[Address]) -> dict[Address, list[Address]]:
    groups: dict[Address, list[Address]] = {}
    for address in addresses:
        groups.setdefault(address[:-1], []).append(address)
    return groups


def _alike(groups: dict[Address, list[Address]]) -> bool:
    """Return whether each group holds one array, and all are called the same."""
    names = {address[-1] for members in groups.values() for address in members}
    return () not in groups and len(names) == 1


def _name(address: Address, file: Path) -> Address:
    """Return the name of a video, of parts that can be the names of files and folders."""
    parts = (part for name in address for part in name.split("/"))
    name = tuple(printable(part) for part in parts if part not in ("", ".", ".."))
    if address and not name:
        raise FeatureError(f"has an array with the invalid name {spelled(address)!r}", file=file)
    return name


def _several(addresses: Sequence[Address], example: str, file: Path) -> FeatureError:
    return FeatureError(
        f"has several arrays that may belong to one video: {_listed(address[-1] for address in addresses)}",
        file=file,
        next_step=f"Choose one, for example with --array {example}.",
    )


def _listed(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - _SHOWN} more" if len(distinct) > _SHOWN else ""
    return ", ".join(map(printable, distinct[:_SHOWN])) + more
