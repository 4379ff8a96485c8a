"""What a run says of itself while it goes on, and its record when it ends."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vadpipe.errors import OutputError, VadpipeError
from vadpipe.features.file import Source
from vadpipe.features.folder import FeatureFolder
from vadpipe.features.recipe import Recipe
from vadpipe.files.digest import file_digest
from vadpipe.runs.command_line import Event, command_line
from vadpipe.runs.digests import files_digest
from vadpipe.runs.masking import masked
from vadpipe.runs.plain import plain
from vadpipe.runs.record import (
    FILE_NAME,
    Counts,
    ErrorRecord,
    InputRecord,
    OutputRecord,
    RunRecord,
    Times,
    VideoRecord,
    earlier_digests,
    outcome_of,
    write_record,
)
from vadpipe.runs.stand_ins import StandIns
from vadpipe.runs.versions import versions
from vadpipe.weights import SHIPPED_HEAD

T = TypeVar("T")

FolderDigest = tuple[int, str]
"""Of :func:`vadpipe.runs.digests.files_digest`."""

log = logging.getLogger(__name__)

INCLUDED = "included"
"""What records call the head that comes with vadpipe."""

_STATUSES = ("done", "skipped", "failed")


@dataclass(frozen=True)
class JournalPart:
    """What a part of a run noted in another process, see :meth:`Journal.take_part`."""

    path: Path | None
    videos: list[VideoRecord]
    outputs: dict[Path, str]
    kept: list[Path]
    recipe: Recipe | None
    n_snippets: int | None


class Journal:
    """What a run has read, done and written so far.

    Nothing is written of a run that was refused before it began (:meth:`begin`), nor of one that had nothing
    to do because all of it was done before.

    Args:
        command: its name.
        resolved: arguments of the function, as JSON.

    Attributes:
        stand_ins: local copies of inputs that lie elsewhere.
        warnings: that were logged.
    """

    def __init__(self, command: str = "", resolved: dict[str, object] | None = None) -> None:
        self._command, self._resolved = command, resolved or {}
        self._began, self._began_s = time.time(), time.monotonic()
        self._path: Path | None = None
        self._to_read: list[tuple[str, object, Sequence[Path] | None, FolderDigest | None]] = []
        self._inputs: list[InputRecord] = []
        self._videos: list[VideoRecord] = []
        self._outputs: dict[Path, str] = {}
        self._kept: list[Path] = []
        self._counts: Counts | None = None
        self._recipe: Recipe | None = None
        self._snippets: int | None = None
        self._shown: Callable[[Path], Path] | None = None
        self._publish: Callable[[Path | None], None] | None = None
        self.stand_ins = StandIns()
        self._held = ExitStack()
        self.warnings: list[str] = []

    def begin(self, folder: Path, name: str = FILE_NAME) -> None:
        """Say that all is checked, and where the record of the run belongs."""
        self._path = folder / name
        for noted in self._to_read:
            self._read(*noted)
        self._to_read.clear()

    def writes_elsewhere(self, shown: Callable[[Path], Path], publish: Callable[[Path | None], None]) -> None:
        """Say that results are written to a local folder which stands for another one.

        Args:
            shown: returns where a file of it is to be found.
            publish: called when the run has ended, with its record, if there is one.
        """
        self._shown, self._publish = shown, publish

    def until_end(self, context: AbstractContextManager[T]) -> T:
        """Enter a context, which is left when the run ends."""
        return self._held.enter_context(context)

    def _named(self, file: Path) -> str:
        return str(plain(file if self._shown is None else self._shown(file)))

    def reads(
        self,
        role: str,
        path: object,
        files: Sequence[Path] | None = None,
        known: FolderDigest | None = None,
    ) -> None:
        """Note an input that is read as a whole; its digest is taken when the run begins.

        Args:
            role: the argument that named it.
            path: a file; a folder, of which the feature files count unless ``files`` are given; data in
                memory; or None, which is not an input.
            files: those of a folder that count.
            known: how many feature files a folder has, and their digest, where that need not be taken.
        """
        if not self._command or path is None:
            return
        if self._path is None:
            self._to_read.append((role, path, files, known))
        else:
            self._read(role, path, files, known)

    def _read(
        self, role: str, path: object, files: Sequence[Path] | None, known: FolderDigest | None
    ) -> None:
        if not isinstance(path, (str, os.PathLike)) or not os.path.lexists(path):
            self._inputs.append(InputRecord(role=role, file=None))
            return
        place = Path(path)
        shown = INCLUDED if place == SHIPPED_HEAD else str(plain(self.stand_ins.named(place)))
        with suppress(OSError):  # it is told by what reads it
            if place.is_dir():
                n_files, digest = known or files_digest(
                    FeatureFolder(place).files() if files is None else files, place
                )
                self._inputs.append(InputRecord(role=role, file=shown, n_files=n_files, sha256=digest))
            else:
                self._inputs.append(InputRecord(role=role, file=shown, sha256=file_digest(place)))

    def resolve(self, **settings: object) -> None:
        """Note what arguments come to that are no JSON themselves."""
        self._resolved.update({name: plain(value) for name, value in settings.items()})

    def made_by(self, recipe: Recipe, *, n_snippets: int | None = None) -> None:
        """Note how the features were made, and how many snippets this run computed."""
        self._recipe = recipe
        if n_snippets is not None:
            self._snippets = n_snippets + (self._snippets or 0)

    def started(self, video: str | os.PathLike[str], index: int, n_videos: int) -> None:
        """Note that the work on a video begins."""
        self._tell("started", video=str(plain(video)), index=index, n_videos=n_videos)

    def did(
        self,
        path: str | os.PathLike[str],
        source: Source,
        files: Iterable[Path],
        *,
        damaged: bool = False,
        skipped: bool = False,
    ) -> None:
        """Note that the results of a video are there.

        Args:
            path: of the video.
            source: as its features record it.
            files: its results.
            damaged: whether more of its frames were lost than is tolerated.
            skipped: whether they were there before.
        """
        if not self._command:
            return
        results = [*files]
        if skipped:
            self._kept += results
        else:
            self.wrote(results)
        self._videos.append(
            VideoRecord(
                video=masked(source.video),
                file=str(plain(path)),
                status="skipped" if skipped else "done",
                sha256=source.sha256,
                n_bytes=source.n_bytes,
                modified_ns=source.modified_ns,
                version=source.version,
                n_announced=source.n_announced,
                n_decoded=source.n_decoded,
                damaged=damaged,
            )
        )
        self._tell(
            "skipped" if skipped else "finished",
            video=str(plain(path)),
            damaged=damaged,
            files=[self._named(file) for file in results],
        )

    def failed(self, path: str | os.PathLike[str], name: str, error: VadpipeError) -> None:
        """Note that a video, of that name, could not be used."""
        if not self._command:
            return
        n_bytes = modified_ns = None
        with suppress(OSError):
            stat = os.stat(path)  # noqa: PTH116  never raises for odd names
            if not os.path.isdir(path):  # noqa: PTH112
                n_bytes, modified_ns = stat.st_size, stat.st_mtime_ns
        self._videos.append(
            VideoRecord(
                video=masked(name),
                file=str(plain(path)),
                status="failed",
                n_bytes=n_bytes,
                modified_ns=modified_ns,
                reason=masked(error.reason),
            )
        )

    def wrote(self, files: Iterable[Path]) -> None:
        """Note results that were written; each is digested now, while it is still in memory."""
        if self._command:
            for file in files:
                with suppress(OSError):  # a result that is already gone does not count
                    self._outputs[file] = file_digest(file)

    def counted(self, done: int, failed: int = 0, skipped: int = 0) -> None:
        """Note how much was done, where that is not the number of videos."""
        self._counts = Counts(done=done, failed=failed, skipped=skipped)

    def take_part(self) -> JournalPart:
        """Return what was noted since the last time, for the journal of the whole run, and forget it."""
        part = JournalPart(
            self._path, self._videos, self._outputs, self._kept, self._recipe, self._snippets
        )  # fmt: skip
        self._videos, self._outputs, self._kept, self._snippets = [], {}, [], None
        return part

    def add_part(self, part: JournalPart) -> None:
        """Note what another process did for this run; its results were digested there."""
        if self._path is None and part.path is not None:
            self.begin(part.path.parent, part.path.name)
        self._videos += part.videos
        self._outputs |= part.outputs
        self._kept += part.kept
        if part.recipe is not None:
            self.made_by(part.recipe, n_snippets=part.n_snippets)

    def add_event(self, event: Event) -> None:
        """Tell what happened to a video in another process."""
        self._tell(str(event["kind"]), **{name: value for name, value in event.items() if name != "kind"})

    def end(self, error: BaseException | None) -> None:
        """Write the record, if there is anything to record; warn if it cannot be written."""
        with self._held:
            path = self._written(error)
        if self._publish is not None:
            try:
                self._publish(path)
            except OutputError as failed:
                log.warning("%s", failed)
                return
        if path is not None:
            self._tell("record", file=self._named(path))

    def _written(self, error: BaseException | None) -> Path | None:
        """Write the record, and return where it is; None if there is nothing to record, or it cannot be."""
        failures = any(video.status == "failed" for video in self._videos)
        path = self._path
        if path is None or not (self._outputs or failures or error is not None):
            return None
        if not self._outputs and not path.parent.is_dir():
            return None
        try:
            kept = write_record(self._record(path, error), path)
        except (OutputError, OSError) as failed:  # the results are written, and none depends on this
            log.warning("%s", failed)
            return None
        if kept is not None:
            log.info("%s: the record of an earlier run is kept as %s", path, kept.name)
        command = command_line()
        if command is not None:
            command.records.append(path)
        return path

    def _record(self, path: Path, error: BaseException | None) -> RunRecord:
        took_s = time.monotonic() - self._began_s
        command = command_line()
        seed = self._resolved.get("seed")
        return RunRecord(
            command=self._command,
            arguments=None if command is None else command.arguments,
            started_in="." if self._shown else os.path.relpath(Path.cwd(), path.parent.absolute()),
            resolved=self._resolved,
            versions=versions(),
            recipe=self._recipe,
            seed=seed if isinstance(seed, int) else None,
            outcome=outcome_of(error),
            error=None if error is None else ErrorRecord.of(error),
            counts=self._counts or Counts.of(self._videos),
            inputs=tuple(self._inputs),
            videos=tuple(
                sorted(self._videos, key=lambda video: (_STATUSES.index(video.status), video.video))
            ),
            outputs=tuple(self._results(path)),
            warnings=tuple(map(self.stand_ins.renamed, self.warnings)),
            rerun=None if command is None else command.rerun,
            times=Times(
                began=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._began)),
                took_s=round(took_s, 3),
                snippets_per_s=None if self._snippets is None else round(self._snippets / took_s, 3),
            ),
        )

    def _results(self, path: Path) -> Iterator[OutputRecord]:
        """Yield all results; those of before by the earlier record, so that they are not read again."""
        folder = path.parent
        known = earlier_digests(path)
        digests = {_below(folder, file): digest for file, digest in self._outputs.items()}
        for file in self._kept:
            name = _below(folder, file)
            with suppress(OSError):
                digests[name] = known.get(name) or file_digest(file)
        for name in sorted(digests):
            yield OutputRecord(file=name, sha256=digests[name])

    def _tell(self, kind: str, **fields: object) -> None:
        command = command_line()
        if self._command and command is not None and command.on_event is not None:
            command.on_event({"kind": kind, **fields})


def _below(folder: Path, file: Path) -> str:
    return str(plain(os.path.relpath(file, folder)))


_none = Journal()
_current: ContextVar[Journal] = ContextVar("journal", default=_none)


def journal() -> Journal:
    """Return the journal of the run that goes on; one that is never written where none does."""
    return _current.get()


@contextmanager
def opened(own: Journal) -> Iterator[Journal]:
    """Make a journal that of the run that goes on."""
    token = _current.set(own)
    try:
        yield own
    finally:
        _current.reset(token)
