"""``vadpipe doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from vadpipe.errors import EXIT_SOME_FAILED


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check the installation: decoders, engine, GPU, cache, sandbox; score a rendered clip."""
    from vadpipe.diagnostics.checks import run_checks
    from vadpipe.diagnostics.environment import environment, environment_lines

    done = []
    if not as_json:
        typer.echo("\n".join(environment_lines()) + "\n")
    for check in run_checks():
        done.append(check)
        if not as_json:
            typer.echo(f"{check.state:8} {check.name}: {check.detail}")
            if check.next_step:
                typer.echo(f"         {check.next_step}")
    failed = sum(check.state == "failed" for check in done)
    if as_json:
        record = {"environment": environment(), "checks": [asdict(check) for check in done]}
        typer.echo(json.dumps(record | {"failed": failed}, indent=2))
    else:
        warned = sum(check.state == "warning" for check in done)
        typer.echo(f"\n{len(done)} checks: {failed} failed, {warned} warnings")
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)
