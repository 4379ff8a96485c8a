"""A head whose scores are known, and features that it gives chosen scores."""

from dataclasses import replace

import numpy as np
import torch

from support.calibrations import make_calibration
from support.feature_files import make_features, make_recipe
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.record import HeadRecord
from vadpipe.head.settings import HeadSettings


def make_head(threshold=0.5, **recipe) -> TrainedHead:
    """Return a head whose score of a snippet is the logistic function of its first feature."""
    settings = HeadSettings(hidden=2, cluster_dim=2, clustering=False, guided=False, smoothing=0)
    network = Cbcg(torch.zeros(8), torch.ones(8), settings).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network.embedding.conv.weight[:, 0, 1] = torch.tensor([1.0, -1.0])  # what is above 0, and below
        network.classifier.layers[0].weight.copy_(torch.eye(2))
        network.classifier.layers[3].weight.copy_(torch.tensor([[1.0, -1.0]]))
    record = HeadRecord(
        settings=settings,
        recipe=make_recipe(**recipe),
        calibration=make_calibration(threshold),
        seed=3,
        step=7,
    )
    return TrainedHead(network, record)


def write_scored_features(folder, video, scores, n_frames=None, gaps=(), **recipe):
    """Write features that the head gives these scores, one a snippet of 16 frames; return their file."""
    features = make_features(n_frames or 16 * len(scores), video, **recipe)
    features = replace(features, source=features.source.model_copy(update={"gaps": gaps}))
    scores = np.array(scores)
    features.values[:, 0, 0] = np.log(scores / (1 - scores))
    path = folder / f"{video}.safetensors"
    features.save(path)
    return path
