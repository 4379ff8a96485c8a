"""Video-level labels, from the videos' folders or a CSV file.

The folder rule, from the innermost folder outwards; the first folder that is known decides. The
outermost one is the folder that was given to ``extract``, often a data set's name: it decides only for
videos that lie directly in it.

1. Folders named with ``--normal`` are normal.
2. A folder name is split into words at everything that is not a letter and where a capital follows a
   small letter. A word in :data:`ABNORMAL_WORDS` makes it abnormal; with one of :data:`NEGATIONS` right
   before it (``noFight``, ``non_violence``), normal. A word in :data:`NORMAL_WORDS` makes it normal; with
   a negation before it, or beside an abnormal word, the name says nothing that is clear.
   UCF-Crime's ``…Normal_Videos_Anomaly`` is normal.
3. Where ``--normal`` names a folder, every video in none of the known folders is abnormal. Without
   it, such a folder is an error that lists all folders: nothing is guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vadpipe.errors import UsageError
from vadpipe.files.csv_rows import read_rows
from vadpipe.files.given_tables import GivenTable

NORMAL_WORDS = frozenset(
    {"normal", "normals", "nonviolence", "nonviolent", "nonfight", "nofight", "negative"}
)
NEGATIONS = frozenset({"no", "non", "not", "without"})
_UCF_CRIME = {
    *("abuse", "arrest", "arson", "assault", "burglary", "explosion", "fighting", "accidents"),
    *("robbery", "shooting", "shoplifting", "stealing", "vandalism"),
}
ABNORMAL_WORDS = frozenset(
    {"abnormal", "anomaly", "anomalies", "anomalous", "unusual", "positive", "crime", "accident", "riot"}
    | {"violence", "violent", "fight", "fights"}
    | _UCF_CRIME
)
_COLUMNS = {"video", "label", "group", "class"}
_LABELS = {"0": 0, "normal": 0, "1": 1, "abnormal": 1, "anomalous": 1, "anomaly": 1}


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
        verdicts = ((part, _verdict(part, named)) for part in (parts if named & {*parts} else deciding))
        folder, abnormal = next(
            ((part, verdict) for part, verdict in verdicts if verdict is not None), ("", None)
        )
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
            "CSV video,label with --labels.",
        )
    return labels


def _verdict(folder: str, named: set[str]) -> bool | None:
    """Return whether that folder is abnormal, or None if its name does not say."""
    if folder in named:
        return False
    # Letters of any script; a capital after a small letter begins a word, so does the last of several.
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", folder)
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", parted)]
    if words[-3:] == ["normal", "videos", "anomaly"]:
        return False
    said: set[bool] = set()
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word in NEGATIONS and after not in ABNORMAL_WORDS:
            return None  # it denies something that this rule does not know
        if word in ABNORMAL_WORDS or (word in NORMAL_WORDS and before == "ab"):
            said.add(before not in NEGATIONS)
        elif word in NORMAL_WORDS:
            said.add(False)
    return said.pop() if len(said) == 1 else None


def _list_folders(chains: Iterable[Sequence[str]]) -> str:
    counts = Counter("/".join(parts[::-1]) or "(none)" for parts in chains)
    shown = [f"{folder} ({count})" for folder, count in sorted(counts.items())]
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")


def csv_labels(path: Path | GivenTable, videos: Sequence[str]) -> dict[str, Label]:
    """Label videos by a CSV file with the columns ``video,label[,group]``.

    A row's video is matched from its end: ``a.mp4``, ``a``, ``fight/a.mp4`` and any absolute path that
    ends so all name ``videos/fight/a.mp4``. A label is 0, 1, normal, abnormal, anomalous or anomaly.

    Returns:
        A label for each video that the file names. Videos that it does not name are left out.

    Raises:
        UsageError: if the file cannot be read, lacks a column, holds an unknown label, or a row
            names no video or several.
    """
    columns, rows = read_rows(path)
    if not {"video", "label"} <= set(columns) <= _COLUMNS or len(set(columns)) < len(columns):
        raise UsageError("needs a first line video,label, with group and class where known", file=path)
    if not rows:
        raise UsageError("has no labels below its first line", file=path)
    index = _by_ending(videos)
    labels: dict[str, Label] = {}
    for line, row in rows:
        name, label = row["video"].strip(), row["label"].strip().lower()
        matches = _matches(name, videos, index)
        if len(matches) != 1:
            reason = "matches no feature file" if not matches else f"matches {len(matches)} feature files"
            raise UsageError(
                f"line {line}: {name!r} {reason}",
                file=path,
                next_step="Extract that video, or remove the line."
                if not matches
                else f"Give more of the path: {', '.join(sorted(matches)[:3])}.",
            )
        video = next(iter(matches))
        if label not in _LABELS:
            raise UsageError(
                f"line {line}: unknown label {label!r}",
                file=path,
                next_step="Use 0 or normal, 1 or abnormal.",
            )
        if video in labels:
            raise UsageError(f"line {line}: {name!r} is labelled twice", file=path)
        group = row.get("group", "").strip()
        labels[video] = Label(bool(_LABELS[label]), group or video, reason=path.name)
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
    first: dict[str, str] = {}
    for video, content in contents.items():
        original = first.setdefault(content, video)
        if original == video:
            continue
        copies.append((original, video))
        old, new = joined[video], joined[original]
        joined = {name: new if group == old else group for name, group in joined.items()}
    return joined, copies


def _matches(name: str, videos: Sequence[str], index: dict[str, set[str]]) -> set[str]:
    """Return the videos that a row may refer to: the same name, or one name being the end of the other."""
    if name in videos:
        return {name}
    path = PurePosixPath(name)
    if path.is_absolute():
        forms = {str(path), str(path.with_suffix(""))}
        return {
            video
            for video in videos
            if any(form.endswith((f"/{video}", f"/{PurePosixPath(video).with_suffix('')}")) for form in forms)
        }
    return index.get(str(path), set())


def _by_ending(videos: Iterable[str]) -> dict[str, set[str]]:
    """Map every ending of every name, with and without its suffix, to the names that end so."""
    index: dict[str, set[str]] = {}
    for video in videos:
        parts = PurePosixPath(video).parts
        for start in range(len(parts)):
            ending = PurePosixPath(*parts[start:])
            for form in (str(ending), str(ending.with_suffix(""))):
                index.setdefault(form, set()).add(video)
    return index
