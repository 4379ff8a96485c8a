"""A long video takes no more than a short one, apart from a number or two for each frame and its features."""

import logging
from contextlib import suppress

import av
import numpy as np
import psutil
import pytest

import vadpipe
from support.head_settings import QUICK
from support.held_resources import HeldResources, forget_peak, peak_mb
from support.processes import children_left
from support.videos import textured_frame, write_video
from vadpipe.output.formats import FORMATS

pytestmark = pytest.mark.slow

log = logging.getLogger(__name__)


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


FPS = 10
STRIDE = 64  # of the snippets, for few runs of the backbone
PROGRAMS = {"decoding": "vadpipe.extract.video.child", "exporting": "vadpipe.output.video_export.child"}


class Watch:
    """Notes what is held every ten seconds of a video, while it is scored and while it is annotated."""

    def __init__(self):
        self.held = {"": HeldResources(), "annotating": HeldResources()}
        self.peaks_mb = dict.fromkeys(PROGRAMS, 0.0)
        self._next_s = dict.fromkeys(self.held, 0.0)

    def __call__(self, progress):
        doing, done_s = progress.doing, progress.done_s
        if doing not in self.held or done_s < self._next_s[doing]:
            return
        self._next_s[doing] = done_s + 10
        self.held[doing].note()
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess, OSError):
                command = " ".join(child.cmdline())
                for name, program in PROGRAMS.items():
                    if program in command:
                        self.peaks_mb[name] = max(self.peaks_mb[name], peak_mb(child.pid))


# decord may hold all frames, so that it is given short videos alone, where it is not named.
@pytest.mark.parametrize("decoder", ["auto", "pyav"])
def test_extraction(tmp_path, tiny, decoder):
    minute = write_video(tmp_path / "1.mp4", 60 * 25, size=(64, 48), options={"preset": "ultrafast"})
    long = repeated(minute, tmp_path / "20.mp4", 20)
    own_mb, watches = [], []
    for number, video in enumerate((minute, minute, long)):  # libraries are loaded for the first
        watches.append(Watch())
        forget_peak()
        done = vadpipe.extract_features(
            [video], tmp_path / f"features-{number}", settings=tiny(stride=16, decoder=decoder),
            on_progress=watches[-1],
        )  # fmt: skip
        own_mb.append(peak_mb())
        assert len(done.written) == 1
    assert children_left() == set()
    features_mb = 20 * 60 * 25 / 16 * 2048 * 4 / 1e6
    log.info("peaks in MB: %s, %s", own_mb, [watch.peaks_mb["decoding"] for watch in watches])
    # They are held, and once more while they are written.
    assert own_mb[2] - own_mb[1] < 2 * features_mb + 20
    assert watches[2].peaks_mb["decoding"] < watches[1].peaks_mb["decoding"] + 20


@pytest.fixture
def head(tmp_path, tiny):
    """Return a head that needs few runs of the backbone."""
    for kind in ("normal", "fight"):
        write_video(tmp_path / "train" / kind / f"{kind}.mp4", 10 * STRIDE, rate=FPS, frame=textured_frame)
    vadpipe.extract_features([tmp_path / "train"], tmp_path / "features", settings=tiny(stride=STRIDE))
    return vadpipe.fit(tmp_path / "features", output=tmp_path / "head", settings=QUICK).head


def test_all_outputs_of_three_hours(tmp_path, head, x3d_weights):
    minute = write_video(
        tmp_path / "minute.mp4", 60 * FPS, rate=FPS, frame=textured_frame, options={"g": str(5 * FPS)}
    )
    short, long = (repeated(minute, tmp_path / f"{n}.mp4", n) for n in (10, 180))
    threshold = float(np.median(vadpipe.score(short, head=head, weights=x3d_weights).scores))
    scorer = vadpipe.Scorer(
        head, weights=x3d_weights, threshold=threshold, rule=vadpipe.EventRule(hysteresis=0.0)
    )
    outputs = vadpipe.Outputs(
        formats=tuple(FORMATS), plot="png", report=True, annotate=tmp_path / "annotated", clips=tmp_path / "clips",
        explain=True,
    )  # fmt: skip
    own_mb, watches = [], []
    for video in (short, short, long):  # libraries are loaded for the first
        watches.append(Watch())
        forget_peak()
        (scored,) = vadpipe.score_videos(
            [video], scorer, output=tmp_path / "out", outputs=outputs, on_progress=watches[-1]
        ).scored
        own_mb.append(peak_mb())
    assert children_left() == set()

    curve = scored.curve
    n_frames = 3 * 60 * 60 * FPS
    assert (len(curve), curve.end_s) == (n_frames, pytest.approx(3 * 60 * 60))
    assert len(curve.events) >= 100
    assert len([*(tmp_path / "clips").glob("180.event-*.mp4")]) == len(curve.events)
    with av.open(tmp_path / "annotated/180.annotated.mp4") as annotated:
        assert annotated.streams.video[0].frames == n_frames
        assert annotated.duration / av.time_base == pytest.approx(3 * 60 * 60, abs=0.1)

    for held in watches[-1].held.values():
        held.check_flat(below_mb=25)
    growth_mb = {name: watches[2].peaks_mb[name] - watches[1].peaks_mb[name] for name in PROGRAMS}
    growth_mb["own"] = own_mb[2] - own_mb[1]
    log.info("peaks in MB: %s, %s; growth: %s", own_mb, watches[2].peaks_mb, growth_mb)
    # Features, times and scores, and the text of one table while it is written; 101 MB were measured.
    assert max(growth_mb.values()) < 150
