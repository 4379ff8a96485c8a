"""The registry of functions that write or draw a curve.

:mod:`vadpipe.output` enters its functions here when it is imported, and the methods of
:class:`vadpipe.curves.curve.Curve` look them up. So a curve has ``to_csv`` and ``plot``, and nothing in
``curves`` imports a renderer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Writer = Callable[..., Any]

_writers: dict[str, Writer] = {}


def register_writers(writers: Mapping[str, Writer]) -> None:
    """Enter functions by name; one of a known name takes the place of the earlier one."""
    _writers.update(writers)


def writer(name: str) -> Writer:
    """Return the function of that name.

    Raises:
        RuntimeError: if ``vadpipe.output`` has not been imported; ``import vadpipe`` and ``vadpipe.Curve``
            see to that.
    """
    if name not in _writers:
        raise RuntimeError(f"no writer {name!r} is registered: import vadpipe.output")
    return _writers[name]
