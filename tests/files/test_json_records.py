"""Records in JSON: read, or refused before they take more memory than their text is worth."""

import json

import pytest

from vadpipe.files.json_records import MOST_NAMES, MOST_VALUES, parse_record


@pytest.mark.parametrize(
    "value", [None, 0, "a", [], {}, [1, [2.5, {"a": "b,c"}]], {"x": {"y": [True, None]}}]
)
def test_what_is_json_is_read(value):
    assert parse_record(json.dumps(value)) == value


@pytest.mark.parametrize("part", ["1,", "[],", '{"a":1},'])
def test_as_many_values_as_a_record_holds(part):
    """Each comma and each bracket that opens counts one."""
    counted = sum(map(part.count, ",[{"))
    n_parts = (MOST_VALUES - 1) // counted
    assert len(parse_record(f"[{part * (n_parts - 1)}{part[:-1]}]")) == n_parts
    with pytest.raises(ValueError, match=r"it has more than 2,097,152 values"):
        parse_record(f"[{part * (n_parts + 1)}1]")


def test_exactly_as_many():
    text = f"[{'1,' * (MOST_VALUES - 1)}1]"
    assert len(parse_record(text)) == MOST_VALUES
    with pytest.raises(ValueError, match="more than"):
        parse_record(f"[{text}]")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_no_traceback_of_another_kind(opening):
    with pytest.raises(ValueError, match="nested too deeply|Expecting"):
        parse_record(opening * 100_000)


def test_as_many_names_as_an_object_of_a_record_has():
    names = {f"{index}": index for index in range(MOST_NAMES)}
    assert parse_record(json.dumps({"a": names})) == {"a": names}
    with pytest.raises(ValueError, match="an object has more than 1000 names"):
        parse_record(json.dumps({"a": names | {"one more": 0}}))


def test_what_is_no_json():
    with pytest.raises(ValueError, match="Expecting"):
        parse_record("{")
