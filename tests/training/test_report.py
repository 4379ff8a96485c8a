"""What a training showed, in words: each figure with its reason, and warnings where the head is not to be trusted."""

import pytest

from support.calibrations import make_calibration, make_held_out
from vadpipe.training.report import threshold_warnings, training_rows, training_warnings

FOUND = make_calibration(0.5)


def rows_of(held_out=None, **changes):
    return training_rows(FOUND.model_copy(update=changes), held_out or make_held_out())


# ---- AUC -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "0.947, 95 % interval 0.812 to 0.990 (bootstrap over 14 groups)"),
        ({"n_groups": 17}, "0.947, 95 % interval 0.812 to 0.990 (bootstrap over 17 videos)"),
        (
            {"auc": 0.61, "auc_low": 0.5, "auc_high": 0.8},
            "0.610, 95 % interval 0.500 to 0.800 (bootstrap over 14 groups), which holds 0.5: no better than "
            "chance on these videos",
        ),
        (
            {"auc": 1.0, "auc_low": 1.0, "auc_high": 1.0},
            "1.000, 95 % interval 1.000 to 1.000 (bootstrap over 14 groups): no video is ranked wrongly, so "
            "these cannot tell how many others would be",
        ),
        (
            {"auc": None, "auc_low": None, "auc_high": None, "n_normal_groups": 3, "n_abnormal_groups": 12},
            "-, 3 groups of videos with a normal and 12 with an abnormal one are too few to judge by (8 of each "
            "are needed); using the last step",
        ),
        (
            {"auc_low": None, "auc_high": None},
            "0.947, without an interval: no resample of the groups held both labels",
        ),
    ],
)
def test_an_auc_has_its_interval_or_its_reason(changes, said):
    assert rows_of(make_held_out(**changes))["AUC of held-out videos"] == said


def test_figures_that_an_older_head_does_not_know_say_so():
    older = {"n_normal": None, "n_normal_flagged": None, "n_abnormal": None, "n_abnormal_flagged": None}
    rows = training_rows(FOUND.model_copy(update=older), None)
    said = "-, the head was trained before this was recorded"
    assert [rows.pop(name) for name in list(rows) if name != "threshold"] == [said] * 3
    assert training_warnings(FOUND.model_copy(update=older), None) == []


@pytest.mark.parametrize(
    ("auc", "low", "high", "said"),
    [
        (0.95, 0.51, 1.0, None),
        (
            0.6, 0.5, 0.7,
            "the interval of the AUC of held-out videos, 0.600 (95 % interval 0.500 to 0.700), holds 0.5: nothing "
            "shows that the head does better than chance; check the labels, or train on more videos of more places",
        ),
        (0.4, 0.3, 0.5, "holds 0.5: nothing shows"),
        (
            0.3, 0.2, 0.49,
            "the AUC of held-out videos, 0.300 (95 % interval 0.200 to 0.490), is below 0.5: abnormal videos score "
            "lower than normal ones; check whether labels are swapped, or groups differ in more than the label",
        ),
        (None, None, None, None),
        (0.9, None, None, None),
    ],
)  # fmt: skip
def test_an_auc_that_may_be_chance_is_warned_of(auc, low, high, said):
    warnings = training_warnings(FOUND, make_held_out(auc=auc, auc_low=low, auc_high=high))
    assert len(warnings) == (said is not None)
    assert all(said in warning for warning in warnings)


# ---- threshold -----------------------------------------------------------------------------------


def test_what_is_found_stands_beside_the_false_alarms():
    rows = rows_of()
    assert rows["threshold"] == "0.500, 12 false alarms in 120.0 min of normal video (6 per hour requested)"
    assert rows["held-out abnormal videos that reach it"] == "7 of 8"
    assert rows["held-out normal videos with an alarm"] == "5 of 9, 2.0% of their duration"


def test_what_it_learned_from_is_not_called_held_out():
    rows = rows_of(unseen=False)
    assert "12 false alarms in 120.0 min of normal video that the head was trained on" in rows["threshold"]
    assert rows["abnormal training videos that reach it"] == "7 of 8"
    assert rows["normal training videos with an alarm"] == "5 of 9, 2.0% of their duration"
    assert training_warnings(FOUND.model_copy(update={"unseen": False}), make_held_out()) == [
        "the threshold was set on training videos: there are too few to hold any out"
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"method": "balanced"},
            "12 false alarms in 120.0 min of normal video; lowered because no abnormal video reached the "
            "threshold found on normal videos",
        ),
        (
            {"method": "quantile"},
            "95% of normal snippets lie below it; 12 false alarms in 120.0 min of normal video",
        ),
        (
            {"method": "quantile", "hours": 0.1},
            "95% of normal snippets lie below it; 12 false alarms in 6.0 min of normal video, too short to "
            "estimate an hourly rate",
        ),
    ],
)
def test_how_the_threshold_was_found(changes, said):
    assert rows_of(**changes)["threshold"] == f"0.500, {said}"


def test_a_threshold_that_no_abnormal_video_reaches_is_warned_of_with_what_to_do():
    (warning,) = training_warnings(FOUND.model_copy(update={"n_abnormal_flagged": 0}), make_held_out())
    assert warning == (
        "no held-out abnormal video reached the threshold found on normal videos, and no lower threshold flags a "
        "larger share of the abnormal than of the normal videos: the head cannot tell them apart, and will hardly "
        "raise an alarm; check the labels, train on more videos, or score with a lower --threshold"
    )


def test_a_threshold_that_was_lowered_is_warned_of_with_what_that_costs():
    lowered = FOUND.model_copy(update={"method": "balanced"})
    assert threshold_warnings(lowered, "at the last step, ") == [
        "at the last step, no held-out abnormal video reached the threshold found on normal videos; it was lowered "
        "to 0.500, at which 7 of 8 abnormal videos are found and 5 of 9 normal videos raise an alarm"
    ]
