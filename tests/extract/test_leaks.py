"""A run over many files holds no more at its end than at its beginning."""

import os
import shutil

import numpy as np
import psutil
import pytest
from conftest import write_video

from vadpipe.extract.extraction import extract_features

N_FILES = 400


@pytest.mark.slow
def test_memory_descriptors_and_threads_stay_as_they_are_over_many_files(tmp_path, tiny):
    good = write_video(tmp_path / "good.mp4", 20, size=(64, 64))
    broken = shutil.copy(good, tmp_path / "broken.mp4")
    os.truncate(broken, good.stat().st_size // 2)
    (tmp_path / "v").mkdir()
    for number in range(N_FILES):
        shutil.copy(broken if number % 10 == 9 else good, tmp_path / f"v/{number:03d}.mp4")
    this, seen = psutil.Process(), {}

    def look(progress):  # at the first frame of each video
        if progress.index not in seen:
            seen[progress.index] = (this.memory_info().rss / 1e6, this.num_fds(), this.num_threads())

    result = extract_features([tmp_path / "v"], tmp_path / "features", settings=tiny(), on_progress=look)
    assert (len(result.written), len(result.failed)) == (N_FILES * 9 // 10, N_FILES // 10)
    warm = [index for index in seen if index >= 50 and index % 10 < 7]  # two good ones are open at once
    rss_mb, n_descriptors, n_threads = np.array([seen[index] for index in warm]).T
    per_file_mb = np.polyfit(warm, rss_mb, 1)[0]
    assert per_file_mb < 0.1
    assert np.ptp(n_descriptors) <= 2
    assert np.ptp(n_threads) == 0
    assert this.children(recursive=True) == []
