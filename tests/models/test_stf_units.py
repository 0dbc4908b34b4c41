"""Eq. (1) in the graph convolutions of other networks, by loops."""

import pytest
import torch
from helpers.networks import STAR
from mmaction.models.utils import unit_gcn
from mmaction.registry import MODELS

from stf_mmaction.models.backbones.stf_units import add_stf_module

GRAPHS = {
    3: dict(layout=STAR, mode='spatial'),
    5: dict(layout=STAR, mode='stgcn_spatial', max_hop=2),
}
# Of the blocks of a chain, the third is wider than what it reads.
CHAIN = dict(base_channels=4, num_stages=3, inflate_stages=[3], down_stages=[])
KINDS = {
    'STFSTGCN': CHAIN,
    'STFSTGCN post': dict(CHAIN, gcn_conv_pos='post', gcn_adaptive='offset'),
    'STFAAGCN': CHAIN,
    'STFAAGCN fixed': dict(CHAIN, gcn_adaptive=False),
    'STFCTRGCN': dict(base_channels=4),  # here it is the fifth
}


def unit_of(kind, scales):
    """A graph convolution with random numbers everywhere, 4 -> 8."""
    torch.manual_seed(0)
    net = MODELS.build(dict(KINDS[kind], type=kind.split()[0], graph_cfg=GRAPHS[scales]))
    unit = net.gcn[4 if 'CTR' in kind else 2].gcn
    for name, tensor in unit.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) - 0.3 * ('var' not in name))
    assert unit.A.shape == (scales, 5, 5)
    return unit.double().eval()


def edges(unit, x):
    """G[k, in, out] for each clip; only the three nearest scales have one."""
    graph, _ = unit.stf_graph(x.permute(0, 2, 3, 1))
    assert graph.shape[1] == 3 and graph.abs().amax((0, 2, 3)).min() > 1e-3

    def edge(b, k, i, j):  # ours are (out, in)
        return graph[b, k, i, j] if k < 3 else 0

    return edge


def values(unit, x, k):
    """W_k X of one subset, (B, D, T, V), and its bias."""
    if hasattr(unit, 'conv_d'):
        weight, bias = unit.conv_d[k].weight, unit.conv_d[k].bias
    elif getattr(unit, 'conv_pos', 'pre') == 'pre':
        weight = unit.conv.weight.chunk(len(unit.A))[k]
        bias = unit.conv.bias.chunk(len(unit.A))[k]
    else:
        weight = unit.conv.weight.chunk(len(unit.A), 1)[k]
        bias = unit.conv.bias / len(unit.A)
    return torch.einsum('dc,bctv->bdtv', weight[..., 0, 0], x), bias


def channel_edges(unit, x, k):
    """alpha Q of CTR-GCN, [b, i, j] -> D values; i receives."""
    mean, (first, second) = x.mean(2), (unit.psi, unit.phi)
    width, D = len(unit.psi.weight) // len(unit.A), unit.bn.num_features
    part, top = slice(k * width, k * width + width), slice(k * D, k * D + D)

    def value(b, i, j):
        a = first.weight[part, :, 0] @ mean[b, :, i] + first.bias[part]
        c = second.weight[part, :, 0] @ mean[b, :, j] + second.bias[part]
        return unit.alpha * (unit.xi.weight[top, :, 0, 0] @ (a - c).tanh() + unit.xi.bias[top])

    return value


def similarity_edges(unit, x, k):
    """alpha times the similarity of joints of AAGCN; i receives."""
    first, second = (conv[k](x) for conv in (unit.conv_a, unit.conv_b))

    def value(b, i, j):
        alike = (first[b, :, :, j] * second[b, :, :, i]).mean()
        return unit.alpha * alike.tanh()

    return value


def attended(unit, y):
    """The three attentions of AAGCN: over joints, frames and channels."""
    joint, time = y.mean(2), unit.conv_sa.padding[0]
    gate = (
        torch.stack(
            [
                sum(
                    (unit.conv_sa.weight[0, :, s] * joint[:, :, v + s - time]).sum(1)
                    for s in range(unit.conv_sa.kernel_size[0])
                    if 0 <= v + s - time < joint.shape[2]
                )
                for v in range(joint.shape[2])
            ],
            1,
        )
        + unit.conv_sa.bias
    )
    y = y * (1 + gate.sigmoid()[:, None, None])
    gate = torch.nn.functional.conv1d(y.mean(3), unit.conv_ta.weight, unit.conv_ta.bias, padding=4)
    y = y * (1 + gate.sigmoid()[..., None])
    gate = unit.fc2c(unit.fc1c(y.mean((2, 3))).relu()).sigmoid()
    return y * (1 + gate[..., None, None])


def nothing(*_):
    return lambda *_: 0


@pytest.mark.parametrize('scales', GRAPHS)
@pytest.mark.parametrize('kind', KINDS)
def test_eq_1(kind, scales):
    """X' = sum_k W_k X (A_k + G_k), an edge at a time, any number of k."""
    unit = unit_of(kind, scales)
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    D, A = unit.bn.num_features, unit.A
    if hasattr(unit, 'PA'):
        A = A * unit.PA if unit.adaptive == 'importance' else A + unit.PA
    own = nothing
    if 'CTR' in kind:
        own = channel_edges
    elif kind == 'STFAAGCN':
        own = similarity_edges
    G, y = edges(unit, x), torch.zeros(2, D, 3, 5, dtype=torch.float64)
    for k in range(scales):
        (wx, bias), more = values(unit, x, k), own(unit, x, k)
        # Of AAGCN, and after the sum over joints, the bias is not moved.
        moved = 'AAGCN' not in kind and 'post' not in kind
        for b in range(2):
            for i in range(5):
                y[b, :, :, i] += 0 if moved else bias[:, None]
                for j in range(5):
                    edge = A[k, j, i] + G(b, k, i, j) + more(b, i, j)
                    value = wx[b, :, :, j]
                    value = value + bias[:, None] if moved else value
                    y[b, :, :, i] += edge.view(-1, 1) * value
    y = unit.bn(y)
    y = (y if 'STGCN' in kind else y + unit.down(x)).relu()
    if getattr(unit, 'attention', False):
        y = attended(unit, y)
    torch.testing.assert_close(unit(x), y, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('stages', [3, '123', (1, '2'), [1.5]])
def test_stages_that_are_no_modules(stages):
    with pytest.raises(
        ValueError,
        match=r'^stf_stages=.* is not a tuple of '
        r'STF modules: use numbers from 1 to 10, such as \(10, \)$',
    ):
        MODELS.build(
            dict(type='STFCTRGCN', graph_cfg=GRAPHS[3], base_channels=4, stf_stages=stages)
        )


def test_a_derived_graph_convolution_keeps_what_it_overrides():
    class Halved(unit_gcn):
        def forward(self, x):
            return super().forward(x) / 2

    plain, unit = (Halved(2, 4, torch.ones(3, 5, 5)).eval() for _ in range(2))
    unit.load_state_dict(plain.state_dict())
    add_stf_module(unit, 2)
    x = torch.rand(1, 2, 6, 5)
    unit.stf_enabled = False
    assert isinstance(unit, Halved) and torch.equal(unit(x), plain(x))


def test_another_class_is_named():
    with pytest.raises(TypeError, match="Identity is not a graph convolution .* 'unit_aagcn'"):
        add_stf_module(torch.nn.Identity(), 2)
