"""Files of NAME: VALUE pairs that people write: JSON, YAML or TOML, told by the suffix."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from vadpipe.errors import UsageError

_KINDS = {".yaml": "YAML", ".yml": "YAML", ".toml": "TOML"}


def read_mapping(file: Path, *, what: str, missing: str, example: str) -> dict[str, object]:
    """Return the contents of a file; JSON unless its suffix says YAML or TOML.

    Args:
        file: the file.
        what: it holds, such as ``"settings"``, for messages.
        missing: the next step where there is no such file.
        example: where such pairs can be seen, for the next step of a file that cannot be read.

    Raises:
        UsageError: if it cannot be read, or is not an object with names.
    """
    kind = _KINDS.get(file.suffix.lower(), "JSON")
    try:
        text = file.read_text(encoding="utf-8")
        read = _parsed(text, kind, what)
        if not isinstance(read, dict) or not all(isinstance(name, str) for name in read):
            raise ValueError("it is not an object of NAME: VALUE")
    except FileNotFoundError as error:
        raise UsageError("no such file", file=file, next_step=missing) from error
    except (OSError, ValueError, RecursionError) as error:
        step = f"Write NAME: VALUE pairs in {kind}, as in {example}."
        raise UsageError(f"is not a {kind} file of {what}: {error}", file=file, next_step=step) from error
    return read


def _parsed(text: str, kind: str, what: str) -> object:
    """Return what a text says. Raises ValueError if it is not of that kind."""
    if kind == "YAML":
        return _of_yaml(text, what)
    return tomllib.loads(text) if kind == "TOML" else json.loads(text)


def _of_yaml(text: str, what: str) -> object:
    try:
        import yaml
    except ImportError as error:
        raise UsageError(
            f"{what} in YAML need PyYAML, which is not installed",
            next_step=f"pip install 'vadpipe[yaml]', or write the {what} as JSON.",
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        raise ValueError(f"{line}{error.problem}") from error
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
