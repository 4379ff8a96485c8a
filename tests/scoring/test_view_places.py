"""Places: what of the picture each view shows, and that an event is where its head scores it highest."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import vadpipe
from support.calibrations import make_calibration
from support.commands import run
from support.curves import slow_spread
from support.feature_files import make_features
from support.head_settings import QUICK
from support.scorers import features_of as extracted
from support.videos import write_video
from vadpipe.curves.curve import Curve
from vadpipe.features.views import CROP_VIEWS, Place
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.record import HeadRecord
from vadpipe.head.settings import HeadSettings
from vadpipe.scoring.view_places import view_places


def features_of(view, size, crops=None, **changes):
    """Return features of views, of a video with a size."""
    crops = crops or len(view.split(","))
    features = make_features(view=view, crops=crops, **changes)
    width, height = size or (None, None)
    return replace(features, source=features.source.model_copy(update=dict(width_px=width, height_px=height)))


def shown(view, size, *, join="max", **changes):
    """Return the places of such features that a head tells between, which joins views so."""
    features, settings = features_of(view, size, **changes), HeadSettings(view_join=join)
    record = HeadRecord(
        settings=settings, recipe=features.recipe, calibration=make_calibration(0.5), seed=0, step=1
    )
    return view_places(TrainedHead(Cbcg(torch.zeros(8), torch.ones(8), settings), record), features)


@pytest.mark.parametrize(
    ("size", "boxes"),
    [
        ((1280, 720), [(0, 0, 224 / 398, 1), (174 / 398, 0, 1, 1)]),
        ((720, 1280), [(0, 0, 1, 224 / 398), (0, 174 / 398, 1, 1)]),  # upright: the upper and the lower end
        ((320, 240), [(0, 0, 224 / 298, 1), (74 / 298, 0, 1, 1)]),
        ((1000, 250), [(0, 0, 0.5, 1), (0.5, 0, 1, 1)]),  # more than twice as wide as high: halves
    ],
)
def test_left_and_right_are_the_two_ends_of_the_long_side(size, boxes):
    found = shown("left,right", size)
    assert [place.view for place in found.places] == ["left", "right"]
    for place, box in zip(found.places, boxes, strict=True):
        assert place.box == pytest.approx(box, abs=1e-6)
    assert [place.name for place in found.places] == (
        ["left", "right"] if size[0] > size[1] else ["top", "bottom"]
    )


def test_boxes_are_what_the_backbone_is_shown():
    """Of frames whose pixels say where they lie, cut as extraction cuts them."""
    from vadpipe.extract.video.timeline import scaled_to
    from vadpipe.extract.view_crops import ViewCropper

    for size in ((640, 360), (360, 640), (353, 288)):
        width, height = scaled_to(256, *size)
        frame = np.zeros((height, width, 3), np.uint8)
        frame[..., 0] = np.linspace(0, 255, width).round()
        frame[..., 1] = np.linspace(0, 255, height).round()[:, None]
        views = CROP_VIEWS[5]
        found = shown("crops", size, crops=5, resize_px=256)
        for view, square in zip(views, ViewCropper(views, 224)(frame), strict=True):
            (place,) = (place for place in found.places if place.view == view)
            corners = [*square[0, 0, :2] / 255, *square[-1, -1, :2] / 255]
            assert place.box == pytest.approx(corners, abs=0.01)


def test_a_view_and_its_mirror_image_are_one_place():
    found = shown("left,right,right-flip,left-flip", (640, 360))
    assert [place.view for place in found.places] == ["left", "right"]
    assert found.of_view.tolist() == [0, 1, 1, 0]
    scores = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.9, 0.1], [np.nan] * 4], np.float32)
    np.testing.assert_array_equal(
        found.scores(scores), np.array([[0.4, 0.3], [0.4, 0.9], [np.nan] * 2], np.float32)
    )


def test_the_whole_frame_is_a_place():
    found = shown("whole,left", (640, 360))
    assert [place.name for place in found.places] == ["whole frame", "left"]
    assert found.places[0].box == (0.0, 0.0, 1.0, 1.0)


def test_without_a_size_places_are_names_of_views():
    found = shown("whole,left,left-flip", None)
    assert found.places == (Place("whole"), Place("left"))


@pytest.mark.parametrize(
    ("view", "changes"),
    [
        ("left", {}),
        ("left,left-flip", {}),
        ("whole,whole-flip", {}),
        ("left,right", {"join": "mean"}),
        ("unknown", {"crops": 5, "backbone": "imported:i3d"}),
        ("crops", {"crops": 5, "backbone": "imported:i3d"}),
        ("unknown", {"crops": 2}),
    ],
)
def test_where_views_do_not_tell_places_there_are_none(view, changes):
    assert shown(view, (640, 360), **changes) is None


def test_a_square_picture_is_the_same_in_all_views():
    assert shown("whole,left,right", (480, 480)) is None
    found = shown("left,right,centre", (480, 480), resize_px=256)
    assert [place.name for place in found.places] == ["whole frame", "centre"]


def flicker(*parts):
    """Return what draws grey frames in which these of four parts of the long side change all the time."""

    def frame(number, width, height):
        rng = np.random.default_rng(number)
        noise = np.kron(rng.integers(0, 256, (height // 8, width // 8, 3)), np.ones((8, 8, 1))).astype(
            np.uint8
        )
        across = np.broadcast_to(np.arange(width) * 4 // width, (height, width))
        down = np.broadcast_to(np.arange(height)[:, None] * 4 // height, (height, width))
        moves = np.isin(across if width > height else down, parts)
        return np.where(moves[..., None], noise, np.uint8(110))

    return frame


@pytest.fixture(scope="module")
def flicker_head(tmp_path_factory, x3d_weights):
    """A head that knows still pictures as normal, and those that change all over as abnormal."""
    folder = tmp_path_factory.mktemp("flicker")
    for number in range(2):
        write_video(folder / f"videos/normal/{number}.mp4", 40 + 8 * number, size=(320, 160), frame=flicker())
        moving = flicker(0, 1, 2, 3)
        write_video(folder / f"videos/fight/{number}.mp4", 40 + 8 * number, size=(320, 160), frame=moving)
    settings = vadpipe.ExtractSettings(backbone="x3d_xs", weights=x3d_weights, view="left,right")
    vadpipe.extract_features([folder / "videos"], folder / "features", settings=settings)
    settings = QUICK.model_copy(update={"steps": 30})
    return vadpipe.fit(folder / "features", output=folder / "head", settings=settings).head


@pytest.mark.parametrize(
    ("size", "part", "name", "box"),
    [
        ((320, 160), 3, "right", (0.5, 0.0, 1.0, 1.0)),
        ((320, 160), 0, "left", (0.0, 0.0, 0.5, 1.0)),
        ((160, 320), 3, "bottom", (0.0, 0.5, 1.0, 1.0)),
    ],
)
def test_an_event_is_where_something_happens(flicker_head, x3d_weights, tmp_path, size, part, name, box):
    video = write_video(tmp_path / "clip.mp4", 48, size=size, frame=flicker(part))
    scorer = vadpipe.Scorer(flicker_head, weights=x3d_weights)
    curve = scorer.score(video)
    curve = curve.at(float(np.nanmax(curve.scores)))
    assert curve.events
    for event in curve.events:
        assert curve.place(event).name == name
        assert curve.place(event).box == pytest.approx(box, abs=0.01)


def test_the_place_is_that_of_the_view_with_the_highest_score_of_its_own(
    flicker_head, x3d_weights, tmp_path, monkeypatch
):
    """As the head scores each view alone; and it runs once over all of them."""

    def first_left_then_right(number, width, height):
        return flicker(0 if number < 60 else 3)(number, width, height)

    video = write_video(tmp_path / "clip.mp4", 120, size=(400, 160), frame=first_left_then_right)
    scorer = vadpipe.Scorer(flicker_head, weights=x3d_weights)
    features = extracted(scorer, video)
    assert (features.source.width_px, features.source.height_px) == (400, 160)
    calls, own = [], Cbcg.score_views
    monkeypatch.setattr(Cbcg, "score_views", lambda head, *of: calls.append(of) or own(head, *of))
    curve = scorer.curve(features)
    assert len(calls) == 1
    spans = features.spans.tolist()
    alone = {
        view: slow_spread(
            scorer.head.snippet_scores(features.of_views([view])).tolist(), spans, features.n_frames
        )
        for view in ("left", "right")
    }
    for frame in range(features.n_frames):
        if abs(alone["left"][frame] - alone["right"][frame]) > 1e-5:
            assert curve.place_at(frame).view == max(alone, key=lambda view: alone[view][frame])
    assert {curve.place_at(frame).view for frame in range(features.n_frames)} == {"left", "right"}
    expected = slow_spread(scorer.head.snippet_scores(features).tolist(), spans, features.n_frames)
    np.testing.assert_allclose(curve.scores, expected, rtol=1e-6)


def test_one_view_of_a_head_tells_no_place(flicker_head, x3d_weights, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 32, size=(320, 160), frame=flicker(3))
    curve = vadpipe.Scorer(flicker_head, weights=x3d_weights, view="right").score(video)
    assert (curve.places, curve.place_at(0)) == ((), None)


def test_the_command_line_and_the_files_name_places(flicker_head, x3d_weights, tmp_path):
    write_video(tmp_path / "clip.mp4", 48, size=(320, 160), frame=flicker(3))
    asked = ["--head", flicker_head, "--weights", x3d_weights, "--threshold", "0.01", "--format", "json,csv"]
    done = run("score", "clip.mp4", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("clip.mp4: 48 frames"))
    assert " s (right), " in line
    done = run("score", "clip.mp4", *asked, "--progress", "json", cwd=tmp_path)
    (said,) = (json.loads(line) for line in done.stderr.splitlines() if '"scored"' in line)
    assert said["place"] == "right"
    assert (tmp_path / "clip.events.csv").read_text().splitlines()[1].endswith(",right")
    back = Curve.from_json(tmp_path / "clip.scores.json")
    assert [back.place(event).name for event in back.events] == ["right"]
