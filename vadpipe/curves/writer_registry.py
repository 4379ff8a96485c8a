"""The registry of functions that write or draw a curve.

:mod:`vadpipe.output` enters its functions here when it is imported, and the methods of
:class:`vadpipe.curves.curve.Curve` look them up. So a curve has ``to_csv`` and ``plot``, and nothing in
``curves`` depends on a renderer: the package of renderers is named once, as a string, and loaded when the
first curve is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

Writer = Callable[..., Any]

RENDERERS = "vadpipe.output"

_writers: dict[str, Writer] = {}


def register_writers(writers: Mapping[str, Writer]) -> None:
    """Enter functions by name; one of a known name takes the place of the earlier one."""
    _writers.update(writers)


def writer(name: str) -> Writer:
    """Return the function of that name, after loading the renderers where nobody has done so yet."""
    if name not in _writers:
        import_module(RENDERERS)
    return _writers[name]
