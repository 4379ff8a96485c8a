"""Presets are valid settings, and a wrong name is told which there are."""

import pytest

from vadpipe.errors import UsageError
from vadpipe.head.presets import PRESETS, find_preset
from vadpipe.head.settings import HeadSettings


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_is_valid_and_changes_what_it_says(preset):
    settings = HeadSettings.model_validate(dict(preset.changes))
    for name, value in preset.changes.items():
        assert getattr(settings, name) == value
        assert type(getattr(settings, name)) is type(value)
    assert preset.tells


def test_names_are_of_one_preset_each_and_none_can_be_changed():
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)
    for preset in PRESETS:
        assert find_preset(preset.name) is preset
        with pytest.raises(TypeError):
            preset.changes["steps"] = 1


def test_the_baseline_is_without_clusters_and_the_literal_one_without_what_is_ours():
    baseline, literal = (
        HeadSettings.model_validate(dict(find_preset(name).changes)) for name in ("baseline", "literal")
    )
    assert (baseline.clustering, baseline.guided, baseline.second_head) == (False, False, False)
    assert (literal.clustering, literal.memory, literal.guided) == (True, "queue", True)
    assert literal.cluster_gradient == 1
    assert (literal.whole_bag_weight, literal.feature_dropout, literal.smoothing) == (0, 0, 0)


def test_the_default_preset_changes_nothing():
    assert dict(find_preset("default").changes) == {}


def test_an_unknown_preset_is_refused_with_the_names():
    with pytest.raises(
        UsageError, match=r"unknown preset 'fast'\nChoose one of: default, baseline, literal, "
    ):
        find_preset("fast")
