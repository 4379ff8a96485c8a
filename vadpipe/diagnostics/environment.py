"""The environment that vadpipe runs in: versions, processor, GPU, for bug reports."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from vadpipe._version import __version__
from vadpipe.diagnostics.requirements import too_old

# Packages that affect results, speed and bugs, in the order in which a video passes through them.
PACKAGES = (
    "decord2",
    "av",
    "torchcodec",
    "torch",
    "torchvision",
    "pytorchvideo",
    "openvino",
    "numpy",
    "scipy",
    "scikit-learn",
    "safetensors",
    "h5py",
    "pydantic",
    "typer",
)


def environment() -> dict[str, str]:
    """Return vadpipe's version, Python's, the system, the packages, the processor and the GPUs by name.

    A package that is not installed is ``-``; one that is too old says so. No path, user name or host name is
    included.
    """
    return {
        "vadpipe": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, {_libc()}",
        **{name: _version(name) for name in PACKAGES},
        **_ffmpeg(),
        **_processors(),
    }


def environment_lines() -> list[str]:
    """Return :func:`environment` as lines ``name  value``."""
    facts = environment()
    width = max(map(len, facts))
    return [f"{name.ljust(width)}  {value}" for name, value in facts.items()]


def _version(package: str) -> str:
    try:
        found = version(package)
    except PackageNotFoundError:
        return "-"
    bound = too_old().get(package)
    return found if bound is None else f"{found}, too old: vadpipe needs {bound} or newer"


def _libc() -> str:
    return " ".join(part for part in platform.libc_ver() if part) or "unknown C library"


def _ffmpeg() -> dict[str, str]:
    """Return the version of the FFmpeg decoders bundled with PyAV."""
    import av

    return {"libavcodec": ".".join(map(str, av.library_versions["libavcodec"]))}


def _processors() -> dict[str, str]:
    """Return the CPU instruction set that torch uses, and the GPUs that it sees."""
    import torch

    cuda = torch.version.cuda
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "processor": f"{len(os.sched_getaffinity(0))} cores, {torch.backends.cpu.get_cpu_capability()}",
        "gpu": f"{', '.join(gpus) or 'none'} ({f'CUDA {cuda}' if cuda else 'torch without CUDA'})",
    }
