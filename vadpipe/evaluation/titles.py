"""What figures are called in tables, in their order."""

from __future__ import annotations

from vadpipe.evaluation.alarms import IOUS

FRAMES = {
    "auc": "frame ROC-AUC",
    "auc_abnormal": "  of abnormal videos",
    "auc_mixed": "  of videos with both kinds of frames",
    "ap": "frame AP",
    "ap_abnormal": "  of abnormal videos",
    "ap_mixed": "  of videos with both kinds of frames",
}
ALARMS = {
    "recall": "anomalous frames at or above the threshold",
    "false_positive_rate": "normal frames at or above it",
    "precision": "anomalous share of frames at or above it",
    "false_alarm_rate": "frames of normal videos at or above it",
    "false_alarms_per_hour_of_normal_videos": "false alarms per hour of normal videos",
    "false_alarms_per_hour": "false alarms per hour of normal frames",
}
EVENTS = {
    f"event_{kind.lower()}@{iou}": f"event {kind}, overlap {iou} or more"
    for iou in IOUS
    for kind in ("precision", "recall", "F1")
}
SECTIONS = (FRAMES, ALARMS, EVENTS)
