"""Video-level labels, from the videos' folders or a sheet.

The folder rule, from the innermost folder outwards; the first folder that is known decides. The
outermost one is the folder that was given to ``extract``, often a data set's name: it decides only for
videos that lie directly in it.

1. Folders named with ``--normal`` are normal.
2. The words of a folder's name may say it, see :func:`vadpipe.annotations.label_words.verdict`.
3. Where ``--normal`` names a folder, every video in none of the known folders is abnormal. Without
   it, such a folder is an error that lists all folders: nothing is guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vadpipe.annotations.label_words import verdict
from vadpipe.annotations.matching import match_videos, problems_of, tell_moved
from vadpipe.annotations.sheet import read_sheet
from vadpipe.errors import UsageError
from vadpipe.files.tables_from_memory import GivenTable


@dataclass(frozen=True)
class Label:
    """The label of one video.

    Attributes:
        abnormal: whether something abnormal happens in it.
        group: videos of one group stay together when some are held out.
        reason: where the label comes from, for the table that ``fit`` prints.
    """

    abnormal: bool
    group: str
    reason: str


def folder_labels(videos: Sequence[str], normal: Iterable[str] = ()) -> dict[str, Label]:
    """Label videos by their folders; see the rule in this module's docstring.

    Args:
        videos: names with ``/``, such as ``videos/fight/a.mp4``.
        normal: names of folders that are normal, whatever they are called.

    Returns:
        A label for each video; each is a group of its own.

    Raises:
        UsageError: if a folder is unknown, or a name in ``normal`` is not a folder of any video.
    """
    named = {name.strip("/") for name in normal}
    folders = {video: PurePosixPath(video).parts[:-1][::-1] for video in videos}
    strangers = named - {part for parts in folders.values() for part in parts}
    if strangers:
        raise UsageError(
            f"no video is in a folder named {', '.join(sorted(strangers))}",
            next_step=f"The folders are: {_list_folders(folders.values())}.",
        )
    labels: dict[str, Label] = {}
    unknown: list[Sequence[str]] = []
    for video, parts in folders.items():
        deciding = parts[:-1] or parts  # the outermost folder speaks only for its own videos
        said = (
            (part, False if part in named else verdict(part))
            for part in (parts if named & {*parts} else deciding)
        )
        folder, abnormal = next(((part, kind) for part, kind in said if kind is not None), ("", None))
        if abnormal is None and named:
            folder, abnormal = parts[0] if parts else "", True
        if abnormal is None:
            unknown.append(parts)
        else:
            labels[video] = Label(abnormal, group=video, reason=f"folder {folder}")
    if unknown:
        raise UsageError(
            f"cannot infer labels from these folders: {_list_folders(unknown)}",
            next_step="Name the normal ones with --normal NAME (the others are then abnormal), or pass a "
            "sheet video,label with --labels.",
        )
    return labels


def _list_folders(chains: Iterable[Sequence[str]]) -> str:
    counts = Counter("/".join(parts[::-1]) or "(none)" for parts in chains)
    shown = [f"{folder} ({count})" for folder, count in sorted(counts.items())]
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")


def read_labels(path: Path | GivenTable, contents: Mapping[str, str]) -> dict[str, Label]:
    """Label videos by a sheet, see ``docs/how-to/labels-and-truth.md``.

    Names in the sheet find their videos by the rule of :mod:`vadpipe.extract.video.names`; of several videos
    that fit and are copies of one, the first is taken.

    Args:
        path: CSV or Excel file, or table in memory, with ``video,label[,group]``; or a truth, whose videos
            with an event are abnormal.
        contents: digest of the content of each video that there are features of.

    Returns:
        A label for each video that the file names. Videos that it does not name are left out.

    Raises:
        UsageError: if the file cannot be read, lacks a column, holds an unknown label, or a row
            names no video or several.
    """
    sheet = read_sheet(path)
    sheet.check()
    found = match_videos((item.video for item in sheet.annotations), contents)
    tell_moved(found)
    labels: dict[str, Label] = {}
    for problem in problems_of(sheet.annotations, found).values():
        raise UsageError(problem.reason, file=path, next_step=problem.next_step)
    for item in sheet.annotations:
        video = found.found[item.video]
        labels[video] = Label(bool(item.abnormal), item.group or video, reason=sheet.table.path.name)
    return labels


def joined_groups(
    groups: Mapping[str, str], contents: Mapping[str, str]
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Make groups that hold copies of one video one group.

    Args:
        groups: of each video.
        contents: digest of each video's content.

    Returns:
        The new groups, and each copy behind the first video of that content.
    """
    joined, copies = dict(groups), []
    members: dict[str, list[str]] = {}
    for name, group in groups.items():
        members.setdefault(group, []).append(name)
    first: dict[str, str] = {}
    for video, content in contents.items():
        original = first.setdefault(content, video)
        if original == video:
            continue
        copies.append((original, video))
        old, new = joined[video], joined[original]
        if old == new:
            continue
        moved = members.pop(old)
        members[new] += moved
        joined.update(dict.fromkeys(moved, new))
    return joined, copies
