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

from vadpipe._version import __version__ as __version__

if TYPE_CHECKING:
    from vadpipe.ablation.ablate import ablate
    from vadpipe.ablation.results import Ablation
    from vadpipe.annotations.check import check_sheet
    from vadpipe.annotations.split import split_sheet
    from vadpipe.comparison.compare import compare
    from vadpipe.comparison.results import Comparison
    from vadpipe.curves.curve import Curve
    from vadpipe.curves.events import Event, EventRule
    from vadpipe.curves.explanation import Explanation
    from vadpipe.errors import VadpipeError
    from vadpipe.evaluation.evaluate import evaluate
    from vadpipe.evaluation.results import Evaluation
    from vadpipe.export.exporting import ExportedFiles, export_model
    from vadpipe.extract.extraction import extract_features
    from vadpipe.extract.extractor import Extractor
    from vadpipe.extract.record import Extraction
    from vadpipe.extract.settings import ExtractSettings
    from vadpipe.features.file import Features
    from vadpipe.head.settings import HeadSettings
    from vadpipe.published.import_features import Imported, import_features
    from vadpipe.published.settings import ImportSettings
    from vadpipe.scoring.outputs import Outputs
    from vadpipe.scoring.run import Scoring, score_videos
    from vadpipe.scoring.scorer import Scorer, score
    from vadpipe.training.fit import fit
    from vadpipe.training.result import Fit

# Loaded at first use: importing vadpipe, or asking the command line for help, must not load torch.
_HOMES = {
    "Ablation": "vadpipe.ablation.results",
    "Comparison": "vadpipe.comparison.results",
    "Curve": "vadpipe.curves.curve",
    "Evaluation": "vadpipe.evaluation.results",
    "Event": "vadpipe.curves.events",
    "EventRule": "vadpipe.curves.events",
    "Explanation": "vadpipe.curves.explanation",
    "ExportedFiles": "vadpipe.export.exporting",
    "ExtractSettings": "vadpipe.extract.settings",
    "Extraction": "vadpipe.extract.record",
    "Extractor": "vadpipe.extract.extractor",
    "Features": "vadpipe.features.file",
    "Fit": "vadpipe.training.result",
    "HeadSettings": "vadpipe.head.settings",
    "ImportSettings": "vadpipe.published.settings",
    "Imported": "vadpipe.published.import_features",
    "Outputs": "vadpipe.scoring.outputs",
    "Scorer": "vadpipe.scoring.scorer",
    "Scoring": "vadpipe.scoring.run",
    "VadpipeError": "vadpipe.errors",
    "ablate": "vadpipe.ablation.ablate",
    "check_sheet": "vadpipe.annotations.check",
    "compare": "vadpipe.comparison.compare",
    "evaluate": "vadpipe.evaluation.evaluate",
    "export_model": "vadpipe.export.exporting",
    "extract_features": "vadpipe.extract.extraction",
    "fit": "vadpipe.training.fit",
    "import_features": "vadpipe.published.import_features",
    "score": "vadpipe.scoring.scorer",
    "score_videos": "vadpipe.scoring.run",
    "split_sheet": "vadpipe.annotations.split",
}

__all__ = [
    "Ablation",
    "Comparison",
    "Curve",
    "Evaluation",
    "Event",
    "EventRule",
    "Explanation",
    "ExportedFiles",
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
    "check_sheet",
    "compare",
    "evaluate",
    "export_model",
    "extract_features",
    "fit",
    "import_features",
    "score",
    "score_videos",
    "split_sheet",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        if name != "VadpipeError":  # what is raised here can be caught
            import_module("vadpipe.diagnostics.requirements").check_requirements()
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES} - {"TYPE_CHECKING", "annotations", "import_module"})
