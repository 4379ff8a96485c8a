"""Checks of an installation: decoders, engine, device, weights, sandbox, and a clip that is scored."""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np

from vadpipe.diagnostics.clip import N_FRAMES, write_clip
from vadpipe.errors import VadpipeError
from vadpipe.extract.engines.device import choose_device
from vadpipe.extract.engines.engine import choose_engine
from vadpipe.extract.video.decoders import DECODERS, Decoder
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.extract.video.sandbox.confine import sandbox_layers
from vadpipe.files.atomic import check_writable
from vadpipe.scoring.scorer import Scorer
from vadpipe.weights import layout
from vadpipe.weights.download import offline_by_environment
from vadpipe.weights.registry import WEIGHTS

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: what, for example ``"decoder pyav"``.
        state: ``"ok"``; ``"warning"`` where vadpipe works with less than it could have; ``"failed"`` where
            something that it needs does not work.
        detail: what was found.
        next_step: what the user can do; empty if all is well.
    """

    name: str
    state: State
    detail: str
    next_step: str = ""


def run_checks() -> Iterator[Check]:
    """Check the installation, and yield each check as it is done.

    A clip of 64 frames is rendered into a temporary folder, decoded with each installed decoder and scored
    with the included head. Nothing is downloaded, and nothing is written outside that folder and the cache.
    """
    with tempfile.TemporaryDirectory(prefix="vadpipe-doctor-") as folder:
        clip = write_clip(Path(folder) / "clip.mp4")
        for decoder in DECODERS.values():
            yield check_decoder(decoder, clip)
        yield check_engine()
        yield check_device()
        yield check_weights()
        yield from check_sandbox()
        yield check_scoring(clip)


def check_decoder(decoder: Decoder, clip: Path) -> Check:
    """Decode the clip; only torchcodec may be missing without a warning, as a CPU does not need it."""
    name, version = f"decoder {decoder.name}", decoder.version()
    if version is None:
        return Check(
            name, "ok" if decoder.name == "torchcodec" else "warning", "not installed", decoder.install
        )
    try:
        job = DecodeJob(Size(112, square=False), decoder=decoder.name)
        with Decoding(clip, job) as decoding:
            n_frames = sum(1 for _ in decoding.frames())
    except VadpipeError as error:
        return Check(name, "failed", f"{version}: {error.reason}", error.next_step or decoder.install)
    detail = f"{version}{_libraries(decoder)}: {n_frames} of {N_FRAMES} frames"
    if n_frames != N_FRAMES:
        return Check(name, "failed", detail, f"Reinstall it: {decoder.install}.")
    return Check(name, "ok", detail)


def _libraries(decoder: Decoder) -> str:
    """Return the version of FFmpeg's decoders that a wheel brings along, by the names of its libraries."""
    for distribution in decoder.distributions:
        try:
            files = metadata.files(distribution) or ()
        except metadata.PackageNotFoundError:
            continue
        found = (re.match(r"libavcodec[-\w]*\.so\.(\d+(\.\d+)*)", file.name) for file in files)
        versions = sorted({match[1] for match in found if match})
        return f" (libavcodec {', '.join(versions)})" if versions else ""
    return ""


def check_engine() -> Check:
    """Check that the backbone runs on the fast engine of this device."""
    chosen = choose_engine("auto", choose_device())
    if chosen == "torch" and choose_device().type == "cpu":
        step = "pip install 'vadpipe[cpu]'"
        return Check("engine", "warning", "torch: OpenVINO, which is faster on a CPU, is not installed", step)
    return Check("engine", "ok", chosen)


def check_device() -> Check:
    """Say which device backbones and heads run on."""
    import torch

    device = choose_device()
    if device.type == "cpu":
        built = "" if torch.version.cuda else "; this torch was built without CUDA"
        return Check("device", "ok", f"cpu: torch finds no GPU{built}")
    return Check("device", "ok", f"{device}: {torch.cuda.get_device_name(device)}")


def check_weights() -> Check:
    """Say which weights are cached, and whether more could be."""
    folder = layout.folder()
    cached = [name for name, record in WEIGHTS.items() if layout.kept(record)]
    detail = f"{folder}: {', '.join(cached) or 'no weights yet; the included int8 backbone needs none'}"
    if offline_by_environment():
        detail += "; downloads are disabled by VADPIPE_OFFLINE"
    try:
        check_writable(folder)
    except VadpipeError as error:
        return Check(
            "cache", "warning", f"{folder}: {error.reason}", "Set VADPIPE_CACHE to a writable folder."
        )
    return Check("cache", "ok", detail)


def check_sandbox() -> Iterator[Check]:
    """Say which layers confine a decoder."""
    for layer, found in sandbox_layers().items():
        if found.startswith("on"):
            yield Check(f"sandbox {layer}", "ok", found)
        else:
            step = "Use a kernel that has it where files come from strangers."
            yield Check(f"sandbox {layer}", "warning", found, step)


def check_scoring(clip: Path) -> Check:
    """Score the clip with the included head."""
    began_s = time.perf_counter()
    try:
        with _silence():
            scorer = Scorer(offline=True)
            curve = scorer.score(clip)
    except VadpipeError as error:
        return Check("scoring", "failed", error.reason, error.next_step or "")
    took_s = time.perf_counter() - began_s
    if len(curve) != N_FRAMES or not np.isfinite(curve.scores).all():
        detail = f"{np.isfinite(curve.scores).sum()} scores for {N_FRAMES} frames"
        return Check(
            "scoring", "failed", detail, "Please report it, with the output of vadpipe doctor --json."
        )
    backbone = scorer.head.record.recipe.backbone
    detail = f"a clip of {N_FRAMES} frames by the included head ({backbone}) in {took_s:.1f} s"
    return Check("scoring", "ok", f"{detail}; highest score {curve.scores.max():.2f}")


@contextmanager
def _silence() -> Iterator[None]:
    """Keep warnings about the clip to ourselves."""
    log = logging.getLogger("vadpipe")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
