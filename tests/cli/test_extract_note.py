"""extract says before it begins that the included head will not take its features."""

import json

import pytest

from support.videos import write_video
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.expected_features import expected_recipe
from vadpipe.weights import SHIPPED_HEAD

ITS_OWN = "--backbone i3d --view left,right --stride 8 --window 16,64 --target-fps 12.5"


@pytest.fixture
def plan(command_line, tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", 20)
    monkeypatch.chdir(tmp_path)
    return lambda *more: command_line("extract", "a.mp4", "--dry-run", *more)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--stride", 16], "--stride 16"),
        (["--view", "whole"], "--view whole"),
        (["--crops", 10], "--crops 10"),
        (["--window", 64, "--target-fps", "all"], "--window 64 --target-fps all"),
        (["--window", 16], "--window 16"),
        (["--fps", 10], "--fps 10"),
        (["--backbone", "x3d_s"], "--backbone x3d_s --view whole --window 16 --target-fps all"),
    ],
)
def test_other_features_are_named_and_what_takes_them(plan, options, told):
    result = plan(*options, "-o", "my features")
    assert result.stderr.startswith(
        f"note: the included head takes no features of {told}, only of {ITS_OWN}; "
        "train one that does: vadpipe fit --features 'my features'\n"
    )
    assert result.exit_code == 0


@pytest.mark.parametrize("options", [[], ["--view", "left"], ["--stride", 8], ["--stride", 16, "-q"]])
def test_nothing_is_said_where_they_fit(plan, options):
    assert "note" not in plan(*options).stderr


def test_scripts_get_both_as_json(plan):
    first = json.loads(plan("--stride", 16, "--progress", "json").stderr.splitlines()[0])
    assert first == {
        "kind": "note",
        "expected": ITS_OWN,
        "made": ITS_OWN.replace("--stride 8", "--stride 16"),
    }


def test_the_recipe_is_read_without_the_weights():
    assert expected_recipe(SHIPPED_HEAD) == TrainedHead.load(SHIPPED_HEAD).record.recipe
