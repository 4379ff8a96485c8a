"""An S3 on this machine, moto's, behind a proxy that passes requests on well or badly."""

import http.client
import http.server
import logging
import socket
import struct
import threading

from vadpipe.remote.scratch import new_folder


def local_copies():
    """The files that remote files of this process have on this machine; others may share the cache."""
    probe = new_folder("probe-")
    probe.rmdir()
    return [path for path in probe.parent.rglob("*") if path.is_file() and path.name != "lock"]


class ObjectStore:
    """Moto's server, and a proxy before it.

    ``requests`` lists what was asked for, as ``"GET /bucket/key"``. ``faults`` are functions that are called with a
    request's line and may return ``"503"``, ``"403"``, ``"cut"`` (half of the body, then a reset) or ``"short"`` (half of the
    body, then an orderly end); or None to leave it alone, after whatever they have done meanwhile.
    """

    def __enter__(self):
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.requests, self.faults = [], []
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._moto.start()
        behind = self._moto.get_host_and_port()
        self.direct = client("http://{}:{}".format(*behind))
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                with_faults(self, outer, behind)

            def log_message(self, *args):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args):
                pass  # the client went away, as it should

        self._proxy = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._proxy.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._proxy.shutdown()
        self._proxy.server_close()
        self._thread.join()
        self._moto.stop()

    @property
    def environment(self):
        """What makes a client use it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._proxy.server_port}",
            "AWS_ACCESS_KEY_ID": "access-key-of-a-test",
            "AWS_SECRET_ACCESS_KEY": "s3cret-of-a-test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def once(self, line, fault):
        """Add a fault of the first request that begins so; ``fault`` may be a function, too."""
        left = [fault]

        def look(asked):
            if asked.startswith(line) and left:
                what = left.pop()
                return what() if callable(what) else what
            return None

        self.faults.append(look)

    def fault_of(self, line):
        self.requests.append(line)
        return next(filter(None, [look(line) for look in self.faults]), None)


def with_faults(handler, store, behind):
    """Pass one request on, or do to it what the store's faults say."""
    handler.raw_requestline = handler.rfile.readline(65537)
    if not handler.raw_requestline or not handler.parse_request():
        handler.close_connection = True
        return
    body = body_of(handler)
    fault = store.fault_of(f"{handler.command} {handler.path}")
    if fault in ("503", "403"):
        handler.send_response(int(fault))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    connection = http.client.HTTPConnection(*behind)
    headers = {name: value for name, value in handler.headers.items() if name.lower() not in LEFT_OUT}
    connection.request(handler.command, handler.path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    handler.send_response_only(answer.status)
    for name, value in answer.getheaders():
        if name.lower() not in ("content-length", "transfer-encoding", "connection"):
            handler.send_header(name, value)
    length = answer.getheader("Content-Length") if handler.command == "HEAD" else len(content)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2] if fault else content)
    handler.wfile.flush()
    if fault:
        handler.close_connection = True
    if fault == "cut":
        reset = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        handler.connection.close()


def client(address):
    """Return a client of Amazon's own library, which asks the server itself and not the proxy."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=address,
        aws_access_key_id="access-key-of-a-test",
        aws_secret_access_key="s3cret-of-a-test",
        region_name="us-east-1",
    )


class Bucket:
    """A bucket of its own for each test."""

    def __init__(self, store, name):
        self.store, self.name = store, name
        store.direct.create_bucket(Bucket=name)
        store.requests.clear()
        store.faults.clear()

    def address(self, key=""):
        return f"s3://{self.name}/{key}".rstrip("/")

    def put(self, key, content):
        """Write an object: bytes, or the content of a file."""
        content = content if isinstance(content, bytes) else content.read_bytes()
        self.store.direct.put_object(Bucket=self.name, Key=key, Body=content)

    def get(self, key):
        return self.store.direct.get_object(Bucket=self.name, Key=key)["Body"].read()

    def etag(self, key):
        return self.store.direct.head_object(Bucket=self.name, Key=key)["ETag"].strip('"')

    def names(self, hidden=False):
        """Return the names of all objects, those of indexes only if wanted."""
        pages = self.store.direct.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        names = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [name for name in names if hidden or ".vadpipe-index" not in name]

    def remove(self, key):
        self.store.direct.delete_object(Bucket=self.name, Key=key)

    def requests(self, *words):
        """Return the requests since the last call whose lines contain all of these words."""
        found = [line for line in self.store.requests if all(word in line for word in words)]
        if not words:
            self.store.requests.clear()
        return found


LEFT_OUT = ("content-length", "transfer-encoding", "connection", "expect")


def body_of(handler):
    """Return the body of a request; a client that waits to be told to send it was told as its head was read."""
    if "chunked" not in handler.headers.get("Transfer-Encoding", ""):
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    raise NotImplementedError("chunked requests")
