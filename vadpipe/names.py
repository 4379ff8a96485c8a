"""The rule by which a video is known, though lists, videos and features spell its name differently.

A video's *bare* name is the last part of its path without what says how it was encoded or what was made of
it: a video's suffix, :data:`TAILS` and the number of a crop. ``Abuse/Abuse028_x264.mp4`` and
``feats/Abuse028_x264_i3d`` are both ``Abuse028``. UCF-Crime spells its normal videos in three ways, of which
all are ``Normal003``. Two names mean the same video where their bare names are equal.

Folders tell apart what has one bare name: they count from the innermost outwards as far as both names have
them, and of several candidates those that agree in the most folders are meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from vadpipe.extract.decode.container import SUFFIXES

TAILS = ("_x264", "_i3d", "_c3d", "_rgb", "_flow", "_features", "_feature", "_feat")
"""Ends of names that say how a video was encoded or what was made of it, not which one it is."""


class Names:
    """Names of videos, to be found by other spellings.

    Args:
        names: with ``/``; the same name twice is two candidates.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._known: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name in names:
            folders, last = _parted(name)
            self._known.setdefault(bare(last), []).append((folders, name))

    def find(self, name: str) -> list[str]:
        """Return the names that mean the same video: none, one, or several between which nothing decides."""
        folders, last = _parted(name)
        agreed = [
            (min(len(others), len(folders)), known)
            for others, known in self._known.get(bare(last), [])
            if all(a == b for a, b in zip(reversed(others), reversed(folders), strict=False))
        ]
        most = max((depth for depth, _ in agreed), default=0)
        return [known for depth, known in agreed if depth == most]


@dataclass(frozen=True)
class Match:
    """Which of the names that are wanted are there.

    Attributes:
        found: the name that is there, by the one that is wanted, in the order of these.
        missing: wanted, and not there.
        ambiguous: for each wanted name that fits several, or one that others fit too, what it fits.
        superfluous: there, and wanted by none.
    """

    found: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    superfluous: list[str] = field(default_factory=list)


def match(wanted: Iterable[str], there: Iterable[str]) -> Match:
    """Find many names among many others.

    Data sets name each video once, and people keep them in folders of their own. So a wanted name that fits
    none with its folders is looked for without them.

    Args:
        wanted: names that a data set lists.
        there: names of the videos or features that are at hand.
    """
    there, wanted = list(there), list(dict.fromkeys(wanted))
    names = Names(there)
    candidates = {name: names.find(name) or names.find(PurePosixPath(name).name) for name in wanted}
    claims = Counter(known for fits in candidates.values() for known in {*fits})
    result = Match()
    for name, fits in candidates.items():
        if not fits:
            result.missing.append(name)
        elif len(fits) > 1 or claims[fits[0]] > 1:
            result.ambiguous[name] = fits
        else:
            result.found[name] = fits[0]
    result.superfluous.extend(name for name in dict.fromkeys(there) if not claims[name])
    return result


def bare(name: str) -> str:
    """Return the part of a name without folders that says which video it is."""
    shorter = re.sub(r"__\d$", "", name)  # the number of a crop
    for tail in (*SUFFIXES, *TAILS):
        if shorter.lower().endswith(tail) and len(shorter) > len(tail):
            shorter = shorter[: -len(tail)]
    if shorter != name:
        return bare(shorter)
    return re.sub(r"^Normal_Videos_?(?=\d)", "Normal", name)


def _parted(name: str) -> tuple[tuple[str, ...], str]:
    *folders, last = PurePosixPath(name).parts or ("",)
    return tuple(folders), last
