"""The JSON document of a scored video, versioned and strict: ``docs/scores.schema.json`` describes it.

Times are in seconds to the microsecond, scores in the fewest digits that give back the same float32, frames
count from 0, and ranges are half-open: [start, stop). A key is never left out; what is not known is null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.json_schema import GenerateJsonSchema

import vadpipe
from vadpipe.atomic import write_text
from vadpipe.curve import Curve
from vadpipe.errors import FeatureError, printable
from vadpipe.events import Event, EventRule
from vadpipe.explanation import Explanation
from vadpipe.render.naming import text_of
from vadpipe.render.numbers import microseconds, score_texts, short_score

SCHEMA_ID = "scores.schema.json"

Score = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """A part of the document; the text below each field is its description in the schema."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class RuleRecord(Record):
    """What makes an event of the frames that reach the threshold."""

    hysteresis: Annotated[float, Field(ge=0)]
    """An event goes on while scores stay at or above the threshold less this."""
    merge_gap_s: Seconds
    """Stretches less than this apart are one event; seconds."""
    min_length_s: Seconds
    """A shorter event is none; seconds."""


class SnippetRecord(Record):
    """A snippet of frames that the head scored as one."""

    start_frame: Number
    """The first frame that it sees."""
    stop_frame: Number
    """The frame after the last that it sees."""
    start_s: Seconds
    """When its first frame begins; seconds."""
    end_s: Seconds
    """When its last frame ends; seconds."""
    score: Score
    """Its own score; a frame has the mean of the snippets that speak for it."""


class BoxRecord(Record):
    """A part of the picture as shown, each side as a share of the picture's width or height."""

    left: Score
    """Of the width, from the left."""
    top: Score
    """Of the height, from the top."""
    right: Score
    """Of the width, from the left."""
    bottom: Score
    """Of the height, from the top."""


class ExplanationRecord(Record):
    """Why an event was called one."""

    snippets: Annotated[tuple[SnippetRecord, ...], Field(min_length=1)]
    """Those of the event with the highest scores, the highest first."""
    heat: tuple[tuple[Annotated[float, Field(ge=-1, le=1)], ...], ...]
    """How much the score of the first falls when a part of the picture is covered; rows from the top."""
    box: BoxRecord
    """The part of the picture that the heat covers."""
    still_s: Seconds
    """When the middle frame of the first snippet is shown, which the box belongs to; seconds."""


class EventRecord(Record):
    """A stretch of the video in which something abnormal is said to happen."""

    start_s: Seconds
    """When its first frame begins; seconds."""
    end_s: Seconds
    """When its last frame ends; seconds."""
    start_frame: Number
    """Its first frame."""
    stop_frame: Number
    """The frame after its last."""
    peak: Score
    """Its highest score."""
    peak_s: Seconds
    """When the frame of the peak begins; seconds."""
    peak_frame: Number
    """The middle of the first run of frames with that score."""
    mean: Score
    """Of the scores of its frames, those without one left out."""
    explanation: ExplanationRecord | None = None
    """What drove it; null where nobody asked."""


class CurveRecord(Record):
    """One time and one score for each frame that a player shows."""

    times_s: Annotated[tuple[Seconds, ...], Field(min_length=1)]
    """When each frame begins, not decreasing; seconds."""
    scores: tuple[Score | None, ...]
    """How anomalous each frame is, from 0 to 1; null where a damaged file left nothing to score."""


class ScoresDocument(Record):
    """The anomaly scores of a video and its events, as vadpipe writes them."""

    schema_version: Literal[1]
    """Of this format; a change that readers would notice raises it."""
    vadpipe: str
    """The version that wrote it."""
    video: str
    """The name of the video."""
    n_frames: Annotated[int, Field(ge=1)]
    """Frames that a player shows."""
    end_s: Seconds
    """When the last frame ends; seconds."""
    n_unscored: Number
    """Frames without a score."""
    threshold: float | None
    """The score that a frame must reach to be called abnormal; null where none is set."""
    rule: RuleRecord
    """What makes an event."""
    events: tuple[EventRecord, ...]
    """The events, the first first; they do not overlap."""
    curve: CurveRecord
    """The score of every frame."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        times_s, scores = self.curve.times_s, self.curve.scores
        for name, values in (("times", times_s), ("scores", scores)):
            if len(values) != self.n_frames:
                raise ValueError(f"it has {len(values)} {name} for {self.n_frames} frames")
        if (n_unscored := scores.count(None)) != self.n_unscored:
            raise ValueError(f"{n_unscored} frames have no score, and n_unscored is {self.n_unscored}")
        edges_s = (*times_s, self.end_s)
        if (np.diff(edges_s) < 0).any():
            raise ValueError("its times run backwards")
        if self.events and self.threshold is None:
            raise ValueError("it has events and no threshold")
        after = 0
        for number, event in enumerate(self.events, 1):
            if not after <= event.start_frame <= event.peak_frame < event.stop_frame <= self.n_frames:
                raise ValueError(f"the frames of event {number} are out of order")
            after = event.stop_frame
            frames = (event.start_frame, event.stop_frame, event.peak_frame)
            if (event.start_s, event.end_s, event.peak_s) != tuple(edges_s[frame] for frame in frames):
                raise ValueError(f"the times of event {number} are not those of its frames")
            if event.peak != scores[event.peak_frame]:
                raise ValueError(f"the peak of event {number} is not the score of its frame")
        return self


def write_document(curve: Curve, path: Path, explanations: Sequence[Explanation] = ()) -> None:
    """Write the document of a curve, atomically.

    Args:
        curve: what to write.
        path: where to.
        explanations: of its events, where there are any; the pictures stay out.

    Raises:
        OutputError: where it cannot be written.
    """
    write_text(path, _text(document(curve, explanations).model_dump()) + "\n")


def document(curve: Curve, explanations: Sequence[Explanation] = ()) -> ScoresDocument:
    """Return the document of a curve; see :func:`write_document`."""
    reasons = {explanation.event: explanation for explanation in explanations}
    return ScoresDocument(
        schema_version=1,
        vadpipe=vadpipe.__version__,
        video=text_of(curve.video),
        n_frames=len(curve),
        end_s=microseconds(curve.end_s),
        n_unscored=int(np.isnan(curve.scores).sum()),
        threshold=None if curve.threshold is None else float(curve.threshold),
        rule=RuleRecord(**vars(curve.rule)),
        events=tuple(_event(event, reasons.get(event)) for event in curve.events),
        curve=CurveRecord(
            times_s=tuple(map(microseconds, curve.times_s.tolist())),
            scores=tuple(float(text) if text else None for text in score_texts(curve.scores)),
        ),
    )


def read_document(path: Path) -> tuple[Curve, ScoresDocument]:
    """Return the curve of a document, with the same float32 scores and the same events, and all it says.

    Raises:
        FeatureError: where the file cannot be read, is no such document, is of another version, or
            contradicts itself.
    """
    step = "Write it again with 'vadpipe score --format json'."
    try:
        document = ScoresDocument.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FeatureError(f"cannot be read: {error.strerror}", file=path) from error
    except ValidationError as error:
        raise FeatureError(_reason(error), file=path, next_step=step) from error
    curve = Curve(
        video=document.video,
        scores=np.array(document.curve.scores, np.float32),
        times_s=np.array(document.curve.times_s, np.float64),
        end_s=document.end_s,
        threshold=document.threshold,
        rule=EventRule(**document.rule.model_dump()),
    )
    # Not sought again: the document is what was found, whatever rule a later version seeks by.
    vars(curve)["events"] = [_read_event(event) for event in document.events]
    return curve, document


def schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of the document, as ``docs/scores.schema.json`` has it."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {
        "$schema": dialect,
        "$id": SCHEMA_ID,
        **ScoresDocument.model_json_schema(schema_generator=_Untitled),
    }


class _Untitled(GenerateJsonSchema):
    """The generator, without a title for each field that only repeats its name."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        """Return that none is wanted."""
        return False


def _event(event: Event, explanation: Explanation | None) -> EventRecord:
    return EventRecord(
        start_s=microseconds(event.start_s),
        end_s=microseconds(event.end_s),
        start_frame=event.start,
        stop_frame=event.stop,
        peak=short_score(event.peak),
        peak_s=microseconds(event.peak_s),
        peak_frame=event.peak_frame,
        mean=round(event.mean, 6),
        explanation=None if explanation is None else _explanation(explanation),
    )


def _explanation(explanation: Explanation) -> ExplanationRecord:
    left, top, right, bottom = map(microseconds, explanation.box)
    return ExplanationRecord(
        snippets=tuple(
            SnippetRecord(
                start_frame=snippet.start,
                stop_frame=snippet.stop,
                start_s=microseconds(snippet.start_s),
                end_s=microseconds(snippet.end_s),
                score=short_score(snippet.score),
            )
            for snippet in explanation.snippets
        ),
        heat=tuple(tuple(map(short_score, row)) for row in explanation.heat.tolist()),
        box=BoxRecord(left=left, top=top, right=right, bottom=bottom),
        still_s=microseconds(explanation.still_s),
    )


def _read_event(record: EventRecord) -> Event:
    return Event(
        start=record.start_frame,
        stop=record.stop_frame,
        start_s=record.start_s,
        end_s=record.end_s,
        peak=float(np.float32(record.peak)),
        peak_frame=record.peak_frame,
        peak_s=record.peak_s,
        mean=record.mean,
    )


def _reason(error: ValidationError) -> str:
    """Return what is wrong with a file, in one line: the first thing that is, the version before all."""
    first = error.errors(include_url=False)[0]
    place, kind, message = printable(".".join(map(str, first["loc"]))), first["type"], first["msg"]
    if kind == "json_invalid":
        return f"is no JSON document: {message}"
    if place == "schema_version":
        if kind == "missing":
            return "is no document of scores: it has no schema_version"
        return f"has schema_version {first['input']!r:.40}; this vadpipe reads 1"
    if kind == "value_error":
        return f"contradicts itself: {message.removeprefix('Value error, ')}"
    return "is no valid document of scores: " + (f"{place}: {message}" if place else message)


def _text(value: object, line: str = "\n") -> str:
    """Return JSON with an item a line, but for lists of plain values, which stay on one."""
    inner = line + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_text(item, inner)}" for key, item in value.items()]
        return "{" + inner + f",{inner}".join(items) + line + "}"
    if isinstance(value, tuple) and value and isinstance(value[0], dict | tuple):
        return "[" + inner + f",{inner}".join(_text(item, inner) for item in value) + line + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
