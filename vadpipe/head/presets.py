"""Presets: settings for the common cases, each a few changes to the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from vadpipe.errors import UsageError
from vadpipe.head.settings import Value


@dataclass(frozen=True)
class Preset:
    """Settings for a case.

    Attributes:
        name: as ``vadpipe fit --preset`` takes it.
        tells: what it is for.
        changes: settings that differ from the defaults.
    """

    name: str
    tells: str
    changes: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))


PRESETS = (
    Preset("default", "tens to hundreds of videos; chosen as docs/benchmarks.md says"),
    Preset(
        "baseline",
        "a plain multiple-instance head, for comparison",
        MappingProxyType({"clustering": False, "guided": False, "context": "none"}),
    ),
    Preset(
        "literal",
        "the abstract taken at its word: clustering shapes the embedding, and nothing is added",
        MappingProxyType(
            {
                "cluster_gradient": 1.0,
                "cluster_weight": 0.5,
                "optimiser": "adam",
                "learning_rate": 1e-3,
                "steps": 200,
                "top_k_at_least": 3,
                "feature_dropout": 0.0,
                "weight_averaging": 0.0,
                "smoothing": 0.0,
                "context": "none",
            }
        ),
    ),
    Preset(
        "benchmark",
        "thousands of long videos (UCF-Crime, XD-Violence): the schedule of UR-DMU, not measured here",
        MappingProxyType(
            {
                "optimiser": "adam",
                "learning_rate": 1e-4,
                "batch_bags": 64,
                "steps": 3000,
                "top_k_at_least": 3,
            }
        ),
    ),
)


def find_preset(name: str) -> Preset:
    """Return the preset of that name. Raises UsageError if it is unknown."""
    for preset in PRESETS:
        if preset.name == name:
            return preset
    raise UsageError(
        f"unknown preset {name!r}",
        next_step=f"Choose one of: {', '.join(preset.name for preset in PRESETS)}.",
    )
