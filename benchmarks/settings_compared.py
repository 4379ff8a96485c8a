"""The settings that are judged: how videos become features, and how a head learns from them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from vadpipe.extract.engines.engine import choose_engine, choose_precision
from vadpipe.extract.settings import ExtractSettings
from vadpipe.head.settings import HeadSettings


@dataclass(frozen=True)
class Setting:
    """Choices of an extraction and of a head.

    Attributes:
        name: of it.
        extract: how features are made.
        head: how a head learns.
    """

    name: str
    extract: ExtractSettings = field(default_factory=ExtractSettings)
    head: HeadSettings = field(default_factory=HeadSettings)

    @property
    def folder(self) -> str:
        """Where its features lie: settings that make the same ones share them."""
        extract = self.extract
        view = f"{extract.crops}-crops" if extract.crops > 1 else "-".join(extract.views)
        sampling = f"{extract.stride}-{extract.window}-{extract.fps or 'all'}"
        engine = choose_engine(extract.engine, torch.device("cpu"))
        precision = choose_precision(extract.precision, engine, extract.record.quantised)
        return f"{extract.backbone}-{view}-{sampling}-{precision}"


_ALL = (
    Setting("defaults"),
    Setting("float32", ExtractSettings(precision="float32")),
    Setting("windows, float32", ExtractSettings(window=64, precision="float32")),
    Setting("no loss of whole bags", head=HeadSettings(whole_bag_weight=0)),
    Setting("centre", ExtractSettings(view="centre")),
    Setting("centre, stride 16", ExtractSettings(view="centre", stride=16)),
    Setting(
        "centre, stride 16, no loss of whole bags",
        ExtractSettings(view="centre", stride=16),
        HeadSettings(whole_bag_weight=0),
    ),
    Setting("windows", ExtractSettings(window=64)),
    Setting("windows, no loss of whole bags", ExtractSettings(window=64), HeadSettings(whole_bag_weight=0)),
    Setting("centre, windows", ExtractSettings(view="centre", window=64)),
    Setting(
        "centre, windows, no loss of whole bags",
        ExtractSettings(view="centre", window=64),
        HeadSettings(whole_bag_weight=0),
    ),
    Setting("five crops, windows", ExtractSettings(crops=5, stride=16, window=64)),
)

SETTINGS = {setting.name: setting for setting in _ALL}
"""By name; the first is what ``vadpipe`` does by default."""
