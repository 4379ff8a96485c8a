"""The installation that only scores: what it needs, and that it is small."""

import configparser
import subprocess
import sys

import numpy as np
import pytest

from support.environment import ROOT
from support.videos import write_video

LISTED = [line for line in (ROOT / "requirements-score.txt").read_text().splitlines() if line[0] != "#"]


def test_its_bounds_are_those_of_the_complete_installation():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"] + setup["options.extras_require"]["cpu"]
    assert set(LISTED) <= set(lines.split("\n"))
    assert not any(line.startswith(("torch", "scikit-learn", "scipy", "matplotlib")) for line in LISTED)


@pytest.mark.slow
def test_a_clean_environment_scores_in_less_than_700_mb(x3d_model, scorer, tmp_path):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    install = [environment / "bin/python", "-m", "pip", "install", "-q", "-c", ROOT / ".ci/constraints.txt"]
    subprocess.run([*install, "--no-deps", ROOT], check=True)
    subprocess.run([*install, "-r", ROOT / "requirements-score.txt"], check=True)
    found = [path for path in environment.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in found) < 700e6
    assert not [*environment.glob("lib/python*/site-packages/torch")]
    clip = write_video(tmp_path / "a.mp4", 50)
    command = [environment / "bin/vadpipe", "score", clip, "--head", x3d_model.folder, "-o", tmp_path / "out"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "out/a.scores.csv").read_text().splitlines()[1:]
    scores = [float(row.split(",")[2]) for row in rows]
    np.testing.assert_allclose(scores, scorer.score(clip).scores, atol=1e-4)
