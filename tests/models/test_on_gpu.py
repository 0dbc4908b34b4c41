"""Networks on a GPU against those on a CPU; tools/gpu_check.sh runs this on a GPU."""

import copy

import pytest
import torch
from helpers.networks import LOSSES, batch, ensemble, recognizer, total

from stf_mmaction.models.recognizers.graphed_loss import record_steps

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')


NETWORKS = pytest.mark.parametrize(
    'build', [lambda: recognizer(LOSSES), ensemble], ids=['all losses', 'ensemble']
)


def step(model, x, samples, device, autocast=None):
    model = copy.deepcopy(model).to(device).train()
    samples = [s.clone().to(device) for s in samples]
    scale = 2.0**10 if autocast == torch.float16 else 1.0
    for _ in range(10):  # until the ensemble's own scale of float16 has come down
        model.zero_grad()
        with torch.autocast(device, autocast, enabled=autocast is not None):
            losses = model(x.to(device), samples, mode='loss')
        (total(losses) * scale).backward()
        if all(p.grad.isfinite().all() for p in model.parameters()):
            break
    values = {k: v.detach().cpu() for k, v in losses.items() if 'loss' in k}
    gradients = {n: p.grad.cpu() / scale for n, p in model.named_parameters()}
    return values, gradients, {n: b.cpu() for n, b in model.named_buffers()}


@pytest.fixture(params=[False, True], ids=['default', 'deterministic'])
def deterministic(request):
    torch.use_deterministic_algorithms(request.param)


@NETWORKS
@pytest.mark.parametrize('frames', [13, 8])
def test_a_step_is_that_of_the_cpu(build, frames, deterministic):
    model = build().double()
    x, samples = batch(frames=frames, dtype=torch.float64)
    expected = step(model, x, samples, 'cpu')
    got = step(model, x, samples, 'cuda')
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-8)


@NETWORKS
def test_deterministic_steps_have_the_same_bits(build):
    model = build()
    x, samples = batch(frames=13)
    torch.use_deterministic_algorithms(True)
    first, again = (step(model, x, samples, 'cuda') for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)


@NETWORKS
@pytest.mark.parametrize('kind', [torch.bfloat16, torch.float16])
def test_a_step_in_half_precision_is_close(build, kind):
    torch.manual_seed(1)  # as on a CPU, in test_memory_and_precision.py
    model = build()
    x, samples = batch(frames=32)
    _, exact, _ = step(copy.deepcopy(model).double(), x.double(), samples, 'cpu')
    values, got, _ = step(model, x, samples, 'cuda', kind)
    assert all(v.isfinite() for v in values.values())
    exact, got = (torch.cat([g.double().flatten() for g in d.values()]) for d in (exact, got))
    assert torch.cosine_similarity(exact, got, dim=0) > 0.9


def test_a_step_does_not_wait_for_the_gpu():
    model = recognizer(LOSSES).cuda().train()
    x, samples = batch()
    x, samples = x.cuda(), [s.to('cuda') for s in samples]
    total(model(x, samples, mode='loss')).backward()  # fixed matrices are copied once
    torch.cuda.set_sync_debug_mode('error')
    try:
        total(model(x, samples, mode='loss')).backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')


def train(model, kind=None, steps=8):
    """Losses of some steps, and the weights after them; the last batch but two is smaller."""
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9)
    x, samples = batch(clips=4, frames=13, dtype=next(model.parameters()).dtype)
    samples = [s.clone().to('cuda') for s in samples]
    found = []
    for i in range(steps):
        size = 2 if i == steps - 3 else 4
        optimizer.zero_grad()
        with torch.autocast('cuda', kind, enabled=kind is not None):
            losses = model(x[:size].to('cuda') * (1 + i), samples[:size], mode='loss')
        total(losses).backward()
        optimizer.step()
        found.append({k: v.detach().cpu() for k, v in losses.items()})
    return found, {k: v.cpu() for k, v in model.state_dict().items()}


GRAPHED = pytest.mark.parametrize(
    'build',
    [lambda: recognizer(LOSSES), ensemble, recognizer],
    ids=['all losses', 'ensemble', 'baseline'],
)


@GRAPHED
def test_a_replayed_step_is_a_step(build):
    model, twin = build().double(), build().double()
    record_steps(model)
    twin.load_state_dict(model.state_dict())
    got, expected = train(model.to('cuda').train()), train(twin.to('cuda').train())
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-8)
    members = model.members.values() if hasattr(model, 'members') else [model]
    assert all(m.graphed._recording is not None for m in members)


@GRAPHED
@pytest.mark.parametrize('kind', [None, torch.bfloat16])
def test_replayed_deterministic_steps_have_the_same_bits(build, kind):
    torch.use_deterministic_algorithms(True)
    model, twin = build(), build()
    record_steps(model)
    twin.load_state_dict(model.state_dict())
    got, expected = train(model.to('cuda').train(), kind), train(twin.to('cuda').train(), kind)
    torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_a_changed_phase_is_recorded_again():
    model = ensemble().to('cuda').train()
    record_steps(model)
    recordings = []
    for baseline in (True, False, True):
        model.set_baseline(baseline)
        train(model)
        recordings.append(model.lead.graphed._recording)
    assert len(set(map(id, recordings)) - {id(None)}) == 3


def test_a_network_that_waits_is_not_recorded():
    model = recognizer().to('cuda').train()
    record_steps(model)
    forward = model.backbone.forward
    model.backbone.forward = lambda x: forward(x) * float(x.abs().max() > 0)
    train(model)
    assert model.graphed._waits and model.graphed._recording is None
