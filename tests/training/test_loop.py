"""Training finds planted events by video labels alone, repeats itself bit by bit, and survives odd bags."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from support.bags import D, collate, make_bag, make_bags
from support.head_settings import SMALL
from vadpipe.errors import FeatureError, UsageError
from vadpipe.head.bags import TrainingSet
from vadpipe.head.cbcg import Cbcg
from vadpipe.head.loss import Loss
from vadpipe.head.objective import batch_loss
from vadpipe.training.loop import Training

SWITCHES = [
    {"clustering": False, "guided": False},
    {"clustering": False, "second_head": True},
    {"memory": "none"},
    {"memory": "ema"},
    {"memory": "queue"},
    {"memory": "queue", "guided": False},
    {"memory": "queue", "cluster_gradient": 0.0},
    {"memory": "queue", "optimiser": "sgd"},
    {"memory": "queue", "whole_bag_weight": 1.0},
    {"memory": "ema", "whole_bag_weight": 1.0, "feature_dropout": 0.3, "optimiser": "sgd", "smoothing": 0.5},
    {"clustering": False, "second_head": True, "whole_bag_weight": 1.0},
]


def start(bags, settings=SMALL, seed=0):
    data = TrainingSet(bags, settings.segments)
    return Training(data, range(len(bags)), settings, seed=seed)


def trained(bags, settings=SMALL, seed=0, steps=None):
    training = start(bags, settings, seed)
    training.advance(steps or settings.steps)
    return training


def assert_same(one, other):
    """The heads, with their memories, and the optimisers are equal bit by bit."""
    one, other = one.state(), other.state()
    assert one["step"] == other["step"]
    assert one["head"].keys() == other["head"].keys()
    assert all(torch.equal(value, other["head"][name]) for name, value in one["head"].items())
    assert one["average"].keys() == other["average"].keys()
    assert all(torch.equal(value, other["average"][name]) for name, value in one["average"].items())
    for number, moments in one["optimiser"]["state"].items():
        assert all(
            torch.equal(value, other["optimiser"]["state"][number][name]) for name, value in moments.items()
        )


def small_head(**settings):
    """A head in training mode without gradients, whose memory holds two clusters."""
    head = trained(make_bags(2), SMALL.model_copy(update=settings), steps=3).head.train()
    head.zero_grad()
    return head


# ---- learning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_planted_events_are_found_with_every_switch(switches):
    head = trained(make_bags(12), SMALL.model_copy(update=switches)).head
    tests = [make_bag(1, 1000 + seed) for seed in range(10)]
    scores = np.concatenate([head.score(torch.from_numpy(bag.values)[None])[0].numpy() for bag, _ in tests])
    assert roc_auc_score(np.concatenate([event for _, event in tests]), scores) > 0.9


def test_several_crops():
    head = trained(make_bags(3, crops=2), steps=3).head
    assert head.score(torch.randn(1, 2, 9, D)).shape == (1, 9)


def test_only_the_named_rows_are_learned_from():
    bags, others = make_bags(4), make_bags(4, seed=500)
    data = TrainingSet([*bags, *others], SMALL.segments)
    training = Training(data, range(8), SMALL)
    training.advance(10)
    assert_same(training, trained(bags, steps=10))


def test_progress_tells_of_the_last_step():
    training = start(make_bags(4))
    progress = training.advance(7)
    assert progress.step == training.step == 7
    assert progress.cosine == pytest.approx(float(training.head.memory.clusters().cosine))
    assert progress.mil > 0
    assert progress.cluster > 0
    assert progress.spread > 0
    plain = start(make_bags(4), SMALL.model_copy(update={"clustering": False, "guided": False})).advance(7)
    assert (plain.cluster, plain.cosine, plain.spread) == (0, 0, 0)


@pytest.mark.parametrize("guided", [True, False])
def test_the_gradient_of_l_bc_reaches_the_embedding_at_g_1_and_not_at_all_at_g_0(guided):
    """By the whole loss: what the weight of L_BC changes in the embedding's gradient is L_BC's own part."""
    batch = collate(make_bags(3, seed=50))

    def gradient(share, weight):
        head = small_head(cluster_gradient=share, cluster_weight=weight, guided=guided)
        head.load_state_dict(small_head().state_dict())
        torch.manual_seed(1)  # of the dropout
        batch_loss(head, batch, warm=False).total.backward()
        return head.embedding.conv.weight.grad

    assert torch.equal(gradient(0.0, 1.0), gradient(0.0, 0.0))
    assert not torch.allclose(gradient(1.0, 1.0), gradient(1.0, 0.0), atol=1e-6)


# ---- optimisers ----------------------------------------------------------------------------------


def sgd_by_hand(numbers, gradients, rate):
    """With a momentum of 0.9."""
    velocity = torch.zeros_like(numbers)
    for gradient in gradients:
        velocity = 0.9 * velocity + gradient
        numbers = numbers - rate * velocity
    return numbers


def adam_by_hand(numbers, gradients, rate):
    mean, square = torch.zeros_like(numbers), torch.zeros_like(numbers)
    for step, gradient in enumerate(gradients, start=1):
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        numbers = numbers - rate * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    return numbers


@pytest.mark.parametrize(("optimiser", "by_hand"), [("sgd", sgd_by_hand), ("adam", adam_by_hand)])
def test_a_step_is_that_of_the_optimiser_by_hand(monkeypatch, optimiser, by_hand):
    """By a loss whose gradient is known: its fixed direction, clipped, and the decay of the weights."""
    rate, decay = 0.01, 0.1
    training = start(
        make_bags(2),
        SMALL.model_copy(
            update={
                "optimiser": optimiser,
                "learning_rate": rate,
                "weight_decay": decay,
                "clip_norm": 0.5,
                "weight_averaging": 0.0,
            }
        ),
    )
    direction = torch.randn_like(training.head.embedding.conv.weight)
    zero = torch.zeros(())

    def linear_loss(head, batch, *, warm):
        return Loss((head.embedding.conv.weight * direction).sum(), zero, zero, zero, None)

    monkeypatch.setattr("vadpipe.head.cbcg.batch_loss", linear_loss)
    before = training.head.embedding.conv.weight.detach().clone()
    gradients, numbers = [], before
    for _ in range(3):
        gradients.append(0.5 * direction / direction.norm() + decay * numbers)
        numbers = by_hand(before, gradients, rate)
    training.advance(3)
    torch.testing.assert_close(training.head.embedding.conv.weight.detach(), numbers, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("decay", [0.5, 0.98])
def test_a_head_scores_with_a_moving_average_of_its_weights(decay):
    """The training itself is the same, step by step, as one that averages nothing."""
    bags, plain = make_bags(2), SMALL.model_copy(update={"weight_averaging": 0.0})
    averaged, own = start(bags, plain.model_copy(update={"weight_averaging": decay})), start(bags, plain)
    expected = None
    for step in range(1, 31):
        averaged.advance(step)
        own.advance(step)
        weights = own.head.embedding.conv.weight.detach().double()
        kept = 0.0 if expected is None else min(decay, step / (9 + step))
        expected = weights if expected is None else kept * expected + (1 - kept) * weights
        torch.testing.assert_close(
            averaged.head.embedding.conv.weight.detach().double(), expected, atol=1e-6, rtol=1e-5
        )
        for name in ("memory", "scale"):
            mine = {key: value for key, value in averaged.snapshot().items() if key.startswith(name)}
            assert mine
            assert all(torch.equal(value, own.snapshot()[key]) for key, value in mine.items())
    assert not torch.equal(
        averaged.snapshot()["embedding.conv.weight"], own.snapshot()["embedding.conv.weight"]
    )


def test_a_scale_that_was_set_outlives_further_steps():
    training = trained(make_bags(2), SMALL.model_copy(update={"weight_averaging": 0.9}), steps=2)
    training.set_scale(torch.tensor([2.0, -1.0], dtype=torch.float64))
    training.advance(4)
    assert training.snapshot()["scale"].tolist() == [2.0, -1.0]


# ---- again, bit by bit ---------------------------------------------------------------------------


def test_same_seed_same_numbers_and_another_seed_others():
    bags = make_bags(4)
    runs = [trained(bags, seed=seed, steps=10) for seed in (1, 1, 2)]
    assert_same(runs[0], runs[1])
    assert not torch.equal(runs[0].head.embedding.conv.weight, runs[2].head.embedding.conv.weight)


def test_training_leaves_the_callers_random_numbers_alone_and_is_not_moved_by_them():
    bags = make_bags(2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = trained(bags, steps=2)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(6)
    np.random.seed(6)
    assert_same(first, trained(bags, steps=2))


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_a_state_that_was_written_goes_on_bit_equal(switches):
    """Stopped before, at and after the end of the warm-up, and once the queue has gone round."""
    settings = SMALL.model_copy(update={**switches, "steps": 20, "warmup": 0.2, "queue_batches": 6})
    bags = make_bags(5)
    whole = trained(bags, settings)
    for stop in (1, 4, 5, 13, 19):
        stopped = start(bags, settings)
        stopped.advance(stop)
        file = io.BytesIO()
        torch.save(stopped.state(), file)
        file.seek(0)
        again = start(bags, settings)
        again.restore(torch.load(file, weights_only=True))
        again.advance(20)
        assert_same(again, whole)


def test_the_queue_counts_its_entries_itself_and_survives_a_restore():
    settings = SMALL.model_copy(update={"queue_batches": 5})
    bags = make_bags(3)
    training = start(bags, settings)
    assert len(training.head.memory) == 0
    for steps in (1, 4, 5, 12):
        training.advance(steps)
        again = start(bags, settings)
        again.restore(training.state())
        assert len(again.head.memory) == len(training.head.memory) == min(steps, 5)
        assert int(again.head.memory.n_appended) == steps


def test_a_snapshot_stays_as_it_was():
    training = start(make_bags(3))
    training.advance(3)
    snapshot, x = training.snapshot(), torch.randn(1, 1, 9, D)
    before = training.head.score(x)
    training.advance(6)
    taken = training.head_of(snapshot)
    assert not taken.training
    assert torch.equal(taken.score(x), before)
    assert not torch.equal(training.head.score(x), before)


# ---- odd bags ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"memory": "ema"},
        {"clustering": False, "guided": False},
        {"whole_bag_weight": 1.0, "feature_dropout": 0.5, "smoothing": 1.0, "optimiser": "sgd"},
    ],
    ids=str,
)
@pytest.mark.parametrize("lengths", [(1, 1), (1, 50), (2, 3), (100, 5)])
def test_one_video_a_class_of_any_length(lengths, switches):
    """T = 1 and bags shorter than k among them."""
    bags = [make_bag(label, label, length=length)[0] for label, length in zip((0, 1), lengths, strict=True)]
    training = start(bags, SMALL.model_copy(update=switches))
    for step in range(1, 13):
        progress = training.advance(step)
        assert np.isfinite([progress.mil, progress.cluster, progress.cosine, progress.spread]).all()
    assert all(torch.isfinite(value).all() for value in training.snapshot().values())


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("memory", ["none", "queue", "ema"])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_batch_of_one_label_only(label, memory, warm, weight):
    head = small_head(memory=memory, whole_bag_weight=weight)
    assert_finite(head, batch_loss(head, collate([make_bag(label, seed)[0] for seed in (7, 8)]), warm=warm))


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("bias", [-1e4, -20.0, 1e4])
def test_scores_of_0_or_1_leave_next_to_no_mass_or_all(bias, warm):
    """Every score rounds to 0, so that the abnormal cluster is empty, or to 1."""
    head = small_head(score_mix=1.0, whole_bag_weight=1.0)
    with torch.no_grad():
        head.classifier.layers[-1].bias.fill_(bias)
    assert_finite(head, batch_loss(head, collate(make_bags(2)), warm=warm))


def test_an_empty_memory_says_nothing_once_it_is_warm():
    head = Cbcg(torch.zeros(D), torch.ones(D), SMALL).train()
    loss = batch_loss(head, collate(make_bags(2)), warm=True)
    assert_finite(head, loss)
    assert loss.clusters.masses.shape == (2,)
    assert not loss.clusters.directions.requires_grad


def test_channels_of_huge_and_of_constant_values():
    bags = make_bags(4)
    for bag in bags:
        bag.values[..., 0] *= 1e15
        bag.values[..., 1] = 7.0
    progress = trained(bags, steps=3).advance(6)
    assert np.isfinite([progress.mil, progress.cluster]).all()


def assert_finite(head, loss):
    loss.total.backward()
    assert torch.isfinite(loss.total)
    gradients = [parameter.grad for parameter in head.parameters() if parameter.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "sgd", "learning_rate": 1e9},
        {"optimiser": "sgd", "weight_decay": 1e30},
        {"cluster_weight": 1e38},
        {"smoothness": 1e38, "sparsity": 1e38},
    ],
)
def test_settings_that_make_the_numbers_run_away_are_told(changes):
    settings = SMALL.model_copy(update=changes)
    with pytest.raises(
        UsageError, match=r"the training diverged: values are not finite after step \d+\nLower"
    ):
        trained(make_bags(4), settings)


def test_features_that_no_network_makes_are_refused_by_name():
    bags = make_bags(4)
    wild = replace(bags[1], values=bags[1].values + np.float32(3e38), name="wild.mp4")
    with pytest.raises(FeatureError, match=r"wild\.mp4: has feature values as large as 3e\+38"):
        TrainingSet([bags[0], wild], 32)


def test_one_view_of_each_bag_is_learned_from_in_a_step(monkeypatch):
    bags = make_bags(4, crops=3)
    seen = []

    def noting(head, batch, *, warm):
        seen.append(batch.features.clone())
        return batch_loss(head, batch, warm=warm)

    monkeypatch.setattr("vadpipe.head.cbcg.batch_loss", noting)
    one = start(bags, SMALL.model_copy(update={"view_sampling": "one"}))
    one.advance(3)
    assert {features.shape[1] for features in seen} == {1}
    whole = start(bags, SMALL.model_copy(update={"view_sampling": "all"}))
    whole.advance(3)
    for drawn, every in zip(seen[:3], seen[3:], strict=True):
        taken = [
            next(view for view in range(3) if torch.equal(bag[0], views[view]))
            for bag, views in zip(drawn, every, strict=True)
        ]
        assert len(set(taken)) > 1


def test_a_single_view_is_learned_from_as_ever():
    bags = make_bags(4)
    trainings = [
        trained(bags, SMALL.model_copy(update={"view_sampling": how}), steps=4) for how in ("one", "all")
    ]
    assert_same(*trainings)
