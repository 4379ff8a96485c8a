"""Ablation: the contribution of each part of the method, over scene-disjoint folds and paired seeds.

In: features, labels and truth. Out: a table of paired differences. May import: all but ``cli``, ``scoring``
    and
``datasets``.

:mod:`~vadpipe.ablation.rows` defines the variants, :mod:`~vadpipe.ablation.folds` the folds.
:mod:`~vadpipe.ablation.workers` runs variants in processes; each run (:mod:`~vadpipe.ablation.fold_run`)
leaves a file (:mod:`~vadpipe.ablation.runs`). From these come figures (:mod:`~vadpipe.ablation.metrics`),
comparisons (:mod:`~vadpipe.ablation.comparison`) and reports.
"""
