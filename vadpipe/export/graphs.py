"""What the exported graphs compute, as modules that torch can trace."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadpipe.extract.backbones.loading import ClipNetwork
from vadpipe.head.context import Context
from vadpipe.head.head import Head
from vadpipe.head.mean_of_heads import MeanOfHeads
from vadpipe.head.platt_scaling import apply_platt_scaling
from vadpipe.head.smoothing import smoothed

_CLOSEST = 2.0**-25
"""As :data:`vadpipe.head.platt_scaling.log_odds` has it."""


class BackboneGraph(nn.Module):
    """From clips (B, T, H, W, 3) uint8 RGB to features (B, P, D), of each of P positions in time.

    Args:
        network: a backbone.
        windowed: whether some clips are windows, so that the positions of all are kept; P is 1 without, the
            mean of all.
    """

    def __init__(self, network: ClipNetwork, *, windowed: bool) -> None:
        super().__init__()
        self.network, self.windowed = network, windowed

    def forward(self, frames: Tensor) -> Tensor:
        """Return the features."""
        output: Tensor = self.network(frames)
        if not self.network.maps:
            return output[:, None]
        features = output.mean(dim=(2, 3))
        return features if self.windowed else features.mean(dim=1, keepdim=True)


class HeadGraph(nn.Module):
    """From features (T, C, D) to the scores (T,) of snippets, smoothed and on the head's scale.

    Of a head that joins views by their maximum it also gives the scores (T, C) of the views.

    Args:
        head: in evaluation mode.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head
        self.by_view = head.settings.view_join == "max"

    def forward(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the scores, as :meth:`vadpipe.head.head.Head.score` does, and those of views."""
        x = features.transpose(0, 1)
        x = x[:, None] if self.by_view else x[None]  # views by themselves, or those of one video
        mask = torch.ones(x.shape[0], x.shape[2], dtype=torch.bool)
        context = self.head.context_of(self._bag(x)) if self.head.uses_context else None
        odds = _log_odds(_segment_scores(self.head, x, mask, context))
        odds = smoothed(odds, mask, self.head.settings.smoothing)
        scores = apply_platt_scaling(odds.double(), self.head.scale).float()
        return (scores.amax(dim=0), scores.T) if self.by_view else scores[0]

    def _bag(self, x: Tensor) -> Tensor:
        """Return the bags of videos x (N, C, T, D), as :func:`vadpipe.head.bags.edges_of` cuts them."""
        n_snippets = torch._shape_as_tensor(x)[2]
        n_segments = n_snippets.clamp_max(self.head.settings.segments)
        at = torch.arange(n_segments)  # type: ignore[call-overload]  # a trace needs the number as a tensor
        edges = (at.double() * (n_snippets.double() / n_segments.double())).floor()
        ends = torch.cat([edges[1:], n_snippets.double()[None]])
        places = torch.arange(n_snippets)  # type: ignore[call-overload]
        inside = ((places >= edges[:, None]) & (places < ends[:, None])).to(x.dtype)
        bags: Tensor = (inside / inside.sum(dim=1, keepdim=True)) @ x
        return bags


def _segment_scores(head: Head, x: Tensor, mask: Tensor, context: Context | None) -> Tensor:
    """Return a head's scores (N, T); of several heads as their own method does, by the log odds below.

    Their members may be several themselves: an ensemble of heads for each window.
    """
    if not isinstance(head, MeanOfHeads):
        return head.segment_scores(x, mask, context)
    parts = zip(head.heads, head.inputs(x), head.contexts(context), strict=True)
    odds = [_log_odds(_segment_scores(one, own, mask, beside)) for one, own, beside in parts]
    return torch.sigmoid(head.joined(odds, mask).double()).float()


def _log_odds(scores: Tensor) -> Tensor:
    """Return log odds as :func:`vadpipe.head.platt_scaling.log_odds` does, in a form that float32 can hold.

    ONNX Runtime has no convolution in float64, and OpenVINO computes all of it in float32, where the highest
    score that the other form lets through is 1.
    """
    return scores.clamp_min(_CLOSEST).log() - (1 - scores).clamp_min(_CLOSEST).log()
