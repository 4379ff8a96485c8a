"""The clips that the backbone of a model is given."""

from __future__ import annotations

from dataclasses import dataclass

from vadpipe.extract.settings import ExtractSettings


@dataclass(frozen=True)
class ClipShape:
    """How long and how large clips are, and whether some of them are windows.

    A backbone that is given clips of several lengths is written once, for any number of frames, since its
    numbers are the same for all: files of 49 MB for I3D. What runs over time pads each side of a clip by the
    same number of frames for every multiple of 8.

    Attributes:
        lengths: frames of the clips, by each of the windows.
        side_px: of their square frames.
        windowed: whether some are windows, so that the features of all are those of positions in time.
    """

    lengths: tuple[int, ...]
    side_px: int
    windowed: bool

    @classmethod
    def of(cls, settings: ExtractSettings) -> ClipShape:
        """Return what the backbone sees by these settings."""
        return cls(
            tuple(sampling.n_seen for sampling in settings.samplings),
            settings.record.input_px,
            any(sampling.windowed for sampling in settings.samplings),
        )

    @property
    def n_frames(self) -> int | None:
        """T of all clips; None where there are several lengths."""
        return self.lengths[0] if len(self.lengths) == 1 else None
