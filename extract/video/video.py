"""A video of the input: where it is, what it is called, and whether it has changed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vadpipe.errors import InputError, VadpipeError
from vadpipe.extract.video.container import sniff
from vadpipe.extract.video.image_folder import image_state
from vadpipe.extract.video.limits import Limits
from vadpipe.remote.address import Address, AddressPath, address_of
from vadpipe.remote.objects import State
from vadpipe.remote.remote_file import RemoteFile


@dataclass(frozen=True)
class Video:
    r"""A video of the input.

    Attributes:
        path: of the file or folder.
        name: its path below the folder that was given, that folder's name included, with ``/``.
            ``vadpipe extract videos/`` gives ``videos/fight/a.mp4``; naming the file alone gives
            ``fight/a.mp4``. Labels come from these folders, and feature files are laid out by them.
            Bytes that are not UTF-8 are written as ``\xff``.
    """

    path: Path
    name: str

    @property
    def stem(self) -> str:
        """The base name of its results: the file's name without suffix, or the name of an image sequence."""
        return self.path.name if os.path.isdir(self.path) else self.path.stem  # noqa: PTH112

    @property
    def file(self) -> Path:
        """The local file or folder that is read."""
        return self.path

    @property
    def footage(self) -> Path:
        """What pictures are read from: itself."""
        return self.file

    @property
    def is_remote(self) -> bool:
        """Whether its file is only there between :meth:`fetch` and :meth:`release`."""
        return False

    @property
    def version(self) -> str | None:
        """What a store calls this version of it, such as its ETag; None of a local file."""
        return None

    @property
    def is_footage_known(self) -> bool:
        """Whether there is something to read pictures from. It may turn out to be missing or broken."""
        return True

    @property
    def place(self) -> str:
        """Digest of the absolute path: identifies a file however it was named, and reveals no path."""
        return hashlib.sha256(os.fsencode(located(self.path))).hexdigest()[:16]

    def state(self) -> tuple[int, int]:
        """Return its size in bytes and the time of its last change in ns.

        Of an image sequence it is the size of all pictures, and a number that changes with any of them.

        Raises:
            InputError: if it no longer exists.
        """
        if os.path.isdir(self.path):  # noqa: PTH112
            return image_state(self.path)
        try:
            stat = self.path.stat()
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=self.path) from error
        return stat.st_size, stat.st_mtime_ns

    def check(self) -> None:
        """Check that it is there, and begins as a video does where that takes no request.

        Raises:
            InputError: if not.
        """
        sniff(self.path)

    def fetch(self, limits: Limits) -> None:
        """Have its file here, if its size is within the limits.

        Raises:
            InputError: if it cannot be fetched.
            OutputError: if the disk is full.
        """

    def release(self) -> None:
        """Remove what :meth:`fetch` has brought."""

    def told(self, error: VadpipeError) -> VadpipeError:
        """Return an error about its file as one about it."""
        return error


@dataclass(frozen=True)
class RemoteVideo(Video):
    """A video at an address; nothing but this process ever asks for it.

    Attributes:
        path: its address, without secrets.
        name: as of a local one, with the names of its address.
        remote: the file.
    """

    remote: RemoteFile = field(repr=False)

    @classmethod
    def at(cls, address: Address) -> RemoteVideo:
        """Return the video of an address that is named explicitly."""
        return cls(address.path, "/".join(address.parts[-2:]), RemoteFile(address))

    @property
    def stem(self) -> str:
        """The base name of its results."""
        return PurePosixPath(self.name).stem

    @property
    def file(self) -> Path:
        """The local copy. Raises InputError where it is not fetched."""
        return self.remote.local

    @property
    def is_remote(self) -> bool:
        """Whether its file is only there between :meth:`fetch` and :meth:`release`."""
        return True

    @property
    def version(self) -> str | None:
        """What the store calls this version of it."""
        return self.remote.state.version

    @property
    def place(self) -> str:
        """Digest of the address, whatever signs it."""
        return self.remote.address.place

    def state(self) -> tuple[int, int]:
        """Return its size in bytes, and a number that changes with its version.

        Raises:
            InputError: if it is not there.
        """
        return self.remote.state.as_numbers

    def check(self) -> None:
        """Check that it is there. Raises InputError if it is not."""
        self.state()

    def fetch(self, limits: Limits) -> None:
        """Have a local copy, if its size is within the limits."""

        def check(state: State) -> None:
            try:
                limits.check(file_bytes=state.n_bytes)
            except InputError as error:
                raise InputError(error.reason, file=self.path, next_step=error.next_step) from None

        self.remote.fetch(check)

    def release(self) -> None:
        """Remove the local copy."""
        self.remote.release()

    def told(self, error: VadpipeError) -> VadpipeError:
        """Return an error about the local copy as one about the address."""
        if self.remote.copy is None or error.file != os.fspath(self.remote.copy):
            return error
        return type(error)(error.reason, file=self.path, next_step=error.next_step)


@dataclass(frozen=True)
class Failure:
    """A video, or something named as one, that could not be used, and why."""

    path: Path
    error: VadpipeError


def named_video(path: str | os.PathLike[str]) -> Video:
    """Return the video of a file that is named explicitly; its name includes its folder's."""
    address = address_of(path)
    if address is not None:
        return RemoteVideo.at(address)
    absolute = located(path)
    return Video(Path(path), text("/".join(absolute.parts[-2:]).lstrip("/")))


def located(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path without ``..``.

    Links are left as they are, since a label may lie in a link's name; only where ``..`` follows, they
    have to be resolved to know what it means. An address is absolute.
    """
    if isinstance(path, AddressPath):
        return path
    given = Path(path)
    if ".." not in given.parts:
        return Path(os.path.abspath(given))  # noqa: PTH100
    if given.name == "..":
        return Path(os.path.realpath(given))
    return Path(os.path.realpath(given.parent)) / given.name


def text(name: str) -> str:
    """Return a file's name as valid Unicode text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
