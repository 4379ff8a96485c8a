"""Settings of small heads that are trained within seconds."""

from __future__ import annotations

from vadpipe.head.settings import HeadSettings

QUICK = HeadSettings(
    hidden=8,
    cluster_dim=4,
    dropout=0.5,
    steps=10,
    batch_bags=4,
    checks=2,
    folds=2,
    learning_rate=1e-2,
    whole_bag_weight=1.0,
    context="none",
)


# Every number is named, so that other defaults change no test.
SMALL = HeadSettings(
    clustering=True, memory="queue", guided=True, second_head=False, cluster_gradient=1.0, queue_decay=0.9,
    ema_decay=0.9, smoothness=8e-4, sparsity=8e-3, weight_decay=5e-4, clip_norm=1.0, feature_dropout=0.0,
    hidden=16, cluster_dim=8, dropout=0.5, temperature=0.1, margin=-0.5, cluster_weight=0.1, score_mix=0.5,
    warmup=0.1, queue_batches=20, view_sampling="all", view_join="mean", segments=32, top_k_divisor=16, top_k_at_least=3, whole_bag_weight=0.0,
    smoothing=0.0, steps=40, batch_bags=4, optimiser="adam", learning_rate=1e-2, folds=4, checks=8,
    false_alarms_per_hour=6.0, normal_quantile=0.95, context="none",
)  # fmt: skip

FIT_FILES = (
    "head.safetensors",
    "history.csv",
    "last.safetensors",
    "metrics.json",
    "settings.json",
    "training.png",
)
"""What ``fit`` writes of one training, beside the record of the run."""
