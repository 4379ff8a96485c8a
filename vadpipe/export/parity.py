"""How far an exported model agrees with the head that it was made of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vadpipe.curves.curve import Curve
from vadpipe.diagnostics.clip import write_clip
from vadpipe.errors import FeatureError
from vadpipe.exported.card import BACKBONE_INT8, HEAD, OPENVINO, Card
from vadpipe.exported.runtimes import SUFFIX, Runtime, open_graph
from vadpipe.extract.video.discovery import Video, find_videos
from vadpipe.features.file import Features
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.scoring.scorer import Scorer

TOLERANCE = 1e-3
"""How far a score may be from vadpipe's. Most are within 1e-6; near a score of 1, one step of float32 is half
a unit of log odds, which a flat scale makes visible."""

RENDERED = "rendered clip"
NOISE = "noise"
_NOISE_SNIPPETS = (1, 7, 100)


@dataclass(frozen=True)
class Agreement:
    """How far a form of the exported model agrees with vadpipe on a clip.

    Attributes:
        clip: name of the clip; :data:`RENDERED`, or :data:`NOISE` for features of random numbers.
        engine: what ran the graphs, and in which precision.
        reference: what ran the backbone and the head file beside it.
        n_frames, n_snippets: of the clip; frames are None for noise.
        feature_error: L2 norm of the difference of features, as a share of that of the features; None for
            noise.
        feature_cosine: the lowest cosine of a snippet's features in a view; None for noise.
        score_error: the largest difference of a frame's score, or of a snippet's for noise.
        same_events: whether the events have the same frames, or the same snippets reach the threshold.
    """

    clip: str
    engine: str
    reference: str
    n_frames: int | None
    n_snippets: int
    feature_error: float | None
    feature_cosine: float | None
    score_error: float
    same_events: bool


@dataclass(frozen=True)
class Parity:
    """All agreements of a model.

    Attributes:
        agreements: of each clip and form.
        tolerance: of scores.
    """

    agreements: tuple[Agreement, ...]
    tolerance: float = field(default=TOLERANCE)

    @property
    def worst(self) -> Agreement:
        """The one with the largest difference of a score."""
        return max(self.agreements, key=lambda agreement: agreement.score_error)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    def check(self, folder: Path) -> None:
        """Raise FeatureError if a score differs by more than the tolerance."""
        worst = self.worst
        if not worst.score_error <= self.tolerance:
            raise FeatureError(
                f"does not score as its head does: {worst.engine} differs by up to {worst.score_error:.2g} "
                f"on {worst.clip}",
                file=folder,
                next_step="Do not use it, and report this with the parity.json that lies there.",
            )


class _Form(NamedTuple):
    """A form of the model: what runs it, in which precision, and what vadpipe runs for comparison."""

    engine: Runtime
    precision: str
    reference: str


def compare_on_clips(
    head: Path, model: Path, card: Card, clips: Iterable[Path], *, weights: Path | None, offline: bool
) -> list[Agreement]:
    """Compare the forms of a model with its head on clips; on a rendered one where there are none.

    float32 is compared with torch, int8 with vadpipe's own int8.

    Raises:
        InputError: if a clip cannot be read.
    """
    with tempfile.TemporaryDirectory() as temporary:
        videos = _videos(clips)
        rendered = not videos
        if rendered:
            videos = _videos([write_clip(Path(temporary, "rendered.mp4"))])
        forms = _forms(card)
        references = {
            form.precision: Scorer(
                head,
                device="cpu",
                engine=form.reference,
                precision=form.precision,
                weights=weights if form.precision == "float32" else None,
                offline=offline,
            )
            for form in forms
        }
        agreements = []
        for video in videos:
            expected = {precision: _scored(scorer, video) for precision, scorer in references.items()}
            for form in forms:
                scorer = Scorer(model, engine=form.engine, precision=form.precision)
                name = RENDERED if rendered else video.name
                agreements.append(_agreement(name, form, _scored(scorer, video), expected[form.precision]))
    return agreements


def compare_on_noise(head: TrainedHead, model: Path, card: Card) -> list[Agreement]:
    """Compare the graphs of a head with it on random features, of more snippets than a short clip has."""
    import torch

    recipe, agreements = head.record.recipe, []
    random = np.random.default_rng(0)
    for n_snippets in _NOISE_SNIPPETS:
        features = random.normal(size=(n_snippets, recipe.crops, recipe.feature_dim)).astype(np.float32)
        expected = head.network.score(torch.from_numpy(features).transpose(0, 1)[None])[0].cpu().numpy()
        for form in _forms(card):
            if form.precision == "int8":  # of the backbone alone
                continue
            scores = open_graph(card.intact(model, HEAD, SUFFIX[form.engine]), form.engine)(features)[0]
            agreements.append(
                Agreement(
                    clip=NOISE,
                    engine=f"{form.engine} float32",
                    reference="torch float32",
                    n_frames=None,
                    n_snippets=n_snippets,
                    feature_error=None,
                    feature_cosine=None,
                    score_error=float(np.abs(scores - expected).max()),
                    same_events=bool(((scores >= card.threshold) == (expected >= card.threshold)).all()),
                )
            )
    return agreements


def _forms(card: Card) -> list[_Form]:
    forms = [_Form("onnxruntime", "float32", "torch")]
    if card.has(HEAD, OPENVINO):
        forms.append(_Form("openvino", "float32", "torch"))
    if card.has(BACKBONE_INT8, OPENVINO):
        forms.append(_Form("openvino", "int8", "openvino"))
    return forms


def _videos(clips: Iterable[Path]) -> Sequence[Video]:
    named = [*clips]
    videos, failures = find_videos(named) if named else ([], [])
    if failures:
        raise failures[0].error
    return videos


def _scored(scorer: Scorer, video: Video) -> tuple[Features, Curve]:
    begun = scorer.begin(video)
    try:
        features = scorer.features(begun)
    finally:
        begun.close()
    return features, scorer.curve(features)


def _agreement(
    name: str, form: _Form, found: tuple[Features, Curve], expected: tuple[Features, Curve]
) -> Agreement:
    (features, curve), (known, reference) = found, expected
    kept = ~known.lost
    return Agreement(
        clip=name,
        engine=f"{form.engine} {form.precision}",
        reference=f"{form.reference} {form.precision}",
        n_frames=len(reference),
        n_snippets=len(known.values),
        feature_error=_error(features.values[kept], known.values[kept]),
        feature_cosine=_cosine(features.values[kept], known.values[kept]),
        score_error=float(np.nanmax(np.abs(curve.scores - reference.scores))),
        same_events=[(one.start, one.stop) for one in curve.events]
        == [(one.start, one.stop) for one in reference.events],
    )


def _error(found: NDArray[np.float32], known: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(found - known) / np.linalg.norm(known))


def _cosine(found: NDArray[np.float32], known: NDArray[np.float32]) -> float:
    """Return the lowest cosine of vectors (..., D)."""
    products = (found.astype(np.float64) * known).sum(axis=-1)
    lengths = np.linalg.norm(found, axis=-1).astype(np.float64) * np.linalg.norm(known, axis=-1)
    return float((products / lengths).min())
