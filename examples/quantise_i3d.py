"""Quantise I3D to int8 for OpenVINO: how ``weights/i3d_kinetics_int8`` was made.

It needs nncf beside vadpipe (``pip install nncf``); using what it makes does not.

Usage::

    python examples/quantise_i3d.py CLIPS TO.xml

CLIPS is a folder of videos. Snippets of up to 40 of them decide the ranges of the activations, and up to 40
others are compared with float32. Without VNNI a processor adds products of 8 bits in 16, which can overflow;
so the weights of all layers take half of their range (nncf's overflow fix), and every processor computes the
same. Padding becomes a part of the layer behind it: alone it ends the run of int8 layers, and OpenVINO has a
maximum over int8 that is fast for some paddings only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import nncf
import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from openvino import opset1

from vadpipe.extract.backbones.loading import load_network
from vadpipe.extract.backbones.registry import find_backbone
from vadpipe.extract.pooling import positions
from vadpipe.extract.video.discovery import find_videos
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.process import Decoding
from vadpipe.features.sampling import SNIPPET_FRAMES

N_SNIPPETS = 40
BACKBONE = find_backbone("i3d")


def main() -> None:
    """Convert, quantise, write, and say how far the features are from those in float32."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("to", type=Path)
    options = parser.parse_args()
    videos, _ = find_videos([options.clips])
    chosen = videos[:: max(1, len(videos) // (2 * N_SNIPPETS))]
    snippets = [snippet(video.path) for video in chosen]
    learned, judged = snippets[::2][:N_SNIPPETS], snippets[1::2][:N_SNIPPETS]

    network = converted()
    fold_padding(network)
    exact = features(network, judged)
    quantised = nncf.quantize(
        network,
        nncf.Dataset([clip[None] for clip in learned]),
        subset_size=len(learned),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
    )
    openvino.save_model(quantised, options.to, compress_to_fp16=False)
    n_bytes = sum(options.to.with_suffix(suffix).stat().st_size for suffix in (".xml", ".bin"))
    print(f"{options.to}: {n_bytes / 1e6:.1f} MB, ranges by {len(learned)} snippets")
    rounded = features(openvino.Core().read_model(options.to), judged)
    cosines = (exact * rounded).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
    lowest, middle = cosines.min(), np.median(cosines)
    print(f"cosine to float32 of {len(judged)} others: {lowest:.4f} at least, {middle:.4f} in the middle")


def snippet(video: Path) -> NDArray[np.uint8]:
    """Return 16 frames near the beginning of a video, whole and squeezed, (16, 224, 224, 3) RGB."""
    with Decoding(video, DecodeJob(Size(BACKBONE.input_px, square=True))) as decoding:
        frames = [frame.pixels for frame in islice(decoding.frames(), 2 * SNIPPET_FRAMES)]
    return np.stack(frames[-SNIPPET_FRAMES:])


def converted() -> openvino.Model:
    """Return I3D for clips of any length and size, normalisation included."""
    network, _ = load_network(BACKBONE)
    # Its padding is traced as constants, which are the same for all lengths that 8 and sides that 32 divides.
    example = torch.zeros((1, SNIPPET_FRAMES, BACKBONE.input_px, BACKBONE.input_px, 3), dtype=torch.uint8)
    with torch.inference_mode():
        return openvino.convert_model(network, example_input=example, input=[(1, -1, -1, -1, 3)])


def fold_padding(model: openvino.Model) -> None:
    """Have convolutions and maxima pad their input themselves, in place.

    Where strides divide the sides, TensorFlow's "SAME" padding is the kernel less the stride, the larger half
    behind. A maximum may ignore what it pads instead of taking zeros, since a ReLU comes before it.
    """
    for op in model.get_ordered_ops():
        kind = op.get_type_name()
        if kind not in ("Convolution", "MaxPool") or op.input_value(0).get_node().get_type_name() != "Pad":
            continue
        unpadded, given = op.input_value(0).get_node().input_value(0), op.get_attributes()
        if kind == "Convolution":
            kernel = list(op.input_value(1).get_partial_shape().to_shape())[2:]
        else:
            kernel = given["kernel"]
        total = [size - stride for size, stride in zip(kernel, given["strides"], strict=True)]
        before, after = [n // 2 for n in total], [n - n // 2 for n in total]
        if kind == "Convolution":
            dilations = given["dilations"]
            new = opset1.convolution(unpadded, op.input_value(1), given["strides"], before, after, dilations)
        else:
            new = opset1.max_pool(unpadded, given["strides"], before, after, kernel, "floor", "explicit")
        new.set_friendly_name(op.get_friendly_name())
        op.output(0).replace(new.output(0))
    model.validate_nodes_and_infer_types()


def features(model: openvino.Model, clips: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return the features (N, D) of clips."""
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.stack([positions(compiled(clip[None])[0][0]).mean(axis=0) for clip in clips])


if __name__ == "__main__":
    main()
