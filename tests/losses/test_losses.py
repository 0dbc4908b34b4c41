"""Each loss against its equation written as a loop, in float64."""

import math
from functools import partial

import pytest
import torch

from stf_mmaction.focus import resize_focus
from stf_mmaction.losses import (
    STFAdjacencyLoss,
    STFCoherenceLoss,
    STFDivergenceLoss,
    STFExplorationLoss,
    adjacency_loss,
    coherence_loss,
    divergence_loss,
    exploration_loss,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def rand(device):
    """Makes numbers from 0 to 1 that take gradients."""
    return partial(torch.rand, dtype=torch.float64, requires_grad=True, device=device)


def loop_norm(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a.flatten().tolist(), b.flatten().tolist())))


def test_exploration(device):
    logits = torch.randn(3, 4, dtype=torch.float64, device=device)
    classes = torch.tensor([1, 0, 3], device=device)
    total = 0
    for n in range(3):
        powers = [math.exp(v) for v in logits[n].tolist()]
        total += powers[classes[n]] / sum(powers)
    assert exploration_loss(logits, classes).item() == pytest.approx(total / 3)


def test_divergence(rand):
    a, b = rand(3, 2, 4, 5), rand(3, 2, 4, 5)
    expected = -sum(loop_norm(a[n], b[n]) for n in range(3)) / 3
    assert divergence_loss(a, b).item() == pytest.approx(expected)


def test_coherence_and_its_other_length(rand):
    a, b = rand(3, 2, 4, 5), rand(3, 2, 4, 5)
    expected = sum(loop_norm(a[n], b[n]) for n in range(3)) / 3
    assert coherence_loss(a, b).item() == pytest.approx(expected)
    constant = torch.ones_like(a).repeat(1, 1, 2, 1)
    expected = sum(loop_norm(constant[n, :, :4], b[n]) for n in range(3)) / 3
    assert coherence_loss(constant, b).item() == pytest.approx(expected)


def test_adjacency_compares_the_persons_present_and_keeps_q_constant(rand, device):
    focus = rand(2, 2, 3, 5)
    present = torch.tensor([[True, False], [True, True]], device=device)
    focus = (focus * present[..., None, None]).detach().requires_grad_()
    embeddings = [rand(2, 2, 3, 5), rand(2, 2, 6, 5)]
    expected = 0
    for embedding in embeddings:
        target = resize_focus(focus, embedding.shape[2])
        for n in range(2):
            squares = 0
            for m in range(2):
                if present[n, m]:
                    squares += loop_norm(target[n, m], embedding[n, m]) ** 2
            expected += math.sqrt(squares) / (2 * 2)
    loss = adjacency_loss(focus, embeddings, present)
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert focus.grad is None
    assert embeddings[0].grad[0, 1].eq(0).all()
    assert embeddings[0].grad[0, 0].abs().sum() > 0


def test_gradient_of_a_norm_at_zero_is_zero(rand):
    a = rand(2, 1, 3, 4)
    for loss in (divergence_loss(a, a.detach()), coherence_loss(a, a.detach())):
        (grad,) = torch.autograd.grad(loss, a, create_graph=True)
        assert grad.eq(0).all()


def test_gradcheck(rand, device):
    a, b = rand(2, 1, 3, 4), rand(2, 1, 3, 4)
    present = torch.ones(2, 1, dtype=torch.bool, device=device)
    assert torch.autograd.gradcheck(divergence_loss, (a, b))
    assert torch.autograd.gradcheck(coherence_loss, (a, b))
    assert torch.autograd.gradcheck(lambda e: adjacency_loss(a.detach(), [e], present), (b,))


@pytest.mark.parametrize(
    'loss,weight,args',
    [
        (STFExplorationLoss, 0.01, (torch.zeros(2, 4), torch.tensor([0, 1]))),
        (STFDivergenceLoss, 0.1, (torch.ones(2, 1, 3, 4), torch.zeros(2, 1, 3, 4))),
        (STFCoherenceLoss, 0.1, (torch.ones(2, 1, 3, 4), torch.zeros(2, 1, 3, 4))),
        (
            STFAdjacencyLoss,
            0.01,
            (torch.ones(2, 1, 3, 4), [torch.zeros(2, 1, 3, 4)], torch.ones(2, 1) > 0),
        ),
    ],
)
def test_weights_of_equation_6(loss, weight, args):
    raw = loss(loss_weight=1.0)(*args)
    assert raw != 0
    torch.testing.assert_close(loss()(*args), weight * raw)
