"""Construction of a method's network from its settings, with initial weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from vadpipe.head.cbcg import Cbcg
from vadpipe.head.context_heads import ContextHeads
from vadpipe.head.head import Head
from vadpipe.head.methods import CBCG
from vadpipe.head.peers.bn_wvad import BnWvad
from vadpipe.head.peers.deepmil import DeepMil
from vadpipe.head.peers.mgfn import Mgfn
from vadpipe.head.peers.rtfm import Rtfm
from vadpipe.head.peers.ur_dmu import UrDmu
from vadpipe.head.settings import HeadSettings
from vadpipe.head.window_heads import WindowHeads

_PEERS: dict[str, Callable[[int, HeadSettings], Head]] = {
    "deepmil": DeepMil,
    "rtfm": Rtfm,
    "ur-dmu": UrDmu,
    "bn-wvad": BnWvad,
    "mgfn": Mgfn,
}


def build_head(mean: Tensor, std: Tensor, settings: HeadSettings, n_windows: int = 1) -> Head:
    """Return the head that the settings ask for, with random numbers.

    Args:
        mean: (D,) of the features of normal training snippets.
        std: (D,), their deviation; both are CBCG's, the published networks take features as they are.
        settings: the method, its switches and sizes.
        n_windows: W, by how many windows features are made; each has a head of its own.
    """
    if n_windows > 1:
        parts = zip(mean.chunk(n_windows), std.chunk(n_windows), strict=True)
        return WindowHeads([build_head(*part, settings) for part in parts])
    if settings.method == CBCG:
        if settings.context == "both":
            return ContextHeads(mean, std, settings)
        return Cbcg(mean, std, settings)
    return _PEERS[settings.method](len(mean), settings)
