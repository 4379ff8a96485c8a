"""Records beside cached weights: the pinned digest of the first download, and that of the converted file."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vadpipe.errors import WeightsError
from vadpipe.files.atomic import write_text

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Pin(BaseModel):
    """The first file fetched under a name; from then on no other is accepted.

    Attributes:
        schema_version: of this record.
        name: of the weights in the registry.
        url: where the file was fetched from, or would have been where it was put there by hand.
        sha256, n_bytes: digest and size of the published file.
        date: day of the first use (UTC).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: str
    url: str
    sha256: Sha256
    n_bytes: Annotated[int, Field(ge=0)]
    date: datetime.date


class Conversion(BaseModel):
    """The record beside a converted file, with its digest.

    Attributes:
        schema_version: of this record.
        name: of the weights in the registry.
        published_sha256: digest of the published file.
        converted_sha256: digest of the safetensors file that was made of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: str
    published_sha256: Sha256
    converted_sha256: Sha256


def read_pin(path: Path, name: str) -> Pin | None:
    """Return the pin of the weights ``name``, or None if there is none.

    Raises:
        WeightsError: if it is damaged or belongs to other weights; taking that for "no pin" would let
            any file in.
    """
    try:
        pin = Pin.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError) as error:
        raise _broken(path) from error
    if pin.name != name:
        raise _broken(path)
    return pin


def write_pin(path: Path, *, name: str, url: str, sha256: str, n_bytes: int) -> None:
    """Write a pin of today. Raises OutputError if that fails."""
    today = datetime.datetime.now(datetime.UTC).date()
    pin = Pin(name=name, url=url, sha256=sha256, n_bytes=n_bytes, date=today)
    write_text(path, pin.model_dump_json(indent=2) + "\n")


def read_conversion(path: Path) -> Conversion | None:
    """Return the record, or None if it is missing or damaged: the file beside it is then made again."""
    try:
        return Conversion.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write_conversion(path: Path, conversion: Conversion) -> None:
    """Write the record. Raises OutputError if that fails."""
    write_text(path, conversion.model_dump_json(indent=2) + "\n")


def _broken(path: Path) -> WeightsError:
    return WeightsError(
        "is not a readable weights pin",
        file=path,
        next_step="Delete it; the next file fetched is pinned instead.",
    )
