"""What is lost of a damaged video does not depend on the recipe, and what asks for too much costs only itself."""

import av
import numpy as np
import pytest

from support.decoding import forbid_decoding
from support.videos import counter_frame, write_video
from vadpipe.errors import DecodeError, InputError, UsageError, WeightsError
from vadpipe.extract.extraction import extract_features
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.plan import plan_extraction
from vadpipe.extract.video.discovery import find_videos
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.features.file import Features
from vadpipe.scoring.scorer import Scorer


@pytest.fixture
def settings(tiny):
    return tiny


def with_a_gap(path, start, stop):
    """A video of key frames alone, some of which cannot be decoded."""
    write_video(path, 200, options={"g": "1"})
    content = bytearray(path.read_bytes())
    with av.open(path) as container:
        for number, packet in enumerate(container.demux(video=0)):
            if start <= number < stop and packet.pos:
                content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("choice", "lost"),
    [
        ({}, [11, 12, 13, 14]),
        ({"stride": 100}, [1]),  # all that its last snippet sees is gone, and still the video goes on
        ({"stride": 16}, [6, 7]),
        ({"fps": 5.0}, [1, 2]),
        ({"fps": 1.0}, []),  # the damage lies between the frames that it sees
    ],
)
def test_damage_is_the_same_by_every_recipe(settings, tmp_path, choice, lost):
    video = with_a_gap(tmp_path / "a.mp4", 101, 120)
    result = extract_features([video], tmp_path / "f", settings=settings(**choice))
    features = Features.load(result.written[0])
    assert (features.source.n_announced, features.source.n_decoded) == (200, 181)
    assert (features.n_frames, features.source.gaps) == (200, ((101, 120),))
    assert result.damaged == result.written
    assert set(np.flatnonzero(features.lost)) <= {*lost, 5, 8, 15}
    if choice == {"stride": 100}:
        assert np.flatnonzero(features.lost).tolist() == [1]
    assert features.values[~features.lost].any(axis=(1, 2)).all()


def test_of_several_video_streams_the_one_that_a_player_shows_is_read(settings, tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(path, "w") as output:
        streams = []
        for width, height in ((160, 120), (320, 240)):
            stream = output.add_stream("libx264", rate=25)
            stream.codec_context.thread_count = 1
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        for number in range(20):
            for stream in streams:
                picture = counter_frame(number + 100 * (stream.height == 240), stream.width, stream.height)
                output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for stream in streams:
            output.mux(stream.encode())
    with av.open(path) as container:
        best = container.streams.best("video")
        expected = (best.width, best.height)
    with Decoding(path, DecodeJob(Size(120, square=False))) as decoding:
        assert (decoding.timeline.width_px, decoding.timeline.height_px) == expected
    with (
        pytest.raises(DecodeError, match="several video streams"),
        Decoding(path, DecodeJob(Size(120, square=False), decoder="decord")) as decoding,
    ):
        list(decoding.frames())
    (made,) = extract_features([path], tmp_path / "f", settings=settings()).written
    assert Features.load(made).recipe.decoder.startswith("av ")


def test_a_picture_too_wide_to_scale_is_refused(settings, tmp_path):
    path = write_video(tmp_path / "wide.mp4", 3, size=(16_000, 16), frame=plain)
    good = write_video(tmp_path / "good.mp4", 16)
    result = extract_features([path, good], tmp_path / "f", settings=settings(view="centre"))
    (failure,) = result.failed
    assert str(failure.error).startswith(
        f"{path}: has an extreme aspect ratio: scaled to a short side of 182 px"
    )
    assert len(result.written) == 1


def plain(number, width, height):
    return np.full((height, width, 3), 90, np.uint8)


def test_more_features_than_fit_are_refused_before_they_are_made(settings, tmp_path):
    path = write_video(tmp_path / "long.mkv", 2, times=[0, 23 * 3_600_000])
    good = write_video(tmp_path / "good.mp4", 16)
    result = extract_features([path, good], tmp_path / "f", settings=settings(fps=1000.0))
    (failure,) = result.failed
    assert "would have 10,350," in failure.error.reason
    assert "GiB of features" in failure.error.reason
    assert len(result.written) == 1


def test_a_single_name_is_one_video_and_not_its_letters(tmp_path):
    video = write_video(tmp_path / "a.mp4", 5)
    for name in (str(video), video):
        assert [found.path for found in find_videos(name)[0]] == [video]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"decoder": "vlc"}, "unknown decoder 'vlc'"),
        ({"engine": "nosuch"}, "unknown engine 'nosuch'"),
        ({"device": "potato"}, "unknown device 'potato'"),
    ],
)
def test_names_that_do_not_exist_are_refused_before_anything_is_done(settings, tmp_path, choice, message):
    for run in (extract_features, plan_extraction):
        with pytest.raises(UsageError, match=message):
            list(run([], tmp_path / "f", settings=settings(**choice)) or ())


def test_a_head_of_other_weights_is_refused_before_anything_is_decoded(tmp_path, i3d_weights, monkeypatch):
    video = write_video(tmp_path / "a.mp4", 5)
    scorer = Scorer()
    monkeypatch.setattr(Extractor, "weights_sha256", "0" * 64)
    forbid_decoding(monkeypatch)
    with pytest.raises(WeightsError, match="trained with other weights of i3d(.|\n)*--weights FILE"):
        scorer.score(video)


def test_memory_that_runs_out_costs_one_video(settings, tmp_path, monkeypatch):
    from vadpipe.extract import extractor

    videos = [write_video(tmp_path / name, 16) for name in ("a.mp4", "b.mp4")]
    real = extractor.Extractor.features

    def greedy(self, opened, report=None):
        if opened.video.path == videos[0]:
            raise MemoryError
        return real(self, opened, report)

    monkeypatch.setattr(extractor.Extractor, "features", greedy)
    result = extract_features(videos, tmp_path / "f", settings=settings())
    assert [failure.error.reason for failure in result.failed] == ["needs more memory than is available"]
    assert isinstance(result.failed[0].error, InputError)
    assert len(result.written) == 1
