"""The table after fitting: what the head was trained on, and what the training showed."""

from pathlib import Path

from rich.table import Table

from support.calibrations import make_calibration, make_held_out
from vadpipe.annotations.labels import Label
from vadpipe.cli.fit_table import print_fit
from vadpipe.output.terminal import table_console
from vadpipe.training.history import StepMetrics
from vadpipe.training.result import Fit, SeedRun


def table_of(capsys, runs=(), ensemble=False) -> dict[str, str]:
    """The rows of the table, name by name."""
    fit = Fit(
        head=Path("head/head.safetensors"),
        last=Path("head/last.safetensors"),
        labels={"a.mp4": Label(True, "a", "folder fight"), "b.mp4": Label(False, "b", "folder normal")},
        unused=[],
        step=10,
        threshold=make_calibration(0.5),
        held_out=make_held_out(),
        history=[StepMetrics(10, 0.1, 0.1, 0.1, 0.1, 0.947)],
        runs=list(runs),
        ensemble=ensemble,
    )
    print_fit(fit)
    rows = (line.strip().partition("  ") for line in capsys.readouterr().out.splitlines())
    return {name: text.strip() for name, _, text in rows}


def test_the_table_says_what_was_learned_from_and_what_it_is_worth(capsys):
    assert table_of(capsys) == {
        "folder fight": "1 videos, abnormal",
        "folder normal": "1 videos, normal",
        "checkpoint": "step 10 of 10",
        "AUC of held-out videos": "0.947, 95 % interval 0.812 to 0.990 (bootstrap over 14 groups)",
        "threshold": "0.500, 12 false alarms in 120.0 min of normal video (6 per hour requested)",
        "held-out abnormal videos that reach it": "7 of 8",
        "held-out normal videos with an alarm": "5 of 9, 2.0% of their duration",
        "head": "head/head.safetensors",
    }


def make_run(seed, auc):
    history = [StepMetrics(step, 0.1, 0.1, 0.1, 0.1, auc) for step in (5, 10)]
    return SeedRun(seed, 5, make_calibration(0.5), make_held_out(auc=auc), history)


def test_several_seeds_have_a_row_each_and_their_spread(capsys):
    rows = table_of(capsys, [make_run(3, 0.9), make_run(4, 0.8), make_run(5, 0.85)])
    assert [rows[f"seed {seed}"] for seed in (3, 4, 5)] == [
        f"step 5 of 10, AUC {auc:.3f}" for auc in (0.9, 0.8, 0.85)
    ]
    assert rows["head"] == "head/head.safetensors, of seed-3; the others are in seed-4, seed-5"
    assert rows["AUC of 3 seeds"] == "0.800 to 0.900, mean 0.850, deviation 0.050"


def test_seeds_that_cannot_be_judged_say_so_and_have_no_spread(capsys):
    rows = table_of(capsys, [make_run(3, None), make_run(4, None)], ensemble=True)
    assert rows["seed 4"] == "step 5 of 10, AUC -, see below"
    assert not [name for name in rows if name.startswith("AUC of 2")]
    assert rows["head"] == "head/head.safetensors, averages 2 heads"
    assert "checkpoint" not in rows


def test_piped_lines_have_no_blanks_at_their_ends(capsys):
    with table_console() as console:
        table = Table(show_header=False, box=None)
        table.add_row("a", "long " * 100)
        table.add_row("b", "short")
        console.print(table)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2  # not truncated
    assert [line for line in lines if line != line.rstrip()] == []
    assert lines[1].split() == ["b", "short"]


def test_a_fit_shows_itself_in_one_line():
    runs = [make_run(3, 0.9)]
    label = Label(True, "a", "folder fight")
    fit = Fit(
        Path("head.safetensors"),
        None,
        {"a.mp4": label},
        ["b"],
        5,
        make_calibration(0.5),
        make_held_out(),
        [],
        runs,
    )
    assert repr(fit) == "Fit(head='head.safetensors', videos=1, seeds=1, step=5, auc=0.947, threshold=0.500)"
