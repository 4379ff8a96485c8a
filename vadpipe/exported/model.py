"""An exported model, read and ready to score."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadpipe.errors import UsageError, WeightsError
from vadpipe.exported.card import BACKBONE, BACKBONE_INT8, HEAD, Card, read_card
from vadpipe.exported.head import ExportedHead
from vadpipe.exported.runtimes import (
    SUFFIX,
    Graph,
    Runtime,
    choose_runtime,
    open_graph,
    uncomputable,
    unreadable,
    version_of,
)
from vadpipe.extract.engines.cores import usable_cores
from vadpipe.extract.engines.engine import Engine, EngineOfWindows
from vadpipe.extract.extractor import Extractor, Opened
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.video.discovery import Video


@dataclass(frozen=True)
class ExportedModel:
    """The folder of an exported model.

    Attributes:
        folder: where it lies.
        card: its card.
        runtime: what runs its graphs.
        precision: in which its backbone computes, ``"float32"`` or ``"int8"``.
    """

    folder: Path
    card: Card
    runtime: Runtime
    precision: str

    @classmethod
    def load(cls, folder: Path, *, engine: str = "auto", precision: str = "auto") -> ExportedModel:
        """Read a model; its graphs are opened when they are first needed.

        Args:
            folder: that :func:`vadpipe.export_model` wrote.
            engine: ``"auto"``, ``"openvino"`` or ``"onnxruntime"``.
            precision: ``"auto"`` is int8 where there is such a backbone and OpenVINO runs it.

        Raises:
            FeatureError: if the card cannot be read.
            UsageError: if the engine is not installed, or the precision not available.
        """
        card, runtime = read_card(folder), choose_runtime(engine)
        has_int8 = runtime == "openvino" and card.has(BACKBONE_INT8, SUFFIX[runtime])
        if precision == "int8" and not has_int8:
            raise UsageError(
                f"this exported model has no int8 backbone for {runtime}",
                file=folder,
                next_step="Use --precision float32, or auto.",
            )
        if precision == "auto":
            precision = "int8" if has_int8 else "float32"
        return cls(folder, card, runtime, precision)

    @cached_property
    def head(self) -> ExportedHead:
        """The head.

        Raises:
            FeatureError: if its file is missing, damaged, or cannot be read.
        """
        file = self.card.intact(self.folder, HEAD, SUFFIX[self.runtime])
        graph = open_graph(file, self.runtime, n_threads=usable_cores())
        return ExportedHead(graph, self.card.record, self.card.cut)

    def extractor(self, settings: ExtractSettings) -> Extractor:
        """Return what turns videos into features by the backbone of this model."""
        return _ExportedExtractor(settings, self)

    def engine(self) -> Engine:
        """Return the backbone.

        Raises:
            FeatureError: if its file is missing, damaged, or cannot be read.
        """
        stem = BACKBONE_INT8 if self.precision == "int8" else BACKBONE
        file = self.card.intact(self.folder, stem, SUFFIX[self.runtime])
        name = f"{version_of(self.runtime)} {self.precision} on cpu"
        if self.runtime == "onnxruntime":
            return _OnnxEngine(open_graph(file, self.runtime), name)
        from vadpipe.extract.engines.openvino_engine import OpenVINOEngine, read_network

        # Of the recipe, by which videos are decoded, and not what the card says of the graph.
        recipe = self.card.record.recipe
        lengths = {sampling.n_seen for sampling in recipe.samplings}
        try:
            engines = {
                length: OpenVINOEngine(
                    read_network(file, (length, recipe.input_px, recipe.input_px)), self.precision
                )
                for length in lengths
            }
        except (WeightsError, RuntimeError) as error:  # OpenVINO's are RuntimeErrors
            raise unreadable(file, self.runtime) from error
        return _OpenVINOEngine(EngineOfWindows(engines), file)


class _OpenVINOEngine:
    """A backbone by OpenVINO, of a graph that need not be what its card says."""

    def __init__(self, engine: Engine, file: Path) -> None:
        self.name, self.workers, self.batch = engine.name, engine.workers, engine.batch
        self._engine, self._file = engine, file

    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features (1, P, D) of a clip (1, T, H, W, 3). Raises FeatureError if there are none."""
        try:
            return self._engine(clips)
        except RuntimeError as error:
            raise uncomputable(self._file, "openvino") from error


class _OnnxEngine:
    """A backbone by ONNX Runtime: one clip per call and one thread per call."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.name, self._graph = name, graph
        self.workers = usable_cores()
        self.batch = 1

    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features (1, P, D) of a clip (1, T, H, W, 3)."""
        return self._graph(clips)[0]


class _ExportedExtractor(Extractor):
    """An extractor whose backbone is that of an exported model; it loads no torch."""

    def __init__(self, settings: ExtractSettings, model: ExportedModel) -> None:
        super().__init__(settings)
        self._model = model

    @cached_property
    def weights_sha256(self) -> str:
        """Digest of the weights that the backbone was exported from."""
        return self._model.card.record.recipe.weights_sha256

    @cached_property
    def engine(self) -> Engine:
        """What runs the backbone."""
        return self._model.engine()

    def open(self, video: Video) -> Opened:
        """Begin to decode a video, in a process of its own; see :meth:`Extractor.open`."""
        return Opened(video, self.settings, "cpu")
