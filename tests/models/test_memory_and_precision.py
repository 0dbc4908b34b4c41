"""Checkpointing, mixed precision, compilation: the same network."""

import copy

import pytest
import torch
from helpers.networks import (
    FOCUS_LOSSES,
    LOSSES,
    backbone,
    batch,
    calibrate,
    ensemble,
    recognizer,
    total,
)
from torch.utils.flop_counter import FlopCounterMode


def gradients(model):
    return {n: p.grad for n, p in model.named_parameters()}


@pytest.mark.parametrize('losses', [{}, LOSSES], ids=['baseline', 'stf'])
def test_checkpointing_changes_nothing_but_memory(losses):
    """Second-order losses, gradients and running statistics are the same."""
    plain = recognizer(losses).double().train()
    kept = copy.deepcopy(plain)
    kept.backbone.with_cp = True
    x, samples = batch(dtype=torch.float64)
    results = []
    for model in (plain, kept):
        loss = model(x, samples, mode='loss')
        total(loss).backward()
        results.append((loss, gradients(model), dict(model.named_buffers())))
    torch.testing.assert_close(results[1], results[0])


def saved_numbers(model):
    """How many numbers autograd keeps for the backward pass."""
    x, samples = batch(frames=32)
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        total(model.train()(x, samples, mode='loss'))
    return sum(kept.values())


def test_checkpointing_saves_memory():
    plain = recognizer()
    kept = recognizer(net=backbone(with_cp=True))
    assert saved_numbers(kept) < 0.5 * saved_numbers(plain)


@pytest.mark.parametrize('config', [FOCUS_LOSSES, LOSSES], ids=['focus', 'all'])
def test_bfloat16_is_close(config):
    torch.manual_seed(1)  # the cosine was 0.92 to 0.98 over eight seeds
    model = recognizer(config).train()
    x, samples = batch(frames=32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = copy.deepcopy(model)
        losses = half(x, samples, mode='loss')
    total(losses).backward()
    expected = model(x, samples, mode='loss')
    total(expected).backward()
    for name in expected:
        if 'loss' in name:
            torch.testing.assert_close(losses[name], expected[name], rtol=0.1, atol=0.02)
    own, true = (torch.cat([g.flatten() for g in gradients(m).values()]) for m in (half, model))
    assert own.isfinite().all()
    assert torch.cosine_similarity(own, true, 0) > 0.9


def test_bfloat16_scores_are_close():
    model = recognizer(LOSSES).eval()
    x, _ = batch(frames=16)
    calibrate(model, x)
    model.eval()
    with torch.no_grad():
        expected = model(x, mode='tensor', stage='head').softmax(1)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            scores = model(x, mode='tensor', stage='head').float().softmax(1)
    torch.testing.assert_close(scores, expected, rtol=0, atol=0.05)


def test_compiled_is_the_same():
    model = recognizer().double().eval()
    x = batch(dtype=torch.float64)[0][:, 0]
    compiled = torch.compile(model.backbone, backend='eager')
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model.backbone(x))


def flops(clips, frames):
    model = recognizer(LOSSES)
    x, samples = batch(clips=clips, frames=frames)
    with FlopCounterMode(display=False) as counter:
        total(model(x, samples, mode='loss')).backward()
    return counter.get_total_flops()


def test_cost_is_linear_in_clips_and_frames():
    once = flops(2, 64)
    assert flops(4, 64) == pytest.approx(2 * once, rel=0.02)
    assert flops(2, 128) == pytest.approx(2 * once, rel=0.05)


def test_a_whole_body_of_133_joints_trains():
    model = ensemble(net=backbone(graph_cfg=dict(layout='coco_wholebody')))
    x, samples = batch(clips=2, joints=133)
    total(model(x, samples, mode='loss')).backward()
    for name, gradient in gradients(model).items():
        assert gradient is not None and gradient.isfinite().all(), name


def count_graphs():
    """A backend of torch.compile that runs as it is, and its calls."""
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    return backend, graphs


def test_a_compiled_backbone_reaches_all_stages():
    """``member.backbone = torch.compile(...)`` trains, and compiles what training runs."""
    model = recognizer(dict(loss_adjacency=LOSSES['loss_adjacency'])).double()
    x, samples = batch(dtype=torch.float64)
    expected = model(x, samples, mode='loss')
    backend, graphs = count_graphs()
    model.backbone = torch.compile(model.backbone, backend=backend)
    losses = model(x, samples, mode='loss')
    assert graphs
    torch.testing.assert_close(losses, expected)
    total(losses).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_coherence_says_that_it_cannot_be_compiled():
    model = recognizer(FOCUS_LOSSES)
    model.backbone = torch.compile(model.backbone, backend='eager')
    with pytest.raises(ValueError, match='differentiates the backbone twice'):
        model(*batch(), mode='loss')
