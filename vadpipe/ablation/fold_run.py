"""A single run: train on all folds but one, and score that one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import torch

from vadpipe.ablation.data import Sample
from vadpipe.ablation.runs import AblationJob, At, Run, TrainingRecord
from vadpipe.evaluation.metrics import auc_and_ap, pooled
from vadpipe.head.bags import Bag
from vadpipe.training.cross_validation import train_with_cross_validation


def measure(
    job: AblationJob, samples: Mapping[str, Sample], bags: Mapping[str, Bag], device: torch.device
) -> Run:
    """Train with the job's settings and seed, and keep the scores of its test videos.

    Nothing about the test videos reaches the training: they are only scored at every check.

    Args:
        job: what to do.
        samples: the test videos at least, by name.
        bags: features of all videos, by the same names; those that are not tested are learned from.
        device: where to train.
    """
    learned = train_with_cross_validation(
        [bag for name, bag in bags.items() if name not in job.test],
        job.settings,
        seed=job.seed,
        device=device,
        watch=[bags[name] for name in job.test],
    )
    aucs: dict[int, float] = {}
    for step, scores in sorted(learned.watched.items()):
        judged = [samples[name].judged(own) for name, own in zip(job.test, scores, strict=True)]
        aucs[step] = auc_and_ap(*pooled(judged))[0] or 0.0  # a fold always has both kinds of frames
    steps: dict[At, int] = {
        "selected": learned.step,
        "last": max(learned.watched),
        "best-on-test": max(aucs, key=lambda step: (aucs[step], -step)),
    }
    record = TrainingRecord(
        key=job.key,
        settings=job.settings,
        fold=job.fold,
        seed=job.seed,
        videos=job.test,
        n_snippets=tuple(bags[name].values.shape[1] for name in job.test),
        threshold=learned.threshold.threshold,
        steps=steps,
        test_auc=aucs,
        history=[asdict(check) for check in learned.history],
    )
    return Run(record, {at: learned.watched[step] for at, step in steps.items()})
