"""What goes wrong with an export costs that export: a clear error, no file that is half there, no process left."""

import sys
import textwrap

import numpy as np
import psutil
import pytest

from support.exported_videos import curve_of, files_in
from support.permissions import permissions_hold
from support.processes import children_left
from support.videos import write_video
from support.videos_with_sound import write_video_with_sound
from vadpipe.errors import DecodeError, InputError, OutputError
from vadpipe.extract.video.limits import Limits
from vadpipe.output.video_export import process
from vadpipe.output.video_export.annotated import annotate
from vadpipe.output.video_export.clips import cut_clips
from vadpipe.output.video_export.job import Clip, ExportJob
from vadpipe.output.video_export.process import ExportProcess

_FAULTY = """
import os, signal, sys, time
from vadpipe.extract.video.wire_format import PROGRESS, Kind, send, send_json
from vadpipe.output.video_export import child, source, strip

real = source.VideoSource.frames

def frames(self, first, stop, seek=None):
    for number, frame in real(self, first, stop, seek):
        if number == first + 5:
            {body}
        yield number, frame

source.VideoSource.frames = frames
child.main()
"""


def faulty(monkeypatch, tmp_path, body, whole=False):
    """Have every exporting process run a line when it comes to its sixth frame, or in place of all it does."""
    text = textwrap.dedent(body) if whole else _FAULTY.format(body=body)
    program = tmp_path / "faulty.py"
    program.write_text(text)
    monkeypatch.setattr(process, "PROGRAM", (sys.executable, "-P", str(program)))


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "a.avi", 60, codec="mpeg4")  # its clips are encoded, frame by frame


@pytest.fixture(params=["annotate", "cut"])
def make(request, video, tmp_path):
    """Return what annotates the video, or cuts clips of it."""
    curve = curve_of(video, events=[(10, 20), (45, 50)])
    if request.param == "annotate":
        return lambda **more: annotate(curve, video, tmp_path / "out" / "b.mp4", **more)
    return lambda **more: cut_clips(curve, video, tmp_path / "out", "b", pad_s=0.2, **more)


@pytest.fixture(autouse=True)
def no_child_stays():
    before = frozenset(psutil.Process().children(recursive=True))
    yield
    assert children_left(before) == set()


FAULTS = {
    "a crash": ("os.kill(os.getpid(), signal.SIGSEGV)", r"crashed \(SIGSEGV\)"),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", r"crashed \(SIGKILL\)"),
    "an early end": ("os._exit(7)", r"ended early \(status 7\)"),
    "an error that nobody foresaw": ("raise KeyError('surprise')", r"ended early \(status 1\)"),
    "it hangs": ("time.sleep(1000)", "delivered no frame for 1 s and was ended"),
    "it hangs in a loop": ("\n            while True: pass", "delivered no frame for 1 s and was ended"),
}


@pytest.mark.parametrize(("body", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_fault_leaves_nothing(tmp_path, make, monkeypatch, body, reason):
    with monkeypatch.context() as patch:
        faulty(patch, tmp_path, body)
        with pytest.raises(
            DecodeError, match=rf"a\.avi: the process that (writes the annotated video|cuts it) {reason}"
        ):
            # A busy machine may take longer than a second to start a process, which ends a hang alone the same.
            make(limits=Limits(stall_s=1.0) if "1 s" in reason else Limits())
    assert files_in(tmp_path / "out") == []
    make()  # and the next time all is well
    assert files_in(tmp_path / "out")


TALK = {
    "progress that runs back": "send(1, Kind.PROGRESS, PROGRESS.pack(5)); send(1, Kind.PROGRESS, PROGRESS.pack(5))",
    "more progress than there is": "send(1, Kind.PROGRESS, PROGRESS.pack(10**9))",
    "progress without a number": "send(1, Kind.PROGRESS)",
    "a frame": "send(1, Kind.FRAME, b'x')",
}


@pytest.mark.parametrize("talk", TALK.values(), ids=TALK)
def test_a_process_that_was_taken_over_is_not_believed(tmp_path, make, monkeypatch, talk):
    faulty(
        monkeypatch,
        tmp_path,
        f"from vadpipe.extract.video.wire_format import PROGRESS, Kind, send\n{talk}\nimport time; time.sleep(1000)",
        whole=True,
    )
    with pytest.raises(DecodeError, match=r"a\.avi: the process that .* sent "):
        make()
    assert files_in(tmp_path / "out") == []


def test_an_interrupt_leaves_nothing(tmp_path, make):
    def interrupt(done_s, total_s):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(on_progress=interrupt)
    assert files_in(tmp_path / "out") == []


def test_what_was_there_before_stays_when_an_export_fails(tmp_path, make, monkeypatch):
    make()
    before = {name: (tmp_path / "out" / name).read_bytes() for name in files_in(tmp_path / "out")}
    faulty(monkeypatch, tmp_path, "os.abort()")
    with pytest.raises(DecodeError):
        make()
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files_in(tmp_path / "out")} == before


def test_a_folder_that_cannot_be_made(tmp_path, make):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written") as caught:
        make()
    assert caught.value.exit_code == 6


def test_a_folder_that_is_read_only(tmp_path, make):
    (tmp_path / "out").mkdir(mode=0o500)
    with permissions_hold(), pytest.raises(OutputError, match="Permission denied"):
        make()


def test_a_full_disk(tmp_path, video):
    curve = curve_of(video)
    for clips, output in (((), "/dev/full"), ((Clip(0.2, 0.8, "/dev/full"),), "")):
        link = tmp_path / "full.mkv"
        link.symlink_to("/dev/full")
        clips = tuple(Clip(clip.start_s, clip.end_s, str(link)) for clip in clips)
        job = ExportJob(
            Limits(), curve.times_s, curve.end_s, clips, str(link) if output else "", curve.scores,
            target=tmp_path / "b.mkv",
        )  # fmt: skip
        with (
            pytest.raises(
                OutputError, match=r"b\.mkv: cannot be written: No space left on device\nChoose"
            ) as caught,
            ExportProcess(video, [job]) as filming,
        ):
            filming.finish()
        assert caught.value.exit_code == 6
        link.unlink()


def test_an_export_may_be_no_larger_than_a_video(tmp_path):
    noise = np.random.default_rng(0)
    video = write_video(tmp_path / "a.mkv", 20, frame=lambda _, w, h: noise.integers(0, 255, (h, w, 3), np.uint8),
                        options={"crf": "51"})  # fmt: skip
    curve = curve_of(video)
    limits = Limits(file_bytes=video.stat().st_size + 1000)
    with pytest.raises(OutputError, match="larger than a video may be"):
        annotate(curve, video, tmp_path / "b.mp4", limits=limits)
    assert files_in(tmp_path) == ["a.mkv"]


def test_a_playlist_is_refused_before_a_process_is_started(tmp_path, video, monkeypatch):
    curve = curve_of(video)
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n" * 20)
    monkeypatch.setattr(process, "PROGRAM", ("/nonexistent",))
    with pytest.raises(InputError, match="is not a video"):
        annotate(curve, tmp_path / "list.mp4", tmp_path / "b.mp4")
    with pytest.raises(InputError, match="is not a video"):
        cut_clips(curve.at(0.05), tmp_path / "list.mp4", tmp_path, "b")
    with pytest.raises(InputError, match="no such file"):
        annotate(curve, tmp_path / "none.mp4", tmp_path / "b.mp4")
    assert files_in(tmp_path) == ["a.avi", "list.mp4"]


def test_limits_hold(tmp_path, video, make):
    with pytest.raises(InputError, match="has a side of 160 px, above the limit of 159"):
        make(limits=Limits(side_px=159))
    assert files_in(tmp_path / "out") == []


def test_memory_is_bounded_and_the_limit_is_named(tmp_path):
    video = write_video(tmp_path / "a.mkv", 2, size=(3840, 2160), options={"preset": "ultrafast"})
    curve, limits = curve_of(video), Limits(memory_bytes=320 * 2**20)
    with pytest.raises(InputError, match=r"a\.mkv: needs more than the 0\.3 GiB of memory") as caught:
        annotate(curve, video, tmp_path / "b.mp4", limits=limits)
    assert "--limit memory_bytes=NUMBER" in caught.value.next_step
    assert files_in(tmp_path) == ["a.mkv"]


def test_the_process_can_write_no_more_than_it_may_and_gain_nothing(tmp_path, make, monkeypatch):
    body = (
        "import resource; limits = [resource.getrlimit(n) for n in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, "
        "resource.RLIMIT_CORE)]; os._exit(9 if limits == [(10**7, 10**7), (64, 64), (0, 0)] else 8)"
    )
    faulty(monkeypatch, tmp_path, body)
    with pytest.raises(DecodeError, match="status 9"):
        make(limits=Limits(file_bytes=10**7))


def test_the_process_opens_nothing_but_the_video_and_its_outputs(tmp_path, make, monkeypatch):
    (tmp_path / "secret").write_text("secret")
    body = f"""
            import errno, socket
            refused = []
            for what in (lambda: open({str(tmp_path / "secret")!r}), socket.socket, os.fork):
                try: what()
                except OSError as error: refused.append(error.errno)
            os._exit(9 if refused == [errno.EACCES, errno.EPERM, errno.EPERM] else 8)"""
    faulty(monkeypatch, tmp_path, body)
    with pytest.raises(DecodeError, match="status 9"):
        make()


def peak_mb(work, folder):
    """Return the most memory that the processes that this one starts take meanwhile, in MB."""
    import threading

    peak, going = [0.0], threading.Event()

    def watch():
        while not going.wait(0.02):
            for child in psutil.Process().children():
                try:
                    peak[0] = max(peak[0], child.memory_info().rss / 1e6)
                except psutil.NoSuchProcess:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        going.set()
        watcher.join()
    return peak[0]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path):
    peaks = {}
    for n_frames in (1500, 15_000):
        video = write_video_with_sound(tmp_path / f"{n_frames}.mp4", n_frames, sound="aac", size=(320, 240))
        curve = curve_of(video, events=[(100, 400)])
        peaks[n_frames] = peak_mb(lambda v=video, c=curve: annotate(c, v, tmp_path / "b.mp4"), tmp_path)
        assert len(shown_times(tmp_path / "b.mp4")) == n_frames
    assert peaks[15_000] < peaks[1500] + 15


def shown_times(path):
    import av

    with av.open(path) as container:
        return [packet.pts for packet in container.demux(video=0) if packet.size]
