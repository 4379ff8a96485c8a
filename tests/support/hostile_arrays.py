"""Array files that are not what they say, or would run code."""

import os


class Canary:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def claiming(n_numbers, descr="|u1"):
    """Return a ``.npy`` file of 16 bytes that states any number of numbers."""
    text = repr({"descr": descr, "fortran_order": False, "shape": (n_numbers,)}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16)
