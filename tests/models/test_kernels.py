"""Whole networks: whole batches (GPUs) compute what clip by clip (CPUs) does, in float64."""

import copy

import pytest
import torch
from helpers.networks import LOSSES, batch, calibrate, ensemble, recognizer, total

from stf_mmaction.models.ops import batched, clipwise, use_kernels
from stf_mmaction.models.ops.batched import budget
from stf_mmaction.models.ops.dispatch import kernels_for

CLOSE = dict(rtol=1e-10, atol=1e-10)


def step(model, kernels, x, samples):
    with use_kernels(kernels):
        losses = model.train()(x, samples, mode='loss')
        total(losses).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    return losses, gradients, dict(model.named_buffers())


@pytest.mark.parametrize('build', [lambda: recognizer(LOSSES), ensemble], ids=['all', 'ensemble'])
@pytest.mark.parametrize('frames,chunk', [(13, 2**29), (8, 4000)])
def test_losses_gradients_and_running_statistics(build, frames, chunk, monkeypatch):
    monkeypatch.setattr(budget, 'CHUNK_BYTES', chunk)
    one = build().double()
    other = copy.deepcopy(one)
    x, samples = batch(frames=frames, dtype=torch.float64)
    torch.testing.assert_close(
        step(other, 'batched', x, samples), step(one, 'clipwise', x, samples), **CLOSE
    )


def test_logits_in_evaluation():
    model = recognizer(LOSSES).double()
    x, _ = batch(frames=13, dtype=torch.float64)
    calibrate(model, x)
    model.eval()
    scores = []
    for kernels in ('batched', 'clipwise'):
        with use_kernels(kernels), torch.no_grad():
            scores.append(model(x, mode='tensor', stage='head'))
        with use_kernels(kernels):
            scores.append(model(x, mode='tensor', stage='head'))
    for other in scores[1:]:
        torch.testing.assert_close(scores[0], other, **CLOSE)


@pytest.mark.parametrize(
    'device,frames,expected',
    [('cpu', 100, clipwise), ('cpu', 24, batched), ('meta', 100, batched), ('meta', 24, batched)],
)
def test_small_clips_and_gpus_get_whole_batches(device, frames, expected):
    assert kernels_for(torch.empty(2, frames, 20, 24, device=device)) is expected
