"""Matching of video names that lists, videos and features spell differently.

A video's *bare* name is the last part of its path without suffixes that say how it was encoded or processed:
a video's suffix, :data:`TAILS` and the number of a crop. ``Abuse/Abuse028_x264.mp4`` and
``feats/Abuse028_x264_i3d`` are both ``Abuse028``. UCF-Crime spells its normal videos in three ways, which all
are ``Normal003``. Two names mean the same video where their bare names are equal, unless both end in the
number of a crop and these differ. Where names are equal as written, or but for a video's suffix, only these
count. A backslash parts folders as ``/`` does.

Folders distinguish videos with the same bare name: they are compared from the innermost outwards as far as
both names have them, and of several candidates those that agree in the most folders match.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from vadpipe.extract.video.container import SUFFIXES

TAILS = ("_x264", "_i3d", "_c3d", "_rgb", "_flow", "_features", "_feature", "_feat")
"""Endings of names that say how a video was encoded or processed, not which one it is."""

_ENDINGS = (*SUFFIXES, *TAILS)
_NAMED = 3
_CROP = re.compile(r"__\d$")


class _Name(NamedTuple):
    """A name in its parts, at its place among all."""

    place: int
    name: str
    folders: tuple[str, ...]
    last: str


class Names:
    """Names of videos that can be found by other spellings.

    Args:
        names: with ``/``; the same name twice is two candidates.
    """

    def __init__(self, names: Iterable[str]) -> None:
        # Cameras call their videos alike, so that many have one bare name: each is kept by its folder, too.
        self._exact: Counter[str] = Counter()
        self._known: dict[str, dict[str, list[_Name]]] = {}
        for place, name in enumerate(names):
            self._exact[name] += 1
            folders, last = _parted(name)
            of_folder = self._known.setdefault(bare(last), {})
            of_folder.setdefault(_innermost(folders), []).append(_Name(place, name, folders, last))

    def find(self, name: str) -> list[str]:
        """Return the names that mean the same video: none, one, or several if ambiguous."""
        if self._exact[name]:
            return [name] * self._exact[name]
        folders, last = _parted(name)
        agreed = [
            (_likeness(last, known.last), min(len(known.folders), len(folders)), known.name)
            for known in self._candidates(folders, last)
            if all(a == b for a, b in zip(reversed(known.folders), reversed(folders), strict=False))
        ]
        best = max((fit[:2] for fit in agreed if fit[0]), default=None)
        return [known for likeness, depth, known in agreed if (likeness, depth) == best]

    def _candidates(self, folders: Sequence[str], last: str) -> list[_Name]:
        """Return the names of this bare name whose innermost folder does not differ, in their order."""
        of_folder = self._known.get(bare(last), {})
        keys = {_innermost(folders), ""} if folders else of_folder.keys()
        found = [known for key in keys for known in of_folder.get(key, ())]
        return sorted(found) if len(found) > 1 else found


@dataclass(frozen=True)
class Match:
    """The result of matching wanted names against available ones.

    Attributes:
        found: the available name of each wanted one, in the order of these.
        missing: wanted, but not available.
        ambiguous: for each wanted name that fits several, or one that others fit too, what it fits.
        superfluous: available, but not wanted.
        elsewhere: those of ``found`` that lie in other folders than the wanted name says.
    """

    found: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    superfluous: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def tell(self, log: logging.Logger, *, moved: bool = True) -> None:
        """Warn about videos of the truth without features, with ambiguous ones or, if wanted, moved ones."""
        tell(log, "videos of the truth without features", self.missing)
        tell(log, "videos of the truth with several feature files, or that share one", [*self.ambiguous])
        if moved:
            pairs = [f"{name} -> {self.found[name]}" for name in self.elsewhere]
            tell(log, "videos of the truth found in another folder", pairs)


def match(wanted: Iterable[str], there: Iterable[str]) -> Match:
    """Match many names against many others.

    Data sets name each video once, and people keep them in folders of their own. So a wanted name that fits
    none with its folders is looked up without them, unless only folders distinguish it from another wanted
    name.

    Args:
        wanted: names that a data set lists.
        there: names of the available videos or features.
    """
    there, wanted = list(there), list(dict.fromkeys(wanted))
    names = Names(there)
    candidates = {name: names.find(name) for name in wanted}
    shared = Counter(bare(_parted(name)[1]) for name in wanted)
    lasts = {name: _parted(name)[1] for name, fits in candidates.items() if not fits}
    elsewhere = {name: names.find(last) for name, last in lasts.items() if shared[bare(last)] == 1}
    candidates |= elsewhere
    claims = Counter(known for fits in candidates.values() for known in {*fits})
    result = Match()
    for name, fits in candidates.items():
        if not fits:
            result.missing.append(name)
        elif len(fits) > 1 or claims[fits[0]] > 1:
            result.ambiguous[name] = fits
        else:
            result.found[name] = fits[0]
            if name in elsewhere:
                result.elsewhere.append(name)
    result.superfluous.extend(name for name in dict.fromkeys(there) if not claims[name])
    return result


def tell(log: logging.Logger, what: str, names: Sequence[str]) -> None:
    """Log a warning with the number of these names and the first few; nothing if there are none."""
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        log.warning("%s: %d (%s%s)", what, len(names), ", ".join(names[:_NAMED]), more)


def bare(name: str) -> str:
    """Return the part of a name without folders that says which video it is."""
    shorter = _CROP.sub("", name)
    for tail in _ENDINGS if shorter.lower().endswith(_ENDINGS) else ():
        if shorter.lower().endswith(tail) and len(shorter) > len(tail):
            shorter = shorter[: -len(tail)]
    if shorter != name:
        return bare(shorter)
    return re.sub(r"^Normal_Videos_?(?=\d)", "Normal", name)


def _likeness(one: str, other: str) -> int:
    """Return how similar two names of one bare name are; 0 if they are different crops."""
    stems = [_without_suffix(name) for name in (one, other)]
    if stems[0] == stems[1]:
        return 3 if one == other != stems[0] else 2  # beside a.mp4 and a.avi, a may be either
    crops = {crop[0] for stem in stems if (crop := _CROP.search(stem))}
    return 0 if len(crops) > 1 else 1


def _without_suffix(name: str) -> str:
    lower = name.lower()
    for suffix in SUFFIXES:
        if lower.endswith(suffix):
            return name[: -len(suffix)]
    return name


def _innermost(folders: Sequence[str]) -> str:
    """Return the folder that a video lies in; empty where the name has none."""
    return folders[-1] if folders else ""


def _parted(name: str) -> tuple[tuple[str, ...], str]:
    *folders, last = PurePosixPath(name.replace("\\", "/")).parts or ("",)
    return tuple(folder for folder in folders if folder != ".."), last
