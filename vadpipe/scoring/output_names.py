"""Names of output files, distinct for each video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vadpipe.errors import UsageError
from vadpipe.extract.video.discovery import Video, located
from vadpipe.features.file import SUFFIX


def output_stems(videos: Sequence[Video], output: Path | None) -> dict[Video, Path]:
    """Return the path, without suffix, of each video's results; no two are the same.

    Videos that alone have their name get ``NAME``. Others take their suffix where that is enough, and
    else as many of their folders as it needs.
    """
    namesakes: dict[Path, list[Video]] = {}
    for video in videos:
        folder = located(video.path).parent if output is None else output
        namesakes.setdefault(folder / video.stem, []).append(video)
    stems: dict[Video, Path] = {}
    taken: set[Path] = set()
    for plain, group in namesakes.items():
        deepest = max(len(located(video.path).parts) for video in group) if output else 1
        forms = (
            {
                video: plain.parent.joinpath(
                    *_folders(video, depth), _full_name(video) if with_suffix else video.stem
                )
                for video in group
            }
            for depth in range(deepest)
            for with_suffix in (False, True)
        )
        free = next((form for form in forms if len({*form.values()} - taken) == len(group)), None)
        if free is None:
            raise UsageError(
                f"would write the same results as {_full_name(group[0])}.scores.csv of another video",
                file=group[0].path,
                next_step="Score them in two runs with different -o folders.",
            )
        stems |= free
        taken |= {*free.values()}
    if output is None:  # shown as the user named them
        return {video: video.path.parent / stem.name for video, stem in stems.items()}
    return stems


def _full_name(video: Video) -> str:
    """Return the name of a video's file; of a feature file the name without its own suffix."""
    return video.path.name.removesuffix(SUFFIX)


def _folders(video: Video, depth: int) -> Sequence[str]:
    parents = located(video.path).parts[1:-1]
    return parents[len(parents) - depth :] if depth else ()
