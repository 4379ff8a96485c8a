"""Claim 2, against a list that forgets by hand."""

import pytest
import torch
from torch.nn import functional as F

from vadpipe.head.batch_clusters import Clusters
from vadpipe.head.cluster_memory import ClusterMemory, mix_memory


def entry(seed, masses=(3.0, 1.0)):
    directions = F.normalize(torch.randn(2, 5, generator=torch.Generator().manual_seed(seed)), dim=-1)
    return Clusters(directions, torch.tensor(masses))


@pytest.mark.parametrize("n_entries", [1, 2, 4, 5, 11])
def test_the_queue_equals_a_list_of_the_last_entries(n_entries):
    memory = ClusterMemory(n_batches=4, cluster_dim=5, decay=0.9)
    entries = [entry(seed, masses=(1.0 + seed, 2.0)) for seed in range(n_entries)]
    for clusters in entries:
        memory.append(clusters)
    sums, masses = torch.zeros(2, 5), torch.zeros(2)
    for age, clusters in enumerate(entries[::-1][:4]):
        sums += 0.9**age * clusters.directions * clusters.masses[:, None]
        masses += 0.9**age * clusters.masses
    known = memory.clusters()
    assert len(memory) == min(n_entries, 4)
    torch.testing.assert_close(known.masses, masses)
    torch.testing.assert_close(known.directions, F.normalize(sums, dim=-1))


def test_an_empty_memory_knows_nothing_and_says_so():
    known = ClusterMemory(4, 5, 0.9).clusters()
    assert not known.has(0)
    assert not known.has(1)
    assert torch.isfinite(known.directions).all()


def test_a_batch_without_an_abnormal_cluster_adds_nothing_to_it():
    memory = ClusterMemory(4, 5, 0.9)
    memory.append(entry(0))
    before = memory.clusters()
    memory.append(Clusters(torch.full((2, 5), 7.0), torch.tensor([1.0, 0.0])))
    torch.testing.assert_close(memory.clusters().directions[1], before.directions[1])


def test_entries_are_detached():
    memory = ClusterMemory(4, 5, 0.9)
    clusters = entry(0)
    memory.append(Clusters(clusters.directions.requires_grad_(), clusters.masses))
    assert not memory.clusters().directions.requires_grad


def test_the_queue_survives_a_save():
    memory = ClusterMemory(4, 5, 0.9)
    for seed in range(6):
        memory.append(entry(seed))
    copy = ClusterMemory(4, 5, 0.9)
    copy.load_state_dict(memory.state_dict())
    for queue in (memory, copy):
        queue.append(entry(9))
    torch.testing.assert_close(copy.clusters().directions, memory.clusters().directions, rtol=0, atol=0)


def test_a_mixed_in_mean_scales_the_gradient_down():
    directions = entry(0).directions.requires_grad_()
    own, memory = Clusters(directions, torch.ones(2)), entry(1)

    def gradient(decay):
        (result,) = torch.autograd.grad(mix_memory(own, memory, decay).cosine, directions)
        return result.norm()

    assert gradient(0.9) < 0.5 * gradient(0.0)
    torch.testing.assert_close(mix_memory(own, memory, 0.0).directions, directions)
