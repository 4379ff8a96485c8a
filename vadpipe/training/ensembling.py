"""An ensemble out of the trainings of several seeds, calibrated by videos that no judging head has seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from vadpipe.head.bags import TrainingSet
from vadpipe.head.ensemble import Ensemble
from vadpipe.training.cross_validation import TrainingResult
from vadpipe.training.judging import Judge, Judged, judged


def ensemble_of(
    data: TrainingSet, results: Sequence[TrainingResult], *, seed: int
) -> tuple[Ensemble, Judged]:
    """Return the mean of the trained heads, and what held-out videos say about it.

    Each seed has folds of its own. A video is judged by the mean of the heads, one of each seed, that have
    not seen it; scale and threshold come from these scores, as those of a single head do.

    Args:
        data: the bags that all of them were trained on.
        results: with their judges.
        seed: of the resamples.
    """
    unseen = all(result.threshold.unseen for result in results)
    judges = _judges(results) if unseen else [Judge(_mean_of(results), range(len(data.bags)))]
    found = judged(data, judges, unseen=unseen, seed=seed)
    ensemble = _mean_of(results)
    ensemble.scale.copy_(found.scale)
    return ensemble.cpu(), found


def _mean_of(results: Sequence[TrainingResult]) -> Ensemble:
    ensemble = Ensemble([result.selected for result in results])
    return ensemble.eval().to(results[0].judges[0].head.device)


def _judges(results: Sequence[TrainingResult]) -> list[Judge]:
    """Return a judge for the videos that are held out together in every seed."""
    places = [
        {row: place for place, judge in enumerate(result.judges) for row in judge.rows} for result in results
    ]
    together: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row in sorted(places[0]):
        together[tuple(of_seed[row] for of_seed in places)].append(row)
    return [
        Judge(
            Ensemble(
                [result.judges[place].head for result, place in zip(results, chosen, strict=True)]
            ).eval(),
            rows,
        )
        for chosen, rows in together.items()
    ]
