"""The JSON document: a schema that others can check it with, the same numbers back, and no lies."""

import json

import jsonschema
import numpy as np
import pytest
from hypothesis import given

import vadpipe
from support.curves import curves, event_curve, explanations_of, with_places, without_events
from support.environment import ROOT
from support.hostile_names import HOSTILE
from vadpipe.curves.curve import Curve
from vadpipe.curves.events import EventRule
from vadpipe.errors import FeatureError, OutputError
from vadpipe.features.views import Place
from vadpipe.output.json_document import read_document, schema, write_document

PUBLISHED = ROOT / "docs" / "scores.schema.json"
REWRITE = (
    "the schema has changed: raise schema_version where readers would notice, and write it again with\n"
    "python -c 'import json; from vadpipe.output.json_document import schema; "
    f"print(json.dumps(schema(), indent=2))' > {PUBLISHED.relative_to(ROOT)}"
)


def no_constants(name):
    raise AssertionError(f"{name} is not JSON")


def loaded(path):
    """Read strictly, and check it against the published schema by a library that did not make it."""
    content = json.loads(path.read_text("utf-8"), parse_constant=no_constants)
    validator = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text()))
    validator.validate(content)
    return content


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("documents") / "clip.scores.json"


def test_the_published_schema_is_that_of_the_model():
    assert json.loads(PUBLISHED.read_text()) == schema(), REWRITE  # not as text: pydantic 2.8 writes 1.0 as 1
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_field_of_the_schema_is_described():
    found = schema()
    for record in (found, *found["$defs"].values()):
        assert record["description"]
        for name, field in record["properties"].items():
            assert field.get("description"), name
            assert not name.endswith("_s") or "seconds" in field["description"], name


def test_what_it_holds(path):
    curve = event_curve()
    write_document(curve, path, explanations_of(curve))
    content = loaded(path)
    first, second = content.pop("events")
    assert list(content) == [
        "schema_version", "vadpipe", "video", "n_frames", "end_s", "n_unscored", "threshold", "rule", "curve",
        "places",
    ]  # fmt: skip
    assert content["places"] is None
    assert content["schema_version"] == 2
    assert content["vadpipe"] == vadpipe.__version__
    assert content["video"] == "videos/clip.mp4"
    assert (content["n_frames"], content["end_s"], content["n_unscored"]) == (200, 8.0, 2)
    assert content["threshold"] == 0.5
    assert content["rule"] == {"hysteresis": 0.5, "merge_gap_s": 1.0, "min_length_s": 0.0}
    assert content["curve"]["scores"][49:53] == [0.1, None, None, 0.1]
    assert content["curve"]["times_s"][3] == 0.12
    assert second == {
        "start_s": 4.0, "end_s": 4.04, "start_frame": 100, "stop_frame": 101,
        "peak": 0.6180339, "peak_s": 4.0, "peak_frame": 100, "mean": 0.618034, "place": None,
        "explanation": None,
    }  # fmt: skip
    assert (first["peak"], first["peak_frame"], first["mean"]) == (0.93, 26, 0.769)
    assert first["explanation"] == {
        "snippets": [
            {"start_frame": 16, "stop_frame": 32, "start_s": 0.64, "end_s": 1.28, "score": 0.98},
            {"start_frame": 24, "stop_frame": 40, "start_s": 0.96, "end_s": 1.6, "score": 0.1},
        ],
        "heat": [[-0.25, -0.125, 0.0], [0.125, 0.25, 0.375], [0.5, 0.625, 0.75]],
        "box": {"left": 0.0, "top": 0.333333, "right": 0.666667, "bottom": 1.0},
        "still_s": 0.96,
    }


def test_events_have_the_names_of_their_fields(path):
    curve = event_curve()
    write_document(curve, path)
    event = curve.events[1].to_dict()
    assert [*event, "place", "explanation"] == list(loaded(path)["events"][1])
    assert {type(value) for value in event.values()} == {float, int}
    assert event == pytest.approx(
        {"start_s": 4.0, "end_s": 4.04, "start_frame": 100, "stop_frame": 101}
        | {"peak": 0.6180339, "peak_s": 4.0, "peak_frame": 100, "mean": 0.6180339}
    )


def test_places_are_those_of_each_event_and_of_each_frame(path):
    places = (Place("left", (0.0, 0.0, 0.5625, 1.0)), Place("whole"))
    curve = with_places(event_curve(), places, [30])
    write_document(curve, path)
    content = loaded(path)
    left = {"view": "left", "box": {"left": 0.0, "top": 0.0, "right": 0.5625, "bottom": 1.0}}
    whole = {"view": "whole", "box": None}
    assert [event["place"] for event in content["events"]] == [left, whole]
    assert content["places"] == {"places": [left, whole], "leading": [0] * 30 + [1] * 170}
    other = Curve.from_json(path).at(0.05)  # also of events that the document does not have
    assert [(event.peak_frame, other.place(event)) for event in other.events] == [(26, places[0])]
    assert other.place_at(50) is None  # which has no score
    lines = path.read_text("utf-8").splitlines()
    assert [line.split(":")[0].strip() for line in lines if len(line) > 500] == [
        '"times_s"', '"scores"', '"leading"',
    ]  # fmt: skip


def test_documents_that_do_not_know_of_places_are_read(path):
    """As they were written before there were any."""

    def before(content):
        del content["places"]
        for event in content["events"]:
            del event["place"]

    back = Curve.from_json(changed(path, before))
    assert [(event.start, event.stop) for event in back.events] == [(20, 40), (100, 101)]
    assert (back.places, [*map(back.place, back.events)]) == ((), [None, None])


def test_people_can_read_it(path):
    curve = event_curve()
    write_document(curve, path, explanations_of(curve))
    lines = path.read_text("utf-8").splitlines()
    assert lines[:3] == ["{", '  "schema_version": 2,', f'  "vadpipe": "{vadpipe.__version__}",']
    assert '      "start_s": 0.8,' in lines
    assert '          [-0.25, -0.125, 0.0],' in lines  # fmt: skip
    assert [line.split(":")[0] for line in lines if len(line) > 500] == ['    "times_s"', '    "scores"']
    assert len(lines) < 80


@given(curve=curves())
def test_the_same_curve_comes_back(path, curve):
    write_document(curve, path)
    loaded(path)
    back, document = read_document(path)
    np.testing.assert_array_equal(back.scores.view(np.int32), _quiet(curve.scores).view(np.int32))
    assert back.scores.dtype == np.float32
    np.testing.assert_allclose(back.times_s, curve.times_s, atol=5.1e-7, rtol=0)
    assert (back.video, back.threshold, back.rule) == (curve.video, curve.threshold, curve.rule)
    assert back.end_s == document.end_s == pytest.approx(curve.end_s, abs=5.1e-7)
    assert len(back.events) == len(curve.events) == len(document.events)
    for found, event in zip(back.events, curve.events, strict=True):
        assert found.to_dict() == pytest.approx(event.to_dict(), abs=5.1e-7)
        assert (found.start, found.stop, found.peak) == (event.start, event.stop, event.peak)
    assert (back.places, back.leading.tolist()) == (curve.places, curve.leading.tolist())
    assert [*map(back.place, back.events)] == [*map(curve.place, curve.events)]
    first = path.read_bytes()
    back.to_json(path)
    assert path.read_bytes() == first


def _quiet(scores):
    """Return the scores with the one NaN that Python has."""
    return np.where(np.isnan(scores), np.float32("nan"), scores)


def test_a_gap_of_exactly_the_rule_stays_one_when_times_are_rounded(path):
    # 24 frames at 24 frames per second are a second or a little less, as the last bit of their times has it.
    scores = np.zeros(48, np.float32)
    scores[[0, 25]] = 0.9
    curve = Curve("clip.mp4", scores, np.arange(48) / 24, 2.0, 0.5)
    curve.to_json(path)
    back = Curve.from_json(path)
    assert [(event.start, event.stop) for event in curve.events] == [(0, 1), (25, 26)]
    for again in (back, back.at(0.5)):  # as it was read, and sought again
        assert [(event.start, event.stop) for event in again.events] == [(0, 1), (25, 26)]


def test_events_are_read_and_not_sought_again(path):
    curve = event_curve()
    curve.to_json(path)
    document = json.loads(path.read_text())
    del document["events"][0]
    path.write_text(json.dumps(document))
    assert len(Curve.from_json(path).events) == len(curve.events) - 1


def test_another_threshold_of_a_read_curve_finds_other_events(path):
    write_document(event_curve(), path)
    back = Curve.from_json(path)
    assert len(back.events) == 2
    assert len(back.at(0.9).events) == 1
    assert back.at(0.5, EventRule(merge_gap_s=10)).events[0].stop == 101


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names(path, name):
    write_document(event_curve(video=f"videos/{name}"), path)
    shown = name.encode("utf-8", "backslashreplace").decode()
    assert loaded(path)["video"] == f"videos/{shown}"
    assert Curve.from_json(path).video == f"videos/{shown}"


def test_a_document_without_a_threshold_has_no_events(path):
    write_document(Curve("a.mp4", np.ones(1, np.float32), np.zeros(1), 0.04), path)
    content = loaded(path)
    assert (content["threshold"], content["events"]) == (None, [])
    write_document(without_events(), path)
    assert Curve.from_json(path).events == []


def changed(path, change, curve=None):
    """Write a document that something is changed in."""
    write_document(event_curve() if curve is None else curve, path)
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    return path


def at(*keys, value):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (at("schema_version", value=3), "has schema_version 3; this vadpipe reads 1 and 2"),
        (at("schema_version", value="1"), "has schema_version '1'; this vadpipe reads 1 and 2"),
        (lambda c: c.pop("schema_version"), "is not a scores document: it has no schema_version"),
        (lambda c: c.pop("rule"), "is not a valid scores document: rule: Field required"),
        (at("more", value=1), "is not a valid scores document: more: Extra inputs are not permitted"),
        (at("a\nb", value=1), r"scores document: a\nb: Extra inputs are not permitted"),
        (at("n_frames", value=200.5), "n_frames: Input should be a valid integer"),
        (at("end_s", value="8"), "end_s: Input should be a valid number"),
        (at("threshold", value=float("nan")), "threshold: Input should be a finite number"),
        (at("curve", "scores", 7, value=1.5), "curve.scores.7: Input should be less than or equal to 1"),
        (at("events", 0, "peak", value=float("inf")), "events.0.peak: Input should be a finite number"),
        (at("n_frames", value=199), "contradicts itself: it has 200 times for 199 frames"),
        (lambda c: c["curve"]["scores"].pop(), "contradicts itself: it has 199 scores for 200 frames"),
        (at("n_unscored", value=3), "contradicts itself: 2 frames have no score, but n_unscored is 3"),
        (at("curve", "times_s", 9, value=0.01), "contradicts itself: its times run backwards"),
        (at("end_s", value=7.0), "contradicts itself: its times run backwards"),
        (at("threshold", value=None), "contradicts itself: it has events but no threshold"),
        (at("events", 1, "start_frame", value=39), "the frames of event 2 are out of order"),
        (at("events", 1, "stop_frame", value=201), "the frames of event 2 are out of order"),
        (at("events", 0, "start_s", value=0.81), "the times of event 1 are not those of its frames"),
        (at("events", 0, "peak", value=0.94), "the peak of event 1 is not the score of its frame"),
    ],
)
def test_documents_that_are_none_are_refused(path, change, reason):
    changed(path, change)
    with pytest.raises(FeatureError) as caught:
        read_document(path)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"{path}: ")
    assert reason in lines[0]
    assert lines[1:] == ["Write it again with 'vadpipe score --format json'."]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["places"]["leading"].pop(), "it has 199 leading places for 200 frames"),
        (at("places", "leading", 3, value=2), "it has 2 places, but refers to number 2"),
        (at("events", 0, "place", value=None), "the place of event 1 is not that of its peak"),
        (at("events", 1, "place", "view", value="left"), "the place of event 2 is not that of its peak"),
        (at("places", value=None), "the place of event 1 is not that of its peak"),
        (lambda c: c["places"]["places"].pop(), "places.places: Tuple should have at least 2 items"),
        (at("places", "places", 0, "box", "left", value=-0.1), "places.places.0.box.left: Input should be"),
    ],
)
def test_places_that_contradict_each_other_are_refused(path, change, reason):
    with pytest.raises(FeatureError, match=f"^{path}: .*{reason}"):
        read_document(changed(path, change, with_places(event_curve())))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a JSON document: Invalid JSON: EOF"),
        (b"\xff\xfe", "is not a JSON document: Invalid JSON"),
        (b"[1, 2", "is not a JSON document: Invalid JSON: EOF"),
        (b"[1, 2]", "is not a valid scores document: Input should be an object"),
        (b"frame,time_s,score\n0,0.000000,0.5\n", "is not a JSON document"),
        (b"[" * 100_000, "is not a JSON document: Invalid JSON: recursion limit"),
    ],
)
def test_other_files_are_refused(path, content, reason):
    path.write_bytes(content)
    with pytest.raises(FeatureError, match=reason):
        Curve.from_json(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FeatureError, match="none.json: cannot be read: No such file or directory"):
        Curve.from_json(tmp_path / "none.json")


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_document(event_curve(), tmp_path / "file" / "clip.scores.json")


def test_version_1_has_a_difference_of_scores_as_hysteresis(tmp_path):
    path = tmp_path / "one.json"
    write_document(event_curve(), path)
    content = loaded(path)
    content["schema_version"] = 1
    content["rule"]["hysteresis"] = 0.25 * content["threshold"]
    path.write_text(json.dumps(content))
    assert read_document(path)[0].rule.hysteresis == pytest.approx(0.25)
