"""The picture of a training draws what the history holds."""

import math

import pytest
from matplotlib.figure import Figure

from support.calibrations import make_calibration, make_held_out
from vadpipe.training.history import StepMetrics
from vadpipe.training.plot import plot_training
from vadpipe.training.result import SeedRun


def make_run(seed=0, auc=0.9):
    history = [
        StepMetrics(step, 1 / step, 2 / step, 0.1, 0.1, None if auc is None else auc - 0.1 / step)
        for step in (2, 4, 6)
    ]
    held_out = make_held_out() if auc is not None else make_held_out(auc=None, auc_low=None, auc_high=None)
    return SeedRun(seed, 4, make_calibration(0.5), held_out, history)


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Return what draws runs and gives the two axes."""
    figures, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)

    def draw(runs):
        plot_training(runs, tmp_path / "training.png")
        assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
        return figures[-1].axes

    return draw


def lines_of(axes):
    return {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}


def test_losses_auc_and_the_picked_step_are_drawn(drawn):
    losses, aucs = drawn([make_run()])
    assert lines_of(losses)["of labels"] == [[2, 1 / 2], [4, 1 / 4], [6, 1 / 6]]
    assert lines_of(losses)["of clusters"] == [[2, 1], [4, 1 / 2], [6, 1 / 3]]
    assert lines_of(aucs)["AUC"] == [[2, 0.9 - 0.1 / 2], [4, 0.9 - 0.1 / 4], [6, 0.9 - 0.1 / 6]]
    for axes in (losses, aucs):
        assert [x for x, _ in lines_of(axes)["picked step 4"]] == [4, 4]
    (interval,) = aucs.collections
    assert interval.get_segments()[0].tolist() == [[4, 0.812], [4, 0.99]]


def test_every_seed_is_drawn_and_named_once(drawn):
    losses, aucs = drawn([make_run(), make_run(1, 0.7)])
    assert len(losses.get_lines()) == 2 * 3
    assert [text.get_text() for text in aucs.get_legend().get_texts()] == [
        "AUC", "picked steps", "95 % interval", "chance",
    ]  # fmt: skip


def test_an_auc_that_there_is_not_has_its_reason(drawn):
    _, aucs = drawn([make_run(auc=None)])
    assert all(math.isnan(auc) for _, auc in lines_of(aucs)["AUC"])
    assert [text.get_text() for text in aucs.texts] == ["too few groups of videos to judge by"]
    assert not aucs.collections
