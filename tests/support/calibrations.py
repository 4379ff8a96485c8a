"""Calibrations of heads, for tests that only need a threshold."""

from vadpipe.head.checkpoint import Calibration


def make_calibration(threshold: float) -> Calibration:
    """Return a calibration with this threshold, and figures that no test depends on."""
    return Calibration(
        threshold=threshold, method="rate", per_hour=6, quantile=0.95, hours=2.0, alarms=12, unseen=True,
        n_normal=9, n_normal_flagged=5, n_abnormal=8, n_abnormal_flagged=7, alarm_share=0.02,
    )  # fmt: skip
