"""The JSON document of a scored video, versioned and strict: ``docs/scores.schema.json`` describes it.

Times are in seconds to the microsecond, scores in the fewest digits that give back the same float32, frames
count from 0, and ranges are half-open: [start, stop). A key is never left out; what is not known is null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from vadpipe._version import __version__
from vadpipe.curves.curve import Curve
from vadpipe.curves.events import Event, EventRule
from vadpipe.curves.explanation import Explanation
from vadpipe.errors import FeatureError, message_of, printable
from vadpipe.features.views import Place, Shares
from vadpipe.files.atomic import write_text
from vadpipe.output.event_text import text_of
from vadpipe.output.json_records import (
    BoxRecord,
    CurveRecord,
    EventRecord,
    ExplanationRecord,
    PlaceRecord,
    PlacesRecord,
    RuleRecord,
    ScoresDocument,
    SnippetRecord,
)
from vadpipe.output.number_text import microseconds, score_texts, short_score

SCHEMA_ID = "scores.schema.json"

SCHEMA_VERSION: Final = 2


def write_document(curve: Curve, path: Path, explanations: Sequence[Explanation] = ()) -> None:
    """Write the document of a curve, atomically.

    Args:
        curve: what to write.
        path: where to.
        explanations: of its events, where there are any; the pictures stay out.

    Raises:
        OutputError: if it cannot be written.
    """
    write_text(path, _text(document(curve, explanations).model_dump()) + "\n")


def document(curve: Curve, explanations: Sequence[Explanation] = ()) -> ScoresDocument:
    """Return the document of a curve; see :func:`write_document`."""
    reasons = {explanation.event: explanation for explanation in explanations}
    return ScoresDocument(
        schema_version=SCHEMA_VERSION,
        vadpipe=__version__,
        video=text_of(curve.video),
        n_frames=len(curve),
        end_s=microseconds(curve.end_s),
        n_unscored=int(np.isnan(curve.scores).sum()),
        threshold=None if curve.threshold is None else float(curve.threshold),
        rule=RuleRecord(**vars(curve.rule)),
        events=tuple(_event(event, curve.place(event), reasons.get(event)) for event in curve.events),
        curve=CurveRecord(
            times_s=tuple(map(microseconds, curve.times_s.tolist())),
            scores=tuple(float(text) if text else None for text in score_texts(curve.scores)),
        ),
        places=_places(curve),
    )


def read_document(path: Path) -> tuple[Curve, ScoresDocument]:
    """Return the curve of a document, with the same float32 scores and the same events, and all it says.

    Raises:
        FeatureError: if the file cannot be read, is not such a document, is of another version, or
            contradicts itself.
    """
    step = "Write it again with 'vadpipe score --format json'."
    try:
        document = ScoresDocument.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FeatureError(f"cannot be read: {error.strerror}", file=path) from error
    except ValidationError as error:
        raise FeatureError(_reason(error), file=path, next_step=step) from error
    known = document.places
    curve = Curve(
        video=document.video,
        scores=np.array(document.curve.scores, np.float32),
        times_s=np.array(document.curve.times_s, np.float64),
        end_s=document.end_s,
        threshold=document.threshold,
        rule=_rule(document),
        places=() if known is None else tuple(map(_read_place, known.places)),
        leading=np.array(() if known is None else known.leading, np.uint8),
    )
    # Not sought again: the document is what was found, whatever rule a later version seeks by.
    vars(curve)["events"] = [_read_event(event) for event in document.events]
    return curve, document


def _rule(document: ScoresDocument) -> EventRule:
    rule = EventRule(**document.rule.model_dump())
    if document.schema_version == 1 and document.threshold:  # a difference of scores then, a share now
        rule = replace(rule, hysteresis=min(1.0, rule.hysteresis / document.threshold))
    return rule


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
        """Return that no title is wanted."""
        return False


def _event(event: Event, place: Place | None, explanation: Explanation | None) -> EventRecord:
    return EventRecord(
        start_s=microseconds(event.start_s),
        end_s=microseconds(event.end_s),
        start_frame=event.start,
        stop_frame=event.stop,
        peak=short_score(event.peak),
        peak_s=microseconds(event.peak_s),
        peak_frame=event.peak_frame,
        mean=round(event.mean, 6),
        place=None if place is None else _place(place),
        explanation=None if explanation is None else _explanation(explanation),
    )


def _explanation(explanation: Explanation) -> ExplanationRecord:
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
        box=_box(explanation.box),
        still_s=microseconds(explanation.still_s),
    )


def _box(shares: Shares) -> BoxRecord:
    left, top, right, bottom = (round(share, 6) for share in shares)
    return BoxRecord(left=left, top=top, right=right, bottom=bottom)


def _place(place: Place) -> PlaceRecord:
    return PlaceRecord(view=place.view, box=None if place.box is None else _box(place.box))


def _places(curve: Curve) -> PlacesRecord | None:
    if not curve.places:
        return None
    return PlacesRecord(places=tuple(map(_place, curve.places)), leading=tuple(curve.leading.tolist()))


def _read_place(record: PlaceRecord) -> Place:
    box = record.box
    return Place(record.view, None if box is None else (box.left, box.top, box.right, box.bottom))


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
    """Return the first error of a file, in one line; the version is checked first."""
    first = error.errors(include_url=False)[0]
    place, kind, message = printable(".".join(map(str, first["loc"]))), first["type"], message_of(first)
    if kind == "json_invalid":
        return f"is not a JSON document: {message}"
    if place == "schema_version":
        if kind == "missing":
            return "is not a scores document: it has no schema_version"
        return f"has schema_version {first['input']!r:.40}; this vadpipe reads 1 and 2"
    if kind == "value_error":
        return f"contradicts itself: {message}"
    return "is not a valid scores document: " + (f"{place}: {message}" if place else message)


def _text(value: object, line: str = "\n") -> str:
    """Return JSON with an item a line, but for lists of plain values, which stay on one."""
    inner = line + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_text(item, inner)}" for key, item in value.items()]
        return "{" + inner + f",{inner}".join(items) + line + "}"
    if isinstance(value, tuple) and value and isinstance(value[0], dict | tuple):
        return "[" + inner + f",{inner}".join(_text(item, inner) for item in value) + line + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
