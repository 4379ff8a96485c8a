"""The folder of feature files: lookup by video, recorded failures, and names for new files."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from vadpipe.errors import FeatureError, InputError, OutputError
from vadpipe.extract.failures import PastFailure
from vadpipe.extract.video.discovery import Video, located, text
from vadpipe.extract.video.image_folder import image_digest
from vadpipe.features.file import SUFFIX, FeatureHeader, Features, Source, read_header
from vadpipe.features.folder import PART, FeatureFolder
from vadpipe.files.atomic import check_writable, fitting_name, move, write_text
from vadpipe.files.locks import VideoLock

FAILED_SUFFIX = ".failed.json"


@dataclass(frozen=True)
class StoredVideo:
    """A feature file and its record."""

    path: Path
    header: FeatureHeader


@dataclass(frozen=True)
class StorePart:
    """What a store knows of some videos, for another process; see :meth:`FeatureStore.part_of`."""

    folder: Path
    stored: tuple[StoredVideo, ...]
    failures: tuple[tuple[Path, PastFailure], ...]


class FeatureStore:
    """The feature files below a folder, indexed by their videos.

    Several processes may use one folder. What one of them writes while another runs is seen by the other
    when it looks for that video's names.

    Args:
        folder: need not exist yet. Files in it that are not feature files are ignored.
        places: of the requested videos. Features of one of them are never taken for another's,
            also where the two are copies of each other.
    """

    def __init__(self, folder: Path, places: Iterable[str] = ()) -> None:
        self._empty(folder, frozenset(places))
        for path in FeatureFolder(folder).files():
            self._look_at(path)
        for path in folder.rglob(f"*{FAILED_SUFFIX}") if folder.is_dir() else ():
            self._look_at_failure(path)

    def _empty(self, folder: Path, places: frozenset[str]) -> None:
        self.folder = folder
        self._places = places
        self._by_place: dict[str, StoredVideo] = {}
        self._by_name: dict[str, StoredVideo] = {}
        self._failures: dict[str, tuple[Path, PastFailure]] = {}

    def part_of(self, videos: Iterable[Video]) -> StorePart:
        """Return what is known of these videos, so that another process need not read the whole folder."""
        stored: dict[Path, StoredVideo] = {}
        failures: dict[Path, PastFailure] = {}
        for video in videos:
            for known in (self._by_name.get(video.name), self._by_place.get(video.place)):
                if known is not None:
                    stored[known.path] = known
            if video.place in self._failures:
                path, failure = self._failures[video.place]
                failures[path] = failure
        return StorePart(self.folder, tuple(stored.values()), tuple(failures.items()))

    @classmethod
    def of_part(cls, part: StorePart, places: frozenset[str]) -> FeatureStore:
        """Return a store that knows a part of a folder; ``places`` are those of all requested videos."""
        store = cls.__new__(cls)
        store._empty(part.folder, places)
        for stored in part.stored:
            store._know(stored)
        store._failures = {failure.place: (path, failure) for path, failure in part.failures}
        return store

    @property
    def places(self) -> frozenset[str]:
        """Of the requested videos."""
        return self._places

    def find(self, video: Video) -> StoredVideo | None:
        """Return the features of this very video as it is now, whatever recipe made them.

        The same file is known by its place, however it was named; a copied or moved folder by name
        and content, unless it is remote.

        Raises:
            InputError: if the video cannot be read.
        """
        here, namesake = self._by_place.get(video.place), self._by_name.get(video.name)
        if namesake is here or (namesake is not None and namesake.header.source.place in self._places):
            namesake = None
        n_bytes, modified_ns = video.state()
        if here is not None:
            source = here.header.source
            if (source.n_bytes, source.modified_ns) == (n_bytes, modified_ns):
                return here
        for stored in () if video.is_remote else (here, namesake):
            same_size = stored is not None and stored.header.source.n_bytes == n_bytes
            if stored and same_size and stored.header.source.sha256 == content_digest(video.path):
                return stored
        return None

    def find_anew(self, video: Video) -> StoredVideo | None:
        """As :meth:`find`, but also see what another process has written since the folder was read."""
        for name in [*self._names(video)]:
            known = self._by_name.get(name)
            if known is not None and not known.path.is_file():
                self._forget(known)
            self._look_at(self.path_for(name))
        self._look_at_failure(self._failure_path(video))
        return self.find(video)

    def claim(self, video: Video) -> VideoLock:
        """Return the claim on a video's features, not yet taken.

        Raises:
            OutputError: if they would land outside the folder through a link, before they are made.
        """
        self._inside(self.path_for(video.name))
        return self._claim(video.place)

    def past_failure(self, video: Video, asked: str) -> InputError | None:
        """Return why this very video failed before with the same options."""
        _, failure = self._failures.get(video.place, (None, None))
        return None if failure is None else failure.again(video, asked)

    def last_failure(self, video: Video) -> str | None:
        """Return why this video as it is now failed before, whatever the options were."""
        _, failure = self._failures.get(video.place, (None, None))
        if failure is None or failure.again(video, failure.asked) is None:
            return None
        return failure.reason

    def remember_failure(self, video: Video, asked: str, error: InputError) -> None:
        """Record that a video could not be used. A file that is gone is not recorded."""
        try:
            failure = PastFailure.of(video, asked, error)
        except InputError:
            return
        known = self._failures.get(video.place)
        path = self._inside(self._failure_path(video) if known is None else known[0])
        write_text(path, json.dumps(failure.model_dump(), indent=1) + "\n")
        self._failures[video.place] = path, failure

    def path_for(self, name: str, suffix: str = SUFFIX) -> Path:
        """Return where the file of that name lies; names too long for a file are shortened."""
        *folders, last = name.split("/")
        return self.folder.joinpath(
            *(fitting_name(folder, "") for folder in folders), fitting_name(last, suffix)
        )

    def check_writable(self) -> None:
        """Check that features can be written, before hours go into them. Raises OutputError if not."""
        check_writable(self.folder)

    def shown(self, path: Path) -> Path:
        """Return where users find a file of the store."""
        return path

    def settle(self, path: Path) -> None:
        """Say that nothing more is done with features that were written."""

    def write(self, features: Features, video: Video) -> Path:
        """Write the features of a video under a name that no other video has, and return where.

        Where a video from elsewhere has its name, it takes more of its own path: ``b/clips/x.mp4``
        beside ``clips/x.mp4``.

        Raises:
            OutputError: if it cannot be written, or would land outside the folder through a link.
        """
        with self._alone():
            for name in self._names(video):
                named = replace(features, source=features.source.model_copy(update={"video": name}))
                target = self._inside(self.path_for(name))
                if self._put(named, target, video):
                    break
            else:
                raise OutputError("has no free name in the output folder", file=self.folder)
            self._look_at(target)
        if video.place in self._failures:
            with suppress(OSError):
                self._failures.pop(video.place)[0].unlink()
        return target

    def refresh(self, stored: StoredVideo, video: Video) -> StoredVideo | None:
        """Update the record of kept features to where their video is now.

        A video that was once named alone (``cam1/a.mp4``) and is now found from further up
        (``videos/normal/cam1/a.mp4``) takes the longer name, since labels are read from it.

        Returns:
            The features with their record, or None if another process has moved them meanwhile.
        """
        source = stored.header.source
        longer = (
            video.name.endswith("/" + source.video)
            and video.name not in self._by_name
            and not _in_the_way(self.path_for(video.name))
        )
        names = [video.name, source.video] if longer else [source.video]
        current = {"place": video.place, "modified_ns": video.state()[1]}
        if not longer and current.items() <= source.model_dump().items():
            return stored
        with self._alone():
            old, new = self.path_for(source.video), self.path_for(video.name)
            with suppress(OSError):
                if longer and old != new and old.samefile(new):  # a move was ended between its two steps
                    old.unlink()
                    stored = replace(stored, path=new)
            try:
                features = Features.load(stored.path)
            except FeatureError:
                self._forget(stored)
                return None
            for name in names:
                target = self._inside(self.path_for(name))
                if target == stored.path or move(stored.path, target, replacing=False):
                    break
            else:
                name, target = source.video, stored.path
            replace(features, source=source.model_copy(update={**current, "video": name})).save(target)
            self._forget(stored)
            return self._look_at(target)

    def _put(self, features: Features, target: Path, video: Video) -> bool:
        """Write a feature file; return False if the name is another video's."""
        if _in_the_way(target):
            return False
        new = target.with_name(f"{PART}{secrets.token_hex(4)}{SUFFIX}")
        try:
            features.save(new)
        except OutputError as error:
            raise OutputError(error.reason, file=target, next_step=error.next_step) from error
        try:
            for _ in range(2):  # without locks another process may come to the name first
                taken = os.path.lexists(target)
                if self._is_anothers(target, video):
                    return False
                if move(new, target, replacing=taken):
                    return True
            return False
        finally:
            new.unlink(missing_ok=True)

    def _is_anothers(self, target: Path, video: Video) -> bool:
        try:
            return read_header(target).source.place != video.place
        except FeatureError:
            return False  # not there, or broken

    def _look_at(self, path: Path) -> StoredVideo | None:
        try:
            return self._know(StoredVideo(path, read_header(path)))
        except FeatureError:
            return None  # missing, or broken and made again

    def _know(self, stored: StoredVideo) -> StoredVideo:
        source: Source = stored.header.source
        before = self._by_name.get(source.video)
        if before is not None:
            self._forget(before)
        self._by_place[source.place] = stored
        self._by_name[source.video] = stored
        return stored

    def _look_at_failure(self, path: Path) -> None:
        failure = PastFailure.read(path)
        if failure is not None:
            self._failures[failure.place] = path, failure

    def _forget(self, stored: StoredVideo) -> None:
        source = stored.header.source
        for index, key in ((self._by_place, source.place), (self._by_name, source.video)):
            if index.get(key) is stored:
                del index[key]

    def _names(self, video: Video) -> Iterator[str]:
        """Yield the names that a video may take, the best first."""
        here = self._by_place.get(video.place)
        if here is not None:  # it has changed; its old features are replaced
            yield here.header.source.video
        yield video.name
        parents = located(video.path).parts[1:]
        for depth in range(video.name.count("/") + 2, len(parents) + 1):
            yield text("/".join(parents[-depth:]))
        yield f"{video.name}~{video.place}"

    def _failure_path(self, video: Video) -> Path:
        return self.path_for(f"{video.name}~{video.place}", FAILED_SUFFIX)

    def _claim(self, name: str) -> VideoLock:
        return VideoLock(self._inside(self.folder / ".locks" / f"{name}.lock"))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from giving names meanwhile."""
        naming = self._claim("names")
        naming.take(wait=True)
        try:
            yield
        finally:
            naming.close()

    def _inside(self, target: Path) -> Path:
        """Return the target. Raises OutputError if a link in the folder leads out of it."""
        try:
            with suppress(FileNotFoundError):
                target.parent.stat()  # resolve() accepts a link that leads to itself from Python 3.13 on
            inside = target.parent.resolve().is_relative_to(self.folder.resolve())
        except (OSError, RuntimeError):
            inside = False
        if not inside:
            raise OutputError(
                f"would be written outside of {self.folder}, through a link",
                file=target,
                next_step="Remove the link, or choose another folder with -o.",
            )
        return target


def _in_the_way(target: Path) -> bool:
    """Return whether a folder lies where a file should, or a file where its folder should.

    A video's folder may be named as another video's feature file.
    """
    return os.path.isdir(target) or any(map(os.path.isfile, target.parents))  # noqa: PTH112  never raises


def content_digest(path: Path) -> str:
    """Return the sha256 of a video's bytes, or of an image sequence's pictures, 64 hexadecimal digits.

    Raises:
        InputError: if it cannot be read.
    """
    if os.path.isdir(path):  # noqa: PTH112
        return image_digest(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
