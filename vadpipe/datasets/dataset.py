"""Recipes of public data sets, and the contents of their annotation files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from vadpipe.annotations.truth import Truth
from vadpipe.errors import UsageError, printable
from vadpipe.features.sampling import SNIPPET_FRAMES


@dataclass(frozen=True)
class TrainingVideo:
    """A video of the training split, with a video-level label only.

    Attributes:
        video: its name with ``/``, as the data set's list spells it.
        abnormal: whether something abnormal happens in it.
        category: its class, such as ``"Abuse"``; None for a normal video, and where there are no classes.
        group: the recording that it was cut from, perhaps with others; None if it has none.
    """

    video: str
    abnormal: bool
    category: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Totals:
    """Totals of annotation files.

    Attributes:
        train_normal, train_abnormal: videos of the training split, by their labels.
        test_normal, test_abnormal: videos of the test split, by whether any frame is anomalous.
        frames: of all test videos.
        anomalous_frames: of all test videos.
    """

    train_normal: int
    train_abnormal: int
    test_normal: int
    test_abnormal: int
    frames: int
    anomalous_frames: int

    def differences(self, known: Totals) -> list[str]:
        """Return ``"frames: 5, published 6"`` for each total that differs from the published one."""
        pairs = [(item.name, getattr(self, item.name), getattr(known, item.name)) for item in fields(self)]
        return [
            f"{name.replace('_', ' ')}: {mine:,}, published {theirs:,}"
            for name, mine, theirs in pairs
            if mine != theirs
        ]


@dataclass(frozen=True)
class Contents:
    """The contents of a data set's annotation files.

    Attributes:
        training: the training split.
        test: the test split with its frames.
        notes: errors and gaps in the files, and the rule by which each was resolved.
        form: in words, which of the forms of this data set was read; empty where there is one only.
        true_frames: for test videos whose ground truth repeats its last value beyond the end of the video,
            how many frames the video itself may have.
    """

    training: tuple[TrainingVideo, ...] = field(repr=False)
    test: tuple[Truth, ...] = field(repr=False)
    notes: tuple[str, ...] = ()
    form: str = ""
    true_frames: Mapping[str, range] = field(default_factory=dict, repr=False)

    @property
    def totals(self) -> Totals:
        """The totals of both splits."""
        n_abnormal = sum(video.abnormal for video in self.training)
        n_anomalous = sum(truth.abnormal for truth in self.test)
        return Totals(
            train_normal=len(self.training) - n_abnormal,
            train_abnormal=n_abnormal,
            test_normal=len(self.test) - n_anomalous,
            test_abnormal=n_anomalous,
            frames=sum(truth.n_frames for truth in self.test),
            anomalous_frames=sum(stop - start for truth in self.test for start, stop in truth.anomalies),
        )

    def fills(self, truth: Truth, n_frames: int) -> bool:
        """Return whether a ground truth only repeats its last value beyond this many frames of its video."""
        return n_frames < truth.n_frames and n_frames in self.true_frames.get(truth.video, ())


@dataclass(frozen=True)
class AnnotationFile:
    """A file, or a folder, that a recipe reads.

    Attributes:
        names: its possible names, below the folder of annotations; the first that exists is taken.
        holds: a description of its contents.
        needed: False if the recipe does without it.
    """

    names: tuple[str, ...]
    holds: str
    needed: bool = True


Files = Mapping[str, Path]
"""The files that were found, by the first of their names."""


@dataclass(frozen=True)
class Dataset:
    """The recipe of a public data set. It reads the files as published.

    Attributes:
        name: its identifier, such as ``"ucf-crime"``.
        title: its own name.
        paper: what to cite.
        url: of its source.
        licence: its terms, as far as known.
        metric: what papers report, over the frames of all test videos: ``"ROC-AUC"`` or ``"AP"``.
        files: what it reads.
        known: the published totals.
        reader: makes the contents of the files.
        known_cut: the same of the ground truth as papers cut it; None if they do not.
        splitter: draws splits of the same files by a seed, where papers draw them.
    """

    name: str
    title: str
    paper: str
    url: str
    licence: str
    metric: str
    files: tuple[AnnotationFile, ...]
    known: Totals
    reader: Callable[[Files], Contents]
    known_cut: Totals | None = None
    splitter: Callable[[Files, int], list[Contents]] | None = None

    def read(self, annotations: str | os.PathLike[str], *, cut: bool = False) -> Contents:
        """Read the annotation files.

        Args:
            annotations: the folder that they lie in.
            cut: whether each test video ends with the last snippet of the published features, as the ground
                truth of papers does.

        Raises:
            UsageError: naming file and line, where a file is missing or cannot be used, or the ground truth
                of this data set is never cut.
        """
        if cut and self.known_cut is None:
            raise UsageError(f"papers do not cut the ground truth of {self.title}", next_step="Omit --cut.")
        contents = self.reader(self._find(Path(annotations)))
        return replace(contents, test=tuple(map(cut_truth, contents.test))) if cut else contents

    def splits(self, annotations: str | os.PathLike[str], *, seed: int = 0) -> list[Contents]:
        """Draw the random splits over which papers average.

        Args:
            annotations: the folder of the annotation files.
            seed: the same one draws the same splits.

        Raises:
            UsageError: as :meth:`read` does, or where this data set has one split only.
        """
        if self.splitter is None:
            raise UsageError(f"{self.title} has only one split", next_step="Omit --split.")
        return self.splitter(self._find(Path(annotations)), seed)

    def totals_off(self, contents: Contents, *, cut: bool = False) -> list[str]:
        """Return where the totals of the contents, cut or not, differ from the published ones."""
        return contents.totals.differences(self.known_cut if cut and self.known_cut else self.known)

    def _find(self, folder: Path) -> Files:
        """Return the paths of the files. Raises UsageError if a required one is missing."""
        hint = f"'vadpipe datasets list {self.name}' lists the required files and their source."
        if not folder.is_dir():
            raise UsageError("is not a folder of annotations", file=folder, next_step=hint)
        found: dict[str, Path] = {}
        for file in self.files:
            path = next((folder / name for name in file.names if (folder / name).exists()), None)
            if path is not None:
                found[file.names[0]] = path
            elif file.needed:
                reason = f"holds no {' or '.join(file.names)}, the {file.holds} of {self.title}"
                raise UsageError(reason, file=folder, next_step=hint)
        return found


def cut_truth(truth: Truth) -> Truth:
    """Return a truth that ends where the published features of XD-Violence do.

    N frames become ``16 * ((N - 1) // 16)``: their extractor makes no snippet of a rest, and one less where
    16 divides N. A video that would be left without a frame stays whole.
    """
    end = (truth.n_frames - 1) // SNIPPET_FRAMES * SNIPPET_FRAMES or truth.n_frames
    return truth.first(end)


def shortlist(names: Sequence[str], n_shown: int = 3) -> str:
    """Return names for a message, at most the first few."""
    more = f" and {len(names) - n_shown:,} more" if len(names) > n_shown else ""
    return ", ".join(map(printable, names[:n_shown])) + more
