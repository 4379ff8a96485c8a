"""A server on this machine that publishes weights, well or badly, and files in the published form."""

import hashlib
import http.server
import io
import threading
import time

import torch
from safetensors.torch import load_file

from vadpipe.weights.registry import UrlWeights


class Server:
    """Answers every GET on 127.0.0.1 with the same file, or in the way that its attributes say.

    ``status``: of the answer. ``cut_after``: bytes after which the connection is closed. ``stall``: send half
    and then nothing. ``delay_s``: before the answer. ``n_requests`` counts, ``requested`` is set by the first.
    """

    def __init__(self, body=b""):
        self.body, self.status, self.cut_after, self.stall, self.delay_s = body, 200, None, False, 0.0
        self.n_requests, self.requested, self._closing = 0, threading.Event(), threading.Event()

    def __enter__(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *args):
                pass  # the client went away, as it should

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}/zoo/NET.pyth"

    def record(self, **fields):
        """Return a record of the file here; its digest is unknown, as for what pytorchvideo publishes."""
        values = {"name": "net-kinetics-400", "url": self.url, "file_name": "NET.pyth"}
        return UrlWeights(**{**values, "licence": "none", "paper": "none", **fields})

    def answer(self, handler):
        self.n_requests += 1
        time.sleep(self.delay_s)
        if self.status != 200:
            self.requested.set()
            handler.send_error(self.status)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(self.body)))
        handler.end_headers()
        n_sent = self.cut_after if self.cut_after is not None else len(self.body)
        handler.wfile.write(self.body[: n_sent // 2 if self.stall else n_sent])
        handler.wfile.flush()
        self.requested.set()
        if self.stall:
            self._closing.wait(60)


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


def published(seed=0):
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
