"""The settings of an extraction, as one picklable record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vadpipe.errors import UsageError
from vadpipe.extract.backbones.registry import DEFAULT, Backbone, find_backbone
from vadpipe.extract.engines.engine import PRECISIONS, check_engine, choose_precision
from vadpipe.extract.video.decoders import choose_decoders
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.timeline import ASSUMED_FPS
from vadpipe.features.recipe import Recipe
from vadpipe.features.sampling import SNIPPET_FRAMES, Sampling
from vadpipe.features.views import CROP_VIEWS, CROPS, only_ends, only_whole, parse_views, text_of
from vadpipe.features.windows import parse_windows
from vadpipe.features.windows import text_of as text_of_windows
from vadpipe.files.arguments import NUMBER, PATH, SWITCH, TEXT, WHOLE, Kind, check_arguments


@dataclass(frozen=True)
class ExtractSettings:
    """How videos are turned into features.

    Attributes:
        backbone: a name in :data:`vadpipe.extract.backbones.registry.BACKBONES`.
        view: what the backbone sees of a frame: names of :data:`vadpipe.features.views.VIEWS`, with commas or
            one by one; the backbone's own where it is None. Kept with commas and in their order; those of
            five or ten crops are kept as ``crops``.
        crops: 5 or 10 for the views :data:`vadpipe.features.views.CROP_VIEWS`; 1 for those that ``view``
            names.
        stride: frames from the start of one snippet to the start of the next. By default snippets overlap by
            half; :data:`vadpipe.features.sampling.SNIPPET_FRAMES` makes them follow each other, in half the
            work.
        window: frames that the backbone sees at once: 16, each snippet by itself; or more, where the backbone
            runs over time and a snippet is the mean of its part, see :mod:`vadpipe.features.windows`.
            Several, with commas or one by one, give a snippet a feature by each. Where it is None the
            backbone's own, or 16 with a stride above 16. Kept as a number, or as text with commas in rising
            order.
        target_fps: one frame in k is taken, for a rate near this, see
            :class:`vadpipe.features.sampling.Sampling`; ``"all"`` takes every frame. The backbone's own where
            it is None.
        fps: frames per second to resample the video to, whatever is shown then; overrides ``target_fps``.
        assume_fps: frame rate of videos without timestamps: raw streams and image sequences.
        decoder: ``"auto"``, ``"decord"``, ``"pyav"`` or ``"torchcodec"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``, for the backbone and decoders that can use it.
        engine: ``"auto"``, ``"torch"`` or ``"openvino"``.
        precision: ``"auto"``, ``"float32"`` or ``"int8"``, in which the backbone computes.
        weights: the backbone's published weights in a local file, instead of the cache or a download.
        offline: never download anything.
        limits: what a video may ask of the machine.

    Raises:
        UsageError: if one of them is out of range, or two contradict each other.
    """

    backbone: str = DEFAULT
    view: str | Iterable[str] | None = None
    crops: int = 1
    stride: int = SNIPPET_FRAMES // 2
    window: int | str | Iterable[int] | None = None
    target_fps: float | Literal["all"] | None = None
    fps: float | None = None
    assume_fps: float = ASSUMED_FPS
    decoder: str = "auto"
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    weights: Path | None = None
    offline: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        check_arguments(
            backbone=(self.backbone, TEXT),
            crops=(self.crops, WHOLE),
            stride=(self.stride, WHOLE),
            fps=(self.fps, NUMBER.or_none),
            assume_fps=(self.assume_fps, NUMBER),
            decoder=(self.decoder, TEXT),
            device=(self.device, TEXT),
            engine=(self.engine, TEXT),
            precision=(self.precision, TEXT),
            weights=(self.weights, PATH.or_none),
            offline=(self.offline, SWITCH),
            limits=(self.limits, Kind("vadpipe.extract.video.limits.Limits", (Limits,))),
        )
        if self.target_fps not in (None, "all"):
            check_arguments(target_fps=(self.target_fps, NUMBER.or_none))
        if self.weights is not None:
            object.__setattr__(self, "weights", Path(self.weights))
        find_backbone(self.backbone)
        self._settle_views()
        if self.precision not in ("auto", *PRECISIONS):
            raise UsageError(
                f"unknown precision {self.precision!r}",
                next_step=f"Choose one of: auto, {', '.join(PRECISIONS)}.",
            )
        if not 1 <= self.stride <= 100_000:
            raise UsageError(f"a stride of {self.stride} frames is out of range", next_step="Use 1 or more.")
        self._settle_sampling()
        for fps in (self.fps, self.assume_fps, self._target_fps):
            if fps is not None and not 0.01 <= fps <= 1000:
                raise UsageError(f"{fps:g} frames per second is out of range", next_step="Use 0.01 to 1000.")

    def _settle_views(self) -> None:
        """Bring views and crops into the one form that stands for them."""
        if self.crops not in CROPS:
            raise UsageError(
                f"unsupported number of crops: {self.crops}",
                next_step=f"Choose one of: {', '.join(map(str, CROPS))}.",
            )
        if self.view is None:
            if self.crops == 1:
                object.__setattr__(self, "view", self.record.view)
            return
        views = parse_views(self.view)
        if self.crops > 1 and views != ("centre",):  # which crops were said to be of, before they had names
            raise UsageError(
                f"{self.crops} crops are views themselves and conflict with the view {','.join(views)}",
                next_step="Use either --view or --crops.",
            )
        crops = {same: crops for crops, same in CROP_VIEWS.items()}.get(views, self.crops)
        object.__setattr__(self, "crops", crops)
        object.__setattr__(self, "view", ",".join(views) if crops == 1 else None)

    def _settle_sampling(self) -> None:
        """Set the backbone's own frame rate if none is given, and check the window."""
        if self.fps is not None:
            object.__setattr__(self, "target_fps", "all")
        elif self.target_fps is None:
            object.__setattr__(self, "target_fps", self.record.target_fps)
        self._settle_windows()

    def _settle_windows(self) -> None:
        """Bring the windows into the one form that stands for them, and check them."""
        window = self.window
        if window is None:  # a longer one cannot skip frames
            window = self.record.window if self.stride <= SNIPPET_FRAMES else SNIPPET_FRAMES
        windows = parse_windows(window)
        object.__setattr__(self, "window", windows[0] if len(windows) == 1 else text_of_windows(windows))
        if windows == (SNIPPET_FRAMES,):
            return
        hint = f"Use --window {SNIPPET_FRAMES}, which processes each snippet separately."
        if not self.record.maps:
            raise UsageError(f"the backbone {self.backbone} does not support windows", next_step=hint)
        if self.stride > SNIPPET_FRAMES:
            raise UsageError(f"windows cannot skip frames, as a stride of {self.stride} does", next_step=hint)

    @classmethod
    def of_recipe(
        cls, recipe: Recipe, view: str | Iterable[str] | None = None, **others: object
    ) -> ExtractSettings:
        """Return the settings that make features of a recipe.

        Args:
            recipe: of these features.
            view: other views than its own.
            others: attributes that a recipe leaves open.

        Raises:
            UsageError: if its features were made elsewhere, so that no setting here makes them; or a view
                does not exist.
        """
        if recipe.imported:
            raise UsageError(
                f"features of {recipe.backbone} are imported and cannot be extracted from a video",
                next_step="Score feature files imported from the same source, or use another head.",
            )
        return cls(
            backbone=recipe.backbone,
            view=recipe.views if view is None else view,
            stride=recipe.stride_frames,
            window=recipe.windows,
            target_fps=recipe.target_fps or "all",
            fps=recipe.fps,
            **others,  # type: ignore[arg-type]
        )

    def check_here(self) -> None:
        """Check that named engines, decoders and devices exist and are installed; a GPU is checked later.

        Raises:
            UsageError: if one does not or is not.
        """
        choose_decoders(self.decoder, "cpu", "mp4")
        check_engine(self.engine)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise UsageError(f"unknown device {self.device!r}", next_step="Use auto, cpu or cuda:0.")

    @property
    def record(self) -> Backbone:
        """The backbone's record."""
        return find_backbone(self.backbone)

    def quantised_on(self, engine: str) -> Path | None:
        """Return the backbone in int8 that an engine runs by these settings; None if it runs in float.

        Args:
            engine: what :func:`vadpipe.extract.engines.engine.choose_engine` returned.

        Raises:
            UsageError: if int8 is requested but not available.
        """
        own = self.record.quantised if self.weights is None else None
        return own if choose_precision(self.precision, engine, own) == "int8" else None

    @property
    def sampling(self) -> Sampling:
        """Which frames each snippet takes; and the runs of the backbone, by the first window."""
        return self.samplings[0]

    @property
    def samplings(self) -> tuple[Sampling, ...]:
        """The same by each of the windows; they differ in nothing but the runs of the backbone."""
        return tuple(
            Sampling(
                self.stride, self.fps, self.record.clip_frames, window=window, target_fps=self._target_fps
            )
            for window in self.windows
        )

    @property
    def windows(self) -> tuple[int, ...]:
        """The windows, the shortest first."""
        return parse_windows(self.window or SNIPPET_FRAMES)  # settled when these settings were made

    @property
    def feature_dim(self) -> int:
        """D, what the backbone gives by all windows."""
        return self.record.feature_dim * len(self.windows)

    @property
    def _target_fps(self) -> float | None:
        """As a recipe has it: None for every frame."""
        return None if self.target_fps == "all" else self.target_fps

    @property
    def size(self) -> Size:
        """How large frames have to be decoded."""
        if only_whole(self.views):
            return Size(self.record.input_px, square=True)
        if only_ends(self.views):
            return Size(self.record.input_px, square=False)
        return Size(self.record.resize_px, square=False)

    @property
    def views(self) -> tuple[str, ...]:
        """The names of the views, in the order in which they lie along the axis C of features."""
        if self.crops > 1:
            return CROP_VIEWS[self.crops]
        return parse_views(self.view or "")  # settled when these settings were made

    def recipe(self, *, weights_sha256: str, decoder: str, engine: str, timed: bool = True) -> Recipe:
        """Return the record of features that these settings make of a video that has times, or has none."""
        record = self.record
        return Recipe(
            backbone=record.name,
            weights_sha256=weights_sha256,
            feature_dim=self.feature_dim,
            snippet_frames=SNIPPET_FRAMES,
            stride_frames=self.stride,
            clip_frames=record.clip_frames,
            window_frames=self.windows if len(self.windows) > 1 else self.windows[0],
            fps=self.fps,
            target_fps=self._target_fps,
            assumed_fps=None if timed else self.assume_fps,
            view=text_of(self.views),
            resize_px=self.size.side_px,
            input_px=record.input_px,
            crops=len(self.views),
            mean=record.mean,
            std=record.std,
            decoder=decoder,
            engine=engine,
        )

    def differences(self, recipe: Recipe, weights_sha256: str) -> list[str]:
        """Return how features of a recipe differ from what these settings make; empty where they fit.

        A decoder, an engine or a precision counts only if it was requested by name, an assumed rate only if
        it was used.
        """
        differences = self.recipe(weights_sha256=weights_sha256, decoder="", engine="").differences(recipe)
        if recipe.assumed_fps not in (None, self.assume_fps):
            differences.append(f"assumed frames per second: {self.assume_fps:g} / {recipe.assumed_fps:g}")
        aliases = {"pyav": "av"}
        for what, asked, made in (
            ("decoder", self.decoder, recipe.decoder),
            ("engine", self.engine, recipe.engine),
        ):
            if asked != "auto" and not made.startswith(aliases.get(asked, asked)):
                differences.append(f"{what}: {asked} / {made}")
        if self.precision != "auto" and f" {self.precision} on " not in recipe.engine:
            differences.append(f"precision: {self.precision} / {recipe.engine}")
        return differences
