"""``vadpipe fit``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vadpipe.cli import options
from vadpipe.errors import UsageError

if TYPE_CHECKING:
    from vadpipe.head.settings import HeadSettings


def fit(
    features: Annotated[Path, typer.Option("--features", help="Folder that extract wrote.")] = Path(
        "features"
    ),
    labels: Annotated[
        Path | None, typer.Option(metavar="CSV", help="video,label[,group]; by folder names without it.")
    ] = None,
    normal: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A folder whose videos are normal; repeatable.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the head.")] = Path("head"),
    backbone: options.Backbone = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a setting of the head; repeatable."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(metavar="JSON", help="Settings of the head, as fit writes them.")
    ] = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Train a head on features and video-level labels."""
    options.set_up(verbose, quiet)
    from vadpipe.fitting import fit as fit_head
    from vadpipe.terminal import StepProgress, print_fit

    chosen = _settings(settings, assign or [])
    with StepProgress("fitting", total=chosen.steps, quiet=quiet) as progress:
        result = fit_head(
            features,
            labels=labels,
            normal=normal or [],
            output=output,
            backbone=backbone,
            settings=chosen,
            seed=seed,
            device=device,
            on_check=progress,
        )
    if not quiet:
        print_fit(result)
        options.say(f"Score with it:\n  vadpipe score VIDEO --head {shlex.quote(str(output))} --plot")


def _settings(file: Path | None, assignments: list[str]) -> HeadSettings:
    """Merge a settings file and NAME=VALUE pairs. Raises UsageError where one is unknown or out of range."""
    import json

    from pydantic import ValidationError

    from vadpipe.head.settings import HeadSettings

    try:
        values = {} if file is None else json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it holds no names")
    except (OSError, ValueError) as error:
        raise UsageError(f"is not a JSON file of settings: {error}", file=file) from error
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set takes NAME=VALUE, not {assignment!r}")
        values[name.strip()] = value.strip()
    try:
        return HeadSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "settings"
        names = ", ".join(HeadSettings.model_fields)
        hint = f"The settings are: {names}." if first["type"] == "extra_forbidden" else None
        raise UsageError(f"{name}: {first['msg']}", file=file, next_step=hint) from error
