"""The videos that the names in a sheet mean."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from vadpipe.annotations.annotation import Annotation
from vadpipe.errors import UsageError, VadpipeError
from vadpipe.extract.video.names import Match, bare, match, tell

log = logging.getLogger(__name__)

_NAMED = 3

_SUGGESTIONS = 100
"""Problems that get a suggestion; of more, it is not single names that are misspelt."""


def match_videos(names: Iterable[str], contents: Mapping[str, str]) -> Match:
    """Match names against videos by the rule of :mod:`vadpipe.extract.video.names`.

    Where a name fits several videos that are copies of one, it means the first of them; a warning names
    them.

    Args:
        names: as a sheet spells them.
        contents: digest of the content of each available video.
    """
    result = match(names, contents)
    copies: dict[str, str] = {}
    claimed = {*result.found.values()}
    for name, fits in result.ambiguous.items():
        free = len(fits) > 1 and not claimed & {*fits}
        if free and len({contents[fit] for fit in fits}) == 1:
            copies[name] = min(fits)
            claimed.update(fits)
    said = [f"{name}: {', '.join(sorted(result.ambiguous[name])[:_NAMED])}" for name in copies]
    tell(log, "names that fit several copies of one video, of which the first is used", said)
    return replace(
        result,
        found=result.found | copies,
        ambiguous={name: fits for name, fits in result.ambiguous.items() if name not in copies},
    )


def tell_moved(found: Match) -> None:
    """Warn about videos that lie in other folders than the sheet says."""
    moved = [f"{name} -> {found.found[name]}" for name in found.elsewhere if name in found.found]
    tell(log, "videos found in another folder than the sheet says", moved)


def tell_copies(found: Mapping[str, str], contents: Mapping[str, str]) -> None:
    """Warn about names that mean copies of one video.

    Args:
        found: the video of each name.
        contents: digest of the content of each video.
    """
    first: dict[str, str] = {}
    pairs = [(first.setdefault(contents[video], name), name) for name, video in found.items()]
    said = [f"{original} = {name}" for original, name in pairs if original != name]
    tell(
        log,
        "videos that are copies of another and count twice; remove them from the sheet if they should not",
        said,
    )


def problems_of(
    annotations: Sequence[Annotation], found: Match, what: str = "feature file"
) -> dict[str, UsageError]:
    """Return why names mean no video, as :func:`problem_of` does, by name and each with its line.

    Lines that both mean one video and have different labels are named both.
    """
    problems: dict[str, UsageError] = {}
    first: dict[str, Annotation] = {}
    for item in annotations:
        problem = problem_of(item.video, found, what, suggests=len(problems) < _SUGGESTIONS)
        if problem is None:
            continue
        fits = found.ambiguous.get(item.video, [])
        other = first.setdefault(fits[0], item) if len(fits) == 1 else item
        if other.abnormal is not item.abnormal:
            problem = contradiction(other, item)
            problems[other.video] = on_line(other, problem)
        problems[item.video] = on_line(item, problem)
    return problems


def contradiction(one: Annotation, other: Annotation) -> UsageError:
    """Return what is wrong with two rows about one video whose labels differ."""
    kinds = [f"line {item.line} {'abnormal' if item.abnormal else 'normal'}" for item in (one, other)]
    return UsageError(
        f"the labels of {other.video!r} contradict: {kinds[0]}, {kinds[1]}",
        next_step="Correct one of the lines, or remove it.",
    )


def on_line(item: Annotation, error: VadpipeError) -> UsageError:
    """Return an error about a row that names its line."""
    return UsageError(f"line {item.line}: {error.reason}", next_step=error.next_step)


def _nearest(name: str, there: Iterable[str]) -> str | None:
    """Return the available name that this one may be misspelt for, or None.

    Another number is another video.
    """
    stems = {bare(known.rpartition("/")[2]).casefold(): known for known in there}
    stem = bare(name.replace("\\", "/").rpartition("/")[2]).casefold()
    near = [] if stem.isdigit() else get_close_matches(stem, stems, n=1, cutoff=0.6)
    return stems[near[0]] if near else None


def problem_of(
    name: str, found: Match, what: str = "feature file", *, suggests: bool = True
) -> UsageError | None:
    """Return why a name means no video, and what to do, or None if it means one.

    Args:
        name: in the sheet.
        found: result of :func:`match_videos`.
        what: the names were matched against, in the singular.
        suggests: whether the next step names the video that may be meant, which takes a look at all of them.
    """
    if name in found.found:
        return None
    fits = sorted(found.ambiguous.get(name, ()))
    if not fits:
        near = _nearest(name, found.superfluous) if suggests else None
        return UsageError(
            f"{name!r} matches no {what}",
            next_step=f"Did you mean {near}? "
            * (near is not None)
            + "Correct the name, extract that video, or leave out its line, as 'vadpipe labels check "
            "SHEET --fix FILE' does.",
        )
    shown = ", ".join(fits[:_NAMED])
    if len(fits) > 1:
        return UsageError(
            f"{name!r} matches {len(fits)} {what}s", next_step=f"Give more of the path: {shown}."
        )
    return UsageError(
        f"{name!r} and another line both mean {shown}",
        next_step="Keep one of the lines, or give more of the paths.",
    )
