"""All tensors of a step lie on one device: checked on fake tensors of a GPU, without a GPU.

Fake tensors have a device and a shape but no values, and refuse to be mixed with those of another
device. PyTorch's autograd needs a real GPU, so the backward functions are called directly.
"""

from types import SimpleNamespace

import pytest
import torch
from helpers.networks import LOSSES, batch, ensemble_cfg, recognizer_cfg, samples, total
from mmaction.registry import MODELS
from torch._subclasses.fake_tensor import FakeTensorMode

from stf_mmaction.engine.focus_monitor_hook import _measures
from stf_mmaction.models.ops.batch_norm import _BatchNorm, _BatchNormBackward
from stf_mmaction.models.ops.branches import _Branches, _BranchesBackward
from stf_mmaction.models.ops.graph_conv import _GraphConv
from stf_mmaction.models.ops.window_conv import _WindowConv

pytestmark = pytest.mark.skipif(
    not torch.backends.cuda.is_built(), reason='needs a PyTorch that was built for CUDA'
)


@pytest.fixture
def fake():
    with FakeTensorMode():
        yield


def empty_on_gpu(like):
    return torch.empty(like.shape, dtype=like.dtype, device='cuda')


def on_gpu(model):
    """Move a network of fake tensors, for which ``model.to`` needs a real GPU."""
    for module in model.modules():
        for name, p in module._parameters.items():
            if p is not None:
                module._parameters[name] = torch.nn.Parameter(empty_on_gpu(p))
        for name, b in module._buffers.items():
            if b is not None:
                module._buffers[name] = empty_on_gpu(b)
    return model


def same_as_inputs(_, inputs, *__, **___):
    """Stands for torch.autograd.grad."""
    return [i * 1 for i in (inputs if isinstance(inputs, (list, tuple)) else [inputs])]


@pytest.mark.parametrize(
    'cfg', [recognizer_cfg(LOSSES), ensemble_cfg()], ids=['all losses', 'ensemble']
)
@pytest.mark.parametrize('kind', [None, torch.bfloat16])
def test_losses_and_predictions(cfg, kind, fake, monkeypatch):
    monkeypatch.setattr(torch.autograd, 'grad', same_as_inputs)
    monkeypatch.setattr(torch.Tensor, 'backward', lambda *_, **__: None)
    model = on_gpu(MODELS.build(cfg))
    for module in model.modules():
        if hasattr(module, 'loss_by_feat'):  # MMAction2's accuracies go through NumPy
            module.loss_by_feat = lambda scores, _: dict(loss_cls=scores.logsumexp(1).mean())
    clips = empty_on_gpu(batch(frames=13)[0])
    own = [s.to('cuda') for s in samples(range(3))]
    # Not torch.autocast, which turns itself off without a GPU.
    torch.set_autocast_enabled('cuda', kind is not None)
    torch.set_autocast_dtype('cuda', kind or torch.float16)
    try:
        losses = model.train()(clips, own, mode='loss')
        predicted = model.eval()(clips, own, mode='predict')
    finally:
        torch.set_autocast_enabled('cuda', False)
    assert total(losses).device.type == 'cuda'
    assert predicted[0].pred_score.device.type == 'cuda'
    assert model.focus(clips[:, 0])['focus'].device.type == 'cuda'
    members = model.members.values() if hasattr(model, 'members') else [model]
    for member in members:
        found = _measures(member.module_focus(clips[:, 0]))
        assert {value.device.type for value in found.values()} == {'cuda'}


class Context:
    """What autograd passes to a function."""

    needs_input_grad = (True,) * 11

    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors

    def set_materialize_grads(self, _):
        pass

    mark_dirty = mark_non_differentiable = lambda *_: None


def backward(function, *inputs):
    """Run a function forward, and its backward pass on ones."""
    context = Context()
    with torch.no_grad():
        out = function.forward(context, *inputs)
        out = out if isinstance(out, tuple) else (out,)
        return function.backward(context, *map(torch.ones_like, out))


def test_backward_functions(fake, monkeypatch):
    chip = SimpleNamespace(L2_cache_size=2**22)
    monkeypatch.setattr(torch.cuda, 'get_device_properties', lambda _: chip)

    def new(*shape):
        return torch.empty(*shape, device='cuda')

    x, gamma = new(2, 7, 5, 4), new(4)
    every = [
        (_GraphConv, x, new(3, 6, 4), new(2, 5, 15), 1, 1),
        (
            _WindowConv,
            *(x, new(2, 4, 4), new(1, 15, 30), gamma, gamma, gamma, new(6, 12), new(6)),
            *(2, 3, 1e-5),
        ),
        (_BatchNorm, x, gamma, gamma, None, None, 0.1, 1e-5, True),
        (_BatchNormBackward, x, x, gamma, gamma, gamma, 1e-5),
        (_Branches, new(2, 7, 5, 10), new(2, 4, 5, 2), new(4, 6, 2), new(4, 2), 2),
        (_BranchesBackward, new(2, 4, 5, 12), new(2, 7, 5, 10), new(4, 6, 2), 2),
    ]
    for deterministic in (False, True):
        torch.use_deterministic_algorithms(deterministic)
        for function, *inputs in every:
            grads = backward(function, *inputs)
            assert {g.device.type for g in grads if g is not None} == {'cuda'}, function
