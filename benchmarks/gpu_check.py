r"""Whether vadpipe works on a GPU, and how fast: prints one JSON object, exits with 1 if a check failed.

    python benchmarks/gpu_check.py [--output gpu.json]     # on a GPU; at most 10 minutes of an H100 or H200
    python benchmarks/gpu_check.py --device cpu --quick    # whatever of it can run on a CPU, in seconds

Each check is an entry with ``ok``, the ``reason`` if it is not, and what was ``found``. A check that cannot
run has failed, says why, and the others still run. ``--output`` is written anew after each.

- ``features`` of every backbone on the GPU agree with those of the CPU, in float32, in float16 and as the
  engine chooses.
- ``halving``: a batch that the memory does not hold gives the features that it gives otherwise.
- ``decoding``: torchcodec decodes by NVDEC what PyAV decodes, each frame at its time. With ``--device cpu``
  decord takes its place.
- ``step``: seconds of a training step of the head on both.
- ``fit`` finds what it finds on the CPU.
- ``throughput`` of every backbone in float16, bfloat16, float32 and TF32, against the product of two
  matrices and the manufacturer's figure.

It fetches nothing. Backbones have random weights by a seed, or those of ``--weights FOLDER``, which may be of
any precision: files ``NAME.safetensors`` with the state dict of the backbone. It runs from a clone of the
repository (20 MiB) with ``PYTHONPATH`` set to it, on a Python 3.12 that has torch, torchvision, numpy, scipy,
scikit-learn, matplotlib, safetensors, pillow, tqdm, tabulate, portalocker and psutil. Beside them it needs
these wheels, 47 MiB, of which PyAV is 34 and torchcodec 10:

    get="pip download --only-binary=:all: --python-version 3.12 --platform manylinux_2_28_x86_64 \
        --platform manylinux_2_17_x86_64 -d wheels -c .ci/constraints.txt"
    $get pydantic                                                      # with the very core that it needs
    $get --no-deps av torchcodec platformdirs termcolor
    pip wheel --no-deps -w wheels pytorchvideo==0.1.5 fvcore iopath    # are published as source
    pip install --no-index --no-deps --target packages wheels/*.whl    # there; name it in PYTHONPATH too

``decoding`` needs FFmpeg's shared libraries as well, which torchcodec does not bring. PyAV's own will do,
under the names that torchcodec looks for, in a folder named by ``LD_LIBRARY_PATH``:

    mkdir ffmpeg && cp packages/av.libs/* ffmpeg && cd ffmpeg
    for lib in libav*-*.so.* libsw*-*.so.*; do
        ln -s $lib $(echo $lib | sed -E 's/-[0-9a-f]+(\.so\.[0-9]+).*/\1/')
    done
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch

from vadpipe.errors import VadpipeError
from vadpipe.extract.backbones.registry import BACKBONES
from vadpipe.files.atomic import write_text

SMALLEST, SMALL_PX = "x3d_xs", 48
TIME_S = 540.0
"""After this no further check is begun, unless all are quick."""


class Result(Protocol):
    """What a check returns: a data class."""

    @property
    def reason(self) -> str | None:
        """Why it has failed; None if it has not."""


@dataclass(frozen=True)
class Check:
    """One of the checks: its name, and the call that does it."""

    name: str
    run: Callable[[], Result]


def main(arguments: list[str] | None = None) -> int:
    """Check, print and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda:0", choices=["cuda:0", "cpu"])
    parser.add_argument("--quick", action="store_true", help="the smallest backbone alone, on small clips")
    parser.add_argument("--weights", type=Path, help="folder of NAME.safetensors; those missing are random")
    parser.add_argument("--only", nargs="+", default=[], help="checks whose names begin so, such as features")
    parser.add_argument(
        "--output", type=Path, help="file for the JSON as well, written anew after each check"
    )
    asked = parser.parse_args(arguments)
    if asked.device == "cpu" and not asked.quick:
        parser.error("a CPU computes float16 in plain loops: add --quick")
    with tempfile.TemporaryDirectory() as folder:
        checks = all_checks(
            torch.device(asked.device), Path(folder), quick=asked.quick, weights=asked.weights
        )
        wanted = [check for check in checks if not asked.only or check.name.startswith(tuple(asked.only))]
        report: dict[str, Any] = {}
        for report in reports(wanted, machine(asked.device), math.inf if asked.quick else TIME_S):
            if asked.output is not None:
                write_text(asked.output, json.dumps(report, indent=2))
    print(json.dumps(report, indent=2))
    return 0 if report.get("ok") else 1


def all_checks(
    device: torch.device, folder: Path, *, quick: bool, weights: Path | None = None
) -> Iterator[Check]:
    """Yield the checks, the most telling first.

    What they need is imported by each for itself, so that a package that is missing fails those that need it.

    Args:
        device: to be checked.
        folder: for what they write.
        quick: whether the smallest backbone alone is checked, on small clips.
        weights: folder of weights of some backbones.
    """
    names, side_px = ([SMALLEST], SMALL_PX) if quick else ([*BACKBONES], None)

    def features(name: str) -> Result:
        from gpu_backbones import check_features

        return check_features(name, device, n_clips=4 if quick else 8, side_px=side_px, weights=weights)

    def halving() -> Result:
        from gpu_backbones import check_halving

        return check_halving(names[0], device, batch=5 if quick else 16, side_px=side_px)

    def decoding() -> Result:
        from gpu_decoding import check_decoding

        decoder = "torchcodec" if device.type == "cuda" else "decord"
        return check_decoding(folder, decoder, str(device), n_frames=40 if quick else 600)

    def step() -> Result:
        from gpu_speed import check_training_step

        return check_training_step(device, steps=1 if quick else 10, repeats=2 if quick else 11)

    def fit() -> Result:
        from gpu_fit import check_fit

        return check_fit(folder, str(device))

    def throughput(name: str) -> Result:
        from gpu_speed import DTYPES, check_throughput, matrix_tflops

        kinds = ("float32",) if device.type == "cpu" else tuple(DTYPES)
        if not products:
            products.update(
                matrix_tflops(device, side=256 if quick else 8192, repeats=3 if quick else 11, kinds=kinds)
            )
        batch, repeats = (2, 3) if quick else (None, 11)
        return check_throughput(name, device, products, batch=batch, repeats=repeats, side_px=side_px)

    products: dict[str, float] = {}
    for name in names:
        yield Check(f"features {name}", partial(features, name))
    yield from (Check(each.__name__, each) for each in (halving, decoding, step, fit))
    for name in names:
        yield Check(f"throughput {name}", partial(throughput, name))


def reports(checks: list[Check], where: dict[str, object], time_s: float) -> Iterator[dict[str, Any]]:
    """Yield what is known after each check; all of it in the end.

    Args:
        checks: to be run in this order.
        where: what is said of the machine.
        time_s: after this no further check is begun.
    """
    start_s, entries = time.monotonic(), []
    for check in checks:
        began_s = time.monotonic()
        if began_s - start_s > time_s:
            entry = {"ok": False, "reason": f"not begun: {time_s:.0f} s were over", "found": None}
        else:
            entry = outcome(check.run)
        took_s = round(time.monotonic() - began_s, 2)
        entries.append({"check": check.name, **entry, "seconds": took_s})
        print(f"{check.name}: {entry['reason'] or 'ok'} ({took_s} s)", file=sys.stderr, flush=True)
        complete = len(entries) == len(checks)
        ok = complete and all(one["ok"] for one in entries)
        yield {"ok": ok, "complete": complete, "machine": where, "checks": entries}


def outcome(run: Callable[[], Result]) -> dict[str, Any]:
    """Return what a check found and whether it is good, or why it could not run."""
    try:
        result = run()
    except VadpipeError as error:
        return {"ok": False, "reason": error.reason, "found": None}
    except Exception as error:  # whatever a machine that nobody knows may lack; the other checks go on
        lines = str(error).strip().splitlines() or [""]
        return {"ok": False, "reason": f"{type(error).__name__}: {lines[0]}", "found": None}
    found = asdict(result)  # type: ignore[call-overload]
    reason = found.pop("reason")
    return {"ok": reason is None, "reason": reason, "found": finite(found)}


def finite(value: Any) -> Any:  # noqa: ANN401  whatever JSON can hold
    """Return the same with None for numbers that JSON does not have, and floats of 6 digits."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def machine(device: str) -> dict[str, object]:
    """Return what ran."""
    gpu = torch.cuda.get_device_name(device) if device != "cpu" and torch.cuda.is_available() else None
    return {
        "device": device,
        "gpu": gpu,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    sys.exit(main())
