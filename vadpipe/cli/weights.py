"""``vadpipe weights``: list, fetch and verify pretrained weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vadpipe.cli import options
from vadpipe.cli.command import command
from vadpipe.errors import WeightsError

if TYPE_CHECKING:
    from vadpipe.weights.registry import Weights

weights = typer.Typer(
    name="weights",
    help="Pretrained weights: list, fetch, verify and locate them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@weights.command("list")
@command
def list_() -> None:
    """List all weights, one per line.

    Columns: name, cached or not, size and digest of the published file, licence, source. Weights that come
    with vadpipe are "included".
    """
    from vadpipe.weights import I3D_INT8
    from vadpipe.weights.registry import I3D_KINETICS, WEIGHTS

    heading = ("NAME", "CACHE", "SIZE", "SHA256", "LICENCE", "FROM")
    int8 = f"{I3D_INT8.with_suffix('.bin').stat().st_size / 1e6:.0f} MB"
    licence = I3D_KINETICS.licence.partition(";")[0]
    rows = [
        heading,
        *(_row(record) for record in WEIGHTS.values()),
        (f"{I3D_KINETICS.name}-int8", "included", int8, "-", licence, f"derived from {I3D_KINETICS.name}"),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@weights.command()
@command
def get(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names shown by list.")],
    quiet: options.Quiet = False,
) -> None:
    """Fetch weights into the cache.

    They are verified and converted, and their paths are printed.
    """
    from vadpipe.weights.cache import ready
    from vadpipe.weights.registry import find_weights

    failed = False
    for record in [find_weights(name) for name in names]:
        options.say(f"{record.name}: checking the cache, then {_origin(record)}", quiet)
        try:
            result = ready(record)
        except WeightsError as error:
            failed = True
            options.print_error(error)
            continue
        options.say(f"{record.name}: ready, sha256 of the published file {result.sha256}", quiet)
        options.say_path(result.path)
    if failed:
        raise typer.Exit(WeightsError.exit_code)


@weights.command()
@command
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Names shown by list (default: all).")
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Verify the digests of cached files.

    Each file is read again and printed as "ok" or "damaged", with its name and path between tabs.
    """
    from vadpipe.weights import layout
    from vadpipe.weights.registry import WEIGHTS, find_weights

    n_files = 0
    failed = False
    for record in [find_weights(name) for name in names or WEIGHTS]:
        try:
            layout.expected_digest(record)  # raises for an unreadable pin
        except WeightsError as error:
            failed = True
            options.print_error(error)
        files = layout.kept(record)
        n_files += len(files)
        if names and not files:
            failed = True
            options.print_error(_not_there(record))
        for file in files:
            intact = layout.is_intact(record, file)
            typer.echo(f"{'ok' if intact else 'damaged'}\t{record.name}\t".encode() + bytes(file))
            if not intact:
                failed = True
                options.print_error(_damaged(record, file))
    options.say(f"files verified: {n_files}, in {layout.folder()}", quiet)
    if failed:
        raise typer.Exit(WeightsError.exit_code)


@weights.command()
@command
def path(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Name shown by list.")] = None,
) -> None:
    """Print the path of the cache folder, or of one set of weights.

    The file is verified first; nothing is downloaded.
    """
    from vadpipe.weights import cache, layout
    from vadpipe.weights.registry import find_weights

    if name is None:
        options.say_path(cache.folder())
        return
    record = find_weights(name)
    file = cache.location(record)
    if file is None:
        raise _not_there(record)
    if not layout.is_intact(record, file, sha256=layout.expected_digest(record)):
        raise _damaged(record, file)
    options.say_path(file)


def _row(record: Weights) -> tuple[str, ...]:
    """Return the cells of a line; nothing is hashed, and a broken pin does not stop the listing."""
    from vadpipe.weights import cache, layout

    try:
        cached = "yes" if cache.location(record) else "no"
        size, sha256 = cache.known_size(record), layout.expected_digest(record)
    except WeightsError:
        cached, size, sha256 = "?", None, "its pin cannot be read"
    return (
        record.name,
        cached,
        "-" if size is None else f"{size / 1e6:.0f} MB",
        "pinned at first use" if sha256 is None else sha256,
        record.licence.partition(";")[0],
        _origin(record),
    )


def _origin(record: Weights) -> str:
    from vadpipe.weights.registry import PackagedWeights

    if isinstance(record, PackagedWeights):
        return f"{record.package} {record.version} (Python package index)"
    return record.url


def _not_there(record: Weights) -> WeightsError:
    return WeightsError(
        f"the weights {record.name} are not in the cache", next_step=f"Run: vadpipe weights get {record.name}"
    )


def _damaged(record: Weights, file: Path) -> WeightsError:
    return WeightsError(
        "is damaged: its digest does not match the recorded one",
        file=file,
        next_step=f"Run: vadpipe weights get {record.name}. This renames the file and creates it again.",
    )
