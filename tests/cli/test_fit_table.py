"""The table after fitting: how many videos are found at the threshold, beside the false alarms there."""

from pathlib import Path

import pytest

from support.calibrations import make_calibration
from vadpipe.annotations.labels import Label
from vadpipe.cli.terminal import print_fit
from vadpipe.training.cross_validation import StepMetrics
from vadpipe.training.fit import Fit

FOUND = make_calibration(0.5)


def table_of(capsys, **changes) -> dict[str, str]:
    """The rows of the table, name by name."""
    fit = Fit(
        head=Path("head/head.safetensors"),
        last=Path("head/last.safetensors"),
        labels={"a.mp4": Label(True, "a", "folder fight"), "b.mp4": Label(False, "b", "folder normal")},
        unused=[],
        step=10,
        threshold=FOUND.model_copy(update=changes),
        history=[StepMetrics(10, 0.1, 0.1, 0.1, 0.1, 0.947)],
    )
    print_fit(fit)
    rows = (line.strip().partition("  ") for line in capsys.readouterr().out.splitlines())
    return {name: text.strip() for name, _, text in rows}


def test_what_is_found_stands_beside_the_false_alarms(capsys):
    rows = table_of(capsys)
    assert rows["threshold"] == "0.500, 12 false alarms in 120.0 min of normal video (6 per hour requested)"
    assert rows["unseen abnormal videos found"] == "7 of 8"
    assert rows["unseen normal videos with an alarm"] == "5 of 9, 2.0% of their duration"


def test_what_it_learned_from_is_not_called_unseen(capsys):
    rows = table_of(capsys, unseen=False)
    assert "12 false alarms in 120.0 min of normal video that the head was trained on" in rows["threshold"]
    assert rows["abnormal training videos found"] == "7 of 8"
    assert rows["normal training videos with an alarm"] == "5 of 9, 2.0% of their duration"
    assert not [name for name in rows if name.startswith("unseen")]


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
def test_how_the_threshold_was_found(capsys, changes, said):
    assert table_of(capsys, **changes)["threshold"] == f"0.500, {said}"
