"""A local copy of a remote folder of feature files, for a run that reads all of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from vadpipe.errors import FeatureError, InputError
from vadpipe.features.file import SUFFIX
from vadpipe.features.folder import may_hold_features
from vadpipe.files.atomic import fitting_name
from vadpipe.remote.address import Address, address_of
from vadpipe.remote.objects import download, listed
from vadpipe.remote.scratch import new_folder
from vadpipe.runs.journal import journal

_AT_ONCE = 16

T = TypeVar("T")


def local_features(given: T) -> T | Path:
    """Return features that a run reads; of the address of a folder a local copy, there until the run ends.

    Raises:
        FeatureError: if there are none at the address, or they cannot be fetched.
        OutputError: if the disk is full.
    """
    address = address_of(given) if isinstance(given, (str, os.PathLike)) else None
    if address is None:
        return given
    folder = journal().until_end(_copied(address))
    journal().stand_ins.add(folder, address.path)
    return folder


@contextmanager
def _copied(address: Address) -> Iterator[Path]:
    try:
        found = {name: address.below(name) for name in listed(address) if may_hold_features(Path(name))}
    except InputError as error:
        raise FeatureError(error.reason, file=error.file, next_step=error.next_step) from None
    if not found:
        step = "Run 'vadpipe extract VIDEOS' first."
        raise FeatureError("contains no feature file", file=address.path, next_step=step)
    folder = new_folder("features-")
    try:
        with ThreadPoolExecutor(_AT_ONCE) as several:
            for _ in several.map(lambda file: _copy(file, folder, len(address.parts)), found.values()):
                pass
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(file: Address, folder: Path, depth: int) -> None:
    *folders, name = file.parts[depth:]  # none of which leads out of the folder
    short = fitting_name(name.removesuffix(SUFFIX), SUFFIX)
    target = folder.joinpath(*(fitting_name(part, "") for part in folders), short)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        download(file, target, lambda _: None)
    except InputError as error:
        raise FeatureError(error.reason, file=error.file, next_step=error.next_step) from None
