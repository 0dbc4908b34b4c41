"""The two modules of any backbone that coherence compares."""

from functools import partial

import pytest
import torch
from helpers.definition import compare, watched_stages
from helpers.foreign import PROJECT, model_of
from helpers.networks import batch
from mmaction.registry import MODELS
from torch import nn


def data():
    return batch(frames=8, channels=3, dtype=torch.float64)


@MODELS.register_module()
class Parts(nn.Module):
    """Modules of every kind, and none that is a chain."""

    def __init__(self):
        super().__init__()
        self.start = nn.Identity()
        self.first = nn.Conv2d(3, 6, 1)
        self.act = nn.ReLU(inplace=True)
        self.list = nn.ModuleList([nn.Conv2d(6, 6, 1)])
        self.side = nn.Conv2d(6, 6, 1)
        self.idle = nn.Conv2d(6, 6, 1)
        self.tuple = Call(lambda x: (x, x))
        self.late = Call(lambda x: x.permute(0, 2, 3, 1))
        self.flat = nn.ReLU()
        self.clips = Call(lambda x: x.unflatten(0, (-1, 2)))
        self.end = Call(lambda x: x.roll(1, 2).sin().relu())

    def forward(self, x):
        x = self.start(x.flatten(0, 1).permute(0, 3, 1, 2))
        x = self.act(self.first(x))
        self.side(x)
        x = self.tuple(self.list[0](x))[0]
        x = self.flat(self.late(x).permute(0, 3, 1, 2))
        return self.end(self.clips(x))


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


def test_the_last_chain_is_found_whatever_its_name():
    model = model_of(PROJECT)
    assert model.focus_layers == ('net.2', 'net.3')
    compare(model, *data(), partial(watched_stages, layers=model.focus_layers))


def test_modules_that_are_no_chain_are_named():
    with pytest.raises(
        ValueError,
        match=r"focus_layers=\(lower, last\), two "
        r"of \['list.0', 'side'.*'end'\], or leave the loss out",
    ):
        model_of(dict(type='Parts'))


@pytest.mark.parametrize('layers', [('act', 'X'), ('X', 'end')])
def test_outputs_may_have_the_persons_apart(layers):
    """(N, M, C, T, V) is the same as (N M, C, T, V)."""
    seen = []
    for name in ('flat', 'clips'):
        model = model_of(
            dict(type='Parts'), focus_layers=[name if layer == 'X' else layer for layer in layers]
        )
        loss = model(*data(), mode='loss')['loss_coherence']
        seen.append((loss, *torch.autograd.grad(loss, model.backbone.first.weight)))
    torch.testing.assert_close(*seen)
    assert seen[0][0] > 1e-3


@pytest.mark.parametrize(
    'layers,message',
    [
        (
            ('first', 'list'),
            "'list' of Parts is a list that never runs itself; "
            "name two that fit, .* among .*'list.0'",
        ),
        (('act', 'idle'), "'idle' of Parts never runs; name two"),
        (('act', 'tuple'), "'tuple' of Parts returns a tuple, not one tensor"),
        (('act', 'late'), r"'late' of Parts returns shape \(3, 2, 8, 5, 6\), not"),
        (
            ('first', 'clips'),
            "output of 'first' of Parts is changed in place by a later module: name that module",
        ),
        (('side', 'clips'), 'not lie between the weights of the backbone and'),
        (('start', 'clips'), 'not lie between the weights of the backbone and'),
        (('act', 'act'), r"\('act', 'act'\) must name two modules of Parts"),
        ('act', r"focus_layers=\('act',\) must name two modules of Parts"),
    ],
)
def test_modules_that_do_not_fit_end_in_a_sentence(layers, message):
    with pytest.raises(ValueError, match=message) as error:
        model_of(dict(type='Parts'), focus_layers=layers)(*data(), mode='loss')
    assert '\n' not in str(error.value)
