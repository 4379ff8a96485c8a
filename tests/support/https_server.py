"""A web server on this machine that speaks TLS, with a certificate that it made for itself."""

import datetime
import http.server
import ipaddress
import socket
import ssl
import struct
import threading


def certificate(folder):
    """Write a key and a certificate for 127.0.0.1 to one file, and return it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2120, 1, 1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class HttpsServer:
    """Answers requests for ``files``, by path; ``headers`` are sent with each, ``requests`` lists what was asked.

    ``faults`` are taken from the left, one a GET: ``None``, a status, ``"cut"`` or ``"no length"``. ``no_head``:
    HEAD is forbidden. ``redirect``: where every request is sent.
    """

    def __init__(self, certificate):
        self.certificate = certificate
        self.files, self.headers, self.faults, self.requests = {}, {}, [], []
        self.no_head, self.redirect = False, None

    def __enter__(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def do_HEAD(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args):
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self):
        return f"127.0.0.1:{self._server.server_port}"

    def answer(self, handler):
        self.requests.append(f"{handler.command} {handler.path}")
        body = self.files.get(handler.path.partition("?")[0])
        is_get = handler.command == "GET"
        fault = self.faults.pop(0) if is_get and self.faults else None
        status = fault if isinstance(fault, int) else 200 if body is not None else 404
        if self.no_head and not is_get:
            status = 403
        if self.redirect is not None:
            handler.send_response(302)
            handler.send_header("Location", self.redirect)
            handler.end_headers()
            return
        if status != 200:
            handler.send_error(status)
            return
        handler.send_response(200)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        if fault != "no length":
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if not is_get:
            return
        handler.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        if fault == "cut":
            handler.wfile.flush()
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
