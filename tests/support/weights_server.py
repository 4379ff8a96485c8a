"""A server on this machine that publishes weights, well or badly."""

import http.server
import threading
import time

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
