"""Fine-tuning: a training that begins with the numbers of another head."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.recipe import Recipe
from vadpipe.head.checkpoint import FILE_NAME, TrainedHead
from vadpipe.head.methods import find_method
from vadpipe.head.record import HeadRecord
from vadpipe.head.settings import HeadSettings
from vadpipe.training.loop import Start
from vadpipe.weights import SHIPPED_HEAD

log = logging.getLogger(__name__)

INCLUDED = "included"
"""Stands for the head that comes with vadpipe."""

_FORM = ("hidden", "cluster_dim", "clustering", "second_head", "context", "queue_batches")
"""Settings that say of what form the numbers of a head are."""


@dataclass(frozen=True)
class BaseHead:
    """The head that a training begins with.

    Attributes:
        file: the head file.
        record: its record.
        start: its numbers.
    """

    file: Path
    record: HeadRecord
    start: Start

    @classmethod
    def load(cls, head: str | os.PathLike[str]) -> BaseHead:
        """Read a head.

        Args:
            head: a head file, the folder that ``fit`` wrote, or ``"included"``.

        Raises:
            FeatureError: if it cannot be read.
            UsageError: if it is an ensemble.
        """
        file = SHIPPED_HEAD if head == INCLUDED else Path(head)
        file = file / FILE_NAME if file.is_dir() else file
        if not file.exists():
            raise FeatureError(
                "no such head",
                file=file,
                next_step=f"Pass a head file, its folder or the word {INCLUDED} as --from-head.",
            )
        trained = TrainedHead.load(file)
        if trained.record.members:
            raise UsageError(
                f"is an ensemble of {len(trained.record.members)} heads, which cannot be fine-tuned",
                file=file,
                next_step="Begin with a single head: train one without --ensemble.",
            )
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        return cls(file, trained.record, Start(trained.network.state_dict(), sha256))

    def check(self, settings: HeadSettings, recipe: Recipe) -> None:
        """Check that a training can begin with this head.

        Args:
            settings: of the training.
            recipe: of its features.

        Raises:
            UsageError: if the settings are of another method, or of a network of another form.
            FeatureError: if the head expects other features.
        """
        own = self.record.settings
        if own.method != settings.method:
            raise UsageError(
                f"is a head of {find_method(own.method).title}, and cannot be fine-tuned as one of "
                f"{find_method(settings.method).title}",
                file=self.file,
                next_step=f"Use --method {own.method}, or omit --from-head.",
            )
        for name in _FORM:
            if getattr(own, name) != getattr(settings, name):
                raise UsageError(
                    f"was trained with {name}={getattr(own, name)}, and cannot be fine-tuned with "
                    f"{name}={getattr(settings, name)}",
                    file=self.file,
                    next_step=f"Omit {name}, or the preset that sets it; settings not given are the head's.",
                )
        differences = self.record.recipe.differences(recipe)
        if differences:
            raise FeatureError(
                f"expects other features than those to learn from ({'; '.join(differences[:3])})",
                file=self.file,
                next_step="Extract the videos with the head's backbone and settings, or omit --from-head.",
            )

    def warn_of_known(self, contents: Mapping[str, str]) -> None:
        """Warn about training videos that the head has learned from: its held-out figures flatter.

        Args:
            contents: sha256 of the content of each training video.
        """
        known = sorted(video for video, content in contents.items() if self.record.was_trained_on(content))
        if known:
            shown = ", ".join(known[:3]) + (f" and {len(known) - 3} more" if len(known) > 3 else "")
            log.warning(
                "%s: was trained on %d of these videos: %s; figures of held-out videos are too good, since "
                "the head that every fold begins with has seen them",
                self.file, len(known), shown,
            )  # fmt: skip
        elif self.record.training_sha256 is None:
            log.warning(
                "%s: does not say which videos it was trained on; if these are among them, figures of "
                "held-out videos are too good",
                self.file,
            )
