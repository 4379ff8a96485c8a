"""The recipe of features: how they were made, and whether they can be compared with others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vadpipe.features.sampling import SNIPPET_FRAMES, Sampling
from vadpipe.features.views import are_named, fill_short_side, text_of, views_of

IMPORTED = "imported:"
"""Prefix of the backbone's name in imported features; no backbone here has it."""

_MANY, _MANY_AT_ONCE = 10**9, 2**20
"""What nobody needs more of, so that no number that is made of two of these is beyond what can be counted."""

_MANY_VIEWS, _MANY_WINDOWS, _MANY_PX, _MANY_FPS = 1024, 16, 2**16, 1000


_Window = Annotated[int, Field(ge=1, le=_MANY_AT_ONCE)]


class Recipe(BaseModel):
    """How features were made. Features are comparable only where their recipes agree.

    Attributes:
        backbone: name in the registry, for example ``"i3d"``; of features that were made elsewhere the name
            that they were given, after :data:`IMPORTED`.
        weights_sha256: digest of the published weights file, 64 hexadecimal digits.
        feature_dim: D, of all windows together.
        snippet_frames: frames of a snippet.
        stride_frames: frames from the start of one snippet to the start of the next.
        clip_frames: how many of a snippet's frames the backbone sees.
        window_frames: how many frames it sees at once; more than a snippet's where it runs over time, see
            :mod:`vadpipe.features.windows`. Of several windows all their lengths: a row is then what the
            backbone gives for the first, followed by what it gives for the next.
        fps: frames per second that the video was resampled to, or None.
        target_fps: one frame in k was taken, for a rate near this; None if all were or by ``fps``.
        assumed_fps: frames per second that the video was taken to have, since it carries no times; else None.
            Recorded only.
        even_rows: rows spread evenly over the video, for published features of a fixed number of segments.
            How many there are is recorded only, whether there are is not.
        fixed_rows: rows of published features with a stride, in the same way.
        view: which parts of the frame the backbone sees: names of :data:`vadpipe.features.views.VIEWS` with
            commas, or ``"crops"`` for five or ten crops. ``"unknown"`` where features were made elsewhere.
        resize_px: the short side of the frame as it was decoded, from which views are cut; equal to input_px
            where it is decoded to the size that is seen: as a square for the whole frame alone, and for left
            and right alone.
        input_px: side of the square that the backbone sees.
        crops: how many views of each snippet, C.
        mean, std: each channel is ``(rgb / 255 - mean) / std``.
        decoder: name and version of what decoded and resized. Recorded; two decoders may differ by
            a few grey levels, so a difference here is not a mismatch.
        engine: what ran the backbone, in what precision. Recorded only: in float32 engines agree to 1e-4,
            and int8 has a cosine of 0.99 to it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    backbone: str
    weights_sha256: str
    feature_dim: int = Field(ge=1, le=_MANY_AT_ONCE)
    snippet_frames: int = Field(ge=1, le=_MANY_AT_ONCE)
    stride_frames: int = Field(ge=1, le=_MANY)
    clip_frames: int = Field(SNIPPET_FRAMES, ge=1, le=_MANY_AT_ONCE)
    window_frames: _Window | Annotated[tuple[_Window, ...], Field(max_length=_MANY_WINDOWS)] = SNIPPET_FRAMES
    fps: float | None = Field(None, gt=0, le=_MANY_FPS)
    target_fps: float | None = Field(None, gt=0, le=_MANY_FPS)
    assumed_fps: float | None = Field(None, gt=0, le=_MANY_FPS)
    even_rows: int | None = Field(None, ge=1, le=_MANY)
    fixed_rows: int | None = Field(None, ge=1, le=_MANY)
    view: str
    resize_px: int = Field(ge=0, le=_MANY_PX)
    input_px: int = Field(ge=0, le=_MANY_PX)
    crops: int = Field(ge=1, le=_MANY_VIEWS)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    decoder: str
    engine: str

    @property
    def sampling(self) -> Sampling:
        """Which frames each row of the features comes from and speaks for; its window is the first."""
        return self.samplings[0]

    @property
    def samplings(self) -> tuple[Sampling, ...]:
        """The same by each of the windows."""
        return tuple(
            Sampling(
                self.stride_frames,
                self.fps,
                self.clip_frames,
                self.even_rows,
                self.fixed_rows,
                window,
                self.target_fps,
            )
            for window in self.windows
        )

    @property
    def windows(self) -> tuple[int, ...]:
        """How many frames the backbone sees at once: a number for each part of a row, W of them."""
        return self.window_frames if isinstance(self.window_frames, tuple) else (self.window_frames,)

    @property
    def imported(self) -> bool:
        """Whether the features were made elsewhere, so that no setting here makes them from a video."""
        return self.backbone.startswith(IMPORTED)

    @property
    def views(self) -> tuple[str, ...]:
        """The names of the views along the axis C; ``"0"``, ``"1"``, … where they are not known."""
        return views_of(self.view, self.crops)

    def of_views(self, views: Sequence[str]) -> Recipe:
        """Return the recipe of features that hold only some of its views."""
        return self.model_copy(update={"view": text_of(views), "crops": len(views)})

    def differences(self, other: Recipe, *, fewer_views: bool = False) -> list[str]:
        """Return ``"name: mine / other's"`` for each field that makes features incomparable.

        Args:
            other: recipe of the other features.
            fewer_views: whether the others may hold only some of my views, as a head can score them. Where
                these show the whole short side it does not matter then whether they were decoded to their
                size or scaled to it later.
        """
        if fewer_views and are_named(other.views) and {*other.views} <= {*self.views}:
            same = {"view": self.view, "crops": self.crops}
            other = other.model_copy(
                update=same | ({"resize_px": self.resize_px} if fill_short_side(other.views) else {})
            )
        recorded_only = {"decoder", "engine", "assumed_fps"}
        for rows in ("even_rows", "fixed_rows"):
            if None not in (getattr(self, rows), getattr(other, rows)):
                recorded_only.add(rows)
        return [
            f"{name}: {_short(name, getattr(self, name))} / {_short(name, getattr(other, name))}"
            for name in type(self).model_fields
            if name not in recorded_only and getattr(self, name) != getattr(other, name)
        ]


def _short(name: str, value: object) -> str:
    text = ",".join(map(str, value)) if name == "window_frames" and isinstance(value, tuple) else str(value)
    return text[:12] + "…" if len(text) > 20 and name != "view" else text
