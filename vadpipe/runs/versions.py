"""The versions that results may depend on."""

from __future__ import annotations

import platform
from importlib import metadata

from vadpipe._version import __version__

DECODERS = ("decord", "decord2", "av", "torchcodec")
_LIBRARIES = (
    *DECODERS, "torch", "torchvision", "pytorchvideo", "openvino", "numpy", "scipy", "scikit-learn",
    "matplotlib", "pillow",
)  # fmt: skip


def library_versions() -> dict[str, str]:
    """Return the version of each library that is installed and that results may depend on."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def versions() -> dict[str, str]:
    """Return the versions of vadpipe, Python, the platform and :func:`library_versions`."""
    own = {"vadpipe": __version__, "python": platform.python_version(), "platform": platform.platform()}
    return own | library_versions()
