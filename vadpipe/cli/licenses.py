"""``vadpipe licenses``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

_TITLES = {
    "program": "vadpipe",
    "script": "Scripts of reports",
    "weights": "Weights",
    "ffmpeg": "FFmpeg inside the decoders' wheels",
    "dependency": "Dependencies",
}


def licenses(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """List the licences of the weights, scripts, FFmpeg builds and packages that are installed."""
    from vadpipe.diagnostics.licences import licences

    found = licences()
    if as_json:
        typer.echo(json.dumps([asdict(licence) for licence in found], indent=2))
        return
    width = max(len(f"{licence.name} {licence.version}") for licence in found)
    for kind, title in _TITLES.items():
        typer.echo(f"{title}:")
        for licence in found:
            if licence.kind == kind:
                name = f"{licence.name} {licence.version}".strip()
                detail = f" ({licence.detail})" if licence.detail else ""
                typer.echo(f"  {name:{width}}  {licence.licence}{detail}")
