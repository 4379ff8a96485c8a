"""The records of the JSON document of a scored video.

:mod:`vadpipe.output.json_document` writes and reads them. The text below each field is its
description in the schema.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

Score = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """A part of the document."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class RuleRecord(Record):
    """The rule by which frames that reach the threshold become events."""

    hysteresis: Annotated[float, Field(ge=0, le=1)]
    """An event continues until scores fall below the threshold by more than this share of it."""
    merge_gap_s: Seconds
    """Stretches less than this apart are one event; seconds."""
    min_length_s: Seconds
    """Shorter events are dropped; seconds."""


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


class PlaceRecord(Record):
    """A part of the picture that was scored separately."""

    view: str
    """What the backbone sees there, such as whole, left or right; of an upright picture left is the top."""
    box: BoxRecord | None
    """Which part of the picture that is; null if the size of the picture is unknown."""


class PlacesRecord(Record):
    """Where in the picture the highest score of each frame is."""

    places: Annotated[tuple[PlaceRecord, ...], Field(min_length=2, max_length=256)]
    """The parts of the picture that were scored separately."""
    leading: tuple[Number, ...]
    """Of each frame the place with the highest score, counted from 0; also 0 if a frame has no score."""


class ExplanationRecord(Record):
    """The explanation of an event."""

    snippets: Annotated[tuple[SnippetRecord, ...], Field(min_length=1)]
    """Those of the event with the highest scores, the highest first."""
    heat: tuple[tuple[Annotated[float, Field(ge=-1, le=1)], ...], ...]
    """How much the score of the first falls when a part of the picture is covered; rows from the top."""
    box: BoxRecord
    """The part of the picture that the heat covers."""
    still_s: Seconds
    """When the middle frame of the first snippet is shown, which the box belongs to; seconds."""


class EventRecord(Record):
    """A stretch of the video that is called abnormal."""

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
    place: PlaceRecord | None = None
    """Where it is: the place with the highest score at the peak; null if the head does not localise."""
    explanation: ExplanationRecord | None = None
    """Its explanation; null if not requested."""


class CurveRecord(Record):
    """One time and one score for each frame that a player shows."""

    times_s: Annotated[tuple[Seconds, ...], Field(min_length=1)]
    """When each frame begins, not decreasing; seconds."""
    scores: tuple[Score | None, ...]
    """How anomalous each frame is, from 0 to 1; null where a damaged file left nothing to score."""


class ScoresDocument(Record):
    """The anomaly scores of a video and its events, as vadpipe writes them."""

    schema_version: Literal[1, 2]
    """Of this format; incompatible changes raise it, additional keys do not.

    In version 1 the hysteresis was a difference of scores; in version 2 it is a share of the threshold."""
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
    """The score that a frame must reach to be called abnormal; null if none is set."""
    rule: RuleRecord
    """The event rule."""
    events: tuple[EventRecord, ...]
    """The events in time order; they do not overlap."""
    curve: CurveRecord
    """The score of every frame."""
    places: PlacesRecord | None = None
    """Where in the picture the score of every frame comes from; null if the head does not localise."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        times_s, scores = self.curve.times_s, self.curve.scores
        for name, values in (("times", times_s), ("scores", scores)):
            if len(values) != self.n_frames:
                raise ValueError(f"it has {len(values)} {name} for {self.n_frames} frames")
        if (n_unscored := scores.count(None)) != self.n_unscored:
            raise ValueError(f"{n_unscored} frames have no score, but n_unscored is {self.n_unscored}")
        edges_s = (*times_s, self.end_s)
        if (np.diff(edges_s) < 0).any():
            raise ValueError("its times run backwards")
        if self.events and self.threshold is None:
            raise ValueError("it has events but no threshold")
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

    @model_validator(mode="after")
    def _places_agree(self) -> Self:
        known = self.places
        if known is not None and len(known.leading) != self.n_frames:
            raise ValueError(f"it has {len(known.leading)} leading places for {self.n_frames} frames")
        if known is not None and max(known.leading) >= len(known.places):
            raise ValueError(f"it has {len(known.places)} places, but refers to number {max(known.leading)}")
        for number, event in enumerate(self.events, 1):
            leads = None if known is None else known.places[known.leading[event.peak_frame]]
            if event.place != leads:
                raise ValueError(f"the place of event {number} is not that of its peak")
        return self
