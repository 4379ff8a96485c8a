"""Scoring by an exported model imports neither torch nor what only training needs."""

import os
import subprocess
import sys

import numpy as np
import pytest

from support.environment import ROOT
from support.videos import write_video

_TRAINING = (
    "torch",
    "torchvision",
    "pytorchvideo",
    "sklearn",
    "scipy",
    "onnx",
    "matplotlib",
    "jinja2",
    "requests",
)
_WITHOUT = (
    "import importlib.abc, sys\n"
    "class Missing(importlib.abc.MetaPathFinder):\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.split('.')[0] in {missing}:\n"
    "            raise ModuleNotFoundError('No module named ' + name, name=name)\n"
    "sys.meta_path.insert(0, Missing())\n"
)


def run_without(missing, program, *arguments):
    """Run a program in an interpreter that cannot import some packages."""
    code = _WITHOUT.format(missing=missing) + program
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def scores_of(text):
    return np.array([float(row.split(",")[2]) for row in text.splitlines()[1:]])


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_vadpipe_score(engine, x3d_model, scorer, tmp_path):
    clip = write_video(tmp_path / "a.mp4", 50)
    program = "from vadpipe.cli import main\nsys.argv[0] = 'vadpipe'\nmain()"
    options = ["--head", x3d_model.folder, "--engine", engine, "-o", tmp_path / "out"]
    done = run_without(_TRAINING, program, "score", clip, *options)
    assert done.returncode == 0, done.stderr
    scores = scores_of((tmp_path / "out/a.scores.csv").read_text())
    np.testing.assert_allclose(scores, scorer.score(clip).scores, atol=1e-4)


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_the_example(decoder, x3d_model, scorer, tmp_path):
    clip = write_video(tmp_path / "a.mp4", 50)
    program = f"import runpy\nrunpy.run_path({str(ROOT / 'examples/onnx_score.py')!r}, run_name='__main__')"
    done = run_without(
        (*_TRAINING, "vadpipe", "openvino"), program, x3d_model.folder, clip, "--decoder", decoder
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(scores_of(done.stdout), scorer.score(clip).scores, atol=1e-4)
