"""Hundreds and thousands of steps: half precision, flat memory. Slow."""

import gc
import resource
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import pytest
import torch
from helpers.networks import LOSSES, batch, ensemble, recognizer, total
from mmengine.optim import OptimWrapper

pytestmark = pytest.mark.slow


def network(kind):
    torch.manual_seed(0)
    if kind == 'one':
        return recognizer(LOSSES).train()
    return ensemble().train()


@lru_cache
def curve(kind, dtype, steps=200):
    """Loss of each step of a training on four batches; how many steps GradScaler skipped."""
    model = network(kind)
    optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
    scaler = torch.amp.GradScaler('cpu', enabled=dtype == torch.float16)
    losses, skipped = [], 0
    for step in range(steps):
        x, data = batch(4, frames=8)
        x = x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(step % 4))
        with torch.autocast('cpu', dtype, enabled=dtype is not None):
            loss = total(model(x, data, mode='loss'))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        bad = [n for n, p in model.named_parameters() if not p.grad.isfinite().all()]
        skipped += bool(bad)
        assert not bad or dtype == torch.float16, (dtype, step, bad)
        scaler.step(optimizer)
        scaler.update()
        losses.append(float(loss.detach()))
        assert all(p.isfinite().all() for p in model.parameters())
    return np.array(losses), skipped


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('kind', ['one', 'ensemble'])
def test_200_steps_in_half_precision_follow_float32(kind, dtype):
    """No NaN; the mean over 20 steps stays within 0.15 of float32's, per network.

    GradScaler skips the few steps at the start in which its scale is too large.
    """
    full, _ = curve(kind, None)
    half, skipped = curve(kind, dtype)
    assert np.isfinite(half).all() and skipped <= 20
    full, half = (one.reshape(10, 20).mean(1) / (1 if kind == 'one' else 2) for one in (full, half))
    print(f'{kind} {dtype}: {skipped} skipped, at most {abs(half - full).max():.3f} apart')
    assert half[-1] < half[0] - 0.5
    np.testing.assert_allclose(half, full, atol=0.15)


class HalfOptimWrapper(OptimWrapper):
    """As ``AmpOptimWrapper``, which MMEngine allows on a GPU alone, in bfloat16 on the CPU."""

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


def memory():
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize('kind', [OptimWrapper, HalfOptimWrapper])
def test_2000_steps_of_an_ensemble_in_flat_memory(kind):
    """The peak of all steps is at most 20 MiB above that of the first hundred."""
    model = network('ensemble')
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)
    wrapper = kind(optimizer=optimizer)
    x, data = batch(2, frames=8)
    early = None
    for step in range(2000):
        out = model.train_step(dict(inputs=list(x), data_samples=data), wrapper)
        if step == 100:
            early = memory()
    print(f'{kind.__name__}: {early:.0f} MiB after 100 steps, {memory() - early:.1f} more')
    assert torch.as_tensor(out['loss']).isfinite()
    assert memory() < early + 20
