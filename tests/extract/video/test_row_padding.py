"""FFmpeg pads rows to suit the processor; no picture and no feature may depend on it."""

import sys

import numpy as np
import pytest

from support.decoding import decode
from support.video_edits import turn
from support.videos import textured_frame, write_video
from vadpipe.errors import DecodeError
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.video import process
from vadpipe.features.file import Features

SIDES = [16, 24, 32, 48, 64, 96, 144]  # each but 64 has padded rows on some processor

# decord as it is on a processor whose vectors pad every row to so many channels, whatever this one does.
_DECORD = """
import sys
import numpy as np
from vadpipe.extract.video import child
from vadpipe.extract.video import decord_decoder as by_decord

class Pixels:
    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def asnumpy(self):
        return self.array

class Reader:
    def __init__(self, *arguments, **options):
        self.real = decord.VideoReader(*arguments, **options)

    def __len__(self):
        return len(self.real)

    def next(self):
        given = self.real.next().asnumpy()
        height, width, _ = given.shape
        rows = np.full((height, width * {n_channels}), 77, np.uint8)
        n_bytes = width * min({n_channels}, 3)
        rows[:, :n_bytes] = given.reshape(height, -1)[:, :n_bytes]
        return Pixels(rows.reshape({shape}))

class Decord:
    VideoReader = Reader
    cpu = staticmethod(lambda number: decord.cpu(number))

decord = by_decord.import_decord()
by_decord.import_decord = lambda **options: Decord
child.main()
"""


@pytest.fixture
def pad(tmp_path, monkeypatch):
    """Return what makes decord give so many channels in every decoding process, padding from the third on."""

    def put(n_channels, shape="height, width, -1"):
        program = tmp_path / "padded.py"
        program.write_text(_DECORD.format(n_channels=n_channels, shape=shape))
        monkeypatch.setattr(process, "PROGRAM", (sys.executable, "-P", str(program)))

    return put


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("padding") / "a.mp4"
    return write_video(path, 5, size=(320, 320), frame=textured_frame)


def pictures(path, decoder, side_px):
    return np.array([frame.pixels for frame in decode(path, decoder, side_px)[1]])


@pytest.mark.parametrize("side_px", SIDES)
def test_decord_gives_what_pyav_gives_however_this_processor_pads(video, side_px):
    expected = pictures(video, "pyav", side_px)
    assert expected.shape == (5, side_px, side_px, 3)
    np.testing.assert_array_equal(pictures(video, "decord", side_px), expected)


@pytest.mark.parametrize("n_channels", [3, 4, 6, 12])
def test_padding_is_cut_off(video, pad, n_channels):
    expected = pictures(video, "pyav", 90)
    pad(n_channels)
    np.testing.assert_array_equal(pictures(video, "decord", 90), expected)


@pytest.mark.parametrize(
    ("n_channels", "shape"),
    [(2, "height, width, -1"), (4, "width // 2, height * 2, -1"), (4, "height, width * 2, -1")],
)
def test_frames_of_another_size_are_refused(video, pad, n_channels, shape):
    pad(n_channels, shape)
    with pytest.raises(DecodeError, match=r"decord gives frames of the shape \("):
        decode(video, "decord", 90)


@pytest.mark.parametrize(("clockwise", "view"), [(0, "whole"), (90, "centre")])
def test_features_do_not_depend_on_it(tmp_path, pad, tiny, clockwise, view):
    """A turned video shows it: there decord and PyAV differ a little, so it must not be one here, one there."""
    path = write_video(tmp_path / "a.mp4", 20, frame=textured_frame)
    turn(path, clockwise)
    extract = Extractor(tiny(engine="torch", device="cpu", view=view))
    files = []
    for n_channels in (3, 4, 6):
        pad(n_channels)
        files.append(extract(path, tmp_path / f"features {n_channels}"))
    without, *padded = files
    assert Features.load(without).recipe.decoder.startswith("decord")
    assert [file.read_bytes() for file in padded] == [without.read_bytes()] * 2
    if not clockwise:
        by_pyav = Extractor(tiny(engine="torch", device="cpu", view=view, decoder="pyav"))
        values = Features.load(by_pyav(path, tmp_path / "by pyav")).values
        np.testing.assert_array_equal(Features.load(without).values, values)
