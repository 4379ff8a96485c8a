"""``vadpipe config``: the file that ``--config`` reads."""

from __future__ import annotations

import json

import typer

from vadpipe.cli.command import command
from vadpipe.cli.config_schema import schema as schema_of

config = typer.Typer(
    name="config",
    help="Files of options, for --config.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@config.callback()
def _group() -> None:
    """Files of options, for --config."""  # a group even with one command


@config.command()
@command
def schema() -> None:
    """Print the JSON schema of these files, for editors and checks."""
    from vadpipe.cli import app

    typer.echo(json.dumps(schema_of(typer.main.get_command(app)), indent=2))
