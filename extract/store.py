"""The folder of feature files: which videos it holds already, and where a new one goes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vadpipe.atomic import fitting_name
from vadpipe.errors import FeatureError
from vadpipe.extract.videos import Video, located
from vadpipe.features import SUFFIX, FeatureHeader, Features, Source, read_header


@dataclass(frozen=True)
class Stored:
    """A feature file and its record."""

    path: Path
    header: FeatureHeader


class FeatureStore:
    """The feature files below a folder, indexed by what they say of their videos.

    Args:
        folder: need not exist yet. Files in it that are no feature files are left alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_place: dict[str, Stored] = {}
        self._by_name: dict[str, Stored] = {}
        for path in feature_files(folder):
            try:
                self._add(Stored(path, read_header(path)))
            except FeatureError:
                continue  # broken: it will be made anew

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

    def name_for(self, video: Video) -> str:
        """Return a name for the video's features that no other video has.

        Where a video from elsewhere has its name, it takes more of its own path: ``b/clips/x.mp4``
        beside ``clips/x.mp4``.
        """
        here = self._by_place.get(video.place)
        if here is not None:  # it has changed; its old features are replaced
            return here.header.source.video
        parents = located(video.path).parts[1:]
        names = [video.name]
        names += ["/".join(parents[-n:]) for n in range(video.name.count("/") + 2, len(parents) + 1)]
        return next((name for name in names if name not in self._by_name), f"{video.name}~{video.place}")

    def path_for(self, name: str) -> Path:
        """Return where the features of that name lie; names too long for a file are shortened."""
        *folders, last = name.split("/")
        return self.folder.joinpath(*folders, fitting_name(last, SUFFIX))

    def write(self, features: Features) -> Path:
        """Write the features of a video under its name, and return where."""
        target = self.path_for(features.source.video)
        features.save(target)
        self._add(Stored(target, read_header(target)))
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
        target = self.write(replace(features, source=source.model_copy(update=current)))
        if target != stored.path:
            stored.path.unlink()
            self._by_name.pop(source.video, None)
        return target

    def _add(self, stored: Stored) -> None:
        source: Source = stored.header.source
        self._by_place[source.place] = stored
        self._by_name[source.video] = stored


def feature_files(folder: Path) -> Iterator[Path]:
    """Yield what may be feature files below a folder, sorted; unfinished ones are left out."""
    for path in sorted(folder.rglob(f"*{SUFFIX}")) if folder.is_dir() else []:
        if not path.name.startswith(".part-"):
            yield path


def content_digest(path: Path) -> str:
    """Return the sha256 of a video's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
