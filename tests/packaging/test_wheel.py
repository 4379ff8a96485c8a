"""The wheel holds what the checkout holds, and works from another folder."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.environment import ROOT
from support.videos import write_video

INSTALLED_AS = {"vadpipe/": "vadpipe/", "extract/": "vadpipe/extract/", "weights/": "vadpipe/weights/"}


def tracked_files() -> list[str]:
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel"))


def build_wheel(source: Path, target: Path, **environment: str) -> Path:
    """Build it from a copy of the tracked files, as a clean checkout would."""
    for name in tracked_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name, follow_symlinks=False)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(target),
    ]
    done = subprocess.run(
        [*command, str(source)], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return next(target.glob("vadpipe-*.whl"))


def test_the_wheel_holds_every_tracked_file_of_the_packages_and_no_other(wheel):
    expected = {
        installed + name.removeprefix(top)
        for name in tracked_files()
        for top, installed in INSTALLED_AS.items()
        if name.startswith(top) and not (ROOT / name).is_symlink()
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected


@pytest.mark.slow
def test_two_builds_of_a_commit_are_the_same(tmp_path):
    wheels = [
        build_wheel(
            tmp_path / f"source {number}", tmp_path / f"target {number}", SOURCE_DATE_EPOCH="1700000000"
        )
        for number in range(2)  # the copies of the files are of different times
    ]
    first, second = (hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels)
    assert first == second
    later = build_wheel(tmp_path / "later", tmp_path / "target", SOURCE_DATE_EPOCH="1700000002")
    assert hashlib.sha256(later.read_bytes()).hexdigest() != first


def test_the_wheel_stays_small(wheel):
    assert wheel.stat().st_size < 30e6


def test_the_wheel_scores_from_another_folder_without_a_download(wheel, tmp_path):
    pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install 'vadpipe[cpu]')")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    write_video(tmp_path / "clip.mp4", 20)
    code = (
        "import vadpipe, vadpipe.extract.extraction\n"
        "print(vadpipe.__file__, vadpipe.extract.__file__, len(vadpipe.score('clip.mp4').scores))"
    )
    nothing_fetched = {"VADPIPE_CACHE": str(tmp_path / "cache"), "VADPIPE_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **nothing_fetched, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    init, extract_init, n_scores = done.stdout.split()
    assert Path(init) == tmp_path / "site/vadpipe/__init__.py"
    assert Path(extract_init) == tmp_path / "site/vadpipe/extract/__init__.py"
    assert n_scores == "20"
