"""The export of a head with its backbone."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vadpipe.errors import WeightsError
from vadpipe.export import openvino_files
from vadpipe.export.card_writing import make_card
from vadpipe.export.clip_shape import ClipShape
from vadpipe.export.graphs import BackboneGraph, HeadGraph
from vadpipe.export.onnx_files import check_onnx, write_backbone, write_head
from vadpipe.export.parity import Parity, compare_on_clips, compare_on_noise
from vadpipe.exported.card import BACKBONE, BACKBONE_INT8, CARD, HEAD, ONNX, OPENVINO, Card
from vadpipe.extract.settings import ExtractSettings
from vadpipe.files.arguments import PATH, SWITCH, check_arguments
from vadpipe.files.atomic import check_writable, write_bytes, write_text
from vadpipe.head.checkpoint import FILE_NAME, TrainedHead
from vadpipe.weights import SHIPPED_HEAD

log = logging.getLogger(__name__)

PARITY = "parity.json"

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class ExportedFiles:
    """Result of :func:`export_model`.

    Attributes:
        folder: of the model.
        files: all in it, the card first.
        card: what it takes and gives.
        parity: how far it agrees with vadpipe.
    """

    folder: Path
    files: tuple[Path, ...]
    card: Card
    parity: Parity


def export_model(
    head: StrPath | None = None,
    output: StrPath = "model",
    *,
    check: StrPath | Iterable[StrPath] = (),
    weights: StrPath | None = None,
    offline: bool = False,
) -> ExportedFiles:
    """Write a head and its backbone as graphs that run without vadpipe and without torch.

    The folder holds ``backbone.onnx``, from clips (B, T, H, W, 3) uint8 RGB to features (B, P, D), and
    ``head.onnx``, from the features (T, C, D) of a video's snippets to their scores (T,); the same two for
    OpenVINO where it is installed, and ``backbone-int8.xml`` where vadpipe brings one; ``card.json``, see
    :class:`vadpipe.exported.card.Card`; and ``parity.json``. ``vadpipe.score`` takes the folder as its head,
    and ``examples/onnx_score.py`` shows what else it takes. A head of imported features is written alone.

    Args:
        head: a head file or the folder that ``fit`` wrote; the included head by default.
        output: the folder. Graphs of an earlier export are overwritten.
        check: clips, or folders of them, on which the graphs are compared with vadpipe; a rendered clip by
            default.
        weights: the backbone's published weights in a local file, instead of the cache or a download.
        offline: never download anything.

    Raises:
        UsageError: if onnx or ONNX Runtime is not installed.
        FeatureError: if the head cannot be read; or the exported model does not score as it does, in which
            case ``parity.json`` says where.
        WeightsError: if the backbone's weights are not available, or not those that the head was trained
            with.
        InputError: if a clip cannot be read.
        OutputError: if the folder cannot be written.
    """
    check_arguments(
        head=(head, PATH.or_none),
        output=(output, PATH),
        weights=(weights, PATH.or_none),
        offline=(offline, SWITCH),
    )
    check_onnx()
    clips = [Path(check)] if isinstance(check, (str, os.PathLike)) else [Path(clip) for clip in check]
    file = SHIPPED_HEAD if head is None else Path(head)
    file = file / FILE_NAME if file.is_dir() else file
    trained, folder = TrainedHead.load(file), Path(output)
    check_writable(folder)
    known = None if weights is None else Path(weights)
    recipe = trained.record.recipe
    settings = None if recipe.imported else ExtractSettings.of_recipe(recipe, weights=known, offline=offline)
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        _write_graphs(trained, settings, made)
        card = make_card(trained, file, settings, made)
        write_text(made / CARD, card.to_json())
        agreements = compare_on_noise(trained, made, card)
        if settings is not None:
            agreements += compare_on_clips(file, made, card, clips, weights=known, offline=offline)
        parity = Parity(tuple(agreements))
        write_text(made / PARITY, json.dumps(parity.to_dict(), indent=2) + "\n")
        files = _publish(made, card, folder)
    parity.check(folder)
    return ExportedFiles(folder, files, card, parity)


def _write_graphs(trained: TrainedHead, settings: ExtractSettings | None, folder: Path) -> None:
    """Write all graphs of a head and its backbone."""
    recipe = trained.record.recipe
    write_head(HeadGraph(trained.network), recipe.crops, recipe.feature_dim, folder / (HEAD + ONNX))
    stems = [HEAD]
    if settings is not None:
        graph = _backbone(settings, recipe.weights_sha256)
        write_backbone(graph, ClipShape.of(settings), folder / (BACKBONE + ONNX))
        stems.append(BACKBONE)
    if not openvino_files.is_installed():
        log.warning("OpenVINO is not installed: only ONNX is written (pip install 'vadpipe[cpu]')")
        return
    for stem in stems:
        openvino_files.convert(folder / (stem + ONNX), folder / (stem + OPENVINO))
    quantised = None if settings is None else settings.quantised_on("openvino")
    if settings is not None and quantised is not None:
        xml = folder / (BACKBONE_INT8 + OPENVINO)
        openvino_files.write_quantised(quantised, ClipShape.of(settings), xml)


def _backbone(settings: ExtractSettings, weights_sha256: str) -> BackboneGraph:
    """Return the backbone with the weights that a head was trained with."""
    from vadpipe.extract.backbones.loading import load_network

    network, sha256 = load_network(settings.record, weights=settings.weights, offline=settings.offline)
    if sha256 != weights_sha256:
        raise WeightsError(
            f"the head was trained with other weights of {settings.backbone} "
            f"(sha256 {weights_sha256[:12]}…) than these ({sha256[:12]}…)",
            next_step="Pass the weights file that its features were made with as --weights FILE.",
        )
    return BackboneGraph(network, windowed=ClipShape.of(settings).windowed)


def _publish(made: Path, card: Card, folder: Path) -> tuple[Path, ...]:
    """Put a model into its folder: the card goes first and comes last, so that it never names other files."""
    (folder / CARD).unlink(missing_ok=True)
    for stem in (BACKBONE, BACKBONE_INT8, HEAD):
        for suffix in (ONNX, OPENVINO, ".bin"):
            if stem + suffix not in card.files:
                (folder / (stem + suffix)).unlink(missing_ok=True)
    names = [*card.files, PARITY, CARD]
    for name in names:
        write_bytes(folder / name, (made / name).read_bytes())
    return tuple(folder / name for name in reversed(names))
