"""A damaged file: what can be decoded is kept, every frame has its own number, and smears are left out.

The files are whole ones with bytes changed inside some packets; each frame carries its number and a texture,
so that a frame in another's place, a frame put together from its neighbours and a smear all show.
"""

import av
import numpy as np
import pytest

from support.decoding import BACKENDS, OTHERS, counters, decode, player
from support.video_edits import cut_inside, flip_bytes, packets_of
from support.videos import read_counter, textured_frame, write_video
from vadpipe.errors import DecodeError
from vadpipe.extract.clips import Clips, views_of_frames
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.video.pyav_decoder import HEALED_S
from vadpipe.features.file import Features
from vadpipe.features.sampling import Sampling

N, GROUP = 96, 12
VIDEOS = {
    "h264": ("a.mp4", "libx264", {"g": "12", "bf": "0"}),
    "h264 with b-frames": ("a.mp4", "libx264", {"g": "12", "bf": "3"}),
    "h264 in open groups": ("a.mp4", "libx264", {"g": "12", "bf": "3", "x264-params": "open-gop=1"}),
    "h264 in mkv": ("a.mkv", "libx264", {"g": "12", "bf": "2"}),
    "h264 in avi": ("a.avi", "libx264", {"g": "12", "bf": "0"}),
    "mpeg4 in avi": ("a.avi", "mpeg4", {"g": "12"}),
    "mpeg4 in mp4": ("a.mp4", "mpeg4", {"g": "12", "bf": "2"}),
    "hevc": ("a.mp4", "libx265", {"x265-params": "keyint=12:log-level=none"}),
}


def whole(frame):
    """The one view of a frame that is not cropped."""
    return (frame,)


@pytest.fixture
def make(tmp_path):
    def run(name, codec, options, **more):
        path = write_video(tmp_path / name, N, codec=codec, options=options, frame=textured_frame, **more)
        return path, player(path)[1]

    return run


def inner_packets(path, groups):
    """Return a packet in the middle of each of these groups."""
    keys = [index for index, (_, _, key) in enumerate(packets_of(path)) if key]
    return [keys[group] + 4 for group in groups]


def share_of_smears(frames, whole):
    differences = [np.abs(frame.pixels.astype(int) - whole[frame.number]).mean() for frame in frames]
    return float(np.mean(np.array(differences) > 3))


@pytest.mark.parametrize(("name", "codec", "options"), VIDEOS.values(), ids=VIDEOS)
def test_the_rest_is_kept_and_numbered_truly(make, name, codec, options):
    path, whole = make(name, codec, options)
    flip_bytes(path, inner_packets(path, [2, 5]), seed=1)
    timeline, frames = decode(path)
    assert len(timeline.times_s) == timeline.n_announced == N
    kept = {frame.number for frame in frames}
    untouched = set(range(24)) | set(range(39, 58)) | set(range(75, N))  # groups that nothing was done to
    assert untouched <= kept
    assert len(kept) < N
    assert share_of_smears(frames, whole) < 0.15
    later = [(frame.number, counter) for frame, counter in zip(frames, counters(frames), strict=True) if frame.number in untouched]  # fmt: skip
    assert all(number == counter for number, counter in later)


@pytest.mark.parametrize("decoder", OTHERS)
@pytest.mark.parametrize(("name", "codec", "options"), VIDEOS.values(), ids=VIDEOS)
def test_the_other_decoders_notice_and_hand_the_file_on(make, decoder, name, codec, options):
    path, _ = make(name, codec, options)
    flip_bytes(path, inner_packets(path, [2, 5]), seed=1)
    with pytest.raises(DecodeError, match=f"{decoder} (cannot|returns other frames|counts)") as caught:
        decode(path, decoder)
    assert "--decoder pyav" in caught.value.next_step


@pytest.mark.parametrize("decoder", OTHERS)
def test_the_other_decoders_complain_of_nothing_in_a_whole_file(make, decoder):
    for name, codec, options in VIDEOS.values():
        path, _ = make(name, codec, options)
        _, frames = decode(path, decoder)
        assert counters(frames) == list(range(N))


@pytest.mark.parametrize(("name", "codec", "options"), [VIDEOS["h264"], VIDEOS["h264 with b-frames"]])
@pytest.mark.parametrize("seed", range(4))
def test_snippets_are_lost_exactly_where_a_frame_is_missing(make, name, codec, options, seed):
    path, _ = make(name, codec, options)
    flip_bytes(path, inner_packets(path, [1, 4]), seed=seed, n_bytes=6)
    sampling = Sampling()
    with Decoding(path, DecodeJob(Size(120, square=False), sampling=sampling)) as decoding:
        clips = Clips(
            views_of_frames(decoding.frames(), whole), decoding.decoded, decoding.timeline, sampling
        )
        drawn = list(clips)
    kept = {frame.number for frame in decode(path)[1]}
    assert 0 < len(kept) < N
    expected = [row for row in range(6) if set(range(16 * row, 16 * row + 16)) <= kept]
    assert clips.drawn == expected
    assert {number for start, stop in clips.gaps for number in range(start, stop)} == set(range(N)) - kept
    assert clips.n_missing == N - len(kept)
    assert [clip[3, :, :, 1].shape for clip in drawn] == [(120, 160)] * len(expected)


def test_a_stream_that_renews_itself_in_stripes_is_trusted_again_after_a_while(tmp_path):
    options = {"x264-params": "intra-refresh=1:keyint=25:bframes=0"}
    path = write_video(tmp_path / "a.mp4", 80, rate=5, options=options, frame=textured_frame)
    with av.open(path) as container:
        assert sum(frame.key_frame for frame in container.decode(video=0)) == 1
    flip_bytes(path, [12], seed=2)
    missing = sorted(set(range(80)) - {frame.number for frame in decode(path)[1]})
    assert missing == list(range(12, 12 + int(5 * HEALED_S)))


def test_av1_leaves_out_what_it_cannot_decode_by_itself(make, capfd):
    path, whole = make("a.mp4", "libsvtav1", {"preset": "12", "g": "12"})
    flip_bytes(path, inner_packets(path, [2]), seed=1)
    _, frames = decode(path)
    assert N - GROUP <= len(frames) < N
    assert share_of_smears(frames, whole) < 0.1


CUT = {
    "mp4": ("a.mp4", "libx264", {"container_options": {"movflags": "faststart"}}),
    "fragments": ("a.mp4", "libx264", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "mkv": ("a.mkv", "libx264", {}),
    "webm": ("a.webm", "libvpx-vp9", {}),
    "avi": ("a.avi", "mpeg4", {}),
    "ts": ("a.ts", "libx264", {}),
}


@pytest.mark.parametrize(("name", "codec", "more"), CUT.values(), ids=CUT)
def test_of_a_cut_file_the_beginning_is_kept(make, name, codec, more):
    options = {"cpu-used": "8", "deadline": "realtime"} if codec == "libvpx-vp9" else {}
    path, _ = make(name, codec, {"g": "12", **options}, **more)
    cut_inside(path, 57)
    sampling = Sampling()
    with Decoding(path, DecodeJob(Size(120, square=False), sampling=sampling)) as decoding:
        clips = Clips(
            views_of_frames(decoding.frames(), whole), decoding.decoded, decoding.timeline, sampling
        )
        drawn = list(clips)
    assert 10 < clips.n_frames < N
    timeline, frames = decode(path)
    if name != "a.ts" and "frag_keyframe+empty_moov" not in str(more):  # these say nowhere how long they are
        assert abs(timeline.n_announced - N) <= 2
    at = np.round(timeline.times_s * 25).astype(int)  # a b-frame before the cut may be behind it in the file
    assert counters(frames) == [at[frame.number] for frame in frames]
    assert frames[-1].number == clips.n_frames - 1
    if clips.drawn[-1] == clips.n_snippets - 1:  # the last sixteen frames up to the cut, each as it is
        numbers = counters(frames)[-16:]
        padded = [*numbers, *numbers[-1:] * (16 - len(numbers))]
        assert [read_counter(picture) for picture in drawn[-1]] == padded


@pytest.mark.parametrize("decoder", BACKENDS)
def test_a_file_of_which_nothing_can_be_decoded_is_an_error(make, decoder):
    path, _ = make("a.mp4", "libx264", {"g": "12"})
    content = bytearray(path.read_bytes())
    for at, size, _ in packets_of(path):
        content[at + 4 : at + size] = b"\xff" * (size - 4)
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=r"a\.mp4: has no decodable video frame"):
        decode(path, decoder)


def test_extraction_of_a_damaged_file_keeps_the_rest_and_says_what_is_lost(make, tmp_path, tiny):
    path, _ = make("a.mp4", "libx264", {"g": "12", "bf": "0"})
    flip_bytes(path, inner_packets(path, [2]), seed=1)
    kept = {frame.number for frame in decode(path)[1]}
    extract = Extractor(tiny(stride=16, engine="torch", device="cpu"))
    features = Features.load(extract(path, tmp_path / "features"))
    assert features.recipe.decoder.startswith("av ")
    seen = {16 * row + offset for row in range(6) for offset in (2, 6, 10, 14)}  # all that this network sees
    assert {
        number for start, stop in features.source.gaps for number in range(start, stop)
    } & seen == seen - kept
    lost = [row for row in range(6) if not {16 * row + offset for offset in (2, 6, 10, 14)} <= kept]
    assert np.flatnonzero(features.lost).tolist() == lost != []
    assert (features.values[features.lost] == 0).all()
    assert (np.abs(features.values[~features.lost]).sum(axis=(1, 2)) > 0).all()
    assert "frames could not be decoded" in features.source.partial
