"""Video-level labels from a dictionary that was passed from Python."""

from __future__ import annotations

from collections.abc import Mapping

from vadpipe.annotations.label_words import LABEL_WORDS, label_of
from vadpipe.annotations.labels import Label
from vadpipe.annotations.matching import match_videos, tell_moved
from vadpipe.errors import UsageError
from vadpipe.files.tables_from_memory import LABELS


def dictionary_labels(given: Mapping[str, str], contents: Mapping[str, str]) -> dict[str, Label]:
    """Label videos by a dictionary, as :func:`vadpipe.annotations.labels.read_labels` does by a sheet.

    Args:
        given: the label of each video by its name, as text.
        contents: digest of the content of each video that there are features of.

    Returns:
        A label for each video that it names; each is a group of its own.

    Raises:
        UsageError: with the name of the video, if a label is unknown, or a name means no video or several.
    """
    found = match_videos(given, contents)
    tell_moved(found)
    labels: dict[str, Label] = {}
    for name, text in given.items():
        abnormal = label_of(text)
        if abnormal is None:
            raise UsageError(f"{name!r} has the unknown label {text!r}", file=LABELS, next_step=LABEL_WORDS)
        if name not in found.found:
            raise _not_found(name, sorted(found.ambiguous.get(name, ())), contents)
        video = found.found[name]
        labels[video] = Label(abnormal, video, reason=LABELS)
    return labels


def _not_found(name: str, fits: list[str], contents: Mapping[str, str]) -> UsageError:
    shown = ", ".join(fits[:3])
    if len(fits) > 1:
        reason, step = f"{name!r} matches {len(fits)} feature files", f"Give more of the path: {shown}."
    elif fits:
        reason, step = f"{name!r} and another name both mean {shown}", "Keep one of the two."
    else:
        reason = f"{name!r} matches no feature file"
        step = f"Correct the name, or leave it out; one that is there is {min(contents)!r}."
    return UsageError(reason, file=LABELS, next_step=step)
