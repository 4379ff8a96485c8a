"""fit takes from memory what it reads from files, and makes the same head of it."""

import numpy as np
import pandas
import pytest
from safetensors.numpy import load_file

import vadpipe
from support.feature_files import write_features
from support.labelled_features import QUICK
from vadpipe.errors import UsageError
from vadpipe.features.folder import FeatureFolder
from vadpipe.head.checkpoint import TrainedHead


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    for kind in ("normal", "fight"):
        write_features(folder, kind, 4)
    return folder


@pytest.fixture(scope="module")
def features(folder):
    return {features.source.video: features for features in FeatureFolder(folder).load()}


@pytest.fixture
def arrays(features):
    return {video: item.values[:, 0] for video, item in features.items()}


def weights(head):
    return {name: value.tolist() for name, value in load_file(head).items()}


def test_features_in_memory_give_the_same_head(folder, features, tmp_path):
    read = vadpipe.fit(folder, output=tmp_path / "a", settings=QUICK)
    passed = vadpipe.fit(features, output=tmp_path / "b", settings=QUICK)
    assert passed.head.read_bytes() == read.head.read_bytes()


def test_labels_and_settings_in_memory_give_the_same_head(arrays, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,label\n" + "".join(f"{name},{int('fight' in name)}\n" for name in arrays))
    settings = QUICK.model_dump(exclude_defaults=True)
    heads = [
        vadpipe.fit(arrays, labels=labels, output=tmp_path / str(number), settings=chosen).head
        for number, (labels, chosen) in enumerate(
            [
                (path, QUICK),
                (pandas.read_csv(path), settings),
                ({name: "fight" in name for name in arrays}, settings),
                (None, settings),  # by the folders in their names
            ]
        )
    ]
    assert len({str(weights(head)) for head in heads}) == 1
    record = TrainedHead.load(heads[0]).record
    assert record.recipe.backbone == "imported:arrays"
    assert record.settings == QUICK.model_copy(update={"context": "none"})


def test_a_method_by_name_brings_its_published_settings(arrays, tmp_path):
    from vadpipe.head.methods import settings_of

    given = {"method": "deepmil", "steps": 6, "checks": 3, "folds": 2}
    head = vadpipe.fit(arrays, output=tmp_path / "head", settings=given).head
    expected = settings_of("deepmil").model_dump() | given
    assert TrainedHead.load(head).record.settings.model_dump() == expected


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"settings": {"stepz": 1}}, "unknown setting 'stepz': did you mean 'steps'?\nThe settings are: "),
        ({"settings": {"steps": "many"}}, "steps: Input should be a valid integer"),
        ({"settings": {"steps": 0}}, "steps: Input should be greater than or equal to 1"),
        ({"settings": {"method": "rtfm", "memory": "none"}}, "RTFM does not use the setting memory"),
        ({"settings": {"method": "rtfn"}}, "unknown method 'rtfn'\nChoose one of: cbcg"),
        ({"settings": [1]}, "settings is of type list\nPass vadpipe.HeadSettings, or a dictionary"),
        ({"labels": 7}, "labels is 7\nPass a path, a data frame of pandas or a dictionary"),
        ({"normal": 3}, "normal is 3\nPass a text or several as normal"),
        ({"seed": "x"}, "seed is 'x'\nPass a whole number as seed"),
        ({"output": 3}, "output is 3\nPass a path as output"),
        ({"device": 0}, "device is 0\nPass a text as device"),
        ({"backbone": 3}, "backbone is 3\nPass a text, or None as backbone"),
        ({"seeds": "a"}, "seeds is 'a'\nPass a whole number as seeds"),
        ({"seeds": 2.5}, "seeds is 2.5\nPass a whole number as seeds"),
        ({"seeds": True}, "seeds is True\nPass a whole number as seeds"),
        ({"recipe": 3}, "recipe is 3\nPass a text or several as recipe"),
        ({"from_head": 3}, "from_head is 3\nPass a path, or None as from_head"),
        ({"ensemble": 1}, "ensemble is 1\nPass True or False as ensemble"),
        ({"tensorboard": 1}, "tensorboard is 1\nPass a path, or None as tensorboard"),
        (
            {"labels": {"000.mp4": [1]}},
            "labels (dictionary): the label of '000.mp4' is of type list\nPass 0 or 1",
        ),
        ({"features": 5}, "features is 5\nPass a folder of feature files, or a dictionary"),
    ],
    ids=str,
)
def test_wrong_ones_are_refused_by_name(arrays, tmp_path, wrong, message):
    with pytest.raises(UsageError) as caught:
        vadpipe.fit(**{"features": arrays, "output": tmp_path / "head", **wrong})
    assert message in str(caught.value)
    assert not (tmp_path / "head").exists()


def test_one_normal_folder_is_a_name_and_not_letters(arrays, tmp_path):
    result = vadpipe.fit(arrays, normal="normal", output=tmp_path / "head", settings=QUICK)
    assert {name: label.abnormal for name, label in result.labels.items()} == {
        name: "fight" in name for name in arrays
    }


def test_copies_among_arrays_are_known(arrays, tmp_path, caplog):
    name = next(iter(arrays))
    arrays["videos/normal/copy"] = np.array(arrays["videos/normal/0.mp4"])
    vadpipe.fit(arrays, output=tmp_path / "head", settings=QUICK)
    assert "are the same video" in caplog.text
    assert name in arrays
