"""OpenVINO: the same network, converted once and compiled for this CPU."""

from __future__ import annotations

import hashlib
import logging
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import OutputError, WeightsError
from vadpipe.extract.engines.cores import usable_cores
from vadpipe.files.atomic import write_bytes
from vadpipe.weights import cache

if TYPE_CHECKING:
    import openvino

    from vadpipe.extract.backbones.loading import ClipNetwork

log = logging.getLogger(__name__)


class OpenVINOEngine:
    """On the CPU, one clip per call and one thread per call.

    Args:
        network: for clips (1, T, H, W, 3), see :func:`converted_network` and :func:`read_network`.
        precision: in which it computes, ``"float32"`` or ``"int8"``.
    """

    def __init__(self, network: openvino.Model, precision: str) -> None:
        openvino = import_openvino()
        self.name = f"openvino {metadata.version('openvino')} {precision} on cpu"
        self.workers = usable_cores()
        self.batch = 1
        self._compiled = openvino.Core().compile_model(
            network,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",  # newer processors would choose bfloat16, and miss 1e-4
                "NUM_STREAMS": self.workers,
                "INFERENCE_NUM_THREADS": self.workers,
                "ENABLE_CPU_PINNING": False,  # a pinned thread waits for its core even if another is idle
            },
        )
        self._of_thread = threading.local()
        # The first array that crosses into the library loads numpy there, under a lock that is held while
        # Python may change threads; two first arrays at once then wait for each other for ever.
        for kind in (np.uint8, np.float32):
            openvino.Tensor(np.zeros(1, dtype=kind), shared_memory=True).data.copy()

    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features, by position or not, or the maps of a clip (1, T, H, W, 3)."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._compiled.create_infer_request()
        request.infer({0: clips}, share_inputs=True)
        features: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
        return features


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which reports imports and conversions to Google Analytics.

    Where this process has imported OpenVINO before, its telemetry stays as it is.
    """
    # OpenVINO does without this package where it is not installed, and None says so.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino  # type: ignore[no-any-return]


def converted_network(
    load: Callable[[], ClipNetwork], clip_shape: tuple[int, int, int], key: str
) -> openvino.Model:
    """Return a backbone in float32 from the cache, converted and kept there where it is not yet.

    Args:
        load: loads the backbone; called only where it has not been converted before.
        clip_shape: (T, H, W) of each clip.
        key: names the conversion in the cache: the backbone and the digest of its weights.
    """
    core = import_openvino().Core()
    name = f"{key}-{'x'.join(map(str, clip_shape))}-{metadata.version('openvino')}"
    folder = cache.folder() / "openvino" / name
    model = _read(core, folder)
    if model is None:
        model = _convert(load(), (1, *clip_shape, 3))
        _keep(model, folder)
        # As the next process gets it: of one that was not written, other last bits may come.
        model = _read(core, folder) or model
    return model


def _convert(network: ClipNetwork, shape: tuple[int, ...]) -> openvino.Model:
    import torch

    openvino = import_openvino()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of sizes that it takes as constants, which they are
        return openvino.convert_model(
            network, example_input=torch.zeros(shape, dtype=torch.uint8), input=[shape]
        )


def _keep(model: openvino.Model, folder: Path) -> None:
    """Write a converted model to the cache; its digest comes last, and without it nothing is read."""
    openvino = import_openvino()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            made = Path(temporary, "model.xml")
            openvino.save_model(model, made, compress_to_fp16=False)
            parts = [made.read_bytes(), made.with_suffix(".bin").read_bytes()]
        for name, content in zip(("model.xml", "model.bin"), parts, strict=True):
            write_bytes(folder / name, content)
        write_bytes(folder / "sha256", _digest(*parts).encode())
    except (OSError, OutputError) as error:  # it is converted again next time
        log.info("cannot cache the converted backbone: %s", error)


def _read(core: openvino.Core, folder: Path) -> openvino.Model | None:
    try:
        parts = [(folder / name).read_bytes() for name in ("model.xml", "model.bin")]
        if (folder / "sha256").read_text() != _digest(*parts):
            log.warning("%s: the converted backbone is damaged and will be converted again", folder)
            return None
        return core.read_model(folder / "model.xml")
    except (OSError, RuntimeError):
        return None


def read_network(file: Path, clip_shape: tuple[int, int, int]) -> openvino.Model:
    """Return a network that was converted for any shape or number of clips.

    Args:
        file: the ``.xml``, its numbers beside it.
        clip_shape: (T, H, W) of each clip.

    Raises:
        WeightsError: if it cannot be read.
    """
    try:
        network = import_openvino().Core().read_model(file)
        network.reshape((1, *clip_shape, 3))
        return network
    except RuntimeError as error:
        step = "Reinstall vadpipe, or use --precision float32."
        raise WeightsError(
            "OpenVINO cannot read the quantised backbone", file=file, next_step=step
        ) from error


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
