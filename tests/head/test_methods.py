"""Methods are valid settings, and names and titles are of one each."""

from typing import get_args

import pytest

from vadpipe.errors import UsageError
from vadpipe.head.methods import METHODS, find_method, settings_of
from vadpipe.head.settings import HeadSettings, MethodName


def test_there_is_a_method_for_every_name():
    assert tuple(method.name for method in METHODS) == get_args(MethodName)
    assert len({method.title for method in METHODS}) == len(METHODS)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_settings_are_what_a_method_changes(method):
    settings = settings_of(method.name)
    assert settings.method == method.name
    defaults = HeadSettings()
    for name in HeadSettings.model_fields:
        assert getattr(settings, name) == method.changes.get(name, getattr(defaults, name))
    with pytest.raises(TypeError):
        method.changes["steps"] = 1


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("deepmil", (30, 32, 1, 5e-5, 1500)),
        ("rtfm", (32, 32, 3, 1e-3, 15_000)),
        ("ur-dmu", (64, 200, 13, 1e-4, 3000)),
        ("bn-wvad", (64, 200, 13, 1e-4, 1000)),
        ("mgfn", (16, 32, 3, 1e-3, 50_000)),
    ],
)
def test_published_settings(name, published):
    """Bags of each label, segments, how many of them stand for a bag, learning rate, steps."""
    settings = settings_of(name)
    k = max(settings.segments // settings.top_k_divisor + 1, settings.top_k_at_least)
    found = (settings.batch_bags, settings.segments, k, settings.learning_rate, settings.steps)
    assert found == published
    assert (settings.optimiser, settings.smoothing, settings.view_join) == ("adam", 0, "mean")


def test_an_unknown_method_is_refused_with_the_names():
    with pytest.raises(UsageError, match=r"unknown method 'sultani'\nChoose one of: cbcg, deepmil, rtfm, "):
        find_method("sultani")
