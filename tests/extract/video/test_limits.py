"""Limits: what a video may ask for, and a file beyond it is refused before it costs anything."""

import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import av
import pytest

from support.decoding import decode
from support.environment import ROOT
from support.oversized_pictures import oversized_h264, oversized_vp9
from support.videos import write_video
from vadpipe.errors import InputError, UsageError
from vadpipe.extract.video.limits import Limits


def test_limits_are_changed_by_name():
    assert Limits.parse([]) == Limits()
    assert Limits.parse(["stall_s=2.5", "side_px=100"]) == Limits(stall_s=2.5, side_px=100)
    assert Limits.parse(["stall_s=1", "stall_s=2"]).stall_s == 2.0
    assert isinstance(Limits.parse(["duration_s=60"]).duration_s, float)


def test_the_limits_are_those_of_the_documentation():
    rows = re.findall(
        r"^\| `(\w+)`(?:: [^|]+| [^|]+)? \| ([\d,]+)( GiB)? \|$",
        (ROOT / "docs/extraction.md").read_text(),
        re.MULTILINE,
    )
    told = {name: int(number.replace(",", "")) * (2**30 if unit else 1) for name, number, unit in rows}
    assert told == asdict(Limits())


@pytest.mark.parametrize("text", ["side", "", "=5", "Stall_s=1", "side px=3"])
def test_an_unknown_limit_is_refused_and_the_others_are_named(text):
    with pytest.raises(UsageError, match=f"unknown limit '{text.partition('=')[0]}'") as caught:
        Limits.parse([text])
    assert (
        "side_px, area_px, streams, duration_s, file_bytes, memory_bytes, stall_s" in caught.value.next_step
    )


@pytest.mark.parametrize("value", ["0", "-1", "", "many", "nan", "1.5", "0x10"])
def test_a_limit_is_a_number_above_zero(value):
    with pytest.raises(UsageError, match=f"limit side_px must be a whole number above 0, not '{value}'"):
        Limits.parse([f"side_px={value}"])


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0.0"])
def test_a_duration_ends(value):
    with pytest.raises(UsageError, match=f"limit stall_s must be a number above 0, not '{value}'"):
        Limits.parse([f"stall_s={value}"])


def test_what_is_measured_is_compared_with_the_limit_of_its_name():
    Limits().check(side_px=16_384, area_px=64_000_000, streams=16, duration_s=86_400, file_bytes=64e9)
    with pytest.raises(InputError, match="has a side of 16,385 px, above the limit of 16,384") as caught:
        Limits().check(side_px=16_385)
    assert caught.value.next_step == "Raise it with --limit side_px=NUMBER if you trust the file."


MEASURE = """
import resource, sys
from pathlib import Path
from vadpipe.errors import InputError
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
try:
    with Decoding(Path(sys.argv[1]), DecodeJob(Size(120, square=False), decoder=sys.argv[2])) as decoding:
        print(len(list(decoding.frames())), "frames")
except InputError as error:
    print(error.reason)
    print(error.next_step)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measure(path, decoder="decord"):
    """Return the reason and the next step of a refusal, and the peak memory of the child in megabytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path), decoder],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    *told, peak_kb = done.stdout.splitlines()
    return "\n".join(told), int(peak_kb) / 1024


BOMBS = {
    "h264 of 8k in mp4": (oversized_h264, "a.mp4", 8192, 8192, "area_px"),
    "h264 of 8k in ts": (oversized_h264, "a.ts", 8192, 8192, "area_px"),
    "h264 of 8k in mkv": (oversized_h264, "a.mkv", 8192, 8192, "area_px"),
    "h264 of 8k in avi": (oversized_h264, "a.avi", 8192, 8192, "area_px"),
    "h264 of 16k in mp4": (oversized_h264, "a.mp4", 16_384, 16_384, "area_px"),
    "h264 that is too wide": (oversized_h264, "a.mp4", 16_400, 64, "side_px"),
    "h264 that is too high in ts": (oversized_h264, "a.ts", 64, 16_400, "side_px"),
    "vp9 of 8k behind a header that says 64": (oversized_vp9, "a.webm", 8192, 8192, "area_px"),
    "vp9 of 16k behind a header that says 64": (oversized_vp9, "a.mp4", 16_384, 16_384, "area_px"),
    "vp9 that is too wide": (oversized_vp9, "a.webm", 65_536, 16, "side_px"),
}


@pytest.mark.parametrize(("bomb", "name", "width", "height", "limit"), BOMBS.values(), ids=BOMBS)
def test_an_oversized_picture_is_refused_in_little_memory(tmp_path, bomb, name, width, height, limit):
    path = bomb(tmp_path / name, width, height)
    assert path.stat().st_size < 50_000
    told, peak_mb = measure(path)
    measured = f"{max(width, height):,} px" if limit == "side_px" else f"{width * height:,} px"
    assert measured in told
    assert f"--limit {limit}=NUMBER" in told
    assert peak_mb < 250


def test_a_picture_below_the_limits_is_given_by_the_same_way(tmp_path):
    told, peak_mb = measure(oversized_vp9(tmp_path / "a.webm", 64, 64))
    assert told == "3 frames"
    assert peak_mb < 250


def test_a_length_that_the_container_claims(tmp_path):
    path = write_video(tmp_path / "a.avi", 5, codec="mpeg4")
    content = bytearray(path.read_bytes())
    at = content.index(b"strh") + 8 + 32  # the number of frames of a stream
    content[at : at + 4] = (25 * 86_401).to_bytes(4, "little")
    path.write_bytes(content)
    told, peak_mb = measure(path)
    assert told.startswith("has a length of 86,401 s, above the limit of 86,400")
    assert "--limit duration_s=NUMBER" in told
    assert peak_mb < 250


def test_a_length_that_the_times_have(tmp_path):
    path = write_video(tmp_path / "a.mkv", 2, times=[0, 25 * 3_600_000])
    with pytest.raises(InputError, match=r"a\.mkv: has a length of 90,000 s") as caught:
        decode(path)
    assert "--limit duration_s=NUMBER" in caught.value.next_step
    assert len(decode(path, limits=Limits(duration_s=100_000))[1]) == 2


@pytest.mark.parametrize("n_sounds", [15, 16, 40])
def test_a_number_of_streams(tmp_path, n_sounds):
    path = tmp_path / "a.mkv"
    with av.open(path, "w") as output:
        video = output.add_stream("mpeg4", rate=25)
        video.codec_context.thread_count = 1
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        for _ in range(n_sounds):
            output.add_stream("pcm_s16le", rate=8000, layout="mono")
        output.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
        output.mux(video.encode())
    if n_sounds == 15:
        assert len(decode(path)[1]) == 1
        return
    told, peak_mb = measure(path)
    assert told.startswith(f"has a number of streams of {n_sounds + 1}, above the limit of 16")
    assert "--limit streams=NUMBER" in told
    assert peak_mb < 250


def test_a_size_of_the_file_is_known_before_a_process_is_started(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 5)
    os.truncate(path, 64_000_000_001)  # sparse: it takes no room
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **more: pytest.fail("started"))
    with pytest.raises(InputError, match=r"a\.mp4: has a size of 64,000,000,001 bytes") as caught:
        decode(path)
    assert "--limit file_bytes=NUMBER" in caught.value.next_step


def test_memory_that_the_other_limits_allow_may_still_be_too_much(tmp_path):
    path = oversized_h264(tmp_path / "a.mp4", 8192, 7680)  # 63 million pixels
    with pytest.raises(InputError, match=r"a\.mp4: needs more than the 0\.3 GiB of memory") as caught:
        decode(path, limits=Limits(memory_bytes=300 * 2**20))
    assert "--limit memory_bytes=NUMBER" in caught.value.next_step


def test_any_number_will_do_for_a_limit(tmp_path):
    path = write_video(tmp_path / "a.mp4", 5)
    limits = Limits(*[10**30] * 7)
    for decoder in ("decord", "pyav"):
        assert len(decode(path, decoder, limits=limits)[1]) == 5


def test_a_limit_of_the_user_holds_for_every_decoder(tmp_path):
    path = write_video(tmp_path / "a.mp4", 5, size=(320, 180))
    for decoder in ("decord", "pyav"):
        with pytest.raises(InputError, match="has a side of 320 px, above the limit of 319"):
            decode(Path(path), decoder, limits=Limits(side_px=319))
        assert len(decode(path, decoder, limits=Limits(side_px=320, area_px=320 * 180))[1]) == 5
