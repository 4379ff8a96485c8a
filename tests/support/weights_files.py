"""Small files of weights in the form that pytorchvideo publishes, and what is asserted of them."""

import hashlib
import io

import torch
from safetensors.torch import load_file


def make_state(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "blocks.0.conv.weight": torch.randn(4, 3, 1, 3, 3, generator=generator),
        "blocks.0.norm.running_mean": torch.randn(4, generator=generator),
        "blocks.0.norm.num_batches_tracked": torch.tensor(12345),
    }


def saved(content):
    """Return the bytes that torch.save writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def published_file(seed=0):
    """Return a small file in the form of pytorchvideo's."""
    return saved({"epoch": 300, "model_state": make_state(seed), "cfg": "TRAIN: {}"})


def flip(data, position):
    """Return ``data`` with one bit changed."""
    flipped = bytearray(data)
    flipped[position] ^= 1
    return bytes(flipped)


class Runs:
    """Calls a function where it is unpickled without care."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def names(folder):
    """What lies in the cache but for locks."""
    return sorted(path.name for path in folder.glob("*") if path.suffix != ".lock")


def assert_is(ready, body, state):
    assert ready.sha256 == sha256(body)
    loaded = load_file(ready.path)
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def assert_three_lines(error):
    assert str(error).count("\n") <= 2
    assert error.exit_code == 5
