"""What trainings measured, for tests that only need a threshold or an AUC."""

from vadpipe.head.record import Calibration, HeldOut


def make_calibration(threshold: float) -> Calibration:
    """Return a calibration with this threshold, and figures that no test depends on."""
    return Calibration(
        threshold=threshold, method="rate", per_hour=6, quantile=0.95, hours=2.0, alarms=12, unseen=True,
        n_normal=9, n_normal_flagged=5, n_abnormal=8, n_abnormal_flagged=7, alarm_share=0.02,
    )  # fmt: skip


def make_held_out(**changes) -> HeldOut:
    """Return what cross-validation measured on 17 videos of 14 groups, with these fields changed."""
    fields = dict(
        auc=0.947, auc_low=0.812, auc_high=0.99, resamples=1000, n_undefined=0,
        n_videos=17, n_groups=14, n_normal_groups=8, n_abnormal_groups=8,
    )  # fmt: skip
    return HeldOut(**(fields | changes))
