"""``run.json``: how results came about, for people, and for ``vadpipe rerun``."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from vadpipe.errors import UsageError, VadpipeError
from vadpipe.features.recipe import Recipe
from vadpipe.files.atomic import move, write_text
from vadpipe.runs.masking import masked

FILE_NAME = "run.json"
SCHEMA: Final = 2
_MOST_BYTES = 2**31  # a video and its results take 600 bytes and more


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputRecord(_Part):
    """A file that a run read as a whole, or a folder of them.

    Attributes:
        role: the argument that named it, such as ``"truth"``.
        file: its path, from the folder that the run was started in; None for data in memory.
        n_files: how many files of a folder count; None of a file.
        sha256: of the file; of a folder one of the names and contents of these files. None of data in memory.
    """

    role: str
    file: str | None
    n_files: int | None = None
    sha256: str | None = None


class VideoRecord(_Part):
    """A video, or a file of published features, and what became of it.

    Attributes:
        video: its name in the results.
        file: its path, from the folder that the run was started in.
        status: ``"skipped"`` where results were there already.
        sha256: of its content, as its features have it, so that no video is read for this record; None where
            it failed.
        n_bytes, modified_ns: size and modification time; while both stay, it is taken to be unchanged.
        version: what a store calls that version of a remote video, such as its ETag; None of a local one.
        n_announced, n_decoded: frames that the container says there are, and those that could be decoded.
        damaged: whether more of them were lost than is tolerated.
        reason: why it failed.
    """

    video: str
    file: str
    status: Literal["done", "skipped", "failed"]
    sha256: str | None = None
    n_bytes: int | None = None
    modified_ns: int | None = None
    version: str | None = None
    n_announced: int | None = None
    n_decoded: int | None = None
    damaged: bool = False
    reason: str | None = None


class OutputRecord(_Part):
    """A result.

    Attributes:
        file: its path, from the folder of the record.
        sha256: of its content.
    """

    file: str
    sha256: str


class Counts(_Part):
    """How many videos, or runs of an ablation, were done, failed, or were done before."""

    done: int = 0
    failed: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, videos: Iterable[VideoRecord]) -> Counts:
        """Count videos by what became of them."""
        each = [video.status for video in videos]
        return cls(done=each.count("done"), failed=each.count("failed"), skipped=each.count("skipped"))


class ErrorRecord(_Part):
    """What ended a run before it was finished."""

    file: str | None
    reason: str

    @classmethod
    def of(cls, error: BaseException) -> ErrorRecord:
        """Return what a record tells of an error: neither secrets nor a traceback."""
        if isinstance(error, VadpipeError):
            file = None if error.file is None else masked(error.file)
            return cls(file=file, reason=masked(error.reason))
        return cls(file=None, reason=masked(f"{type(error).__name__}: {error}"[:1000]))


def outcome_of(error: BaseException | None) -> Literal["finished", "failed", "interrupted"]:
    """Return how a run ended that raised this."""
    if error is None:
        return "finished"
    return "failed" if isinstance(error, Exception) else "interrupted"


class RerunRecord(_Part):
    """That a run repeated an earlier one.

    Attributes:
        of: sha256 of the record of that one.
        forced: how inputs and versions differed from those recorded, where ``--force`` let it go on.
    """

    of: str
    forced: tuple[str, ...]


class Times(_Part):
    """All of a record that differs between two equal runs.

    Attributes:
        began: date and time in UTC.
        took_s: seconds.
        snippets_per_s: of ``extract``: snippets computed per second of the run.
    """

    began: str
    took_s: float
    snippets_per_s: float | None = None


class RunRecord(_Part):
    """What a run was asked, by which versions, of which inputs, and what became of it.

    Attributes:
        schema_version: of this record.
        command: such as ``"score"`` or ``"features import"``.
        arguments: what the command line or its ``--config`` gave, by the name of the option; None where the
            function was called from Python.
        started_in: the folder that the run was started in, from the folder of the record.
        resolved: all arguments of the function that the command calls, with defaults.
        versions: of vadpipe, Python, the platform, and the libraries that results may depend on.
        recipe: how the features were made that were written or read: backbone, digest of its weights,
            decoder, engine and precision; None where there were none.
        seed: None for commands that draw no random numbers.
        outcome: how it ended.
        error: what ended it, unless it was finished.
        counts: of what it worked on.
        inputs, videos, outputs: files.
        warnings: that it gave.
        rerun: which run it repeated, if any.
        times: all that differs between two equal runs.
    """

    schema_version: int = SCHEMA
    command: str
    arguments: dict[str, Any] | None
    started_in: str
    resolved: dict[str, Any]
    versions: dict[str, str]
    recipe: Recipe | None
    seed: int | None
    outcome: Literal["finished", "failed", "interrupted"]
    error: ErrorRecord | None
    counts: Counts
    inputs: tuple[InputRecord, ...]
    videos: tuple[VideoRecord, ...]
    outputs: tuple[OutputRecord, ...]
    warnings: tuple[str, ...]
    rerun: RerunRecord | None
    times: Times

    def replaces(self, earlier: RunRecord | None) -> bool:
        """Return whether an earlier record is of the same run, and says no more than this one."""
        return (
            earlier is not None
            and (earlier.command, earlier.resolved) == (self.command, self.resolved)
            and (self.outcome == "finished" or earlier.outcome != "finished")
        )


def read_record(path: Path) -> RunRecord:
    """Read a record.

    Raises:
        UsageError: if it is missing, is not a record, or is of another schema.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            raise UsageError("is not a record of a run", file=path, next_step="Pass the run.json of a run.")
        text = path.read_text(encoding="utf-8")
        known = json.loads(text)
    except FileNotFoundError as error:
        raise UsageError("no such file", file=path, next_step="Pass the run.json of a run.") from error
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", file=path) from error
    except (ValueError, RecursionError) as error:
        raise UsageError("is not a record of a run", file=path) from error
    schema = known.get("schema_version") if isinstance(known, dict) else None
    if type(schema) is int and schema != SCHEMA:
        raise UsageError(
            f"has schema {schema}, this vadpipe reads {SCHEMA}",
            file=path,
            next_step="Run the command again to get a new record.",
        )
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError as error:
        raise UsageError("is not a record of a run", file=path) from error


def write_record(record: RunRecord, path: Path) -> Path | None:
    """Write a record; that of another run which has its name is kept under ``NAME-1.json``, ``-2`` and so on.

    Args:
        record: what to write.
        path: where to.

    Returns:
        Where the earlier record is kept now; None where there was none, or one of the same run.

    Raises:
        OutputError, OSError: if it cannot be written; the earlier one then has its name or the new one.
    """
    kept = None
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=True)
    with _alone(path.parent):
        if os.path.lexists(path) and not record.replaces(_readable(path)):
            kept = _set_aside(path)
        write_text(path, text + "\n")
    return kept


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from naming records in a folder meanwhile, where it can be locked."""
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY)  # a lock of the folder itself leaves no file behind
    try:
        with suppress(OSError):
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def earlier_digests(path: Path) -> dict[str, str]:
    """Return the digest of each result that a record lists; none where it cannot be read."""
    record = _readable(path)
    return {} if record is None else {output.file: output.sha256 for output in record.outputs}


def _readable(path: Path) -> RunRecord | None:
    try:
        return read_record(path)
    except UsageError:
        return None


def _set_aside(path: Path) -> Path:
    """Give a file the first free number after all that there are, and return its new name."""
    numbered = re.compile(re.escape(path.stem) + r"-(\d+)" + re.escape(path.suffix)).fullmatch
    taken = [int(match[1]) for name in os.listdir(path.parent) if (match := numbered(name))]  # noqa: PTH208
    number = max(taken, default=0) + 1
    while not move(path, path.with_stem(f"{path.stem}-{number}"), replacing=False):
        number += 1
    return path.with_stem(f"{path.stem}-{number}")
