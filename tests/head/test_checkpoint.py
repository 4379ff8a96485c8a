"""A head file gives back the same scores, and refuses features it was not made for."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from support.calibrations import make_calibration
from support.feature_files import make_features, make_recipe
from vadpipe.errors import FeatureError
from vadpipe.head.bags import squeeze
from vadpipe.head.batch_clusters import Clusters
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.checkpoint import FILE_NAME, TrainedHead
from vadpipe.head.record import SCHEMA, HeadRecord
from vadpipe.head.scoring_head import join_views
from vadpipe.head.settings import HeadSettings
from vadpipe.weights import SHIPPED_HEAD


def make_head(**settings) -> TrainedHead:
    torch.manual_seed(0)
    settings = HeadSettings(hidden=4, cluster_dim=3, **settings)
    network = Cbcg(torch.zeros(8), torch.ones(8), settings).eval()
    network.memory.append(Clusters(torch.eye(3)[:2], torch.ones(2)))
    record = HeadRecord(
        settings=settings, recipe=make_recipe(), calibration=make_calibration(0.5), seed=3, step=7
    )
    return TrainedHead(network, record)


def of_views(head, view, crops, **changes):
    """Return the head as if it had been trained on these views."""
    recipe = make_recipe(view=view, crops=crops, **changes)
    return replace(head, record=head.record.model_copy(update={"recipe": recipe}))


def test_some_views_are_scored_by_their_mean_alone():
    head = of_views(make_head(), "whole,left,centre", 3, resize_px=256)
    features = make_features(n_frames=100, view="whole,left,centre", crops=3, resize_px=256)
    for views, columns in (("whole",), [0]), (("left", "centre"), [1, 2]), (("centre", "whole"), [0, 2]):
        some = features.of_views(views)
        assert some.recipe.view == ",".join(features.recipe.views[column] for column in columns)
        np.testing.assert_array_equal(some.values, features.values[:, columns])
        with torch.inference_mode():
            x = torch.from_numpy(features.values[:, columns]).transpose(0, 1)[None]
            out = head.network(x, torch.ones(1, x.shape[2], dtype=torch.bool))
            each = [
                head.network(x[:, [at]], torch.ones(1, x.shape[2], dtype=torch.bool))
                for at in range(len(columns))
            ]
        np.testing.assert_allclose(out.scores, np.mean([one.scores for one in each], axis=0), atol=1e-6)
        np.testing.assert_allclose(head.snippet_scores(some), head.network.score(x)[0], atol=1e-6)


@pytest.mark.parametrize("join", ["max", "mean"])
def test_each_view_is_scored_as_if_it_were_alone(join, monkeypatch):
    """In pieces, and with a snippet that was lost; the highest is the score where the head joins by it."""
    monkeypatch.setattr("vadpipe.head.piecewise_scoring.AT_ONCE", 4)
    head = of_views(make_head(view_join=join), "whole,left,centre", 3, resize_px=256)
    features = make_features(n_frames=300, view="whole,left,centre", crops=3, resize_px=256)
    source = features.source.model_copy(update={"gaps": ((40, 45),), "n_decoded": 295})
    features = replace(features, source=source)
    assert features.lost.sum() == 1
    together = head.view_scores(features)
    assert (together.shape, together.dtype) == ((len(features.lost), 3), np.float32)
    for column, view in enumerate(features.recipe.views):
        alone = head.snippet_scores(features.of_views([view]))
        np.testing.assert_allclose(together[:, column], alone, atol=1e-6)
    assert np.isnan(together[features.lost]).all()
    scores = head.snippet_scores(features)
    if join == "max":
        np.testing.assert_array_equal(scores, together.max(axis=1))
        np.testing.assert_array_equal(join_views(together), scores)
    else:
        assert np.nanmax(np.abs(scores - together.max(axis=1))) > 1e-4


def test_a_whole_frame_fits_however_it_came_to_be_a_square():
    for trained, made in ((256, 224), (224, 256)):
        head = of_views(make_head(), "whole", 1, resize_px=trained)
        head.snippet_scores(make_features(resize_px=made))
    with pytest.raises(FeatureError, match="resize_px: 256 / 224"):
        of_views(make_head(), "whole,centre", 2, resize_px=256).snippet_scores(make_features(view="centre"))


@pytest.mark.parametrize(("trained", "made", "message"), [
    (("whole", 1), ("whole,centre", 2), "view: whole / whole,centre; crops: 1 / 2"),
    (("whole,centre", 2), ("whole,left", 2), "view: whole,centre / whole,left"),
    (("whole,centre", 2), ("left", 1), "view: whole,centre / left"),
    (("crops", 10), ("whole", 1), "view: crops / whole"),
    (("unknown", 10), ("unknown", 5), "crops: 10 / 5"),  # which five of the ten nobody knows
    (("unknown", 5), ("centre", 1), "view: unknown / centre"),
    (("whole", 2), ("whole", 1), "crops: 2 / 1"),
])  # fmt: skip
def test_views_that_a_head_was_not_trained_on_are_refused(trained, made, message):
    head = of_views(make_head(), *trained)
    with pytest.raises(FeatureError, match=message):
        head.snippet_scores(make_features(view=made[0], crops=made[1]))


def test_five_crops_are_among_ten():
    head = of_views(make_head(), "crops", 10, resize_px=256)
    assert len(head.snippet_scores(make_features(view="crops", crops=5, resize_px=256))) == 3
    assert len(head.snippet_scores(make_features(view="centre", resize_px=256))) == 3


def test_a_saved_head_scores_the_same(tmp_path):
    head, features = make_head(), make_features(n_frames=100)
    head.save(tmp_path / FILE_NAME)
    for path in (tmp_path / FILE_NAME, tmp_path):  # the file, or the folder that fit wrote
        loaded = TrainedHead.load(path)
        assert loaded.record == head.record
        np.testing.assert_array_equal(loaded.snippet_scores(features), head.snippet_scores(features))


def test_the_threshold_and_how_it_was_found_are_kept(tmp_path):
    make_head().save(tmp_path / FILE_NAME)
    record = TrainedHead.load(tmp_path).record
    assert record.threshold == 0.5
    assert record.calibration == make_calibration(0.5)
    assert record.schema_version == SCHEMA


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (1, "other: has schema 1, this vadpipe reads 3 and 4\nTrain it again with 'vadpipe fit'."),
        (
            5,
            r"other: was made by a newer vadpipe \(schema 5, this one reads 3 and 4\)\nUpdate vadpipe, or train",
        ),
    ],
)
def test_a_head_of_another_schema_says_so(tmp_path, schema, message):
    """Whatever else its record holds."""
    make_head().save(tmp_path / "now")
    tensors, record = load_file(tmp_path / "now"), {"schema_version": schema, "threshold": 0.5}
    save_file(tensors, tmp_path / "other", metadata={"vadpipe.head": json.dumps(record)})
    with pytest.raises(FeatureError, match=message):
        TrainedHead.load(tmp_path / "other")


def record_of(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["vadpipe.head"])


@pytest.mark.parametrize("schema", [3, 4])
def test_a_setting_that_is_not_known_is_of_a_newer_vadpipe(tmp_path, schema):
    make_head().save(tmp_path / "now")
    record = record_of(tmp_path / "now") | {"schema_version": schema}
    record["settings"]["attention"] = 4
    save_file(load_file(tmp_path / "now"), tmp_path / "other", metadata={"vadpipe.head": json.dumps(record)})
    with pytest.raises(
        FeatureError,
        match=r"other: was made by a newer vadpipe \(it has settings\.attention\)\nUpdate vadpipe, or",
    ):
        TrainedHead.load(tmp_path / "other")


def with_record(folder, change):
    """Write a head whose record is changed, and return its file."""
    make_head().save(folder / "now")
    record = record_of(folder / "now")
    change(record)
    metadata = {"vadpipe.head": json.dumps(record)}
    save_file(load_file(folder / "now"), folder / "other", metadata=metadata)
    return folder / "other"


@pytest.mark.parametrize(
    ("place", "name", "value", "how"),
    [
        ("settings", "method", "later", "its settings.method is 'later'"),
        ("settings", "context", "recurrent", "its settings.context is 'recurrent'"),
        ("calibration", "method", "bayes", "its calibration.method is 'bayes'"),
        ("calibration", "n_scenes", 3, "it has calibration.n_scenes"),
        (None, "trained_on", "UCF-Crime", "it has trained_on"),
    ],
)
def test_what_is_not_known_is_of_a_newer_vadpipe(tmp_path, place, name, value, how):
    file = with_record(tmp_path, lambda record: (record[place] if place else record).update({name: value}))
    with pytest.raises(FeatureError) as caught:
        TrainedHead.load(file)
    assert str(caught.value) == (
        f"{file}: was made by a newer vadpipe ({how})\nUpdate vadpipe, or train it again with 'vadpipe fit'."
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("schema_version"),
        lambda record: record.update(schema_version="4"),
        lambda record: record.update(schema_version=4.0),
        lambda record: record.update(schema_version=True),
        lambda record: record.pop("step"),
        lambda record: record["settings"].update(steps=0),
    ],
)
def test_a_record_that_is_damaged_is_not_called_newer(tmp_path, change):
    with pytest.raises(
        FeatureError, match="other: is not a vadpipe head, or is damaged\nPass a head file, or the "
    ):
        TrainedHead.load(with_record(tmp_path, change))


def test_a_head_of_before_there_were_methods_is_of_cbcg(tmp_path):
    """And is written as heads are now."""
    make_head().save(tmp_path / "now")
    record = record_of(tmp_path / "now") | {"schema_version": 3}
    del record["settings"]["method"]
    save_file(load_file(tmp_path / "now"), tmp_path / "old", metadata={"vadpipe.head": json.dumps(record)})
    head = TrainedHead.load(tmp_path / "old")
    assert head.record.settings.method == "cbcg"
    head.save(tmp_path / "again")
    assert record_of(tmp_path / "again")["schema_version"] == 4
    assert (tmp_path / "again").read_bytes() == (tmp_path / "now").read_bytes()


@pytest.mark.parametrize("record", ["[]", "{}", '{"schema_version": "two"}', "no json", "null"])
def test_a_record_that_is_none_is_refused(tmp_path, record):
    make_head().save(tmp_path / "now")
    save_file(load_file(tmp_path / "now"), tmp_path / "bad", metadata={"vadpipe.head": record})
    with pytest.raises(FeatureError, match="bad: is not a vadpipe head, or is damaged"):
        TrainedHead.load(tmp_path / "bad")


def test_a_head_that_knows_of_no_views_averages_them_as_it_did(tmp_path):
    """Heads of before these settings have records without them."""
    make_head(view_sampling="all", view_join="mean", context="none").save(tmp_path / "now")
    with safe_open(tmp_path / "now", framework="pt") as file:
        record = json.loads(file.metadata()["vadpipe.head"])
    for name in ("view_sampling", "view_join", "context"):
        del record["settings"][name]
    save_file(load_file(tmp_path / "now"), tmp_path / "old", metadata={"vadpipe.head": json.dumps(record)})
    assert TrainedHead.load(tmp_path / "old").record == TrainedHead.load(tmp_path / "now").record


def test_same_head_same_bytes(tmp_path):
    make_head().save(tmp_path / "a")
    make_head().save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_features_of_another_backbone_are_refused_by_name():
    features = make_features(backbone="x3d_s", feature_dim=2048)
    with pytest.raises(
        FeatureError, match=r"videos/fight/a\.mp4: does not fit.*backbone: i3d / x3d_s"
    ) as caught:
        make_head().snippet_scores(features)
    assert "vadpipe extract VIDEOS --backbone i3d --view whole --stride 16" in caught.value.next_step


def test_what_is_no_head_is_refused(tmp_path):
    with pytest.raises(FeatureError, match="no such head\nTrain one with 'vadpipe fit'"):
        TrainedHead.load(tmp_path / "gone")
    (tmp_path / "text").write_text("text")
    save_file({"x": torch.zeros(1)}, tmp_path / "foreign")
    make_head().save(tmp_path / "cut")
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:-5])
    for name in ("text", "foreign", "cut"):
        with pytest.raises(FeatureError, match=f"{name}: is not a vadpipe head, or is damaged"):
            TrainedHead.load(tmp_path / name)


def test_a_head_with_numbers_that_are_none_is_refused(tmp_path):
    head = make_head()
    head.network.classifier.layers[0].bias.data[0] = float("nan")
    head.save(tmp_path / "nan")
    with pytest.raises(FeatureError, match="contains values that are not finite"):
        TrainedHead.load(tmp_path / "nan")


@pytest.mark.parametrize("score", [TrainedHead.snippet_scores, TrainedHead.view_scores])
def test_finite_weights_that_give_no_finite_scores_are_refused(score):
    """The fuzzer found it: a changed exponent still is a number, but sums overflow."""
    head = make_head()
    with torch.no_grad():
        for weights in head.network.parameters():
            weights.copy_(3e38 * (torch.arange(weights.numel()) % 2 * 2 - 1).reshape(weights.shape))
    features = make_features(n_frames=64)
    with pytest.raises(FeatureError) as caught:
        score(head, features)
    assert str(caught.value) == (
        f"{features.source.video}: gets scores that are not finite from this head, which is damaged\n"
        "Train the head again with 'vadpipe fit'."
    )


def test_the_shipped_head_loads_and_is_small():
    head = TrainedHead.load(SHIPPED_HEAD)
    assert head.record.recipe.backbone == "i3d"
    assert 0 < head.record.threshold < 1
    assert SHIPPED_HEAD.stat().st_size < 4_000_000
    card = SHIPPED_HEAD.with_suffix(".md").read_text()
    assert f"| threshold | {head.record.threshold:.3f}: " in card
    assert f"; this threshold raised {head.record.calibration.alarms} false alarms there |" in card


def with_gaps(n_frames, gaps):
    features = make_features(n_frames)
    return replace(features, source=features.source.model_copy(update={"gaps": gaps}))


@pytest.mark.parametrize("context", ["none", "pooled"])
@pytest.mark.parametrize("smoothing", [0.0, 0.7, 3.0])
def test_a_long_video_is_scored_piece_by_piece_like_a_whole(monkeypatch, smoothing, context):
    head = make_head(smoothing=smoothing, context=context)
    features = with_gaps(1600, ((160, 200), (710, 711)))
    whole = head.snippet_scores(features)
    assert np.isnan(whole).sum() == 4
    for at_once in (1, 7, 96):
        monkeypatch.setattr("vadpipe.head.piecewise_scoring.AT_ONCE", at_once)
        np.testing.assert_allclose(head.snippet_scores(features), whole, atol=1e-6)


@pytest.mark.parametrize("n_frames", [100, 1600])
def test_the_context_of_a_video_is_that_of_its_squeezed_bag(n_frames):
    """As in training, however long it is."""
    head, features = make_head(context="pooled", segments=8), make_features(n_frames)
    bag = squeeze(features.values.transpose(1, 0, 2), 8)
    context = head.network.context_of(torch.from_numpy(bag)[None])
    x = torch.from_numpy(features.values.transpose(1, 0, 2))[None]
    expected = head.network.score(x, context=context)[0]
    np.testing.assert_allclose(head.snippet_scores(features), expected, atol=1e-6)
    if n_frames > 100:
        assert (head.network.score(x)[0] - expected).abs().max() > 1e-4


@pytest.mark.parametrize("smoothing", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("gaps", [(), ((160, 200), (330, 340))])
@pytest.mark.parametrize("context", ["none", "pooled"])
def test_a_score_with_other_features_is_that_of_the_whole_video(smoothing, gaps, context):
    head, features = make_head(smoothing=smoothing, context=context), with_gaps(640, gaps)
    rng = np.random.default_rng(1)
    for snippet in np.flatnonzero(~features.lost)[[0, 1, 9, -1]].tolist():
        values = rng.normal(size=(3, *features.values.shape[1:])).astype(np.float32)
        expected = []
        for value in values:
            changed = features.values.copy()
            changed[snippet] = value
            expected.append(head.snippet_scores(replace(features, values=changed))[snippet])
        assert len({*expected}) == 3
        np.testing.assert_allclose(head.scores_if(features, snippet, values), expected, atol=1e-6)
