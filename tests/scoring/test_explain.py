"""Reasons: the snippets of an event, and what a slow loop over covered windows says of the picture."""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

import vadpipe
from support.decoding import frames_at
from support.head_settings import QUICK
from support.videos import counter_frame, textured_frame, write_video
from vadpipe.errors import InputError
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.snippet_rows import BackboneRuns
from vadpipe.extract.video.discovery import named_video
from vadpipe.extract.view_crops import ViewCropper
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.scoring.explain import CELLS, explain
from vadpipe.scoring.scorer import Scorer


def scored(scorer, path, threshold=None):
    """Return features and the curve, at a threshold that its highest frame reaches."""
    begun = scorer.begin(named_video(path))
    features = scorer.features(begun)
    begun.close()
    curve = scorer.curve(features)
    return features, curve.at(float(np.nanmax(curve.scores)) if threshold is None else threshold)


def slow_heat(scorer, features, snippet, clip, cells):
    """Cover each window that holds one of the cells, put the features into the video, and score all of it again."""
    crop_views = ViewCropper(features.recipe.views, scorer.settings.record.input_px)
    rows, columns = ([round(size * part / CELLS) for part in range(CELLS + 1)] for size in clip.shape[1:3])
    colour = np.round(clip.reshape(-1, 3).mean(axis=0)).astype(np.uint8)

    def score(pixels):
        values = features.values.copy()
        frames = [crop_views(frame) for frame in pixels]
        for column in range(values.shape[1]):
            clip = np.stack([views[column] for views in frames])
            values[snippet, column] = scorer.run_backbone([clip])[0]
        return float(scorer.head.snippet_scores(replace(features, values=values))[snippet])

    @cache
    def fall(row, column):
        covered = clip.copy()
        covered[:, rows[row] : rows[row + 2], columns[column] : columns[column + 2]] = colour
        return whole - score(covered)

    whole, heat = score(clip), []
    for cell in cells:
        windows = product(*({max(at - 1, 0), min(at, CELLS - 2)} for at in cell))
        heat.append(np.mean([fall(row, column) for row, column in windows]))
    return heat


ALL_CELLS = [*product(range(CELLS), repeat=2)]
SOME_CELLS = [(0, 0), (0, 5), (3, 4), (CELLS - 1, CELLS - 1)]


def test_heat_is_that_of_a_slow_loop(scorer, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 60)
    features, curve = scored(scorer, video)
    (reason,) = explain(scorer, features, curve, video)
    first = reason.snippets[0]
    snippet = features.spans.tolist().index([first.start, first.stop])
    plan = features.recipe.sampling.clips(features.frame_times_s, features.end_s)[snippet]
    clip = np.stack(frames_at(video, features.frame_times_s[plan].tolist(), scorer.settings.size))
    expected = slow_heat(scorer, features, snippet, clip, ALL_CELLS)
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(reason.heat.ravel(), expected, atol=2e-6)
    assert reason.box == (0.0, 0.0, 1.0, 1.0)


@pytest.fixture
def fitted(tiny, tmp_path, x3d_weights):
    """Return what makes a scorer whose head was trained on some views, and a video."""

    def fit(frame=counter_frame, **changes):
        write_video(tmp_path / "videos/normal/a.mp4", 32, frame=frame)
        video = write_video(tmp_path / "videos/fight/b.mp4", 32, frame=frame)
        vadpipe.extract_features([tmp_path / "videos"], tmp_path / "features", settings=tiny(**changes))
        head = vadpipe.fit(tmp_path / "features", output=tmp_path / "head", settings=QUICK).head
        return Scorer(head, weights=x3d_weights), video

    return fit


def test_heat_of_several_views_is_that_of_a_slow_loop(fitted, monkeypatch):
    """A window of the frame is covered in all views that show it, and the uncovered score is the curve's."""
    scorer, video = fitted(view="whole,left,centre-flip")
    features, curve = scored(scorer, video)
    asked = asked_of_head(monkeypatch)
    (reason,) = explain(scorer, features, curve, video)
    ((snippet, _, scores),) = asked
    assert scores[0] == pytest.approx(scorer.head.snippet_scores(features)[snippet], abs=1e-6)
    plan = features.recipe.sampling.clips(features.frame_times_s, features.end_s)[snippet]
    clip = np.stack(frames_at(video, features.frame_times_s[plan].tolist(), scorer.settings.size))
    assert clip.shape[1:3] == (182, 242)
    expected = slow_heat(scorer, features, snippet, clip, SOME_CELLS)
    np.testing.assert_allclose([reason.heat[cell] for cell in SOME_CELLS], expected, atol=2e-6)
    assert reason.box == (0.0, 0.0, 1.0, 1.0)


def asked_of_head(monkeypatch):
    """Return a list to which each question to a head is added: the snippet, its features, the scores."""
    asked, own = [], TrainedHead.scores_if

    def scores_if(head, features, snippet, values):
        asked.append((snippet, values, own(head, features, snippet, values)))
        return asked[-1][2]

    monkeypatch.setattr(TrainedHead, "scores_if", scores_if)
    return asked


class Brightness:
    """A backbone that runs over time: of each 8 frames of a window how bright four bands of the picture are."""

    name, workers, batch = "brightness", 1, 1

    def __call__(self, clips):
        clip = clips[0, :, ::4, ::4]
        bands = clip.reshape(len(clip) // 8, 8, 4, -1).mean(axis=(1, 3)) + clip.mean() / 8
        maps = np.zeros((1, len(bands), 1, 1, 1024), np.float32)
        maps[0, :, 0, 0, :4] = bands
        return maps


def by_brightness(monkeypatch):
    """Have all features made by that backbone from now on."""
    monkeypatch.setattr(Extractor, "weights_sha256", "0" * 64)
    monkeypatch.setattr(Extractor, "engine", Brightness())


def head_by_brightness(folder, settings, **options):
    """Return a head of features by that backbone, and a video that they hold, in ``folder/videos/fight``."""
    extractor = Extractor(settings)
    for name in ("normal/a.mp4", "fight/b.mp4"):
        write_video(folder / "videos" / name, 40, **options)
        extractor(folder / "videos" / name, folder / "features")
    head = vadpipe.fit(folder / "features", output=folder / "head", settings=QUICK).head
    return head, folder / "videos/fight/b.mp4"


@pytest.mark.parametrize(("changes", "box"), [
    ({"view": "centre"}, (59 / 342, 16 / 256, 283 / 342, 240 / 256)),
    ({"view": "centre,right"}, (59 / 342, 0.0, 1.0, 1.0)),
    ({"crops": 5}, (0.0, 0.0, 1.0, 1.0)),
])  # fmt: skip
def test_other_views_are_explained_where_they_look(tmp_path, monkeypatch, changes, box):
    by_brightness(monkeypatch)
    head, video = head_by_brightness(tmp_path, vadpipe.ExtractSettings(**changes))
    scorer = Scorer(head)
    features, curve = scored(scorer, video)
    (reason,) = explain(scorer, features, curve, video)
    assert reason.box == pytest.approx(box, abs=0.01)
    assert reason.heat.shape == (CELLS, CELLS)
    assert reason.still.shape == (240, 320, 3)  # the whole picture, whatever the backbone sees of it


@pytest.mark.parametrize(("window", "n_runs"), [(64, [1, 2, 1]), ("16,64", [1, 1, 1])])
def test_a_snippet_of_windows_is_explained_by_its_windows(tmp_path, monkeypatch, window, n_runs):
    settings = vadpipe.ExtractSettings(view="whole", window=window, stride=16, target_fps="all")
    by_brightness(monkeypatch)
    extractor = Extractor(settings)
    for name in ("normal/a.mp4", "fight/b.mp4"):
        write_video(tmp_path / "videos" / name, 120 + 5 * len(name))
        extractor(tmp_path / "videos" / name, tmp_path / "features")
    head = vadpipe.fit(tmp_path / "features", output=tmp_path / "head", settings=QUICK).head
    scorer = Scorer(head)
    assert scorer.settings.window == window
    video = tmp_path / "videos/fight/b.mp4"
    features, curve = scored(scorer, video)
    asked = asked_of_head(monkeypatch)
    n_frames = features.n_frames
    for start in (0, 48, n_frames - 8):  # the second snippet is shown by two windows
        scores = np.full(n_frames, 0.1, np.float32)
        scores[start : start + 8] = 0.9
        event = replace(curve, scores=scores, threshold=0.5, rule=vadpipe.EventRule(merge_gap_s=0.0))
        (reason,) = explain(scorer, features, event, video)
        assert reason.heat.shape == (CELLS, CELLS)
    expected = scorer.head.snippet_scores(features)
    shown = [BackboneRuns.of(features, snippet)[0] for snippet, _, _ in asked]
    assert [len(runs.frames) for runs in shown] == n_runs
    for snippet, values, scores in asked:
        np.testing.assert_allclose(values[0], features.values[snippet], rtol=1e-5)
        assert scores[0] == pytest.approx(expected[snippet], abs=1e-6)
        assert (np.abs(values[1:] - values[0]).max(axis=(1, 2)) > 0).any()
        assert (values[:, :, 1024:] == values[0, :, 1024:]).all()  # the longer window is not shown them


@pytest.mark.parametrize(("view", "box"), [("whole", (0.0, 0.0, 1.0, 1.0)), ("left", (0.0, 0.0, 0.75, 1.0))])
def test_a_kept_view_is_explained_from_frames_as_large_as_its_own_were(tmp_path, monkeypatch, view, box):
    """A whole frame beside other views was scaled from one of the short side: it is not decoded as a square."""
    by_brightness(monkeypatch)
    head, video = head_by_brightness(
        tmp_path, vadpipe.ExtractSettings(view="whole,left"), frame=textured_frame
    )
    scorer = Scorer(head, view=view, features=tmp_path / "features")
    asked = asked_of_head(monkeypatch)
    features, curve = scored(scorer, video)
    (reason,) = explain(scorer, features, curve, video)
    ((snippet, values, scores),) = asked
    np.testing.assert_allclose(values[0], features.values[snippet], rtol=1e-6)
    assert scores[0] == pytest.approx(scorer.head.snippet_scores(features)[snippet], abs=1e-7)
    assert reason.box == pytest.approx(box, abs=0.01)


def test_snippets_are_those_of_the_event_the_highest_first(scorer, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 120)
    features, curve = scored(scorer, video)
    (reason,) = explain(scorer, features, curve, video)
    scores = [snippet.score for snippet in reason.snippets]
    assert 1 <= len(scores) <= 3
    assert scores == sorted(scores, reverse=True)
    own = scorer.head.snippet_scores(features)
    for snippet in reason.snippets:
        assert snippet.start < reason.event.stop
        assert snippet.stop > reason.event.start
        assert snippet.score == own[features.spans.tolist().index([snippet.start, snippet.stop])]
        assert snippet.start_s == features.frame_times_s[snippet.start]
    assert reason.snippets[0].start_s <= reason.still_s < reason.snippets[0].end_s


def test_only_the_highest_events_are_explained_in_the_order_of_time(scorer, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 64)
    features, curve = scored(scorer, video)
    scores = np.array([0.1] * 16 + [0.8] * 8 + [0.1] * 16 + [0.7] * 8 + [0.1] * 8 + [0.9] * 8, np.float32)
    curve = replace(curve, scores=scores, threshold=0.5, rule=vadpipe.EventRule(merge_gap_s=0.0))
    told = []
    found = explain(scorer, features, curve, video, n_events=2, on_progress=lambda *at: told.append(at))
    assert [reason.event for reason in found] == [curve.events[0], curve.events[2]]
    assert told == [(0.96, 2.56), (2.56, 2.56)]
    assert explain(scorer, features, curve.at(0.95), video) == []


def test_a_video_that_is_gone_is_an_input_error(scorer, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 32)
    features, curve = scored(scorer, video)
    video.unlink()
    with pytest.raises(InputError, match=r"clip\.mp4: no such file"):
        explain(scorer, features, curve, video)


@pytest.mark.slow
def test_heat_lies_where_the_picture_moves(i3d_weights, tmp_path):
    """With the real backbone and head: covering the only thing that moves changes the score most."""

    def street(number, width, height):
        frame = np.full((height, width, 3), 120, np.uint8)
        frame[:, ::16] = 90
        rng = np.random.default_rng(number // 2)
        across, down = 15 + rng.integers(0, 30), 10 + rng.integers(0, 30)  # jumps about at the upper left
        frame[down : down + 45, across : across + 30] = (200, 60, 40)
        return frame

    scorer = Scorer()
    video = write_video(tmp_path / "clip.mp4", 16, size=(320, 240), frame=street)
    (reason,) = explain(scorer, *scored(scorer, video), video)
    row, column = np.unravel_index(np.abs(reason.heat).argmax(), reason.heat.shape)
    assert row < CELLS / 2
    assert column < CELLS / 2


@pytest.mark.slow
def test_a_real_fight_is_explained_inside_the_picture(data, i3d_weights):
    video = data / "fight_surv/fight/fi028.mp4"
    scorer = Scorer()
    features, curve = scored(scorer, video)
    (reason,) = explain(scorer, features, curve, video, n_events=1)
    assert reason.event in curve.events
    assert reason.heat.max() > 0.04
    row, column = np.unravel_index(reason.heat.argmax(), reason.heat.shape)
    assert 3 <= row <= 6  # two of them are at the right, below the middle
    assert 6 <= column <= 7
