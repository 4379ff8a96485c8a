"""What a player shows of an exported video, and the curve that it was exported from."""

import av
import numpy as np

from support.videos import read_counter
from vadpipe.curves.curve import Curve
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding


def times_of(path):
    """Return when each frame of a video is shown, as every curve has it, and when the last one ends."""
    with Decoding(path, DecodeJob(Size(64, square=True))) as decoding:
        return decoding.timeline.times_s, decoding.timeline.end_s


def curve_of(path, events=(), unscored=()):
    """Return a curve of a video: 0.9 in events, [start, stop) frames, else 0.1; threshold 0.5."""
    times_s, end_s = times_of(path)
    scores = np.full(len(times_s), 0.1, np.float32)
    for start, stop in events:
        scores[start:stop] = 0.9
    for start, stop in unscored:
        scores[start:stop] = np.nan
    return Curve(str(path), scores, times_s, end_s, threshold=0.5)


def shown(path):
    """Return what a player shows, by a plain loop: times from the start of playback, and RGB pixels."""
    with av.open(path) as container:
        start_s = max(0, container.start_time or 0) / av.time_base
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return np.array([time_s - start_s for time_s, _ in frames]), [pixels for _, pixels in frames]


def counters(pictures, width=160, height=120):
    """Read the numbers in the top left part of these pictures."""
    return [read_counter(picture[:height, :width]) for picture in pictures]


def length_s(path):
    with av.open(path) as container:
        return container.duration / av.time_base


def is_vermillion(pixels):
    """Tell for each pixel whether it has the colour of alarms, as far as a codec keeps it."""
    return np.abs(pixels.astype(int) - (0xD5, 0x5E, 0x00)).max(axis=-1) < 40


def borders(pictures, width=160, height=120):
    """Tell for each picture whether its whole edge is marked."""
    found = []
    for picture in pictures:
        part = is_vermillion(picture[:height, :width])
        edge = np.concatenate([part[0], part[height - 1], part[:, 0], part[:, width - 1]])
        found.append(bool(edge.mean() > 0.9))
        assert found[-1] or edge.mean() < 0.1
    return found


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())
