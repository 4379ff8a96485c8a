"""Copies of the project, in which changed code is tested; the project itself is never changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from support.mutants.changes import Change

ROOT = Path(__file__).parents[3]
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "mutants-*", "build", "dist", "site", "demo")
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}

SLOW_TO_IMPORT = (
    "av",
    "h5py",
    "hypothesis",
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "psutil",
    "pydantic",
    "safetensors.torch",
    "scipy.optimize",
    "sklearn.linear_model",
    "sklearn.metrics",
    "torch._dynamo",
    "typer.testing",
)
"""Packages that tests use, but are not tested."""


@dataclass(frozen=True)
class Limits:
    """How long tests may take: ``cpu_s`` that each process computes, ``limit_s`` in all, however busy the machine is."""

    cpu_s: float = 300.0
    limit_s: float = 600.0


@dataclass(frozen=True)
class Verdict:
    """What tests say of a module.

    Attributes:
        outcome: ``killed`` if one failed or could not run, ``timed out``, or ``survived``.
        seconds, cpu_s: how long it took, and how long it computed.
        said: the end of what pytest printed.
    """

    outcome: str
    seconds: float
    cpu_s: float
    said: str


class Copy:
    """A copy of the project, and a process in it that runs tests.

    Args:
        folder: where the copy is made.
        root: the project.
        imported: packages that the process imports once.
    """

    def __init__(self, folder: Path, root: Path = ROOT, imported: Sequence[str] = SLOW_TO_IMPORT) -> None:
        self._folder, self._n_tried = folder, 0
        shutil.copytree(root, folder, symlinks=True, ignore=_LEFT_OUT)
        paths = [folder, folder / "tests", Path(__file__).parents[2]]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "support.mutants.worker", *imported],
            cwd=folder,
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(map(str, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, tests: Sequence[str], limits: Limits) -> Verdict:
        """Run tests until one fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"tests": [*tests], **asdict(limits)}) + "\n")
        self._process.stdin.flush()
        return Verdict(**json.loads(self._process.stdout.readline()))

    def try_change(self, module: str, change: Change, tests: Sequence[str], limits: Limits) -> Verdict:
        """Run tests on a module with a change."""
        changed = self._folder / module
        original, kept = changed.read_text(), changed.stat()  # the project may be worked on meanwhile
        changed.write_text(change.of(original))
        # Compiled code is known by the time and the size of its source: no two changes have the same time.
        self._n_tried += 1
        os.utime(changed, (self._n_tried, self._n_tried))
        try:
            return self.run(tests, limits)
        finally:
            changed.write_text(original)
            os.utime(changed, ns=(kept.st_atime_ns, kept.st_mtime_ns))
