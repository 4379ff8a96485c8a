"""A run over many files, or over a long one, holds no more at its end than at its beginning."""

import os
import shutil
import subprocess
import sys

import av
import numpy as np
import psutil
import pytest

from support.videos import write_video
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


def repeated(source, target, times):
    """Copy the packets of a video several times over, one after the other."""
    with av.open(target, "w") as output:
        stream, offset = None, 0
        for _ in range(times):
            with av.open(source) as reader:
                stream = stream or output.add_stream_from_template(reader.streams.video[0])
                packets = [packet for packet in reader.demux(video=0) if packet.dts is not None]
                for packet in packets:
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    output.mux(packet)
                offset = max(packet.pts + packet.duration for packet in packets)
    return target


PEAK = """
import resource, sys
from pathlib import Path
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings
settings = ExtractSettings(backbone="x3d_xs", stride=16, weights=Path(sys.argv[1]), decoder=sys.argv[4])
Extractor(settings)(sys.argv[2], sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path, tiny, x3d_weights, decoder):
    minute = write_video(tmp_path / "1.mp4", 60 * 25, size=(64, 48), options={"preset": "ultrafast"})
    long = repeated(minute, tmp_path / "20.mp4", 20)
    peaks_mb = []
    for video in (minute, minute, long):  # the first converts the backbone
        command = [
            sys.executable,
            "-c",
            PEAK,
            str(x3d_weights),
            str(video),
            str(tmp_path / f"f{len(peaks_mb)}"),
            decoder,
        ]
        peaks_mb.append(float(subprocess.check_output(command)))
    features_mb = 20 * 60 * 25 / 16 * 2048 * 4 / 1e6
    assert (
        peaks_mb[2] - peaks_mb[1] < 2 * features_mb + 20
    )  # they are held, and once more while they are written
