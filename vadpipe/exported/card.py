"""The card of an exported model: what its graphs take and give, and what to do around them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vadpipe.errors import FeatureError
from vadpipe.files.digest import file_digest
from vadpipe.files.json_records import parse_record
from vadpipe.head.record import HeadRecord

SCHEMA = 1
CARD = "card.json"

BACKBONE, BACKBONE_INT8, HEAD = "backbone", "backbone-int8", "head"
"""Stems of the graphs' files."""

ONNX, OPENVINO = ".onnx", ".xml"
"""Their suffixes; the numbers of an OpenVINO graph lie beside it in a ``.bin``."""

_DO_AGAIN = "Export it again with 'vadpipe export'."
_MOST_BYTES = 2**24
_MANY = 2**20
"""Of anything that a card counts; of an axis it is more than any network's."""

_Length = Annotated[int, Field(ge=1, le=_MANY)]
_Axes = Annotated[tuple[_Length | str, ...], Field(max_length=8)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GraphShape(_Record):
    """What a graph takes and gives.

    Attributes:
        input, outputs: names and axes; a number is fixed, a name stands for any number.
        dtype: of the input; outputs are float32.
    """

    input: dict[str, _Axes]
    dtype: Literal["uint8", "float32"]
    outputs: dict[str, _Axes]


class WindowPart(_Record):
    """What the backbone is given for one of several windows.

    Attributes:
        frames: of a clip.
        how: which clips, and how a snippet gets its feature from those of their positions, in words.
    """

    frames: _Length
    how: str


class Decoding(_Record):
    """How large frames are decoded, by FFmpeg's ``scale`` with ``flags=bicubic``, as RGB.

    Attributes:
        side_px: of the square, or of the short side with the other in proportion and both even.
        square: which of the two.
    """

    side_px: int = Field(ge=1, le=2**14)
    square: bool


class Smoothing(_Record):
    """The smoothing of scores along time.

    Attributes:
        deviation_snippets: of the Gaussian; 0 for none. That of longer windows by themselves comes before it,
            in the same graph; its deviation is ``window_smoothing`` of the record's settings.
        where: what does it.
    """

    deviation_snippets: float
    where: str = "in the graph of the head"


class Cut(_Record):
    """Whether the features of a long video may be given to the head in pieces.

    Attributes:
        reach_snippets: how many snippets to each side a score depends on, smoothing included; None if on all.
        bag_segments: segments to which the graph of the head squeezes all snippets, for the context of each;
            None without context.
        how: the same in words.
    """

    reach_snippets: int | None = Field(ge=0, le=_MANY)
    bag_segments: int | None = Field(ge=1, le=_MANY)
    how: str


class Events(_Record):
    """The rule by which frames above the threshold become events, see :class:`vadpipe.EventRule`."""

    hysteresis: float
    merge_gap_s: float
    min_length_s: float


class PartLicence(_Record):
    """The licence of a part of the model."""

    part: str
    licence: str
    detail: str = ""


class Card(_Record):
    """The card of an exported model.

    Attributes:
        schema_version: of this card.
        vadpipe: the version that exported it.
        head_sha256: of the head file that it was made of.
        files: the sha256 of each file beside the card.
        backbone: shape of its graph; None of a head of imported features, which no backbone here makes.
        windows: where the backbone is given clips of several lengths: those of each, in the order in which
            their parts of a feature lie side by side along its last axis. Left out where it is not.
        head: shape of its graph.
        views: what the backbone sees of a frame, in the order of the axis of views, see
            :data:`vadpipe.features.views.VIEWS`.
        view_join: how the graph of the head joins their scores.
        decoding: of frames; None without a backbone.
        threshold: score from which a frame is called abnormal.
        event_rule, smoothing, cut: see there.
        licences: of backbone and head.
        record: of the head, with recipe and calibration; without the digests of its training videos.
    """

    schema_version: int = SCHEMA
    vadpipe: str
    head_sha256: str
    files: dict[str, str]
    backbone: GraphShape | None
    windows: tuple[WindowPart, ...] | None = Field(None, max_length=16)
    head: GraphShape
    views: tuple[str, ...]
    view_join: Literal["max", "mean"]
    decoding: Decoding | None
    threshold: float
    event_rule: Events
    smoothing: Smoothing
    cut: Cut
    licences: tuple[PartLicence, ...]
    record: HeadRecord

    def intact(self, folder: Path, stem: str, suffix: str) -> Path:
        """Return the file of a graph, whose bytes are those that the card knows.

        Args:
            folder: of the model.
            stem: of :data:`BACKBONE`, :data:`BACKBONE_INT8` and :data:`HEAD`.
            suffix: :data:`ONNX` or :data:`OPENVINO`.

        Raises:
            FeatureError: if the model has no such graph, or a file is missing or damaged.
        """
        names = [stem + suffix, *([stem + ".bin"] if suffix == OPENVINO else [])]
        for name in names:
            if name not in self.files:
                raise FeatureError(f"contains no {name}", file=folder, next_step=_DO_AGAIN)
            try:
                known = file_digest(folder / name)
            except OSError as error:
                raise FeatureError(
                    f"cannot be read: {error.strerror}", file=folder / name, next_step=_DO_AGAIN
                ) from error
            if known != self.files[name]:
                raise FeatureError(
                    "is damaged: its digest does not match the card", file=folder / name, next_step=_DO_AGAIN
                )
        return folder / names[0]

    def to_json(self) -> str:
        """Return it as the file has it."""
        return self.model_dump_json(indent=2, exclude={"windows"} if self.windows is None else None) + "\n"

    def has(self, stem: str, suffix: str) -> bool:
        """Return whether the model has a graph in a form."""
        return stem + suffix in self.files


def is_exported(path: Path) -> bool:
    """Return whether this is the folder of an exported model."""
    return (path / CARD).is_file()


def read_card(folder: Path) -> Card:
    """Read the card of an exported model.

    Raises:
        FeatureError: if it cannot be read, or is of another schema.
    """
    path = folder / CARD
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is longer than any card")
        known = parse_record(path.read_text(encoding="utf-8"))
        schema = known.get("schema_version") if isinstance(known, dict) else None
        if isinstance(schema, int) and schema != SCHEMA:
            reason = f"has schema {schema}, this vadpipe reads {SCHEMA}"
            raise FeatureError(reason, file=path, next_step=_DO_AGAIN)
        return Card.model_validate(known)
    except (OSError, ValueError, ValidationError) as error:
        raise FeatureError("is not the card of an exported model", file=path, next_step=_DO_AGAIN) from error
