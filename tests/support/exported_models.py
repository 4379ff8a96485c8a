"""Exported models of small heads."""

import torch

from support.bags import D
from support.calibrations import make_calibration
from support.feature_files import make_recipe
from vadpipe.export.card_writing import cut_of
from vadpipe.export.graphs import HeadGraph
from vadpipe.export.onnx_files import write_head
from vadpipe.export.openvino_files import convert
from vadpipe.exported.head import ExportedHead
from vadpipe.exported.runtimes import open_graph
from vadpipe.head.building import build_head
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.record import HeadRecord
from vadpipe.head.settings import HeadSettings


def cbcg(seed=0, n_windows=1, **changes):
    """CBCG with random numbers and a memory that has seen both clusters; of several windows a head for each."""
    torch.manual_seed(seed)
    settings = HeadSettings(hidden=16, cluster_dim=8, **changes)
    head = build_head(torch.randn(D), torch.rand(D) + 0.5, settings, n_windows)
    for part in (part for part in head.modules() if isinstance(part, Cbcg)):
        part.memory.sums.normal_()
        part.memory.masses.uniform_(1, 2)
        part.memory.n_appended.fill_(7)
    return head


def trained(network, threshold=0.5) -> TrainedHead:
    """A head of two views that were named, on a scale of its own."""
    network.scale.copy_(torch.tensor([0.8, 0.3]))
    recipe = make_recipe(feature_dim=D, crops=2, view="left,right")
    record = HeadRecord(
        settings=network.settings, recipe=recipe, calibration=make_calibration(threshold), seed=0, step=1
    )
    return TrainedHead(network.eval(), record)


def exported(head: TrainedHead, folder, runtime) -> ExportedHead:
    """The same head, as a graph that a runtime runs."""
    file = folder / "head.onnx"
    write_head(HeadGraph(head.network), head.record.recipe.crops, head.record.recipe.feature_dim, file)
    if runtime == "openvino":
        convert(file, file.with_suffix(".xml"))
        file = file.with_suffix(".xml")
    return ExportedHead(open_graph(file, runtime), head.record, cut_of(head))
