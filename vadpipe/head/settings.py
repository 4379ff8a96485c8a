"""Every switch and number of the head, validated, and written into each checkpoint."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vadpipe.errors import UsageError, message_of

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
    from pydantic_core import ErrorDetails

    from vadpipe.head.bag_score import TopK
else:
    ModelMetaclass = type(BaseModel)

MethodName = Literal["cbcg", "deepmil", "rtfm", "ur-dmu", "bn-wvad", "mgfn"]

Value = bool | int | float | str
"""Of a setting."""

_WIDE, _LONG, _MANY = 2**16, 2**20, 10**9
"""What nobody needs more of: channels of a layer; segments, batches or bags that are held; other numbers."""


class _RefusesAsUsageError(ModelMetaclass):
    """Makes a call of the class raise our own error; a record that is read still says what pydantic says."""

    def __call__(self, *args: Any, **values: Any) -> Any:  # noqa: ANN401  mypy then looks at the fields
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            reason, next_step = refusal(error.errors()[0])
            raise UsageError(reason, next_step=next_step) from error


class HeadSettings(BaseModel, metaclass=_RefusesAsUsageError):
    """Settings of a head. Unknown names, wrong values and contradictions are refused with a UsageError.

    The defaults are CBCG's; those of the published methods are in :mod:`vadpipe.head.methods`.

    Where the abstract of arXiv 2212.08506 gives no number, the source is named; "ours" means chosen
    here, by cross-validation; see docs/benchmarks.md.

    Attributes:
        method: ``"cbcg"``, or a published method to compare with, which knows fewer settings: see
            docs/peers.md.
        clustering: claim 1, the clustering branch and its loss. Off gives the plain MIL baseline.
        memory: claim 2, how clusters of earlier batches enter. ``"queue"``: the loss is taken of the
            batch against the memory's centroids as well (the form of XBM, arXiv 1912.06798).
            ``"ema"``: its decayed mean is mixed into the batch's centroids. ``"none"``: it does not; a video
            is scored by its clusters all the same.
        guided: claim 3, scores are mixed with the clustering's own verdict.
        second_head: control without clusters: a plain second head of the clustering branch's size
            takes its place. Needs ``clustering`` off.
        cluster_gradient: share g of the clustering gradient that reaches the embedding, 0 to 1.
        hidden: width H of the embedding.
        cluster_dim: width Z of the clustering space.
        dropout: share of channels dropped in training (0.7 in RTFM).
        feature_dropout: share of the features' numbers dropped in training.
        context: what is seen of the whole video. ``"pooled"``: the mean and the maximum of the embedded bag
            beside each segment. ``"none"``: nothing. ``"both"``: a network of each kind, whose log odds are
            averaged. ``"auto"``: ``"both"`` where at least 100 training videos have more snippets than
            ``segments``, and otherwise ``"none"``; a trained head says which.
        temperature: tau of the cluster assignment.
        margin: cosine of the two centroids below which separation costs nothing.
        cluster_weight: lambda, weight of the clustering loss.
        score_mix: alpha, share of the classifier in the guided score.
        queue_batches: M, batches that the memory holds.
        queue_decay: weight of a batch in the memory, for each batch that came after it.
        ema_decay: share of the memory in a centroid under ``memory = "ema"``.
        warmup: share of the steps in which clusters do not guide yet and the memory only listens.
        view_sampling: what of several views of a video, or crops, a step learns from. ``"one"``: a view of
            each bag, redrawn at every step, as if it were all of the video. ``"all"``: all, whose scores
            are averaged.
        view_join: how the scores of views become one: their ``"max"``, each being scored and smoothed by
            itself; or the ``"mean"`` of what both branches say. Few views see what happens in a corner.
        window_weight: share of the longer windows in the log odds of a segment, where features were made by
            several windows and each has a head, see :mod:`vadpipe.head.window_heads`.
        window_smoothing: deviation, in segments, of the Gaussian that smooths the log odds of the longer
            windows before they are joined.
        segments: T; a longer bag is squeezed to it in training (32 in RTFM, arXiv 2101.10030).
        top_k_divisor, top_k_at_least: the max(T // divisor + 1, at_least) highest segments
            stand for a bag, see :class:`vadpipe.head.bag_score.TopK`.
        smoothness, sparsity: weights as in RTFM.
        whole_bag_weight: weight of the loss of the bags' means, each taken as a bag of one segment.
        smoothing: deviation, in snippets, of the Gaussian that smooths the log odds of a video; 0 for none.
        steps: training steps.
        batch_bags: b, normal and as many abnormal bags of a batch.
        optimiser: ``"adam"``, or ``"sgd"`` with a momentum of 0.9.
        learning_rate, weight_decay, clip_norm: of the optimiser and its gradient; 0 clips none.
        weight_averaging: decay a step of the moving average of the weights, with which a head scores, as in
            Mean Teacher (arXiv 1703.01780); 0 scores with the weights as they are.
        folds: parts of the training videos; each is scored by a head that was trained on the others, which
            picks the step and the threshold.
        checks: how often a training is checked; the step is picked among the fifth and later ones, and is
            the last where there are fewer.
        false_alarms_per_hour: the threshold lets normal videos raise this many alarms per hour, and more only
            where no abnormal video would be found.
        normal_quantile: the threshold is not below this quantile of normal snippets' scores; it is that
            quantile where there is too little normal footage to tell alarms per hour.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    method: MethodName = "cbcg"

    clustering: bool = True
    memory: Literal["none", "queue", "ema"] = "queue"
    guided: bool = True
    second_head: bool = False
    cluster_gradient: float = Field(0.0, ge=0, le=1)

    hidden: int = Field(128, ge=1, le=_WIDE)
    cluster_dim: int = Field(64, ge=2, le=_WIDE)
    dropout: float = Field(0.7, ge=0, lt=1)
    feature_dropout: float = Field(0.3, ge=0, lt=1)

    context: Literal["auto", "none", "pooled", "both"] = "auto"

    temperature: float = Field(0.1, gt=0)
    margin: float = Field(-0.5, ge=-1, le=1)
    cluster_weight: float = Field(0.5, ge=0)
    score_mix: float = Field(0.5, ge=0, le=1)
    queue_batches: int = Field(20, ge=1, le=_LONG)
    queue_decay: float = Field(0.9, gt=0, le=1)
    ema_decay: float = Field(0.9, ge=0, lt=1)
    warmup: float = Field(0.1, ge=0, le=1)

    view_sampling: Literal["one", "all"] = "one"
    view_join: Literal["max", "mean"] = "max"
    window_weight: float = Field(0.25, ge=0, le=1)
    window_smoothing: float = Field(2.0, ge=0, le=100)
    segments: int = Field(32, ge=1, le=_LONG)
    top_k_divisor: int = Field(16, ge=1, le=_MANY)
    top_k_at_least: int = Field(6, ge=1, le=_MANY)
    smoothness: float = Field(8e-4, ge=0)
    sparsity: float = Field(8e-3, ge=0)
    whole_bag_weight: float = Field(0.0, ge=0)
    smoothing: float = Field(0.7, ge=0, le=100)

    steps: int = Field(100, ge=1, le=_LONG)
    batch_bags: int = Field(16, ge=1, le=_LONG)
    optimiser: Literal["adam", "sgd"] = "sgd"
    learning_rate: float = Field(2e-2, gt=0)
    weight_decay: float = Field(5e-4, ge=0)
    clip_norm: float = Field(1.0, ge=0)
    weight_averaging: float = Field(0.98, ge=0, lt=1)

    folds: int = Field(4, ge=2, le=_LONG)
    checks: int = Field(15, ge=1, le=_LONG)
    false_alarms_per_hour: float = Field(6.0, gt=0)
    normal_quantile: float = Field(0.95, gt=0, lt=1)

    @property
    def top_k(self) -> TopK:
        """How many segments stand for a bag."""
        from vadpipe.head.bag_score import TopK  # it loads torch, which a record that is read needs not

        return TopK(self.top_k_divisor, self.top_k_at_least)

    @model_validator(mode="after")
    def _switches_agree(self) -> Self:
        if self.second_head and self.clustering:
            raise ValueError("second_head is the control without clusters: set clustering to false")
        return self


def refusal(mistake: ErrorDetails) -> tuple[str, str | None]:
    """Return the error message for settings that pydantic rejected, and the next step, if any."""
    where = ".".join(map(str, mistake["loc"])) or "settings"
    if mistake["type"] != "extra_forbidden":
        return f"{where}: {message_of(mistake)}", None
    nearest = get_close_matches(where.lower(), HeadSettings.model_fields, n=1)
    meant = f": did you mean {nearest[0]!r}?" if nearest else ""
    return f"unknown setting {where!r}{meant}", f"The settings are: {', '.join(HeadSettings.model_fields)}."
