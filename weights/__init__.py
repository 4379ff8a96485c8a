"""Pretrained weights: their sources, and loading them without executing anything.

In: the name of a set of weights. Out: a verified file. May import: ``files``.

:mod:`~vadpipe.weights.cache` is the way in: ``ready(record)`` gives a verified safetensors file. Behind it,
:mod:`~vadpipe.weights.registry` names each set, :mod:`~vadpipe.weights.download` and
:mod:`~vadpipe.weights.package_index` fetch, :mod:`~vadpipe.weights.convert`,
:mod:`~vadpipe.weights.numpy_pickle` and :mod:`~vadpipe.weights.i3d_kinetics` read and convert, and
:mod:`~vadpipe.weights.layout`, :mod:`~vadpipe.weights.pins` and :mod:`~vadpipe.weights.cache_lock` keep the
cache folder. The default head lies in this folder, beside its model card.
"""

from pathlib import Path

I3D_INT8 = Path(__file__).with_name("i3d_kinetics_int8.xml")
"""I3D in int8 for OpenVINO, its weights in the ``.bin`` beside it; described in ``i3d_kinetics_int8.md``."""

SHIPPED_HEAD = Path(__file__).with_name("cbcg_i3d_fights.safetensors")
"""The head that ``score`` uses by default; ``cbcg_i3d_fights.md`` is its model card."""
