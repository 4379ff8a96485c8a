"""Ablation: what each part of the method is worth, over scene-disjoint folds and paired seeds.

:mod:`~vadpipe.ablation.rows` says which variants there are, :mod:`~vadpipe.ablation.dealing` how videos
become folds. :mod:`~vadpipe.ablation.workers` runs variants in processes; each run
(:mod:`~vadpipe.ablation.measuring`) leaves a file (:mod:`~vadpipe.ablation.runs`). From these come figures
(:mod:`~vadpipe.ablation.figures`), comparisons (:mod:`~vadpipe.ablation.comparing`) and reports.
"""
