"""The record of a head: its settings, the features that it expects, and what its training measured."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import safe_open

from vadpipe.errors import FeatureError
from vadpipe.features.recipe import Recipe
from vadpipe.files.json_records import parse_record
from vadpipe.head.methods import CBCG
from vadpipe.head.settings import HeadSettings

SCHEMA = 4
_READ = (3, SCHEMA)
"""Schemas that are read; 3 is of before there were methods, when every head was CBCG's."""

HEADER_KEY = "vadpipe.head"
MOST_HEADER_BYTES = 2**26
"""Of a head file; the digests of a million training videos fit."""

MOST_MEMBERS, MOST_HEADS = 100, 1000
"""In one file: members of an ensemble, and these times windows."""

MOST_LISTS = 2**17
"""In a header, which has two for each tensor. The library takes a kilobyte for one."""


_BEFORE = {"view_sampling": "all", "view_join": "mean", "weight_averaging": 0.0, "context": "none"}
"""What CBCG's heads did before there were these settings, which their records therefore lack."""


class Calibration(BaseModel):
    """A threshold and how it was found, see :func:`vadpipe.training.calibration.calibrate`.

    Attributes:
        threshold: a frame whose score reaches it is called abnormal.
        method: ``"rate"`` keeps to ``per_hour``; ``"quantile"``, where that would be lower or the
            footage was too short to tell, is the ``quantile`` of the normal snippets' scores;
            ``"balanced"``, where no abnormal video reached that, has the best balanced accuracy over videos.
        per_hour: false alarms that were wanted per hour of normal footage.
        quantile: of normal snippets' scores that the threshold is not below.
        hours: of normal video that it was judged on.
        alarms: false alarms there at this threshold.
        unseen: whether the heads that scored these videos had not been trained on them.
        n_normal, n_abnormal: videos that it was judged on.
        n_normal_flagged, n_abnormal_flagged: those of them that raise an event at this threshold.
        alarm_share: of the time of the normal videos, how much lies in events at this threshold, in [0, 1].

    The last five are None in files of before they were counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    threshold: float
    method: Literal["rate", "quantile", "balanced"]
    per_hour: float
    quantile: float
    hours: float
    alarms: int
    unseen: bool
    n_normal: int | None = None
    n_normal_flagged: int | None = None
    n_abnormal: int | None = None
    n_abnormal_flagged: int | None = None
    alarm_share: float | None = None


class HeldOut(BaseModel):
    """How well a training told videos apart that the scoring heads had not seen.

    Attributes:
        auc: video-level ROC-AUC of all training videos, each scored by a head that was not trained on it;
            None where there were too few groups to judge by.
        auc_low, auc_high: the 95 % interval of it, by a bootstrap of whole groups; None without an AUC, or
            where no resample had both labels.
        resamples: R, that the interval is made of.
        n_undefined: how many of them had none, since they lacked a label.
        n_videos: training videos.
        n_groups: their scene groups; a video without one is a group of its own.
        n_normal_groups, n_abnormal_groups: those of them with a normal, and with an abnormal video.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    auc: float | None
    auc_low: float | None
    auc_high: float | None
    resamples: int
    n_undefined: int
    n_videos: int
    n_groups: int
    n_normal_groups: int
    n_abnormal_groups: int


class Member(BaseModel):
    """One of the heads of an ensemble.

    Attributes:
        seed: of its training.
        step: the training step whose numbers these are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int
    step: int


class HeadRecord(BaseModel):
    """The record beside the weights of a head.

    Attributes:
        schema_version: of this record.
        settings: every switch and number of the training.
        recipe: how the features were made that it was trained on; others are refused, but for those that hold
            only some of its views.
        calibration: the threshold, and how it was found.
        seed: of the training; of an ensemble that of its first member.
        step: the training step whose numbers these are; of an ensemble that of its first member.
        members: the heads of an ensemble; none of a single head.
        fine_tuned_from: sha256 of the head file that the training began with; None if it began from scratch.
        held_out: what cross-validation measured; None in files of before it was kept.
        training_sha256: digests of the content of the videos that it was trained on
            (:attr:`vadpipe.features.file.Source.sha256`), sorted; None in files of before they were kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    settings: HeadSettings
    recipe: Recipe
    calibration: Calibration
    seed: int
    step: int
    members: tuple[Member, ...] = Field((), max_length=MOST_MEMBERS)
    fine_tuned_from: str | None = None
    held_out: HeldOut | None = None
    training_sha256: tuple[str, ...] | None = Field(None, fail_fast=True)

    def was_trained_on(self, sha256: str) -> bool:
        """Return whether a video of this content was in the training set; False if that was not kept."""
        return sha256 in (self.training_sha256 or ())

    @property
    def threshold(self) -> float:
        """A frame whose score reaches it is called abnormal."""
        return self.calibration.threshold


def record_text(path: Path) -> str:
    """Return the record of a head file as it is written there.

    Raises:
        OSError: if the file cannot be read.
        SafetensorError: if it is no safetensors file.
        KeyError, ValueError: if it has no record, or a header that is longer than that of any head.
    """
    with path.open("rb") as start:
        length = int.from_bytes(start.read(8), "little")
        if length > MOST_HEADER_BYTES or start.read(length).count(b"[") > MOST_LISTS:
            raise ValueError("its header is too long")
    with safe_open(path, framework="numpy") as file:
        text: str = (file.metadata() or {})[HEADER_KEY]
    return text


def read_record(text: str, path: Path) -> HeadRecord:
    """Read a record, brought to the present schema.

    Raises:
        FeatureError: if it is of another schema or of a newer vadpipe.
        ValueError: if it is not a record.
    """
    known = parse_record(text)
    schema = known.get("schema_version") if isinstance(known, dict) else None
    if type(schema) is not int:
        raise ValueError("it has no schema")
    if schema > SCHEMA:
        raise _newer(f"schema {schema}, this one reads {' and '.join(map(str, _READ))}", path)
    if schema not in _READ:
        raise FeatureError(
            f"has schema {schema}, this vadpipe reads {' and '.join(map(str, _READ))}",
            file=path,
            next_step="Train it again with 'vadpipe fit'.",
        )
    settings = known.get("settings")
    if isinstance(settings, dict) and settings.get("method", CBCG) == CBCG:
        for name, value in _BEFORE.items():
            settings.setdefault(name, value)
    try:
        return HeadRecord.model_validate({**known, "schema_version": SCHEMA})
    except ValidationError as error:
        for mistake in error.errors():
            where = ".".join(map(str, mistake["loc"]))
            if mistake["type"] == "extra_forbidden":
                raise _newer(f"it has {where}", path) from error
            if mistake["type"] == "literal_error":
                raise _newer(f"its {where} is {mistake['input']!r}", path) from error
        raise


def _newer(how: str, path: Path) -> FeatureError:
    return FeatureError(
        f"was made by a newer vadpipe ({how})",
        file=path,
        next_step="Update vadpipe, or train it again with 'vadpipe fit'.",
    )
