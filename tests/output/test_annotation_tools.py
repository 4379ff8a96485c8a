"""Labels for FiftyOne, Label Studio and CVAT: their format's rules, and their own readers where installed.

The three readers need hundreds of megabytes each, so none is installed for the tests. To check with them:
pip install fiftyone, label-studio-sdk or datumaro beside vadpipe.
"""

import json
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

import vadpipe
from support.curves import event_curve, with_places, without_events
from support.environment import ROOT
from support.hostile_names import FILES, HOSTILE, NO_TEXT
from support.videos import write_video
from vadpipe.errors import InputError
from vadpipe.extract.video.limits import Limits
from vadpipe.features.views import Place
from vadpipe.output import cvat
from vadpipe.output.cvat import write_cvat
from vadpipe.output.fiftyone import write_fiftyone
from vadpipe.output.label_studio import LABELING_CONFIG, write_label_studio

VIDEO = "clip.mp4"


@pytest.fixture
def sized(monkeypatch):
    """Let any video be one of 640 x 360."""
    monkeypatch.setattr(cvat, "picture_size", lambda video, limits: (640, 360))


def cvat_of(curve, tmp_path):
    write_cvat(curve, tmp_path / "a.xml", tmp_path / VIDEO)
    return ElementTree.parse(tmp_path / "a.xml").getroot()


def test_fiftyone_has_frames_from_1_both_ends_included(tmp_path):
    write_fiftyone(event_curve(), tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "classes": ["abnormal"],
        "labels": {
            "clip": [
                {
                    "label": 0, "support": [21, 40], "confidence": 0.93,
                    "attributes": {"number": 1, "start_s": 0.8, "end_s": 1.6, "peak_s": 1.04, "mean": 0.769},
                },
                {
                    "label": 0, "support": [101, 101], "confidence": 0.6180339,
                    "attributes": {"number": 2, "start_s": 4.0, "end_s": 4.04, "peak_s": 4.0, "mean": 0.618034},
                },
            ]
        },
    }  # fmt: skip
    write_fiftyone(without_events(), tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["labels"] == {"clip": []}


@pytest.mark.filterwarnings("ignore")
def test_fiftyone_reads_it(tmp_path):
    """Its importer, which needs no database for this much."""
    importers = pytest.importorskip("fiftyone.utils.data.importers", exc_type=ImportError)
    (tmp_path / "data").mkdir()
    for kind, name in FILES.items():
        # A JSON key is text; FiftyOne takes a backslash for a slash, and does not see hidden files.
        if kind == NO_TEXT or "\\" in name or name.startswith("."):
            continue
        (tmp_path / "data" / name).touch()
        write_fiftyone(event_curve(video=f"videos/{name}"), tmp_path / "labels.json")
        importer = importers.FiftyOneTemporalDetectionDatasetImporter(dataset_dir=str(tmp_path))
        importer.setup()
        ((path, _, label, _),) = importer
        assert path == str(tmp_path / "data" / name)
        found = [(event.label, event.support, event.confidence, event.peak_s) for event in label.detections]
        assert found == [("abnormal", [21, 40], 0.93, 1.04), ("abnormal", [101, 101], 0.6180339, 4.0)], kind
        (tmp_path / "data" / name).unlink()


def test_label_studio_has_frames_from_1_both_ends_included(tmp_path):
    write_label_studio(event_curve(), tmp_path / "a.json")
    (task,) = json.loads((tmp_path / "a.json").read_text())
    assert task["data"] == {"video": "/data/local-files/?d=clip.mp4", "fps": 25.0}
    (prediction,) = task["predictions"]
    assert (prediction["model_version"], prediction["score"]) == (f"vadpipe {vadpipe.__version__}", 0.93)
    first, second = prediction["result"]
    assert second == {
        "id": "event-2", "from_name": "events", "to_name": "video", "type": "timelinelabels", "score": 0.6180339,
        "value": {"ranges": [{"start": 101, "end": 101}], "timelinelabels": ["abnormal"]},
    }  # fmt: skip
    assert first["value"]["ranges"] == [{"start": 21, "end": 40}]
    write_label_studio(without_events(), tmp_path / "a.json")
    (task,) = json.loads((tmp_path / "a.json").read_text())
    assert (task["predictions"][0]["score"], task["predictions"][0]["result"]) == (0.0, [])


def test_the_labeling_interface_names_what_the_task_has():
    view = ElementTree.fromstring(LABELING_CONFIG)
    labels, video = view.find("TimelineLabels"), view.find("Video")
    assert (labels.get("name"), labels.get("toName"), video.get("name")) == ("events", "video", "video")
    assert [label.get("value") for label in labels] == ["abnormal"]
    assert (video.get("value"), video.get("frameRate")) == ("$video", "$fps")
    assert LABELING_CONFIG in (ROOT / "docs" / "outputs.md").read_text()


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_label_studio_finds_hostile_names(tmp_path, name):
    write_label_studio(event_curve(video=f"videos/{name}"), tmp_path / "a.json")
    (task,) = json.loads((tmp_path / "a.json").read_text("utf-8"))
    address = urlsplit(task["data"]["video"])
    shown = name.encode("utf-8", "backslashreplace").decode()
    assert (address.path, parse_qs(address.query)) == ("/data/local-files/", {"d": [shown]})


@pytest.mark.filterwarnings("ignore")
def test_label_studio_takes_it(tmp_path):
    """Its own validation, of the interface, the task and the prediction."""
    sdk = pytest.importorskip("label_studio_sdk.label_interface", exc_type=ImportError)
    interface = sdk.LabelInterface(LABELING_CONFIG)
    interface.validate()
    for curve in (event_curve(), without_events(), event_curve(video=HOSTILE["right to left"])):
        write_label_studio(curve, tmp_path / "a.json")
        (task,) = json.loads((tmp_path / "a.json").read_text("utf-8"))
        (prediction,) = task.pop("predictions")
        assert interface.validate_task(task)
        assert interface.validate_prediction(prediction, return_errors=True) == []
    prediction["result"][0]["value"]["timelinelabels"] = ["other"]
    assert interface.validate_prediction(prediction, return_errors=True) != []


def test_cvat_has_a_track_an_event(tmp_path, sized):
    root = cvat_of(event_curve(), tmp_path)
    assert (root.tag, root.findtext("version")) == ("annotations", "1.1")
    task = root.find("meta/task")
    names = ("name", "size", "mode", "start_frame", "stop_frame", "source")
    assert [task.findtext(name) for name in names] == [VIDEO, "200", "interpolation", "0", "199", VIDEO]
    assert [task.findtext(f"original_size/{side}") for side in ("width", "height")] == ["640", "360"]
    assert task.findtext("labels/label/name") == "abnormal"
    assert task.findtext("labels/label/attributes/attribute/name") == "peak"
    first, second = root.findall("track")
    assert [box.get("frame") for box in first] == ["20", "40"]
    assert [box.get("outside") for box in first] == ["0", "1"]
    assert [box.get("frame") for box in second] == ["100", "101"]
    for box in (*first, *second):
        assert [box.get(side) for side in ("xtl", "ytl", "xbr", "ybr")] == [
            "0.00",
            "0.00",
            "640.00",
            "360.00",
        ]
        assert (box.get("keyframe"), box.get("occluded")) == ("1", "0")
        assert [attribute.get("name") for attribute in box] == ["peak"]
    assert [track.get("id") for track in (first, second)] == ["0", "1"]
    assert {track.get("label") for track in (first, second)} == {"abnormal"}
    assert [track[0].findtext("attribute") for track in (first, second)] == ["0.93", "0.6180339"]


def test_cvat_has_the_box_of_an_events_place(tmp_path, sized):
    places = (Place("left", (0.0, 0.0, 0.5625, 1.0)), Place("top-right", (0.25, 0.0, 1.0, 0.123456)))
    for changes, boxes in (
        ([50], [["0.00", "0.00", "360.00", "360.00"], ["160.00", "0.00", "640.00", "44.44"]]),
        ([0], [["160.00", "0.00", "640.00", "44.44"]] * 2),
    ):
        tracks = cvat_of(with_places(event_curve(), places, changes), tmp_path).findall("track")
        found = [
            [[box.get(side) for side in ("xtl", "ytl", "xbr", "ybr")] for box in track] for track in tracks
        ]
        assert found == [[box, box] for box in boxes]
    unknown = cvat_of(with_places(event_curve(), (Place("left"), Place("right"))), tmp_path)
    assert {box.get("xbr") for box in unknown.iter("box")} == {"640.00"}


def test_cvat_tracks_do_not_leave_the_task(tmp_path, sized):
    """CVAT refuses a box on a frame that the video does not have."""
    curve = event_curve(n_frames=101)
    assert curve.events[1].stop == len(curve)
    tracks = cvat_of(curve, tmp_path).findall("track")
    assert [[box.get("frame") for box in track] for track in tracks] == [["20", "40"], ["100"]]
    assert cvat_of(without_events(), tmp_path).findall("track") == []


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_cvat_has_hostile_names_as_xml_can(tmp_path, sized, name):
    root = cvat_of(event_curve(video=f"videos/{name}"), tmp_path)
    shown = root.findtext("meta/task/source")
    assert shown == root.findtext("meta/task/name")
    text = name.encode("utf-8", "backslashreplace").decode()
    assert len(shown) == len(text)
    assert all(found in (char, "�") for found, char in zip(shown, text, strict=True))
    assert (shown == text) == text.isprintable()
    assert len(root.findall("track")) == 2


def test_cvat_asks_the_video_how_large_it_is(tmp_path):
    video = write_video(tmp_path / VIDEO, 30, size=(176, 144))
    write_cvat(event_curve(), tmp_path / "a.xml", video)
    size = ElementTree.parse(tmp_path / "a.xml").find("meta/task/original_size")
    assert [side.text for side in size] == ["176", "144"]
    with pytest.raises(InputError, match="clip.mp4: "):
        write_cvat(event_curve(), tmp_path / "b.xml", video, Limits(side_px=100))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match="text.mp4: "):
        write_cvat(event_curve(), tmp_path / "b.xml", tmp_path / "text.mp4")
    assert not (tmp_path / "b.xml").exists()


@pytest.mark.filterwarnings("ignore")
def test_datumaro_reads_it(tmp_path, sized):
    """Intel's reader of CVAT's format."""
    datumaro = pytest.importorskip("datumaro", exc_type=ImportError)
    cvat_of(event_curve(), tmp_path)
    dataset = datumaro.Dataset.import_from(str(tmp_path / "a.xml"), "cvat")
    found = sorted(
        (item.attributes["frame"], box.get_bbox(), box.attributes)
        for item in dataset
        for box in item.annotations
    )
    assert [frame for frame, _, _ in found] == [20, 40, 100, 101]
    assert {tuple(box) for _, box, _ in found} == {(0.0, 0.0, 640.0, 360.0)}
    assert [attributes["outside"] for _, _, attributes in found] == [False, True, False, True]
    assert [attributes["peak"] for _, _, attributes in found] == ["0.93", "0.93", "0.6180339", "0.6180339"]
