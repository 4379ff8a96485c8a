"""Networks with random numbers as heads that were trained."""

from __future__ import annotations

from support.calibrations import make_calibration
from vadpipe.features.recipe import Recipe
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.head import Head
from vadpipe.head.record import HeadRecord, Member


def trained(network: Head, recipe: Recipe, members: tuple[Member, ...] = ()) -> TrainedHead:
    """A head of one step for features of this recipe; of an ensemble with its members."""
    record = HeadRecord(
        settings=network.settings,
        recipe=recipe,
        calibration=make_calibration(0.5),
        seed=0,
        step=1,
        members=members,
    )
    return TrainedHead(network, record)
