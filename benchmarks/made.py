"""What the benchmarks share: weights and videos that they make themselves."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from vadpipe.weights import cache


def random_weights(backbone: str, folder: Path) -> Path | None:
    """Return a file of random weights, or None if the real ones are in the cache."""
    import torch
    from safetensors.torch import save_file

    from vadpipe.extract.backbones.registry import find_backbone

    record = find_backbone(backbone)
    if cache.known_digest(record.weights) is not None:
        return None
    torch.manual_seed(0)
    path = folder / f"{backbone}.safetensors"
    save_file(record.build().state_dict(), path)
    return path


def encode_minute(path: Path, fps: int, width: int, height: int) -> Path:
    """Encode a minute of a picture that moves."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(60 * fps):
            frame = np.ascontiguousarray(np.roll(picture, 3 * number, axis=1))
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode())
    return path


def peak_mb() -> float:
    """Return the most memory that this process has had.

    Not ``ru_maxrss``, which begins with that of the process that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def repeat(source: Path, target: Path, times: int) -> Path:
    """Copy the packets of a video several times over, one after the other."""
    with av.open(target, "w") as output:
        stream, offset = None, 0
        for _ in range(times):
            with av.open(source) as reader:
                template = reader.streams.video[0]
                stream = stream or output.add_stream_from_template(template)
                end = 0
                for packet in reader.demux(template):
                    if packet.dts is not None:
                        end = max(end, packet.pts + packet.duration)
                        packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                        packet.stream = stream
                        output.mux(packet)
                offset += end
    return target
