"""Promise: a decoder that crashes or hangs costs its file, within the stall limit, and leaves nothing behind."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from support.decoding import decode
from support.faulty_decoders import faulty_decoder, taking_turns
from support.processes import has_ended, left_of
from support.videos import write_video
from support.waiting import wait_until
from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.video import process, sandboxed_process
from vadpipe.extract.video.decoders import choose_decoders
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding

FAULTS = {
    "SIGSEGV": ("os.kill(os.getpid(), signal.SIGSEGV)", r"crashed \(SIGSEGV\)"),
    "a null pointer": ("ctypes.string_at(0)", r"crashed \(SIGSEGV\)"),
    "SIGABRT": ("os.abort()", r"crashed \(SIGABRT\)"),
    "a signal without a name": ("os.kill(os.getpid(), 40)", r"crashed \(signal 40\)"),
    "an early end": ("os._exit(7)", r"ended early \(status 7\)"),
    "an early end without a word": ("os._exit(0)", r"ended early \(status 0\)"),
    "an error that nobody foresaw": ("raise KeyError('surprise')", r"ended early \(status 1\)"),
    "a pipe that is closed": ("os.closerange(1, 64); time.sleep(1000)", "stopped responding and was ended"),
}
HANGS = {
    "a busy loop": "while True: pass",
    "sleep": "time.sleep(1000)",
    "sleep without signals": "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(1000)",
}


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "clip.mp4", 40)


@pytest.fixture
def fail(tmp_path, video, monkeypatch):
    """Return what lets a decoder run into a fault, and fails where anything is left of it."""

    def run(body, reason, stall_s=None, unconfined="pass"):
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        with monkeypatch.context() as patch:
            faulty_decoder(patch, tmp_path, body, unconfined)
            with Decoding(video, DecodeJob(Size(120, square=False), decoder="decord")) as decoding:
                frames = decoding.frames()
                next(frames)
                if stall_s is not None:  # a busy machine may take longer than that to start a process
                    decoding.limits = Limits(stall_s=stall_s)
                with pytest.raises(DecodeError, match=rf"clip\.mp4: the decoder decord {reason}") as caught:
                    list(frames)
                session = decoding.pid
        assert "may repair it" in caught.value.next_step
        assert left_of(session) == []
        assert {child.pid for child in psutil.Process().children(recursive=True)} == before
        assert len(decode(video, "decord")[1]) == 40  # and the next video is fine

    return run


@pytest.mark.parametrize(("body", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_fault_costs_its_file_and_nothing_is_left(fail, monkeypatch, body, reason):
    if reason == "stopped responding and was ended":
        monkeypatch.setattr(sandboxed_process, "DEATH_S", 0.5)
    fail(body, reason)


def test_a_crash_leaves_nothing_of_what_was_started_and_let_go(fail):
    before = "if not os.fork(): os.closerange(1, 64); time.sleep(1000)"
    fail("time.sleep(0.2); os.abort()", r"crashed \(SIGABRT\)", unconfined=before)


def test_a_crash_beside_what_holds_the_pipe_is_a_hang(fail):
    reason = "delivered no frame for 0.5 s and was ended"
    fail("os.abort()", reason, stall_s=0.5, unconfined="if not os.fork(): time.sleep(1000)")


@pytest.mark.parametrize("body", HANGS.values(), ids=HANGS)
def test_a_decoder_that_hangs_costs_its_file_and_nothing_is_left(fail, body):
    fail(body, "delivered no frame for 0.5 s and was ended", stall_s=0.5)


def test_memory_is_bounded_and_the_limit_is_named(tmp_path, video, monkeypatch):
    faulty_decoder(monkeypatch, tmp_path, "held = []\nwhile True: held.append(bytearray(100_000_000))")
    reason = r"clip\.mp4: needs more than the 2\.0 GiB of memory"
    with pytest.raises(InputError, match=reason) as caught:
        decode(video, "decord", limits=Limits(memory_bytes=2 * 2**30))
    assert "--limit memory_bytes=NUMBER" in caught.value.next_step


def test_a_fault_before_the_timeline_is_told_as_well(tmp_path, video, monkeypatch):
    monkeypatch.setattr(process, "PROGRAM", (sys.executable, "-c", "import os; os.abort()"))
    with pytest.raises(DecodeError, match=r"clip\.mp4: the decoder pyav crashed \(SIGABRT\)"):
        decode(video)


def test_a_decoder_cannot_write_files_or_open_many(tmp_path, video, monkeypatch):
    target = tmp_path / "written"
    body = textwrap.dedent(f"""
        try:
            with open({str(target)!r}, "w") as file:
                file.write("x")
        except OSError:
            pass
        files = []
        try:
            while len(files) < 1000:
                files.append(os.dup(0))
        except OSError:
            os._exit(42 if len(files) < 64 else 43)
        os._exit(44)
    """)
    faulty_decoder(monkeypatch, tmp_path, body)
    with pytest.raises(DecodeError, match=r"status 42"):
        decode(video, "decord")
    assert not target.exists() or not target.read_bytes()


def test_what_a_library_prints_does_not_mix_with_frames(tmp_path, video, monkeypatch, capfd):
    body = "os.write(1, b'hello'); print('hello', flush=True); ctypes.CDLL(None).puts(b'hello')"
    faulty_decoder(monkeypatch, tmp_path, body)
    assert len(decode(video, "decord")[1]) == 1
    assert capfd.readouterr().out == ""


def test_a_reader_that_is_slow_is_no_stall(video, monkeypatch):
    asleep_s = 0.0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + asleep_s, sleep=time.sleep)
    monkeypatch.setattr(sandboxed_process, "time", clock)
    with Decoding(video, DecodeJob(Size(120, square=False))) as decoding:
        n_frames = 0
        for _ in decoding.frames():
            asleep_s += 1000.0
            n_frames += 1
    assert n_frames == 40


def test_frames_that_nobody_wants_are_no_stall(tmp_path, video, monkeypatch):
    with taking_turns(monkeypatch, tmp_path, each_s=25.0) as turns:
        body = (
            "time.monotonic = itertools.count(10**9, 2).__next__\n"
            "for _ in range(8):\n    os.read(turns, 1)\n    reading.alive()\n"
            "yield Frame(1, first)"
        )
        before = f"global turns\nturns = os.open({turns!r}, os.O_RDONLY)"
        faulty_decoder(monkeypatch, tmp_path, body, before)
        assert len(decode(video, "decord", limits=Limits(stall_s=60))[1]) == 2


def test_closing_in_the_middle_ends_the_child(video):
    decoding = Decoding(video, DecodeJob(Size(120, square=False)))
    next(decoding.frames())
    decoding.close()
    decoding.close()
    assert left_of(decoding.pid) == []


def test_extraction_goes_on_with_the_next_decoder_when_one_crashes(tmp_path, tiny, monkeypatch):
    video = write_video(tmp_path / "clip.mp4", 20)
    chosen, _ = choose_decoders("auto", "cpu", "mp4")
    first, second = (decoder for decoder, _ in chosen)
    faulty_decoder(monkeypatch, tmp_path, "os.abort()", decoder=first)
    from vadpipe.extract.video.decoders import DECODERS
    from vadpipe.features.file import Features

    extract = Extractor(tiny(engine="torch", device="cpu"))
    features = Features.load(extract(video, tmp_path / "features"))
    assert features.recipe.decoder == DECODERS[second].version()
    assert (features.n_frames, features.source.partial) == (20, None)


def test_the_child_dies_with_its_parent_however_that_ends(tmp_path, video, monkeypatch):
    faulty_decoder(monkeypatch, tmp_path, "while True: pass")
    parent_program = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from vadpipe.extract.video import process
        from vadpipe.extract.video.frame import Size
        from vadpipe.extract.video.job import DecodeJob

        process.PROGRAM = {process.PROGRAM!r}
        decoding = process.Decoding(Path({str(video)!r}), DecodeJob(Size(120, square=False), decoder="decord"))
        decoding.timeline
        print(decoding.pid, flush=True)
        time.sleep(1000)
    """)
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_program],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until(lambda: has_ended(child.pid), "the child has died with its parent")


def test_a_decoder_is_told_no_secrets(video, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-of-a-test")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=s3cret-of-a-test")
    with Decoding(video, DecodeJob(Size(120, square=False))) as decoding:
        next(decoding.frames())
        environment = Path(f"/proc/{decoding.pid}/environ").read_bytes()
    assert b"OMP_NUM_THREADS=1" in environment
    assert b"s3cret" not in environment
