"""``vadpipe export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vadpipe.cli import options
from vadpipe.errors import printable

if TYPE_CHECKING:
    from vadpipe.export.parity import Agreement


def export(
    head: Annotated[
        Path | None,
        typer.Argument(metavar="[HEAD]", help="Head file or folder (default: the included head)."),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder.")] = Path("model"),
    check: Annotated[
        list[Path] | None,
        typer.Option(
            "--check",
            metavar="CLIP",
            help="Clip or folder on which to compare the result with vadpipe; repeatable (default: a "
            "rendered clip).",
        ),
    ] = None,
    weights: options.Weights = None,
    offline: options.Offline = False,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Export a head and its backbone as ONNX and OpenVINO, for machines that only score."""
    options.set_up(verbose, quiet)
    from vadpipe.export.exporting import export_model

    result = export_model(head, output, check=check or (), weights=weights, offline=offline)
    for agreement in result.parity.agreements:
        options.say(_told(agreement), quiet)
    for path in result.files:
        options.say_path(path)
    options.say(f"Score with it:\n  vadpipe score VIDEO --head {printable(output)}", quiet)


def _told(agreement: Agreement) -> str:
    """Return the line about a form of the model and a clip."""
    features = ""
    if agreement.feature_error is not None and agreement.feature_cosine is not None:
        features = f"features within {agreement.feature_error:.1e}, "
    events = "the same events" if agreement.same_events else "other events"
    return (
        f"{printable(agreement.clip)}: {agreement.engine} against {agreement.reference}: {features}"
        f"scores within {agreement.score_error:.1e}, {events}"
    )
