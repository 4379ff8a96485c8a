"""A run over many files holds no more at its end than at its beginning."""

import os
import shutil

import pytest

from support.held_resources import HeldResources
from support.processes import children_left
from support.videos import write_video
from vadpipe import Outputs, score_videos
from vadpipe.extract.extraction import extract_features
from vadpipe.output.formats import FORMATS

pytestmark = pytest.mark.slow

N_FILES = 500
N_BROKEN = N_FILES // 10


@pytest.fixture
def videos(tmp_path):
    """Return a folder of many small videos, every tenth of which is cut off."""
    good = write_video(tmp_path / "good.mp4", 20, size=(160, 120))
    broken = shutil.copy(good, tmp_path / "broken.mp4")
    os.truncate(broken, good.stat().st_size // 2)
    (tmp_path / "videos").mkdir()
    for number in range(N_FILES):
        shutil.copy(broken if number % 10 == 9 else good, tmp_path / f"videos/{number:03d}.mp4")
    return tmp_path / "videos"


@pytest.fixture
def held():
    """Note what is held; when all is done, no process is left."""
    yield HeldResources()
    assert children_left() == set()


def at_first_frames(held):
    """Return what notes what is held at the first frame of each video, while the next one is open as well."""
    seen = set()

    def look(progress):
        if progress.index not in seen and not progress.doing:
            seen.add(progress.index)
            held.note()

    return look


def test_extraction(tmp_path, videos, tiny, held):
    result = extract_features(
        [videos], tmp_path / "features", settings=tiny(), on_progress=at_first_frames(held)
    )
    assert (len(result.written), len(result.failed)) == (N_FILES - N_BROKEN, N_BROKEN)
    held.check_flat(below_mb=10)


def test_scoring_with_reports(tmp_path, videos, scorer, held):
    outputs = Outputs(formats=tuple(FORMATS), report=True)
    result = score_videos(
        [videos], scorer, output=tmp_path / "out", outputs=outputs, on_progress=at_first_frames(held)
    )
    assert (len(result.scored), len(result.failed)) == (N_FILES - N_BROKEN, N_BROKEN)
    held.check_flat(below_mb=10)
