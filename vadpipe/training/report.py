"""What a training showed, in words: ``fit`` prints it, and ``evaluate`` repeats it beside the test videos."""

from __future__ import annotations

from vadpipe.head.record import Calibration, HeldOut
from vadpipe.training.folds import MIN_GROUPS_TO_JUDGE

CHANCE = 0.5
"""ROC-AUC of scores that say nothing about the label."""

TOO_OLD = "-, the head was trained before this was recorded"


def training_rows(found: Calibration, held_out: HeldOut | None) -> dict[str, str]:
    """Return what a training showed, each figure by its name; one that cannot be had says why.

    Args:
        found: the threshold of the head.
        held_out: what cross-validation measured; None of heads that do not know.
    """
    of = "held-out {} videos" if found.unseen else "{} training videos"
    return {
        "AUC of held-out videos": _auc(held_out),
        "threshold": f"{found.threshold:.3f}, {_how_found(found)}",
        f"{of.format('abnormal')} that reach it": _abnormal(found),
        f"{of.format('normal')} with an alarm": _normal(found),
    }


def training_warnings(found: Calibration, held_out: HeldOut | None) -> list[str]:
    """Return what speaks against trusting a head, and what to do about it; nothing where nothing does.

    Args:
        found: the threshold of the head.
        held_out: what cross-validation measured; None of heads that do not know.
    """
    return [*auc_warnings(held_out), *threshold_warnings(found)]


def auc_warnings(held_out: HeldOut | None) -> list[str]:
    """Return what speaks against an AUC that was measured: an interval that does not lie above chance."""
    if held_out is None or held_out.auc is None or held_out.auc_low is None or held_out.auc_high is None:
        return []
    figures = f"{held_out.auc:.3f} (95 % interval {held_out.auc_low:.3f} to {held_out.auc_high:.3f})"
    if held_out.auc_high < CHANCE:
        return [
            f"the AUC of held-out videos, {figures}, is below {CHANCE}: abnormal videos score lower "
            "than normal ones; check whether labels are swapped, or groups differ in more than the label"
        ]
    if _holds_chance(held_out):
        return [
            f"the interval of the AUC of held-out videos, {figures}, holds {CHANCE}: nothing shows "
            "that the head does better than chance; check the labels, or train on more videos of more places"
        ]
    return []


def threshold_warnings(found: Calibration, which: str = "") -> list[str]:
    """Return what is wrong with a threshold that was not found on held-out normal videos alone.

    Args:
        found: the threshold.
        which: words that tell it from another one, such as ``"at the last step, "``.
    """
    warnings = []
    if not found.unseen and not which:
        warnings.append("the threshold was set on training videos: there are too few to hold any out")
    kind = "held-out abnormal" if found.unseen else "abnormal training"
    missed = f"{which}no {kind} video reached the threshold found on normal videos"
    if found.method == "balanced":
        warnings.append(
            f"{missed}; it was lowered to {found.threshold:.3f}, at which {found.n_abnormal_flagged} of "
            f"{found.n_abnormal} abnormal videos are found and {found.n_normal_flagged} of {found.n_normal} "
            "normal videos raise an alarm"
        )
    elif found.n_abnormal_flagged == 0:
        warnings.append(
            f"{missed}, and no lower threshold flags a larger share of the abnormal than of the normal "
            "videos: the head cannot tell them apart, and will hardly raise an alarm; check the labels, "
            "train on more videos, or score with a lower --threshold"
        )
    return warnings


def _auc(held_out: HeldOut | None) -> str:
    if held_out is None:
        return TOO_OLD
    if held_out.auc is None:
        return (
            f"-, {held_out.n_normal_groups} groups of videos with a normal and {held_out.n_abnormal_groups} "
            f"with an abnormal one are too few to judge by ({MIN_GROUPS_TO_JUDGE} of each are needed); using "
            "the last step"
        )
    if held_out.auc_low is None or held_out.auc_high is None:
        return f"{held_out.auc:.3f}, without an interval: no resample of the groups held both labels"
    drawn = "videos" if held_out.n_groups == held_out.n_videos else "groups"
    said = (
        f"{held_out.auc:.3f}, 95 % interval {held_out.auc_low:.3f} to {held_out.auc_high:.3f} "
        f"(bootstrap over {held_out.n_groups} {drawn})"
    )
    if _holds_chance(held_out):
        return f"{said}, which holds {CHANCE}: no better than chance on these videos"
    if held_out.auc == held_out.auc_low == 1:
        return f"{said}: no video is ranked wrongly, so these cannot tell how many others would be"
    return said


def _holds_chance(held_out: HeldOut) -> bool:
    low, high = held_out.auc_low, held_out.auc_high
    return low is not None and high is not None and low <= CHANCE <= high


def _how_found(found: Calibration) -> str:
    """Describe how a threshold was chosen, and what took the place of the hourly rate where it had none."""
    footage = f"{found.hours * 60:.1f} min of normal video" + (
        "" if found.unseen else " that the head was trained on"
    )
    alarms = f"{found.alarms} false alarms in {footage}"
    if found.method == "rate":
        return f"{alarms} ({found.per_hour:g} per hour requested)"
    if found.method == "balanced":
        return f"{alarms}; lowered because no abnormal video reached the threshold found on normal videos"
    text = f"{100 * found.quantile:g}% of normal snippets lie below it; {alarms}"
    return text + (", too short to estimate an hourly rate" if found.per_hour * found.hours < 1 else "")


def _abnormal(found: Calibration) -> str:
    if found.n_abnormal is None or found.n_abnormal_flagged is None:
        return TOO_OLD
    return f"{found.n_abnormal_flagged} of {found.n_abnormal}"


def _normal(found: Calibration) -> str:
    if found.n_normal is None or found.n_normal_flagged is None or found.alarm_share is None:
        return TOO_OLD
    share = f"{found.alarm_share:.1%} of their duration"
    return f"{found.n_normal_flagged} of {found.n_normal}, {share}"
