"""Check of a data set's annotation files, against published totals and a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vadpipe.datasets.dataset import Contents, Dataset, Totals, shortlist
from vadpipe.datasets.folder_inventory import features_in, videos_in
from vadpipe.errors import EXIT_ALL_FAILED, EXIT_SOME_FAILED, UsageError
from vadpipe.extract.video.names import match
from vadpipe.features.sampling import SNIPPET_FRAMES


@dataclass(frozen=True)
class Length:
    """A test video whose features cover another number of frames than the ground truth.

    Attributes:
        video: its name in the data set.
        n_listed: how many frames the ground truth has.
        n_there: how many the features have.
    """

    video: str
    n_listed: int
    n_there: int

    @property
    def is_near(self) -> bool:
        """Whether they differ by no more than a snippet, as when an extractor drops the rest of a video."""
        return abs(self.n_listed - self.n_there) <= SNIPPET_FRAMES


@dataclass(frozen=True)
class AnnotationCheck:
    """Result of :func:`check`.

    Attributes:
        dataset: name of the recipe.
        totals: of the annotation files.
        totals_off: differences from the published totals.
        notes: problems in the annotation files that were resolved by rule.
        form: description of the form of the data set that was read; empty if there is only one.
        folder: what was compared with them, or None.
        n_found: for each split, ``"train"`` and ``"test"``, how many of its videos are in the folder.
        n_listed: how many videos each split has.
        missing: for each split, the missing videos.
        ambiguous: candidates of each listed video that has several.
        superfluous: names in the folder that are in neither split.
        lengths: test videos of another length than the ground truth; of features alone.
        filled: test videos that end before the ground truth, which only repeats its last value from there on;
            of features alone.
        unusable: files in the folder that cannot be read, with the reason.
    """

    dataset: str
    totals: Totals
    totals_off: list[str]
    notes: list[str]
    form: str = ""
    folder: Path | None = None
    n_found: dict[str, int] = field(default_factory=dict)
    n_listed: dict[str, int] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    superfluous: list[str] = field(default_factory=list)
    lengths: list[Length] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """What the command line returns.

        0 if everything is present, 4 if nothing is, else 3: something is missing, ambiguous, unreadable,
            longer or shorter by more than a snippet, or the annotation files differ from the published
            totals.
        """
        if self.folder is not None and not any(self.n_found.values()):
            return EXIT_ALL_FAILED
        off = any(self.missing.values()) or self.ambiguous or self.unusable or self.totals_off
        return EXIT_SOME_FAILED if off or any(not length.is_near for length in self.lengths) else 0

    def as_json(self) -> dict[str, Any]:
        """Return the full report, for JSON."""
        plain = {name: value for name, value in vars(self).items() if name != "folder"}
        return plain | {
            "totals": vars(self.totals),
            "folder": None if self.folder is None else os.fspath(self.folder),
            "lengths": [vars(length) for length in self.lengths],
        }

    def lines(self, n_shown: int = 3) -> list[str]:
        """Return the report as text, with the first few entries of each list."""
        totals = self.totals
        said = [
            *([f"read: {self.form}"] if self.form else []),
            f"training: {totals.train_normal:,} normal and {totals.train_abnormal:,} abnormal videos",
            f"test: {totals.test_normal:,} normal and {totals.test_abnormal:,} abnormal videos, "
            f"{totals.frames:,} frames, {totals.anomalous_frames:,} anomalous",
            *(f"not as published: {off}" for off in self.totals_off),
            *([] if self.totals_off else ["these match the published totals"]),
            *(f"note: {note}" for note in self.notes[:n_shown]),
        ]
        if len(self.notes) > n_shown:
            said.append(f"note: {len(self.notes) - n_shown:,} more with --json")
        for split, n_found in self.n_found.items():
            said.append(f"{split}: {n_found:,} of {self.n_listed[split]:,} videos found")
            said += _listed(f"{split}, missing", self.missing[split], n_shown)
        unclear = [f"{video} ({' or '.join(fits[:3])})" for video, fits in self.ambiguous.items()]
        said += _listed("ambiguous", unclear, n_shown)
        said += _listed("in neither split", self.superfluous, n_shown)
        said += _listed(
            "end before the ground truth, which only repeats its last value from there on",
            self.filled,
            n_shown,
        )
        for what, near in (("within a snippet", True), ("beyond a snippet", False)):
            off = [
                f"{length.video} ({length.n_there:,} of {length.n_listed:,})"
                for length in self.lengths
                if length.is_near == near
            ]
            said += _listed(f"frame counts differ, {what}", off, n_shown)
        return said + _listed("unreadable", self.unusable, n_shown)


def check(
    dataset: Dataset,
    annotations: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str] | None = None,
    features: str | os.PathLike[str] | None = None,
    cut: bool = False,
) -> AnnotationCheck:
    """Compare the annotation files with the published totals, and their names with a folder.

    Args:
        dataset: the recipe.
        annotations: the folder of the annotation files.
        videos: a folder of videos; they are not opened.
        features: a folder of feature files, whose numbers of frames are compared too.
        cut: compare with the ground truth as papers cut it, see :meth:`Dataset.read`.

    Raises:
        UsageError: if an annotation file cannot be used, or both folders are given, or one is not a folder.
    """
    if videos is not None and features is not None:
        raise UsageError("takes videos or features, not both", next_step="Run it once for each.")
    contents = dataset.read(annotations, cut=cut)
    off = dataset.totals_off(contents, cut=cut)
    result = AnnotationCheck(dataset.name, contents.totals, off, [*contents.notes], contents.form)
    place = videos if videos is not None else features
    if place is None:
        return result
    folder = Path(place)
    there = videos_in(folder) if videos is not None else features_in(folder)
    lists = {
        "train": [video.video for video in contents.training],
        "test": [truth.video for truth in contents.test],
    }
    matched = match([*lists["train"], *lists["test"]], there.names)
    missing = {*matched.missing}
    lengths, filled = _compare_lengths(contents, matched.found, there.n_frames)
    return replace(
        result,
        folder=folder,
        n_found={split: sum(video in matched.found for video in names) for split, names in lists.items()},
        n_listed={split: len(names) for split, names in lists.items()},
        missing={split: [video for video in names if video in missing] for split, names in lists.items()},
        ambiguous=matched.ambiguous,
        superfluous=matched.superfluous,
        lengths=lengths,
        filled=filled,
        unusable=[str(error).partition("\n")[0] for error in there.unusable],
    )


def _compare_lengths(
    contents: Contents, found: dict[str, str], n_frames: dict[str, int]
) -> tuple[list[Length], list[str]]:
    """Return the test videos of another length than the ground truth, and those that it only goes on after.

    Args:
        contents: of the data set.
        found: the name that is there, by the one in the data set.
        n_frames: of what is there, where that is known.
    """
    lengths: list[Length] = []
    filled: list[str] = []
    for truth in contents.test:
        n_there = n_frames.get(found.get(truth.video, ""), truth.n_frames)
        if contents.fills(truth, n_there):
            filled.append(truth.video)
        elif n_there != truth.n_frames:
            lengths.append(Length(truth.video, truth.n_frames, n_there))
    return lengths, filled


def _listed(what: str, names: Sequence[str], n_shown: int) -> list[str]:
    return [f"{what}: {len(names):,}: {shortlist(names, n_shown)}"] if names else []
