"""Raw videos in, per-frame anomaly curves out.

>>> import vadpipe
>>> vadpipe.extract_features(["videos/"], "features")  # doctest: +SKIP
>>> vadpipe.fit("features", output="head")  # doctest: +SKIP
>>> curve = vadpipe.score("clip.mp4", head="head")  # doctest: +SKIP

The subpackage :mod:`vadpipe.extract` holds decoding and backbones, :mod:`vadpipe.head` the method,
:mod:`vadpipe.weights` the pretrained weights.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vadpipe.ablation.ablating import ablate
    from vadpipe.ablation.results import Ablation
    from vadpipe.curve import Curve
    from vadpipe.errors import VadpipeError
    from vadpipe.evaluation.evaluating import evaluate
    from vadpipe.evaluation.results import Evaluation
    from vadpipe.events import Event, EventRule
    from vadpipe.explanation import Explanation
    from vadpipe.extract.extraction import extract_features
    from vadpipe.extract.extractor import Extractor
    from vadpipe.extract.record import Extraction
    from vadpipe.extract.settings import ExtractSettings
    from vadpipe.features import Features
    from vadpipe.fitting import Fit, fit
    from vadpipe.head.settings import HeadSettings
    from vadpipe.published.importing import Imported, import_features
    from vadpipe.published.settings import ImportSettings
    from vadpipe.scoring.outputs import Outputs
    from vadpipe.scoring.run import Scoring, score_videos
    from vadpipe.scoring.scorer import Scorer, score

__version__ = "0.1.0"

# Loaded at first use: importing vadpipe, or asking the command line for help, must not load torch.
_HOMES = {
    "Ablation": "vadpipe.ablation.results",
    "Curve": "vadpipe.curve",
    "Evaluation": "vadpipe.evaluation.results",
    "Event": "vadpipe.events",
    "EventRule": "vadpipe.events",
    "Explanation": "vadpipe.explanation",
    "ExtractSettings": "vadpipe.extract.settings",
    "Extraction": "vadpipe.extract.record",
    "Extractor": "vadpipe.extract.extractor",
    "Features": "vadpipe.features",
    "Fit": "vadpipe.fitting",
    "HeadSettings": "vadpipe.head.settings",
    "ImportSettings": "vadpipe.published.settings",
    "Imported": "vadpipe.published.importing",
    "Outputs": "vadpipe.scoring.outputs",
    "Scorer": "vadpipe.scoring.scorer",
    "Scoring": "vadpipe.scoring.run",
    "VadpipeError": "vadpipe.errors",
    "ablate": "vadpipe.ablation.ablating",
    "evaluate": "vadpipe.evaluation.evaluating",
    "extract_features": "vadpipe.extract.extraction",
    "fit": "vadpipe.fitting",
    "import_features": "vadpipe.published.importing",
    "score": "vadpipe.scoring.scorer",
    "score_videos": "vadpipe.scoring.run",
}

__all__ = [
    "Ablation",
    "Curve",
    "Evaluation",
    "Event",
    "EventRule",
    "Explanation",
    "ExtractSettings",
    "Extraction",
    "Extractor",
    "Features",
    "Fit",
    "HeadSettings",
    "ImportSettings",
    "Imported",
    "Outputs",
    "Scorer",
    "Scoring",
    "VadpipeError",
    "ablate",
    "evaluate",
    "extract_features",
    "fit",
    "import_features",
    "score",
    "score_videos",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
