"""The settings that are judged: how videos become features, and how a head learns from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch

from vadpipe.extract.engines.engine import choose_engine
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
        sampling = f"{extract.stride}-{extract.window}-{extract.fps or extract.target_fps}"
        engine = choose_engine(extract.engine, torch.device("cpu"))
        precision = "float32" if extract.quantised_on(engine) is None else "int8"
        return f"{extract.backbone}-{','.join(extract.views)}-{sampling}-{precision}"


DEFAULTS = "both windows: the defaults"

_ISOLATED = ExtractSettings(view="whole", window=16, target_fps="all")
_WINDOWS = replace(_ISOLATED, window=64)
_TWO_VIEWS = replace(_WINDOWS, target_fps=12.5, view="left,right")
_TWO_VIEWS_ISOLATED = replace(_TWO_VIEWS, window=16)
_100_STEPS = HeadSettings(weight_averaging=0)
_150_STEPS = HeadSettings(weight_averaging=0, steps=150)
_WHOLE_BAGS = HeadSettings(weight_averaging=0, whole_bag_weight=1, steps=150)

_ALL = (
    Setting("isolated snippets, loss of whole bags", _ISOLATED, _WHOLE_BAGS),
    Setting("isolated snippets", _ISOLATED, _150_STEPS),
    Setting("windows", _WINDOWS, _150_STEPS),
    Setting("windows, float32", replace(_WINDOWS, precision="float32"), _150_STEPS),
    Setting("isolated snippets, 12.5 fps", replace(_ISOLATED, target_fps=12.5), _150_STEPS),
    Setting("left and right, windows, 12.5 fps, loss of whole bags", _TWO_VIEWS, _WHOLE_BAGS),
    Setting("left and right, windows, 12.5 fps", _TWO_VIEWS, _150_STEPS),
    Setting("left and right, 12.5 fps, 150 steps", _TWO_VIEWS_ISOLATED, _150_STEPS),
    Setting("left and right, 12.5 fps, 100 steps", _TWO_VIEWS_ISOLATED, _100_STEPS),
    Setting("the same, averaged weights", _TWO_VIEWS_ISOLATED),
    Setting(DEFAULTS),
)

SETTINGS = {setting.name: setting for setting in _ALL}
"""By name; the first is what version 0.1 did by default."""
