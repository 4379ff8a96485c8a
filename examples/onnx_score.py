"""Score a clip with an exported model: NumPy, ONNX Runtime, and PyAV or decord; no vadpipe, no torch.

    vadpipe export HEAD -o model                       # on a machine that has vadpipe
    pip install numpy onnxruntime av                   # on one that scores
    python onnx_score.py model clip.mp4 > scores.csv
    python onnx_score.py model clip.mp4 --decoder decord
    python onnx_score.py model frames.npy --fps 25     # frames (N, H, W, 3) uint8 RGB

The curve is vadpipe's in float32, to 1e-3, of a clip that is undamaged, upright, and fits into memory.
"""

import argparse
import functools
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime


def decode(path, decoder, fps, size_of):
    """Return frames (H, W, 3) uint8 RGB, scaled by FFmpeg's bicubic filter, and their times in seconds."""
    if path.endswith(".npy"):
        frames = np.load(path)
        width, height = size_of(frames.shape[2], frames.shape[1])
        return [resize(frame, height, width) for frame in frames], np.arange(len(frames)) / fps
    if decoder == "decord":
        import decord

        height, width = decord.VideoReader(path)[0].shape[:2]
        width, height = size_of(width, height)
        reader = decord.VideoReader(path, width=width, height=height, num_threads=1)
        frames = [reader.next().asnumpy().reshape(height, -1)[:, : 3 * width] for _ in range(len(reader))]
        times_s = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64)
        return [frame.reshape(height, width, 3) for frame in frames], times_s - times_s[0]
    import av
    from av.filter import Graph

    frames, times_s, graph = [], [], Graph()
    with av.open(path) as container:
        stream = container.streams.video[0]
        scale = "{}:{}:flags=bicubic".format(*size_of(stream.width, stream.height))
        nodes = [graph.add_buffer(template=stream), graph.add("scale", scale), graph.add("format", "rgb24")]
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        for frame in container.decode(stream):
            graph.vpush(frame)
            frames.append(graph.vpull().to_ndarray())
            times_s.append(float(frame.pts * stream.time_base))
    return frames, np.array(times_s) - times_s[0]


def resize(picture, *size):
    """Scale a picture (H, W, 3) uint8 to (height, width) by an antialiasing bicubic filter, as Pillow."""
    for axis, n_out in ((1, size[1]), (0, size[0])):
        n_in = picture.shape[axis]
        if n_in != n_out:
            centres = (np.arange(n_out)[:, None] + 0.5) * n_in / n_out
            x = np.abs(np.arange(n_in) + 0.5 - centres) / max(n_in / n_out, 1)
            far = np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0)
            kernel = np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, far)
            scaled = np.tensordot(kernel / kernel.sum(1, keepdims=True), picture, (1, axis))
            picture = np.clip(np.moveaxis(scaled, 0, axis) + 0.5, 0, 255).astype(np.uint8)
    return picture


def crop(frame, view, side):
    """Return the square that a view shows of a frame."""
    part, (height, width) = view.removesuffix("-flip"), frame.shape[:2]
    end = max(min(height, width), -(-max(height, width) // 2))
    high, wide = min(height, end), min(width, end)
    bottom, right = height - side, width - side
    top, left, high, wide = {
        "whole": (0, 0, height, width),
        "left": (0, 0, high, wide),
        "right": (height - high, width - wide, high, wide),
        "centre": (bottom // 2, right // 2, side, side),
    }.get(part, (bottom * part.startswith("bottom"), right * part.endswith("right"), side, side))
    square = resize(frame[top : top + high, left : left + wide], side, side)
    return square[:, ::-1] if view.endswith("-flip") else square


def sample(recipe, times_s):
    """Return the frame of each sample, and the frame at which each sample begins, and the end."""
    n_frames, gaps_s = len(times_s), np.diff(times_s)
    if recipe["fps"]:
        end_s = times_s[-1] + (np.median(gaps_s) if n_frames > 1 else 1 / 25)
        at_s = np.arange(max(1, int(np.ceil((end_s - 1e-6) * recipe["fps"])))) / recipe["fps"]
        begins = np.append(np.searchsorted(times_s, at_s - 1e-6), n_frames)
        return np.maximum(np.searchsorted(times_s, at_s + 1e-6, "right") - 1, 0), begins
    step, usual_s = 1, np.sort(gaps_s[:64][gaps_s[:64] > 0])
    if recipe["target_fps"] and len(usual_s):
        middle_s = usual_s[len(usual_s) // 2]
        usual_s = usual_s[np.abs(usual_s - middle_s) <= middle_s / 2]
        step = max(1, round(1 / (usual_s.mean() * recipe["target_fps"])))
    samples = np.arange(0, n_frames, step)
    return samples, np.append(samples, n_frames)


def features(backbone, recipe, views, frames, samples, starts):
    """Return the features (S, C, D) of the snippets that begin at these samples, window after window."""
    side = recipe["input_px"]
    shown = functools.cache(lambda at: [crop(frames[samples[at]], view, side) for view in views])
    windows = np.atleast_1d(recipe["window_frames"]).tolist()
    parts = [window_features(backbone, recipe, window, shown, len(samples), starts) for window in windows]
    return np.concatenate(parts, axis=2)


def window_features(backbone, recipe, window, shown, n, starts):
    """Return the features by one window of n samples whose views are shown; 16 is each snippet by itself."""
    if window == 16:
        offsets = ((np.arange(recipe["clip_frames"]) + 0.5) * 16 / recipe["clip_frames"]).astype(int)
        runs = np.minimum(starts[:, None] + offsets, n - 1)
    else:
        beyond, hop = max(n - window, 0), window - 16
        begins = np.minimum(np.arange(1 - (-beyond // hop)) * hop, beyond)
        runs = begins[:, None] + np.arange(window)
        if n < window:  # a short video is continued by its reflection
            period = max(2 * (n - 1), 1)
            runs = np.minimum(runs % period, period - runs % period) if n > 1 else runs * 0
    clips = ([np.stack(clip)[None] for clip in zip(*map(shown, run), strict=True)] for run in runs.tolist())
    seen = np.stack([[backbone.run(None, {"frames": clip})[0][0] for clip in clip_of] for clip_of in clips])
    if window == 16:
        return seen.mean(axis=2)  # of the positions, where there are several
    borders = [0, *((begins[1:] + begins[:-1] + window + 1) // 2), n]  # of what is taken from each window
    per_sample = [
        seen[k][:, (at - begins[k]) // (window // seen.shape[2])]
        for k in range(len(begins))
        for at in range(borders[k], borders[k + 1])
    ]
    return np.stack([np.mean(per_sample[start : start + 16], axis=0) for start in starts])


def main():
    """Print a row per frame: its number, its time in seconds, its score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("clip")
    parser.add_argument("--decoder", choices=("pyav", "decord"), default="pyav")
    parser.add_argument("--fps", type=float, default=25.0, help="frames per second of a .npy")
    asked = parser.parse_args()
    card = json.loads((asked.model / "card.json").read_text())
    recipe, (side, square) = card["record"]["recipe"], card["decoding"].values()

    def size_of(width, height):
        proportional = [
            max(2, round(length * side / min(width, height) / 2) * 2) for length in (width, height)
        ]
        return (side, side) if square else proportional

    backbone, head = (
        onnxruntime.InferenceSession(asked.model / f"{name}.onnx") for name in ("backbone", "head")
    )
    frames, times_s = decode(asked.clip, asked.decoder, asked.fps, size_of)
    samples, begins = sample(recipe, times_s)
    stride, covered = recipe["stride_frames"], max(recipe["stride_frames"], 16)
    starts = np.arange(1 - (-max(len(samples) - covered, 0) // stride)) * stride
    starts = np.minimum(starts, max(len(samples) - 16, 0))
    stops = np.append(np.minimum(starts + covered, len(samples))[:-1], len(samples))
    rows = features(backbone, recipe, card["views"], frames, samples, starts)
    total, count = np.zeros((2, len(frames)))
    for score, start, stop in zip(
        head.run(None, {"features": rows})[0], begins[starts], begins[stops], strict=True
    ):
        total[start : max(stop, start + 1)] += score
        count[start : max(stop, start + 1)] += 1
    print("frame,time_s,score")
    for number, (time_s, score) in enumerate(zip(times_s, total / count, strict=True)):
        print(f"{number},{time_s:.6f},{score:.6f}")
    print(f"highest score {(total / count).max():.3f}, threshold {card['threshold']:.3f}", file=sys.stderr)


if __name__ == "__main__":
    main()
