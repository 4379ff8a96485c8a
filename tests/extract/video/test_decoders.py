"""Which decoders there are, which one is chosen, and what travels to the process that runs it."""

import math
import subprocess
import sys

import av
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decoding import WHY_NOT, decode
from support.videos import write_video
from vadpipe.errors import DecodeError, UsageError
from vadpipe.extract import extractor
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.video.container import FAMILIES
from vadpipe.extract.video.decoders import DECODERS, choose_decoders
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob, StillRequest
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.video.timeline import Timeline
from vadpipe.extract.video.timeline_reader import read_timeline
from vadpipe.features.file import Features
from vadpipe.features.sampling import Sampling


def test_decoders_have_versions():
    assert DECODERS["pyav"].version() == f"av {av.__version__}"
    assert DECODERS["decord"].version().startswith("decord")


def test_auto_has_another_decoder_where_one_fails():
    names = [name for name, _ in choose_decoders("auto", "cpu", "mp4")[0]]
    assert set(names) == {"decord", "pyav"}
    for family in ("mkv", "avi"):
        assert choose_decoders("auto", "cpu", family) == choose_decoders("auto", "cpu", "mp4")
    assert all(device == "cpu" for _, device in choose_decoders("auto", "cpu", "mp4")[0])


def test_a_large_file_is_not_held_in_memory():
    chosen, _ = choose_decoders("auto", "cpu", "mp4", 10_000_000_000)
    assert "decord" not in [name for name, _ in chosen]


def test_a_long_video_in_a_small_file_is_not_held_in_memory(tmp_path, tiny, monkeypatch):
    """decord decodes ahead of whoever takes the frames, without bound: it may hold all of them."""
    path = write_video(tmp_path / "a.mp4", 40, size=(120, 120))
    frames_bytes = 40 * 182 * 182 * 3
    decode(path, "decord", side_px=182, held_bytes=frames_bytes)
    with pytest.raises(DecodeError, match=r"a\.mp4: decord may hold all 40 frames in memory, 0\.0 GB"):
        decode(path, "decord", side_px=182, held_bytes=frames_bytes - 1)
    monkeypatch.setattr(extractor, "DECORD_FRAMES_BYTES", frames_bytes - 1)
    used = {
        name: Features.load(Extractor(tiny(decoder=name))(path, tmp_path / name)).recipe.decoder.split()[0]
        for name in ("auto", "decord")
    }
    assert used == {"auto": "av", "decord": "decord2"}  # one that is named is used


@pytest.mark.parametrize("family", sorted({*FAMILIES} - {"mp4", "mkv", "avi"}))
def test_what_needs_a_demuxer_of_its_own_goes_to_pyav_alone(family):
    for device in ("cpu", "cuda:0"):
        chosen, why = choose_decoders("auto", device, family)
        assert chosen == [("pyav", "cpu")]
        assert why == f"decord does not support {FAMILIES[family].title}"


def test_a_decoder_that_is_named_is_the_only_one():
    assert choose_decoders("decord", "cpu", "ts") == ([("decord", "cpu")], "it was requested")
    assert choose_decoders("pyav", "cuda:0", "mp4")[0] == [("pyav", "cpu")]
    assert choose_decoders("decord", "cuda:0", "mp4")[0] == [("decord", "cuda:0"), ("decord", "cpu")]


def test_a_gpu_calls_for_the_decoder_that_can_use_it(monkeypatch):
    monkeypatch.setattr(type(DECODERS["torchcodec"]), "version", lambda self: f"{self.name} 1.0")
    assert choose_decoders("auto", "cuda:1", "mp4")[0][0] == ("torchcodec", "cuda:1")
    assert choose_decoders("auto", "cpu", "mp4")[0][0][0] != "torchcodec"
    monkeypatch.setattr(type(DECODERS["torchcodec"]), "version", lambda self: None)
    assert choose_decoders("auto", "cuda:1", "mp4")[0][0][0] != "torchcodec"


def test_unknown_and_missing_decoders_are_refused(monkeypatch):
    with pytest.raises(UsageError, match="unknown decoder 'ffmpeg'") as caught:
        choose_decoders("ffmpeg", "cpu", "mp4")
    assert caught.value.next_step == "Choose one of: auto, decord, pyav, torchcodec."
    monkeypatch.setattr(type(DECODERS["decord"]), "version", lambda self: None)
    with pytest.raises(UsageError, match="the decoder decord is not installed") as caught:
        choose_decoders("decord", "cpu", "mp4")
    assert "pip install decord2" in caught.value.next_step


@pytest.mark.skipif(WHY_NOT["torchcodec"] is None, reason="torchcodec is here")
def test_a_torchcodec_that_cannot_be_loaded_says_what_it_needs(tmp_path):
    with pytest.raises(DecodeError, match=r"a\.mp4: torchcodec cannot be loaded: ") as caught:
        decode(write_video(tmp_path / "a.mp4", 3), "torchcodec")
    assert "FFmpeg's shared libraries" in caught.value.next_step


def test_decord_on_a_gpu_that_it_is_not_built_for_says_so(tmp_path):
    path = write_video(tmp_path / "a.mp4", 3)
    with pytest.raises(DecodeError, match=r"a\.mp4: this build of decord lacks CUDA") as caught:
        decode(path, "decord", device="cuda:0")
    assert "--decoder torchcodec or pyav" in caught.value.next_step


def test_a_decoding_process_loads_neither_torch_nor_pydantic():
    code = "import sys, vadpipe.extract.video.child; print([n for n in ('torch', 'pydantic') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_a_decoding_process_does_with_few_threads(tmp_path, decoder):
    path = write_video(tmp_path / "a.mp4", 200, size=(640, 360))
    with Decoding(path, DecodeJob(Size(224, square=True), decoder=decoder)) as decoding:
        next(decoding.frames())
        assert psutil.Process(decoding.pid).num_threads() <= 3


numbers = st.floats(0.001, 1e9, allow_nan=False)


@given(
    st.builds(
        DecodeJob,
        size=st.builds(Size, st.integers(1, 4096), st.booleans()),
        decoder=st.sampled_from(list(DECODERS)),
        sampling=st.builds(Sampling, st.integers(1, 100), st.none() | numbers, st.integers(1, 16)),
        device=st.sampled_from(["cpu", "cuda:0"]),
        limits=st.builds(Limits, side_px=st.integers(1), stall_s=numbers),
        stills=st.none()
        | st.lists(
            st.builds(
                StillRequest,
                st.lists(numbers).map(tuple),
                st.builds(Size, st.integers(1, 4096), st.booleans()),
            )
        ).map(tuple),
        descriptor=st.integers(0, 1000),
    )
)
def test_a_job_comes_back_as_it_went(job):
    assert "\0" not in job.to_json()
    back = DecodeJob.from_json(job.to_json())
    assert back == job
    assert (type(back.size), type(back.sampling), type(back.limits)) == (Size, Sampling, Limits)
    assert back.stills is None or isinstance(back.stills, tuple)


def test_a_timeline_comes_back_as_it_went(tmp_path):
    timeline = read_timeline(write_video(tmp_path / "a.mp4", 20))
    back = Timeline.from_record(timeline.to_record(), timeline.times_s)
    assert back.to_record() == timeline.to_record()
    np.testing.assert_array_equal(back.times_s, timeline.times_s)
    assert back.number_of(0) is None
    assert timeline.number_of(int(timeline.stamps[7])) == 7
    assert timeline.number_of(int(timeline.stamps[7]) + 1) is None
    assert timeline.number_of(None) is None
    assert math.isclose(timeline.frame_s, 0.04)


def test_sizes_are_even_and_keep_the_aspect():
    timeline = Timeline(np.zeros(1), 1.0, 1, 0, 1920, 1080, 0, np.zeros(1, np.int64))
    assert Size(256, square=False).of(timeline) == (456, 256)
    assert Size(224, square=True).of(timeline) == (224, 224)
    narrow = Timeline(np.zeros(1), 1.0, 1, 0, 16, 9000, 0, np.zeros(1, np.int64))
    assert narrow.scaled_to(8) == (8, 4500)
