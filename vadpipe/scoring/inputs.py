"""What is scored: videos, and feature files in place of their videos."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vadpipe.errors import FeatureError, InputError
from vadpipe.extract.store import content_digest
from vadpipe.extract.video.container import SUFFIXES
from vadpipe.extract.video.discovery import Failure, Video, find_videos, named_video
from vadpipe.features.file import SUFFIX, FeatureHeader, read_header
from vadpipe.files.arguments import PATH, check_arguments

_WITHOUT = "Curves, tables, JSON and plots need no video."


@dataclass(frozen=True)
class FeatureFile(Video):
    """A feature file that is scored in place of its video.

    Attributes:
        path: of the feature file.
        name: of the video, as the file records it.
        header: its record.
    """

    header: FeatureHeader = field(repr=False, compare=False)

    @property
    def stem(self) -> str:
        """The base name of its results, that of the video's."""
        name = self.path.name.removesuffix(SUFFIX)
        return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in SUFFIXES else name

    @property
    def footage(self) -> Path:
        """The video, where it lies as the record says: below the folder of the features, or the current one.

        Raises:
            InputError: if it is not there, is another one by now, or the features are imported.
        """
        if isinstance(self._found, InputError):
            raise self._found
        return self._found

    @property
    def is_footage_known(self) -> bool:
        """Whether pictures can be read."""
        return not isinstance(self._found, InputError)

    @cached_property
    def _found(self) -> Path | InputError:
        if self.header.recipe.imported:
            step = f"{_WITHOUT} For pictures, score the video itself with a head for videos."
            reason = "was imported, so there is no video to take pictures from"
            return InputError(reason, file=self.path, next_step=step)
        changed: Path | None = None
        for folder in _folders(self.path):
            candidate = Video(folder / self.name, self.name)
            if not os.path.lexists(candidate.path):
                continue
            if self._is_of(candidate):
                return candidate.path
            changed = changed or candidate.path
        if changed is not None:
            reason = f"was not made of {changed} as it is now"
        else:
            reason = f"needs its video {self.name} for pictures, which is not below the current folder"
        step = f"Score the video, and pass the features: vadpipe score VIDEO --features FOLDER. {_WITHOUT}"
        return InputError(reason, file=self.path, next_step=step)

    def _is_of(self, video: Video) -> bool:
        """Return whether the features were made of this very video as it is now."""
        source = self.header.source
        try:
            n_bytes, modified_ns = video.state()
            if n_bytes != source.n_bytes:
                return False
            untouched = video.place == source.place and modified_ns == source.modified_ns
            return untouched or content_digest(video.path) == source.sha256
        except InputError:
            return False


def _folders(path: Path) -> list[Path]:
    """Return where the name of a video may begin: the current folder, that of the features, and all above."""
    here, features = Path.cwd(), path.absolute().parent
    return list(dict.fromkeys([here, *here.parents, features, *features.parents]))


def find_inputs(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> tuple[list[Video], list[Failure]]:
    """Expand files, folders, patterns and lists to videos and feature files, in the order given.

    A folder without videos is searched for feature files; see
    :func:`vadpipe.extract.video.discovery.find_videos` for the rest.

    Returns:
        What can be scored, and what was named but cannot be used.

    Raises:
        UsageError: for an empty name, which would mean the current folder, or an unreadable list.
    """
    found, failures = find_videos(inputs, features=True)
    videos: list[Video] = []
    for video in found:
        try:
            videos.append(_as_features(video))
        except FeatureError as error:
            failures.append(Failure(video.path, error))
    return videos, failures


def named_input(path: str | os.PathLike[str]) -> Video:
    """Return the video or the feature file that is named explicitly.

    Raises:
        UsageError: if it is not a path.
        FeatureError: if it is named like a feature file but is not one.
    """
    check_arguments(video=(path, PATH))
    return _as_features(named_video(path))


def _as_features(video: Video) -> Video:
    """Return a feature file with its record; a video as it is."""
    if video.path.suffix != SUFFIX or os.path.isdir(video.path):  # noqa: PTH112  never raises
        return video
    header = read_header(video.path)
    return FeatureFile(video.path, header.source.video, header)


def files_read(videos: Sequence[Video], *, footage: bool) -> set[Path]:
    """Return the files that a run reads, which no result may take the place of.

    Args:
        videos: of the run.
        footage: whether the videos of feature files are read as well, where they exist.
    """
    files = {video.path for video in videos}
    for video in videos if footage else ():
        with suppress(InputError):
            files.add(video.footage)
    return files
