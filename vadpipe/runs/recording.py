"""Functions whose runs are recorded, however they end."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from vadpipe.runs.journal import Journal, opened
from vadpipe.runs.masking import masked
from vadpipe.runs.plain import plain_arguments

P = ParamSpec("P")
R = TypeVar("R")


def recorded(command: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for the function of a command, which says in :func:`journal` what it does."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError:
                return function(*args, **kwargs)  # which says so under its own name
            bound.apply_defaults()
            error: BaseException | None = None
            with opened(Journal(command, plain_arguments(bound.arguments))) as own:
                try:
                    with _warnings_to(own.warnings):
                        return function(*args, **kwargs)
                except BaseException as caught:
                    error = own.stand_ins.renamed_error(caught)
                    if error is caught:
                        raise
                    raise error from caught
                finally:
                    own.end(error)

        return run

    return decorate


class _Warnings(logging.Handler):
    def __init__(self, texts: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        if logging.lastResort is not None and not logging.getLogger().handlers:
            logging.lastResort.handle(record)  # which Python calls only where there is no handler at all
        text = masked(record.getMessage())
        if text not in self._texts:
            self._texts.append(text)


@contextmanager
def _warnings_to(texts: list[str]) -> Iterator[None]:
    handler, logger = _Warnings(texts), logging.getLogger("vadpipe")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
