"""Small heads of the published methods, and bags for them."""

from __future__ import annotations

import torch

from support.bags import D, collate, make_bag
from vadpipe.head.bags import Batch
from vadpipe.head.building import build_head
from vadpipe.head.head import Head
from vadpipe.head.methods import METHODS, settings_of
from vadpipe.head.settings import HeadSettings

PEERS = [method.name for method in METHODS if method.name != "cbcg"]
HIDDEN = {"deepmil": 32, "rtfm": 16, "ur-dmu": 32, "bn-wvad": 64, "mgfn": 4}


def small(method: str, **changes) -> HeadSettings:
    """Settings of a method with a narrow network, that drops nothing."""
    quick = {"hidden": HIDDEN[method], "dropout": 0.0, "segments": 32, "batch_bags": 4, "steps": 20}
    return settings_of(method).model_copy(update=quick | {"checks": 5} | changes)


def small_head(method: str, seed=0, *, stirred=True, **changes) -> Head:
    """A head with random numbers, everywhere if it is stirred: some begin as 0 or as 1."""
    torch.manual_seed(seed)
    head = build_head(torch.zeros(D), torch.ones(D), small(method, **changes))
    if stirred:
        for number in head.parameters():
            number.data += 0.05 * torch.randn_like(number)
        for norm in head.modules():
            if isinstance(norm, torch.nn.BatchNorm1d):
                norm.running_mean.normal_(0, 0.1)
                norm.running_var.uniform_(0.5, 2)
    return head


def made_batch(lengths=((20, 7), (20, 12)), crops=2) -> Batch:
    """Normal bags of these lengths, then abnormal ones."""
    return collate(
        [
            make_bag(label, 10 * label + at, length=length, crops=crops)[0]
            for label in (0, 1)
            for at, length in enumerate(lengths[label])
        ]
    )
