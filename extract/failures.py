"""Records of videos that failed, so that they are not decoded in vain again."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.video.discovery import Video


class PastFailure(BaseModel):
    """Why a video could not be used.

    Attributes:
        video, place, n_bytes, modified_ns: which file it was, as in :class:`vadpipe.features.file.Source`.
        asked: the options that the failure may depend on: decoder, device, limits, versions.
        kind, reason, next_step: the error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: str
    place: str
    n_bytes: int
    modified_ns: int
    asked: str
    kind: str
    reason: str
    next_step: str | None

    @classmethod
    def of(cls, video: Video, asked: str, error: InputError) -> PastFailure:
        """Return what to remember of an error. Raises InputError if the video is gone."""
        n_bytes, modified_ns = video.state()
        return cls(
            video=video.name,
            place=video.place,
            n_bytes=n_bytes,
            modified_ns=modified_ns,
            asked=asked,
            kind=type(error).__name__,
            reason=error.reason,
            next_step=error.next_step,
        )

    @classmethod
    def read(cls, path: Path) -> PastFailure | None:
        """Return what a file remembers, or None if it cannot be read."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None

    def again(self, video: Video, asked: str) -> InputError | None:
        """Return the error again, or None if the video or the options have changed."""
        if self.asked != asked or (self.n_bytes, self.modified_ns) != video.state():
            return None
        kind = DecodeError if self.kind == DecodeError.__name__ else InputError
        reason = f"{self.reason} (failed in an earlier run; use --retry to try again)"
        return kind(reason, file=video.path, next_step=self.next_step)
