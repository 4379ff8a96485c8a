"""Methods: CBCG and the published detectors to compare it with, each with its published settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from vadpipe.errors import UsageError
from vadpipe.files.arguments import described
from vadpipe.head.settings import HeadSettings, Value

CBCG = "cbcg"

CBCG_ONLY = (
    "clustering",
    "memory",
    "guided",
    "second_head",
    "cluster_gradient",
    "cluster_dim",
    "feature_dropout",
    "context",
    "temperature",
    "margin",
    "cluster_weight",
    "score_mix",
    "queue_batches",
    "queue_decay",
    "ema_decay",
    "warmup",
    "whole_bag_weight",
)
"""Settings that CBCG reads and no other method."""


@dataclass(frozen=True)
class Method:
    """A way to learn a head.

    Attributes:
        name: as ``vadpipe fit --method`` takes it.
        title: as papers write it.
        changes: its published settings, where they differ from the defaults, which are CBCG's.
    """

    name: str
    title: str
    changes: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))


_PUBLISHED: Mapping[str, Value] = MappingProxyType(
    {
        "clustering": False,
        "guided": False,
        "context": "none",
        "feature_dropout": 0.0,
        "view_sampling": "all",
        "view_join": "mean",
        "window_weight": 0.5,
        "window_smoothing": 0.0,
        "smoothing": 0.0,
        "warmup": 0.0,
        "optimiser": "adam",
        "clip_norm": 0.0,
        "weight_averaging": 0.0,
        "top_k_at_least": 1,
    }
)
"""What all published methods have in common: a plain mean of the crops' scores, as the network gives them."""


def _published(name: str, title: str, **changes: Value) -> Method:
    return Method(name, title, MappingProxyType({"method": name, **_PUBLISHED, **changes}))


METHODS = (
    Method(CBCG, "CBCG"),
    _published(
        "deepmil",
        "DeepMIL",
        hidden=512,
        dropout=0.6,
        segments=32,
        top_k_divisor=1_000_000,  # the highest segment alone
        smoothness=8e-5,
        sparsity=8e-5,
        steps=1500,
        batch_bags=30,
        learning_rate=5e-5,
        weight_decay=1e-3,
    ),
    _published(
        "rtfm",
        "RTFM",
        hidden=512,
        dropout=0.7,
        segments=32,
        top_k_at_least=3,
        smoothness=8e-4,
        sparsity=8e-3,
        steps=15_000,
        batch_bags=32,
        learning_rate=1e-3,
        weight_decay=5e-3,
    ),
    _published(
        "ur-dmu",
        "UR-DMU",
        hidden=512,
        dropout=0.5,
        segments=200,
        smoothness=0.0,
        sparsity=0.0,
        steps=3000,
        batch_bags=64,
        learning_rate=1e-4,
        weight_decay=5e-5,
    ),
    _published(
        "bn-wvad",
        "BN-WVAD",
        hidden=512,
        dropout=0.0,
        segments=200,
        smoothness=0.0,
        sparsity=0.0,
        steps=1000,
        batch_bags=64,
        learning_rate=1e-4,
        weight_decay=5e-5,
        clip_norm=1.0,
    ),
    _published(
        "mgfn",
        "MGFN",
        hidden=64,
        dropout=0.7,
        segments=32,
        top_k_at_least=3,
        smoothness=8e-4,
        sparsity=8e-3,
        steps=50_000,
        batch_bags=16,
        learning_rate=1e-3,
        weight_decay=5e-4,
    ),
)


def find_method(name: str) -> Method:
    """Return the method of that name. Raises UsageError if it is unknown."""
    for method in METHODS:
        if method.name == name:
            return method
    raise UsageError(
        f"unknown method {name!r}",
        next_step=f"Choose one of: {', '.join(method.name for method in METHODS)}.",
    )


def check_read(name: str, given: Iterable[str]) -> None:
    """Raise UsageError where one of the settings that were given means nothing to the method of that name."""
    title = find_method(name).title
    unread = [] if name == CBCG else [setting for setting in given if setting in CBCG_ONLY]
    if unread:
        raise UsageError(
            f"{title} does not use the setting {unread[0]}, which is specific to {find_method(CBCG).title}",
            next_step=f"Omit it; docs/peers.md lists the settings that {title} uses.",
        )


def settings_of(name: str) -> HeadSettings:
    """Return the settings that a method was published with; of CBCG the defaults.

    Args:
        name: of :data:`METHODS`.

    Raises:
        UsageError: if the name is unknown.
    """
    return HeadSettings.model_validate(dict(find_method(name).changes))


def given_settings(
    settings: HeadSettings | Mapping[str, object] | None, base: HeadSettings | None = None
) -> HeadSettings:
    """Return the settings that a caller passed, complete.

    Args:
        settings: complete ones; or some by their names, where ``method`` stands for the settings that it was
            published with and the others override these; None for the defaults.
        base: the defaults; CBCG's where it is None.

    Raises:
        UsageError: if one is unknown, out of range, or not used by the method.
    """
    if settings is None or isinstance(settings, HeadSettings):
        return settings or base or HeadSettings()
    if not isinstance(settings, Mapping):
        raise UsageError(
            f"settings is {described(settings)}",
            next_step="Pass vadpipe.HeadSettings, or a dictionary such as {'steps': 400}.",
        )
    method = str(settings.get("method", CBCG if base is None else base.method))
    check_read(method, map(str, settings))
    if base is not None and base.method == method:
        return HeadSettings(**{**base.model_dump(), **{str(name): settings[name] for name in settings}})
    return HeadSettings(**{**find_method(method).changes, **{str(name): settings[name] for name in settings}})
