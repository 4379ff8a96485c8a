"""Whether one candidate is better than another, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vadpipe.comparison.results import Comparison


def verdict(result: Comparison, name: str) -> str:
    """Return in a sentence whether the frame ROC-AUC tells a candidate from the first one."""
    difference, reference = result.differences[name]["auc"], result.reference
    span = difference.interval
    if difference.value is None:
        return f"frame ROC-AUC is not defined: {difference.reason}"
    size = f"{abs(difference.value):.3f}"
    if span is None or span.low is None or span.high is None:
        return f"frame ROC-AUC differs by {size}; without resamples its uncertainty is unknown"
    if span.low <= 0 <= span.high:
        return (
            f"{name} and {reference} cannot be told apart by frame ROC-AUC: the interval of their difference "
            "contains 0"
        )
    how = "better" if difference.value > 0 else "worse"
    low, high = sorted(map(abs, (span.low, span.high)))
    return f"{name} is {how} than {reference} by {size} of frame ROC-AUC ({low:.3f} to {high:.3f})"
