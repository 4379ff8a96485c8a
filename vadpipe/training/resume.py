"""The state of an interrupted training, from which it resumes."""

from __future__ import annotations

import hashlib
import io
import logging
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch

from vadpipe._version import PACKAGE_FOLDER
from vadpipe.files.atomic import write_bytes

log = logging.getLogger(__name__)

EVERY_S = 20.0
"""Seconds between two writings; at most so much is done again."""

_DIGEST_BYTES = 32
_FROM_BAGS_TO_HEAD = ("features", "head", "curves", "training")


def code_digest() -> str:
    """Return the sha256 of the code that turns bags into a head: other code restarts the training."""
    files = [file for name in _FROM_BAGS_TO_HEAD for file in sorted((PACKAGE_FOLDER / name).rglob("*.py"))]
    versions = f"{torch.__version__} {np.__version__} {sklearn.__version__}"
    return hashlib.sha256(versions.encode() + b"".join(file.read_bytes() for file in files)).hexdigest()


def has_state(path: Path, key: str) -> bool:
    """Return whether a file keeps an interrupted training of that key."""
    try:
        content = _content(path.read_bytes())
    except OSError:
        return False
    return content is not None and content[0] == _digest_of(key)


def _content(written: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return the key and the parts of a file; None of a damaged one."""
    digest, body = written[:_DIGEST_BYTES], written[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:  # torch.load lets a flipped bit of a tensor pass
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(io.BytesIO(body), weights_only=True, map_location="cpu")
        return content["key"], dict(content["parts"])
    except Exception:  # the digest fits what we did not write; torch raises many kinds
        return None


def _digest_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Resume:
    """A file of named parts: tensors, numbers, texts, and lists and dictionaries of these.

    It begins with the sha256 of the rest, so that a damaged one is known.

    Args:
        path: the file; None keeps nothing.
        key: says what is trained, on what; a file of another key is not read.
        every_s: seconds between two writings.
    """

    def __init__(self, path: Path | None, key: str, every_s: float = EVERY_S) -> None:
        self._path, self._every_s, self._written = path, every_s, time.monotonic()
        self._key = _digest_of(key)
        self._parts: dict[str, Any] = {} if path is None else self._read(path)

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            written = path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            log.warning("%s: cannot be read; restarting the training (%s)", path, error.strerror)
            return {}
        content = _content(written)
        if content is None:
            log.warning("%s: is damaged; restarting the training", path)
            return {}
        key, parts = content
        if key != self._key:
            log.info("%s: belongs to another training; restarting", path)
            return {}
        log.info("%s: resuming the interrupted training", path)
        return parts

    def get(self, name: str) -> Any:  # noqa: ANN401
        """Return that part, or None."""
        return self._parts.get(name)

    def put(self, name: str, part: Any, *, now: bool = False) -> None:  # noqa: ANN401
        """Keep a part; it is written when it is time, or ``now``. Raises OutputError if that fails."""
        self._parts[name] = part
        if self._path is None or (not now and time.monotonic() - self._written < self._every_s):
            return
        buffer = io.BytesIO()
        torch.save({"key": self._key, "parts": self._parts}, buffer)
        body = buffer.getvalue()
        write_bytes(self._path, hashlib.sha256(body).digest() + body)
        self._written = time.monotonic()

    def drop(self, name: str) -> None:
        """Forget a part that is not needed any more."""
        self._parts.pop(name, None)
