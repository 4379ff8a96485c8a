"""Arguments of a wrong type are refused by name."""

from pathlib import Path

import numpy as np
import pytest

from vadpipe.errors import UsageError
from vadpipe.files.arguments import NUMBER, PATH, SWITCH, TEXT, WHOLE, check_arguments, names_of, path_of


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a", PATH), (Path("a"), PATH), (None, PATH.or_none), ("a", TEXT), (3, WHOLE), (np.int64(3), WHOLE),
        (3, NUMBER), (0.5, NUMBER), (np.float32(0.5), NUMBER), (True, SWITCH),
    ],
)  # fmt: skip
def test_what_fits_passes(value, kind):
    check_arguments(name=(value, kind))


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (5, PATH, "name is 5\nPass a path as name."),
        (None, PATH, "name is None\nPass a path as name."),
        (b"a", PATH, "name is b'a'\n"),
        (True, WHOLE, "name is True\nPass a whole number as name."),
        (1.5, WHOLE, "name is 1.5\nPass a whole number as name."),
        ("1", NUMBER.or_none, "name is '1'\nPass a number, or None as name."),
        ([1], TEXT, "name is of type list\nPass a text as name."),
        ("x" * 50, SWITCH, "name is of type str\nPass True or False as name."),
    ],
)
def test_what_does_not_is_named(value, kind, message):
    with pytest.raises(UsageError) as caught:
        check_arguments(other=("a", TEXT), name=(value, kind))
    assert message in str(caught.value)


def test_one_name_is_not_its_letters():
    assert names_of("noFight", "normal") == ["noFight"]
    assert names_of(iter(["a", "b"]), "normal") == ["a", "b"]
    for wrong in (3, [3], None):
        with pytest.raises(UsageError, match="normal is .*\nPass a text or several as normal"):
            names_of(wrong, "normal")


def test_a_path_is_returned_as_one():
    assert path_of("output", "a") == Path("a")
    with pytest.raises(UsageError, match="output is 3\nPass a path as output"):
        path_of("output", 3)
