"""The two libraries that run exported graphs, behind one interface: a function of an array."""

from __future__ import annotations

import importlib.util
import logging
import mmap
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import FeatureError, UsageError
from vadpipe.exported.card import ONNX, OPENVINO

log = logging.getLogger(__name__)

Runtime = Literal["openvino", "onnxruntime"]
Graph = Callable[[NDArray[np.generic]], list[NDArray[np.float32]]]
"""From the input of a graph to its outputs, in their order; may be called from several threads at once."""

SUFFIX: dict[Runtime, str] = {"openvino": OPENVINO, "onnxruntime": ONNX}
"""The form of the graphs that each runs."""

_INSTALL = "pip install openvino, or onnxruntime."
_EXPORT_AGAIN = "Export the model again with 'vadpipe export'."


def choose_runtime(asked: str) -> Runtime:
    """Return what runs the graphs; ``"auto"`` is OpenVINO where it is installed, else ONNX Runtime.

    Raises:
        UsageError: if one is named that does not run exported models, or is not installed; or neither is.
    """
    installed = [name for name in SUFFIX if importlib.util.find_spec(name) is not None]
    if asked == "auto":
        if not installed:
            raise UsageError("neither OpenVINO nor ONNX Runtime is installed", next_step=_INSTALL)
        log.info("engine %s: the first of those installed that run exported models", installed[0])
        return installed[0]
    if asked not in SUFFIX:
        raise UsageError(
            f"the engine {asked} does not run exported models", next_step=f"Use auto, {' or '.join(SUFFIX)}."
        )
    if asked not in installed:
        raise UsageError(f"the engine {asked} is not installed", next_step=f"pip install {asked}.")
    return asked


def version_of(runtime: Runtime) -> str:
    """Return name and version, as recipes record it."""
    return f"{runtime} {metadata.version(runtime)}"


def open_graph(file: Path, runtime: Runtime, *, n_threads: int = 1) -> Graph:
    """Return the function that a graph computes, in float32 on the CPU.

    Args:
        file: of the form that the runtime takes, see :data:`SUFFIX`.
        runtime: what runs it.
        n_threads: within a call.

    Raises:
        FeatureError: if the library cannot read it, or it refers to another file. The function raises it if
            the library cannot compute the graph.
    """
    opened = _by_openvino if runtime == "openvino" else _by_onnxruntime
    try:
        if runtime == "onnxruntime":
            _check_self_contained(file)
        graph = opened(file, n_threads)
    except FeatureError:
        raise
    except Exception as error:  # each library has exceptions of its own
        raise unreadable(file, runtime) from error

    def run(values: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        try:
            return graph(values)
        except Exception as error:
            raise uncomputable(file, runtime) from error

    return run


def _check_self_contained(file: Path) -> None:
    """Raise FeatureError if an ONNX file keeps numbers in other files, which its digest does not cover.

    Every reference to one has the key ``location``, which is nowhere else in a file that vadpipe wrote. Only
    newer versions of ONNX Runtime refuse references that lead out of the folder, by links as well.
    """
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b"location") >= 0:
            reason = "refers to numbers in another file, which is never opened"
            raise FeatureError(reason, file=file, next_step=_EXPORT_AGAIN)


def uncomputable(file: Path, runtime: Runtime) -> FeatureError:
    """Return the error of a graph that a runtime has read, and cannot compute."""
    reason = f"cannot be computed by {version_of(runtime)}"
    return FeatureError(reason, file=file, next_step=_EXPORT_AGAIN)


def unreadable(file: Path, runtime: Runtime) -> FeatureError:
    """Return the error of a graph that a runtime cannot read."""
    return FeatureError(
        f"cannot be read by {version_of(runtime)}",
        file=file,
        next_step="Update it, or export the model again with 'vadpipe export'.",
    )


def _by_onnxruntime(file: Path, n_threads: int) -> Graph:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 4  # errors are raised; what it logs would mix with our own lines
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda values: list(session.run(None, {name: np.ascontiguousarray(values)}))


def _by_openvino(file: Path, n_threads: int) -> Graph:
    from vadpipe.extract.engines.openvino_engine import import_openvino

    core = import_openvino().Core()
    compiled = core.compile_model(
        core.read_model(file),
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": n_threads, "ENABLE_CPU_PINNING": False},
    )

    def run(values: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        request = compiled.create_infer_request()
        request.infer({0: np.ascontiguousarray(values)})
        return [request.get_output_tensor(index).data.copy() for index in range(len(compiled.outputs))]

    return run
