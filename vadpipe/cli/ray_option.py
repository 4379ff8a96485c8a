"""``--ray``, the one option whose value may be left out."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

_ADDRESS = re.compile(r"auto|local|ray://.*|[A-Za-z0-9._-]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")


class RayCommand(TyperCommand):
    """Reads ``--ray`` without an address as ``--ray auto``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  depends on typer's version
        """Parse the arguments."""
        return super().parse_args(ctx, with_address(args))


def with_address(args: list[str]) -> list[str]:
    """Return arguments in which each ``--ray`` has an address; what follows it is one only if it looks so."""
    full: list[str] = []
    for place, argument in enumerate(args):
        if argument == "--":
            return full + args[place:]
        full.append(argument)
        if argument == "--ray" and not _ADDRESS.fullmatch("".join(args[place + 1 : place + 2])):
            full[-1] = "--ray=auto"
    return full
