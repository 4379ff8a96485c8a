"""How often a video is opened to be decoded, and that what is drawn from stills opens nothing."""

import json
import logging
import weakref
from dataclasses import replace

import numpy as np
import pytest

import vadpipe
from support.decoding import frames_at
from support.videos import write_video
from vadpipe import EventRule, Outputs
from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.stills import Stills, read_stills, read_together
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import StillRequest
from vadpipe.extract.video.sandboxed_process import SandboxedProcess
from vadpipe.output.cvat import write_cvat, write_tracks
from vadpipe.output.formats import FORMATS
from vadpipe.output.plot import plot_curve, plot_stills, write_plot
from vadpipe.output.report import write_report
from vadpipe.output.report.page import write_page
from vadpipe.output.report.stills import index_still, index_thumbnail, report_stills
from vadpipe.scoring.explain import Explaining, explain
from vadpipe.scoring.second_pass import read_again


@pytest.fixture
def passes(monkeypatch):
    """Return the names of the classes of all processes that open a video, as they are started."""
    started, real = [], SandboxedProcess.__init__

    def noted(process, path, *args, **options):
        started.append(type(process).__name__)
        real(process, path, *args, **options)

    monkeypatch.setattr(SandboxedProcess, "__init__", noted)
    return started


def everything(folder):
    return Outputs(
        formats=tuple(FORMATS), plot="png", report=True, explain=True,
        annotate=folder / "films", clips=folder / "clips", pad_s=0.1,
    )  # fmt: skip


class FiveEvents(vadpipe.Scorer):
    """A scorer in whose curves five stretches are abnormal, and whose backbone sees only how bright clips are."""

    def curve(self, features):
        curve = super().curve(features)
        scores = np.full(len(curve), 0.1, np.float32)
        for number in range(5):
            scores[10 + 36 * number : 20 + 36 * number] = 0.6 + number / 20
        return replace(curve, scores=scores, threshold=0.5, rule=EventRule(0.0, 0.0, 0.0))

    def run_backbone(self, views):
        shape = (1, self.head.record.recipe.feature_dim)
        return np.stack([np.full(shape, view.mean() / 255, np.float32) for view in views])


def test_three_processes_open_a_video_of_which_everything_is_written(x3d_head, x3d_weights, tmp_path, passes):
    write_video(tmp_path / "in/clip.avi", 200, codec="mpeg4")  # of which the report holds a copy
    write_video(tmp_path / "in/other.mp4", 200)
    scorer = FiveEvents(x3d_head, weights=x3d_weights)
    result = vadpipe.score_videos(
        [tmp_path / "in"], scorer, output=tmp_path / "out", outputs=everything(tmp_path)
    )
    assert [len(scored.curve.events) for scored in result.scored] == [5, 5]
    assert sorted(passes) == ["Decoding"] * 4 + ["ExportProcess"] * 2
    assert all(path.stat().st_size for scored in result.scored for path in scored.files)
    for stem in ("clip", "other"):
        document = json.loads((tmp_path / f"out/{stem}.scores.json").read_text())
        assert all(event["explanation"] for event in document["events"])
        page = (tmp_path / f"out/{stem}.report.html").read_text()
        assert page.count("data:image/jpeg") >= 10  # a thumbnail and a reason of each event
        assert 'id="clip">data:video/mp4' in page
        assert len([*(tmp_path / "clips").glob(f"{stem}.event-*")]) == 5
    assert result.index.read_text().count("data:image/jpeg") == 2


def test_kept_features_need_two_processes(x3d_head, x3d_weights, tmp_path, passes):
    video = write_video(tmp_path / "clip.mp4", 200)
    scorer = FiveEvents(x3d_head, weights=x3d_weights, features=tmp_path / "features")
    scorer.score(video)
    passes.clear()
    vadpipe.score_videos([video], scorer, output=tmp_path / "out", outputs=everything(tmp_path))
    assert passes == ["Decoding", "ExportProcess"]


def test_data_alone_needs_no_further_process(scorer, tmp_path, passes):
    video = write_video(tmp_path / "clip.mp4", 40)
    vadpipe.score_videos([video], scorer, outputs=Outputs(formats=tuple(FORMATS)))
    assert passes == ["Decoding"]


def test_each_method_of_a_curve_opens_the_video_once(scorer, tmp_path, passes):
    video = write_video(tmp_path / "clip.mp4", 200)
    curve, reasons = scorer.explain(video, threshold=0.0)
    assert passes == ["Decoding"] * 2
    for write in (
        lambda: curve.to_picture(tmp_path / "a.png", video),
        lambda: curve.to_report(tmp_path / "a.html", video, reasons),
        lambda: curve.to_cvat(tmp_path / "a.xml", video),
        lambda: curve.to_video(tmp_path / "a.mkv", video),
        lambda: curve.to_clips(tmp_path / "clips", video),
    ):
        passes.clear()
        write()
        assert len(passes) == 1


@pytest.fixture
def scored(x3d_head, x3d_weights, tmp_path):
    """Return a scorer, features, a curve of five events, and the video."""
    from vadpipe.extract.video.discovery import named_video

    video = named_video(write_video(tmp_path / "clip.mp4", 200))
    scorer = FiveEvents(x3d_head, weights=x3d_weights)
    begun = scorer.begin(video)
    features = scorer.features(begun)
    begun.close()
    return scorer, features, scorer.curve(features), video


def test_what_is_read_together_is_what_is_read_alone(scored, tmp_path):
    scorer, features, curve, video = scored
    wanted = [plot_stills(curve), report_stills(curve), index_still(curve)]
    told = []
    stills, reasons = read_again(
        scorer, features, curve, video, wanted, explain=True, on_progress=lambda *at: told.append(at)
    )
    assert [len(request.times_s) for request in wanted] == [4, 5, 1]
    for request in wanted:
        alone = read_stills(video.path, request.times_s, request.size.side_px)
        assert [frame.tolist() for frame in stills.of(request)] == [frame.tolist() for frame in alone]
    alone = explain(scorer, features, curve, video.path)
    assert [reason.event for reason in reasons] == curve.events == [reason.event for reason in alone]
    for one, other in zip(reasons, alone, strict=True):
        np.testing.assert_array_equal(one.heat, other.heat)
        np.testing.assert_array_equal(one.still, other.still)
    assert told == [(event.end_s, curve.end_s) for event in curve.events]


def test_renderers_open_nothing_and_write_the_same(scored, tmp_path, monkeypatch):
    *_, curve, video = scored
    plot_curve(curve, tmp_path / "a.png", video=video.path)
    write_report(curve, tmp_path / "a.html", video=video.path, embed=False)
    write_cvat(curve, tmp_path / "a.xml", video.path)
    stills = Stills.read(video.path, [plot_stills(curve), report_stills(curve), index_still(curve)])
    video.path.rename(tmp_path / "gone.mp4")
    monkeypatch.setattr(SandboxedProcess, "__init__", lambda *_, **__: pytest.fail("opened the video"))
    write_plot(curve, tmp_path / "b.png", stills)
    write_page(curve, tmp_path / "b.html", video=video.path, stills=stills, embed=False)
    write_tracks(curve, tmp_path / "b.xml", (160, 120))
    for suffix in ("png", "html", "xml"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert index_thumbnail(curve, stills)[:2] == b"\xff\xd8"


def test_stills_that_could_not_be_read_cost_the_stills_alone(scored, tmp_path, caplog):
    scorer, features, curve, video = scored
    video.path.unlink()
    wanted = [plot_stills(curve), report_stills(curve), index_still(curve)]
    stills, reasons = read_again(scorer, features, curve, video, wanted, explain=True)
    assert reasons == ()
    assert "clip.mp4: not explained: " in caplog.text
    with pytest.raises(InputError, match=r"clip\.mp4: no such file"):
        stills.of(wanted[0])
    caplog.clear()
    with caplog.at_level(logging.WARNING, "vadpipe"):
        write_plot(curve, tmp_path / "a.png", stills)
        write_page(curve, tmp_path / "a.html", video=video.path, stills=stills)
    assert [record.message.count("no such file") for record in caplog.records] == [1, 1]
    assert index_thumbnail(curve, stills) is None


def test_requests_come_when_they_are_complete(tmp_path):
    video = write_video(tmp_path / "clip.mp4", 60)
    small, large = Size(60, square=False), Size(80, square=True)
    late, early = StillRequest((2.0, 0.0), small), StillRequest((0.4, 0.2), large)
    behind = StillRequest((1.0, 99.0), small)  # there is no such frame, so it is known at the end
    read = [*read_together(video, [late, early, behind, late, StillRequest((), small)])]
    assert [request for request, _ in read] == [early, late, behind]
    assert [frame.shape for frame in read[0][1]] == [(80, 80, 3)] * 2
    np.testing.assert_array_equal(read[0][1], frames_at(video, early.times_s, large))
    assert read[2][1][1] is None


def test_an_explanation_holds_the_frames_of_one_event(scored):
    scorer, features, curve, video = scored
    explaining = Explaining(scorer, features, curve, video.path)
    taken, held = [], []

    def n_held():
        """Return of how many requests a frame is still there, other than as the picture of an explanation."""
        shown = [reason.still for reason in explaining.found]
        alive = [[frame() for frame in own if frame() is not None] for own in taken]
        return sum(any(all(one is not still for still in shown) for one in own) for own in alive)

    for request, frames in read_together(video.path, explaining.requests):
        explaining.take(request, frames)
        taken.append([weakref.ref(frame) for frame in frames])
        del frames
        held.append(n_held())
    assert explaining.done
    assert max(held) <= 2
    assert n_held() == 0


def test_a_frame_that_is_lost_is_told_by_its_time(scored):
    scorer, features, curve, video = scored
    explaining = Explaining(scorer, features, curve, video.path)
    still, shown = explaining.requests[:2]
    explaining.take(still, [np.zeros((240, 320, 3), np.uint8)])
    with pytest.raises(
        DecodeError, match=rf"clip\.mp4: the frame at {shown.times_s[0]:.3f} s cannot be read"
    ):
        explaining.take(shown, [None] * len(shown.times_s))
