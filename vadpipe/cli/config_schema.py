"""The JSON schema of the files that ``--config`` reads, made of the commands themselves."""

from __future__ import annotations

import inspect
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from vadpipe.cli.config_file import Command, option_names, takes_pairs

_SCALAR = ["string", "number", "boolean"]
_TYPES: dict[object, object] = {bool: "boolean", int: "integer", float: "number"}


def schema(root: Command) -> dict[str, object]:
    """Return the JSON schema of a file with options of the commands of a tree."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Options of vadpipe's commands, for --config",
        **_of_command(root),
    }


def _of_command(command: Command) -> dict[str, object]:
    commands = getattr(command, "commands", None)
    if commands is not None:
        parts = {name: _of_command(part) for name, part in commands.items()}
    else:
        declared = inspect.signature(command.callback).parameters
        parts = {
            name: _of_option(option, declared[option.name].annotation)
            for name, option in option_names(command).items()
        }
    properties = {name: part for name, part in parts.items() if part.get("properties") != {}}
    return {"type": ["object", "null"], "additionalProperties": False, "properties": properties}


def _of_option(option: Command, annotation: object) -> dict[str, object]:
    bounded = getattr(option, "type", option)  # typer before 0.29 has bounds there
    one = _of_type(_item_of(annotation)) | {
        keyword: getattr(bounded, bound)
        for bound, keyword in (("min", "minimum"), ("max", "maximum"))
        if getattr(bounded, bound, None) is not None
    }
    described = {"description": option.help}
    if not option.multiple:
        return described | {"anyOf": [one, {"type": "null"}]}
    forms = [one, {"type": "array", "items": one}, {"type": "null"}]
    return described | {"anyOf": [*forms, _of_pairs(option)] if takes_pairs(option) else forms}


def _item_of(kind: object) -> object:
    """Return what an option takes: of ``X | None`` and of ``list[X]`` that is X."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = (part for part in get_args(kind) if part is not type(None))
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _of_type(kind: object) -> dict[str, Any]:
    if get_origin(kind) is Literal:
        return {"enum": [*get_args(kind)]}
    return {"type": _TYPES.get(kind, _SCALAR)}


def _of_pairs(option: Command) -> dict[str, object]:
    """Return the schema of an object in place of NAME=VALUE; of ``--set`` one of the settings of a head."""
    if option.name != "assign":
        return {"type": "object"}
    from vadpipe.head.settings import HeadSettings

    described = HeadSettings.model_json_schema()
    return {"type": "object", "additionalProperties": False, "properties": described["properties"]}
