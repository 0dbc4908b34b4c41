"""The operators on a GPU against those on a CPU; tools/gpu_check.sh runs this on a GPU."""

import copy

import pytest
import torch
from helpers.networks import LOSSES, batch, recognizer, total

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')


def step(model, x, samples, device):
    model = copy.deepcopy(model).to(device).train()
    samples = [s.clone().to(device) for s in samples]
    losses = model(x.to(device), samples, mode='loss')
    total(losses).backward()
    values = {k: v.detach().cpu() for k, v in losses.items() if 'loss' in k}
    return values, {n: p.grad.cpu() for n, p in model.named_parameters()}


@pytest.mark.parametrize('deterministic', [False, True])
def test_a_step_is_that_of_the_cpu(deterministic):
    model = recognizer(LOSSES).double()
    x, samples = batch(frames=13, dtype=torch.float64)
    expected = step(model, x, samples, 'cpu')
    torch.use_deterministic_algorithms(deterministic)
    try:
        got = step(model, x, samples, 'cuda')
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-8)


def test_a_step_does_not_wait_for_the_gpu():
    """But for the accuracies of MMAction2, which go through NumPy."""
    model = recognizer(LOSSES).cuda().train()
    model.cls_head.loss_by_feat = lambda scores, _: dict(loss_cls=scores.logsumexp(1).mean())
    x, samples = batch()
    x, samples = x.cuda(), [s.to('cuda') for s in samples]
    total(model(x, samples, mode='loss')).backward()  # fixed matrices are copied once
    torch.cuda.set_sync_debug_mode('error')
    try:
        total(model(x, samples, mode='loss')).backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')
