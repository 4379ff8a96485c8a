"""The same features of real footage, whichever decoder gives the frames."""

import numpy as np
import pytest

from vadpipe.errors import DecodeError
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.video.decoders import DECODERS
from vadpipe.extract.video.discovery import named_video
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.features.sampling import Sampling

CLIPS = [
    "fight_surv/fight/fi034.mp4",  # 640x360
    "fight_surv/fight/fi077.mp4",  # 1920x1080
    "fight_surv/noFight/nofi091.mp4",  # 320x240
    "kinetics_check_clips/v_GGSY1Qvo990.mp4",
    "ucsd_ped2/test/test04.mp4",
]


@pytest.fixture(scope="module")
def extractors(i3d_weights):
    return {
        name: Extractor(ExtractSettings(stride=64, decoder=name))
        for name, decoder in DECODERS.items()
        if decoder.version() is not None
    }


def features(extractor, path):
    with extractor.open(named_video(path)) as opened:
        return extractor.features(opened)


@pytest.mark.parametrize("clip", CLIPS)
def test_decord_gives_the_frames_that_pyav_gives(data, clip):
    def frames(decoder):
        job = DecodeJob(Size(224, square=True), sampling=Sampling(16), decoder=decoder)  # each frame once
        with Decoding(data / clip, job) as decoding:
            yield from decoding.frames()

    for found, expected in zip(frames("decord"), frames("pyav"), strict=True):
        assert found.number == expected.number
        np.testing.assert_array_equal(found.pixels, expected.pixels)


@pytest.mark.parametrize("clip", CLIPS)
def test_features_agree(data, extractors, clip):
    reference = features(extractors["pyav"], data / clip)
    for name, extractor in extractors.items():
        try:
            found = features(extractor, data / clip)
        except DecodeError as error:
            if "cannot be loaded" in error.reason:
                continue  # torchcodec without FFmpeg's libraries
            raise
        np.testing.assert_allclose(found.frame_times_s, reference.frame_times_s, atol=1e-6)
        if name == "decord":  # the same scaler
            np.testing.assert_array_equal(found.values, reference.values)
        norms = np.linalg.norm(found.values, axis=-1) * np.linalg.norm(reference.values, axis=-1)
        assert ((found.values * reference.values).sum(-1) / norms > 0.99).all()
