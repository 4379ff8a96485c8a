"""Settings are checked before anything is trained."""

import pytest
from pydantic import ValidationError

from vadpipe.head.settings import HeadSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lambda": 1}, "Extra inputs are not permitted"),
        ({"temperature": 0}, "greater than 0"),
        ({"cluster_gradient": 1.5}, "less than or equal to 1"),
        ({"memory": "stack"}, "'none', 'queue' or 'ema'"),
        ({"holdout": 1}, "less than 1"),
        ({"second_head": True}, "set clustering to false"),
    ],
)
def test_mistakes_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        HeadSettings(**values)


def test_settings_survive_json():
    settings = HeadSettings(memory="ema", cluster_gradient=0.5, steps=7)
    assert HeadSettings.model_validate_json(settings.model_dump_json()) == settings


def test_every_setting_is_explained():
    undocumented = [name for name in HeadSettings.model_fields if name not in HeadSettings.__doc__]
    assert undocumented == []
