"""The folder of feature files: which videos it holds, which failed before, and where a new one goes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vadpipe.atomic import fitting_name, write_text
from vadpipe.errors import DecodeError, FeatureError, InputError, OutputError
from vadpipe.extract.claims import Claim
from vadpipe.extract.videos import Video, located, text
from vadpipe.features import SUFFIX, FeatureHeader, Features, Source, read_header

FAILED_SUFFIX = ".failed.json"


@dataclass(frozen=True)
class Stored:
    """A feature file and its record."""

    path: Path
    header: FeatureHeader


class PastFailure(BaseModel):
    """What is remembered of a video that could not be used.

    Attributes:
        video, place, n_bytes, modified_ns: which file it was, as in :class:`vadpipe.features.Source`.
        asked: what was asked of it that may have made the difference: decoder, device, limits, versions.
        kind, reason, next_step: the error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: str
    place: str
    n_bytes: int
    modified_ns: int
    asked: str
    kind: str
    reason: str
    next_step: str | None

    def error(self, path: Path) -> InputError:
        """Return the error again."""
        kind = DecodeError if self.kind == DecodeError.__name__ else InputError
        reason = f"{self.reason} (so it was before; --retry tries again)"
        return kind(reason, file=path, next_step=self.next_step)


class FeatureStore:
    """The feature files below a folder, indexed by what they say of their videos.

    Several processes may use one folder. What one of them writes while another runs is seen by the other
    when it looks for that video's name.

    Args:
        folder: need not exist yet. Files in it that are no feature files are left alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_place: dict[str, Stored] = {}
        self._by_name: dict[str, Stored] = {}
        self._failures: dict[str, tuple[Path, PastFailure]] = {}
        for path in feature_files(folder):
            self._look_at(path)
        for path in folder.rglob(f"*{FAILED_SUFFIX}") if folder.is_dir() else ():
            try:
                failure = PastFailure.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):
                continue
            self._failures[failure.place] = path, failure

    def find(self, video: Video) -> Stored | None:
        """Return the features of this very video as it is now, whatever recipe made them.

        The same file is known by its place, however it was named; a copied or moved folder by name
        and content.
        """
        here, namesake = self._by_place.get(video.place), self._by_name.get(video.name)
        stat = video.path.stat()
        if here is not None:
            source = here.header.source
            if (source.n_bytes, source.modified_ns) == (stat.st_size, stat.st_mtime_ns):
                return here
        for stored in (here, namesake):
            same_size = stored is not None and stored.header.source.n_bytes == stat.st_size
            if stored and same_size and stored.header.source.sha256 == content_digest(video.path):
                return stored
        return None

    def find_anew(self, video: Video) -> Stored | None:
        """As :meth:`find`, but see also what another process has written since the folder was read."""
        for name in self._names(video):
            path = self.path_for(name)
            known = self._by_name.get(name)
            if path.is_file() and (known is None or known.path != path or not known.path.is_file()):
                self._look_at(path)
            if name not in self._by_name or self._by_name[name].header.source.place == video.place:
                break
        return self.find(video)

    def claim(self, video: Video) -> Claim:
        """Return the claim on a video's features, not yet taken."""
        return Claim(self.folder, f"{video.place}.lock")

    def past_failure(self, video: Video, asked: str) -> InputError | None:
        """Return why this very video could not be used before, when asked the same."""
        _, failure = self._failures.get(video.place, (None, None))
        if failure is None or failure.asked != asked:
            return None
        stat = video.path.stat()
        if (failure.n_bytes, failure.modified_ns) != (stat.st_size, stat.st_mtime_ns):
            return None
        return failure.error(video.path)

    def remember_failure(self, video: Video, asked: str, error: InputError) -> None:
        """Write down that a video could not be used. A file that is gone is not remembered."""
        try:
            stat = video.path.stat()
        except OSError:
            return
        failure = PastFailure(
            video=video.name,
            place=video.place,
            n_bytes=stat.st_size,
            modified_ns=stat.st_mtime_ns,
            asked=asked,
            kind=type(error).__name__,
            reason=error.reason,
            next_step=error.next_step,
        )
        path = self._inside(self.path_for(f"{video.name}~{video.place}", FAILED_SUFFIX))
        write_text(path, json.dumps(failure.model_dump(), indent=1) + "\n")
        self._failures[video.place] = path, failure

    def path_for(self, name: str, suffix: str = SUFFIX) -> Path:
        """Return where the file of that name lies; names too long for a file are shortened."""
        *folders, last = name.split("/")
        return self.folder.joinpath(*folders, fitting_name(last, suffix))

    def write(self, features: Features, video: Video) -> Path:
        """Write the features of a video under a name that no other video has, and return where.

        Where a video from elsewhere has its name, it takes more of its own path: ``b/clips/x.mp4``
        beside ``clips/x.mp4``.

        Raises:
            OutputError: where it cannot be written, or would land outside the folder through a link.
        """
        naming = Claim(self.folder, "names.lock")
        naming.take(wait=True)
        try:
            name = self._free_name(video)
            target = self._inside(self.path_for(name))
            replace(features, source=features.source.model_copy(update={"video": name})).save(target)
            self._look_at(target)
        finally:
            naming.close()
        if video.place in self._failures:
            self._failures.pop(video.place)[0].unlink(missing_ok=True)
        return target

    def refresh(self, stored: Stored, video: Video) -> Path:
        """Bring the record of features that are kept up to date with where their video is now.

        A video that was once named alone (``cam1/a.mp4``) and is now found from further up
        (``videos/normal/cam1/a.mp4``) takes the longer name, since labels are read from it.
        """
        source = stored.header.source
        longer = video.name.endswith("/" + source.video) and video.name not in self._by_name
        name = video.name if longer else source.video
        stat = video.path.stat()
        current = {"video": name, "place": video.place, "modified_ns": stat.st_mtime_ns}
        if current.items() <= source.model_dump().items():
            return stored.path
        features = Features.load(stored.path)
        target = self._inside(self.path_for(name))
        replace(features, source=source.model_copy(update=current)).save(target)
        self._look_at(target)
        if target != stored.path:
            stored.path.unlink()
            self._by_name.pop(source.video, None)
        return target

    def _look_at(self, path: Path) -> None:
        try:
            stored = Stored(path, read_header(path))
        except FeatureError:
            return  # broken: it will be made anew
        source: Source = stored.header.source
        self._by_place[source.place] = stored
        self._by_name[source.video] = stored

    def _names(self, video: Video) -> Iterator[str]:
        """Yield the names that a video may take, the shortest first."""
        here = self._by_place.get(video.place)
        if here is not None:  # it has changed; its old features are replaced
            yield here.header.source.video
            return
        yield video.name
        parents = located(video.path).parts[1:]
        for depth in range(video.name.count("/") + 2, len(parents) + 1):
            yield text("/".join(parents[-depth:]))
        yield f"{video.name}~{video.place}"

    def _free_name(self, video: Video) -> str:
        for name in self._names(video):
            path = self.path_for(name)
            if path.is_file():
                self._look_at(path)
            owner = self._by_name.get(name)
            if owner is None or owner.header.source.place == video.place:
                return name
        raise OutputError("has no free name left", file=self.folder)

    def _inside(self, target: Path) -> Path:
        """Return the target. Raises OutputError where a link in the folder leads out of it."""
        if target.parent.exists() and not target.parent.resolve().is_relative_to(self.folder.resolve()):
            raise OutputError(
                f"would be written outside of {self.folder}, through a link",
                file=target,
                next_step="Remove the link, or choose another folder with -o.",
            )
        return target


def feature_files(folder: Path) -> Iterator[Path]:
    """Yield what may be feature files below a folder, sorted; unfinished ones are left out."""
    for path in sorted(folder.rglob(f"*{SUFFIX}")) if folder.is_dir() else []:
        if not path.name.startswith(".part-"):
            yield path


def content_digest(path: Path) -> str:
    """Return the sha256 of a video's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
