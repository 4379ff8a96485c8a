"""The decoders of this machine, and other readers to compare them with."""

import shutil
import subprocess
from pathlib import Path

import av
import pytest

from support.videos import read_counter
from vadpipe.extract import extractor
from vadpipe.extract.stills import read_together
from vadpipe.extract.video.decoders import DECODERS
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob, StillRequest
from vadpipe.extract.video.process import Decoding


def _why_not(name: str) -> str | None:
    if DECODERS[name].version() is None:
        return f"{name} is not installed"
    if name == "torchcodec":
        try:
            import torchcodec.decoders  # noqa: F401
        except (ImportError, RuntimeError, OSError):
            return "torchcodec is installed, but FFmpeg's libraries are not"
    return None


WHY_NOT = {name: _why_not(name) for name in DECODERS}
BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(why is not None, reason=str(why)))
    for name, why in WHY_NOT.items()
]
FFPROBE = shutil.which("ffprobe")
OTHERS = [param for param in BACKENDS if param.values != ("pyav",)]


def decode(path, decoder="pyav", side_px=120, **job):
    """Return the timeline and the frames of a video, decoded in a process of its own."""
    wanted = DecodeJob(Size(side_px, square=False), decoder=decoder, **job)
    with Decoding(Path(path), wanted) as decoding:
        return decoding.timeline, list(decoding.frames())


def frames_at(path, times_s, size):
    """Return the frame that is shown at each time, in a size."""
    [(_, frames)] = read_together(path, [StillRequest(tuple(times_s), size)])
    return frames


def forbid_decoding(monkeypatch):
    """Fail the test where a feature would be extracted from now on."""
    monkeypatch.setattr(extractor, "Decoding", lambda *_: pytest.fail("a video was decoded"))


def counters(frames):
    return [read_counter(frame.pixels) for frame in frames]


def player(path):
    """What a player shows, by PyAV's own plain loop: times from the start of playback, and pixels."""
    with av.open(path) as container:
        start_s = max(0, container.start_time or 0) / av.time_base
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return [time_s - start_s for time_s, _ in frames], [pixels for _, pixels in frames]


def counted_elsewhere(path):
    """Return how many frames another reader shows."""
    if FFPROBE is None:
        with av.open(path) as container:
            return sum(1 for _ in container.decode(container.streams.best("video")))
    command = [FFPROBE, "-v", "error", "-select_streams", "v:0", "-count_frames", "-of", "csv=p=0"]
    told = subprocess.run(
        [*command, "-show_entries", "stream=nb_read_frames", path], capture_output=True, text=True, check=True
    )
    return int(told.stdout.split()[0].rstrip(","))
