"""Which arrays of a file that holds many are videos: by their names alone."""

from pathlib import Path

import pytest

from vadpipe.errors import FeatureError
from vadpipe.published.members import videos_in

FILE = Path("set.h5")


def videos(*addresses, array=None):
    found = videos_in([tuple(address.split("|")) if address else () for address in addresses], array, FILE)
    return {"/".join(name): "|".join(address) for name, address in found}


@pytest.mark.parametrize(
    ("addresses", "names"),
    [
        ([""], [""]),  # a tensor alone
        (["features"], [""]),
        (["01_0014"], [""]),
        (["train|Abuse001|features"], [""]),
        (["01_0014.npy", "01_0015.npy"], ["01_0014.npy", "01_0015.npy"]),
        (["Abuse|Abuse001", "Arrest|Arrest001"], ["Abuse/Abuse001", "Arrest/Arrest001"]),
        (
            ["Abuse|Abuse001", "Abuse|Abuse002", "Normal001"],
            ["Abuse/Abuse001", "Abuse/Abuse002", "Normal001"],
        ),
        (["Abuse001|features", "Abuse002|features"], ["Abuse001", "Abuse002"]),
        (["Abuse001|c3d", "Abuse002|c3d"], ["Abuse001", "Abuse002"]),
        (["Abuse|Abuse001|c3d", "Arrest|Arrest001|c3d"], ["Abuse/Abuse001", "Arrest/Arrest001"]),
        (["Abuse001|features", "Abuse002|feature"], ["Abuse001", "Abuse002"]),
        (["Abuse001|Features", "Abuse002"], ["Abuse001", "Abuse002"]),
        (["fight|1", "fight|2", "normal|1", "normal|2"], ["fight/1", "fight/2", "normal/1", "normal/2"]),
        (["a/b.mp4", "/data/c.mp4", "../../d", "./e//f"], ["a/b.mp4", "data/c.mp4", "d", "e/f"]),
        (["a\nb", "c\udcff", "d\0", "é"], ["a\\nb", "c\\udcff", "d\\x00", "é"]),
    ],
)
def test_names(addresses, names):
    assert [*videos(*addresses)] == names
    assert [*videos(*addresses).values()] == addresses


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        (
            ["features", "labels"],
            "several arrays that may belong to one video: features, labels\n.*--array features",
        ),
        (["rgb", "flow"], "rgb, flow\n.*--array rgb"),
        (["a", "b", "label"], "a, b, label"),
        (["v1", "v2|features", "features"], "v1, features\n.*--array features"),
        (["a|features", "a|picks", "b|features", "b|picks"], "features, picks"),
        ([f"v{i}|{name}" for i in range(3) for name in ("x", "y")], "x, y, x, y|: x, y\n.*--array x"),
        ([f"v{i}|x{j}" for i in range(20) for j in range(10)], "x7 and 2 more\n"),
    ],
)
def test_where_arrays_may_be_of_one_video_the_user_decides(addresses, message):
    with pytest.raises(FeatureError, match=rf"set\.h5: (?s:.)*{message}"):
        videos(*addresses)


def test_an_array_that_is_named_is_taken_of_each_group():
    addresses = ["v1|features", "v1|picks", "v2|features", "features", "x|features|picks"]
    assert videos(*addresses, array="features") == {
        "v1": "v1|features",
        "v2": "v2|features",
        "": "features",
    }
    with pytest.raises(FeatureError, match=r"no array named 'flow'\nIt contains: features, picks\."):
        videos(*addresses, array="flow")
    assert videos("", array="features") == {"": ""}  # a tensor alone has no name to compare


@pytest.mark.parametrize("name", ["", "/", "..", "./.."])
def test_a_name_of_which_nothing_is_left(name):
    with pytest.raises(FeatureError, match="has an array with the invalid name"):
        videos_in([(name,), ("a",)], None, FILE)


def test_no_arrays():
    with pytest.raises(FeatureError, match=r"set\.h5: contains no arrays"):
        videos()
