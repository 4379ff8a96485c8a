"""Videos below an address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from vadpipe.errors import InputError
from vadpipe.extract.video.container import SUFFIXES
from vadpipe.extract.video.video import RemoteVideo
from vadpipe.remote.address import Address
from vadpipe.remote.objects import State, check_extra, listed
from vadpipe.remote.remote_file import RemoteFile


def remote_videos(address: Address) -> list[RemoteVideo]:
    """Return the videos of an address: itself, or those below it, which one listing finds.

    An address that ends in a video's suffix is that of a file, and so is every one of a web server, which
    cannot be listed. Below a folder, hidden files and folders are left out, as of a local one; pictures are
    no videos there.

    Raises:
        InputError: if it cannot be listed, or contains no video.
        UsageError: if what reads it is not installed.
    """
    check_extra(address.scheme)
    last = address.parts[-1] if address.parts else ""
    if not address.is_folder_like or (len(address.parts) > 1 and _is_video(last)):
        return [RemoteVideo.at(address)]
    found = listed(address)
    if [*found] == [""]:  # a file without a video's suffix, which is named explicitly
        return [RemoteVideo.at(address)]
    videos = [*_below(address, found)]
    if not videos:
        hint = f"Looked for files ending in {' '.join(sorted(SUFFIXES))}."
        raise InputError("contains no video", file=address.path, next_step=hint)
    return videos


def _below(folder: Address, found: dict[str, State]) -> Iterator[RemoteVideo]:
    root = folder.parts[-1]
    for name, state in found.items():
        if _is_video(name) and not any(part.startswith(".") and part.strip(".") for part in name.split("/")):
            address = folder.below(name)
            below = address.parts[len(folder.parts) :]
            yield RemoteVideo(address.path, "/".join((root, *below)), RemoteFile(address, state))


def _is_video(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES
