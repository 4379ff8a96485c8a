"""Settings are checked before anything is trained."""

import inspect
import re

import pytest

from vadpipe.errors import UsageError
from vadpipe.head.settings import HeadSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lambda": 1}, "unknown setting 'lambda'"),
        ({"temperature": 0}, "greater than 0"),
        ({"cluster_gradient": 1.5}, "less than or equal to 1"),
        ({"memory": "stack"}, "'none', 'queue' or 'ema'"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"checks": 0}, "greater than or equal to 1"),
        ({"false_alarms_per_hour": 0}, "greater than 0"),
        ({"normal_quantile": 1}, "less than 1"),
        ({"whole_bag_weight": -0.1}, "greater than or equal to 0"),
        ({"feature_dropout": 1}, "less than 1"),
        ({"optimiser": "lion"}, "'adam' or 'sgd'"),
        ({"smoothing": -1}, "greater than or equal to 0"),
        ({"smoothing": 101}, "less than or equal to 100"),
        ({"steps": 1.5}, "valid integer"),
        ({"learning_rate": float("nan")}, "finite number"),
        ({"second_head": True}, "set clustering to false"),
    ],
)
def test_mistakes_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        HeadSettings(**values)


def test_settings_survive_json():
    settings = HeadSettings(memory="ema", cluster_gradient=0.5, steps=7)
    assert HeadSettings.model_validate_json(settings.model_dump_json()) == settings


def test_every_setting_is_explained():
    named = re.findall(r"^ {4}(\w+(?:, \w+)*): ", inspect.getdoc(HeadSettings), re.MULTILINE)
    assert sorted(", ".join(named).split(", ")) == sorted(HeadSettings.model_fields)
