"""CBCG, the head: from the features of snippets to their anomaly scores, by video-level labels alone.

In: features as bags. Out: a score for each snippet, and the head file. May import: ``features``, ``files``.

Follows the abstract of Cao et al., "Weakly Supervised Video Anomaly Detection Based on Cross-Batch
Clustering Guidance", ICME 2023, arXiv 2212.08506, one claim per file:

1. a batch clustering loss forms distinct normal and abnormal clusters:
   :mod:`~vadpipe.head.batch_clusters`;
2. clusters of earlier mini-batches reduce the imbalance within one: :mod:`~vadpipe.head.cluster_memory`;
3. the clusters make segment scores more accurate: :mod:`~vadpipe.head.guidance`.

Around them: :mod:`~vadpipe.head.bags` and :mod:`~vadpipe.head.bag_score` (multiple instance learning),
:mod:`~vadpipe.head.embedding`, :mod:`~vadpipe.head.classifier` and
:mod:`~vadpipe.head.clustering_branch` (the branches), :mod:`~vadpipe.head.cbcg` (all of them),
:mod:`~vadpipe.head.ensemble` (several seeds as one head), :mod:`~vadpipe.head.objective` (the loss of a
batch), :mod:`~vadpipe.training.loop` (the loop) and :mod:`~vadpipe.head.checkpoint` (the file, with its
:mod:`~vadpipe.head.record`).

By videos that a head has not seen (:mod:`~vadpipe.training.folds`): which step is taken
(:mod:`~vadpipe.training.step_selection`) and the scale of the scores (:mod:`~vadpipe.head.platt_scaling`);
the threshold follows in :mod:`vadpipe.training.calibration`, and :mod:`vadpipe.training.cross_validation`
puts all of it together.
"""
