"""CTR-GCN against its equations, one channel and joint at a time."""

from itertools import product

import pytest
import torch
from helpers.networks import STAR, samples, total
from mmaction.models.utils import Graph
from mmaction.registry import MODELS
from torch import nn

from stf_mmaction.models.backbones.ctrgcn import CTRGraphConv, CTRTemporal


def moved(module):
    """In float64, with weights and statistics that all do something."""
    torch.manual_seed(0)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) - 0.3 * ('var' not in name))
    return module.double().eval()


@pytest.mark.parametrize('channels,out', [(3, 8), (128, 8), (8, 8)])
def test_graph_convolution_by_its_equation(channels, out):
    A = torch.rand(3, 5, 5)
    unit = moved(CTRGraphConv(channels, out, A))
    x = torch.randn(2, channels, 4, 5, dtype=torch.float64)
    width = 16 if channels == 128 else 8
    psi, phi = (layer.weight[:, :, 0] for layer in (unit.psi, unit.phi))
    y = torch.zeros(2, out, 4, 5, dtype=torch.float64)
    for b in range(2):
        mean = x[b].mean(1)  # over time, (C, V)
        for k in range(3):
            part = slice(k * width, (k + 1) * width)
            top = slice(k * out, (k + 1) * out)
            value = (unit.conv.weight[top, :, 0, 0] @ x[b].flatten(1)).view(
                out, 4, 5
            ) + unit.conv.bias[top, None, None]
            for i in range(5):
                for j in range(5):
                    a = psi[part] @ mean[:, i] + unit.psi.bias[part]
                    c = phi[part] @ mean[:, j] + unit.phi.bias[part]
                    Q = unit.xi.weight[top, :, 0, 0] @ (a - c).tanh() + unit.xi.bias[top]
                    R = unit.A[k, j, i] + unit.alpha * Q  # A: in, out
                    y[b, :, :, i] += R[:, None] * value[:, :, j]
    expected = (unit.bn(y) + unit.down(x)).relu()
    torch.testing.assert_close(unit(x), expected)
    assert (unit.alpha * Q).abs().max() > 0.01  # the refinement matters


@pytest.mark.parametrize('stride,frames', [(1, 6), (2, 6), (2, 7), (1, 1)])
def test_temporal_branches_by_their_definition(stride, frames):
    unit = moved(CTRTemporal(8, stride))
    x = torch.randn(2, 8, frames, 5, dtype=torch.float64)
    with torch.no_grad():
        low = unit.reduce(x)
        out = []
        for b, dilation in enumerate((1, 2)):
            conv, part = unit.branches[b].conv, low[:, 2 * b : 2 * b + 2]
            steps = []
            for t in range(0, frames, stride):
                y = conv.bias[:, None].repeat(2, 1, 5)
                for tap in range(5):
                    s = t + (tap - 2) * dilation
                    if 0 <= s < frames:
                        y = y + torch.einsum(
                            'dc,bcv->bdv', conv.weight[:, :, tap, 0], part[:, :, s]
                        )
                steps.append(y)
            out.append(unit.branches[b].bn(torch.stack(steps, 2)))
        part = low[:, 4:]
        pooled = torch.stack(
            [part[:, :, max(t - 1, 0) : t + 2].amax(2) for t in range(0, frames, stride)], 2
        )
        out.append(unit.branches[2][1](pooled))
        out.append(unit.point(x))
        torch.testing.assert_close(unit(x), torch.cat(out, 1))


def reference(net, x):
    """The whole network by its paper, one subset of the graph at a time."""
    clips, persons, frames, joints, channels = x.shape
    bn, y = net.data_bn, torch.empty_like(x)
    for m, v, c in product(*map(range, (persons, joints, channels))):
        i = (m * joints + v) * channels + c  # a statistic for each
        scaled = (x[:, m, :, v, c] - bn.running_mean[i]) / (bn.running_var[i] + bn.eps).sqrt()
        y[:, m, :, v, c] = scaled * bn.weight[i] + bn.bias[i]
    y = y.flatten(0, 1).permute(0, 3, 1, 2)  # (B, C, T, V)
    strides = [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
    widths = [4] * 4 + [8] * 3 + [16] * 3
    for block, stride, out in zip(net.gcn, strides, widths):
        unit, mean, z = block.gcn, y.mean(2), 0
        pairs = zip(
            *(conv(mean).chunk(3, 1) for conv in (unit.psi, unit.phi)),
            *(t.chunk(3) for t in (unit.xi.weight, unit.xi.bias)),
            unit.conv(y).chunk(3, 1),
        )
        for k, (a, b, weight, bias, value) in enumerate(pairs):
            Q = torch.einsum(
                'de,beij->bdij', weight[..., 0, 0], (a[..., None] - b[..., None, :]).tanh()
            )
            R = unit.A[k].T + unit.alpha * (Q + bias[:, None, None])
            z = z + torch.einsum('bdij,bdtj->bdti', R, value)
        same = y.shape[1] == out
        z = block.tcn((unit.bn(z) + (y if same else unit.down(y))).relu())
        if block is net.gcn[0]:
            residual = 0  # none in the first block
        elif same and stride == 1:
            residual = y
        else:
            conv = block.residual.conv
            residual = block.residual.bn(
                torch.einsum('dc,bctv->bdtv', conv.weight[..., 0, 0], y[:, :, ::stride])
                + conv.bias[:, None, None]
            )
        y = (z + residual).relu()
    return y.unflatten(0, (clips, persons))


@pytest.mark.parametrize('channels', [3, 4])  # 4 as the first block gives
def test_the_whole_network_by_its_paper(channels):
    net = moved(
        MODELS.build(
            dict(
                type='CTRGCNBackbone',
                graph_cfg=dict(layout=STAR, mode='spatial'),
                in_channels=channels,
                base_channels=4,
            )
        )
    )
    x = torch.randn(3, 2, 9, 5, channels, dtype=torch.float64)
    for module in net.modules():  # statistics of what comes, no growth
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.9
    with torch.no_grad():
        net.train()(x)
        out, expected = net.eval()(x), reference(net, x)
    assert out.shape == (3, 2, 16, 3, 5) and 0.2 < (out > 0).double().mean()
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('kind', ['CTRGCNBackbone', 'STFCTRGCN'])
def test_initialisation_is_of_each_layer_by_itself(kind):
    """Layers that are computed as one are drawn as if they were not."""
    torch.manual_seed(0)
    net = MODELS.build(
        dict(type=kind, graph_cfg=dict(layout=STAR, mode='spatial'), base_channels=64)
    )
    net.init_weights()
    block = net.gcn[9]  # 256 to 256
    for conv, parts, fan_out in (
        (block.gcn.psi, 3, 32),
        (block.gcn.phi, 3, 32),
        (block.gcn.xi, 3, 256),
        (block.gcn.conv, 3, 256),
        (block.tcn.reduce[0], 3, 64),
        (block.tcn.point.conv, 1, 64),
    ):
        assert conv.bias.eq(0).all()
        for weight in conv.weight.chunk(parts):
            assert len(weight) == fan_out
            assert weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
            assert abs(weight.mean()) < 0.02
    assert net.gcn[9].gcn.bn.weight.eq(1e-6).all()


@pytest.mark.parametrize(
    'graph_cfg', [dict(), dict(mode='stgcn_spatial'), dict(layout='nturgb+d'), dict(layout=STAR)]
)
def test_one_graph_cfg_means_one_graph(graph_cfg):
    plain, own = (
        MODELS.build(dict(type=kind, graph_cfg=dict(graph_cfg), base_channels=4))
        for kind in ('CTRGCNBackbone', 'STFCTRGCN')
    )
    expected = torch.tensor(Graph(**graph_cfg).A, dtype=torch.float32)
    assert plain.layout == own.layout
    assert plain.gcn[0].gcn.A.equal(expected)
    assert own.gcn[0].gcn.A.equal(expected)


def test_size_is_that_of_the_equations():
    model = MODELS.build(
        dict(
            type='RecognizerGCN',
            backbone=dict(type='CTRGCNBackbone', graph_cfg=dict(layout='nturgb+d', mode='spatial')),
            cls_head=dict(type='GCNHead', num_classes=60, in_channels=256),
        )
    )
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters == 1_446_672  # the paper says 1.46 M
    blocks = model.backbone.gcn
    assert [b.gcn.bn.num_features for b in blocks] == ([64] * 4 + [128] * 3 + [256] * 3)
    assert model.backbone(torch.randn(1, 2, 9, 25, 3)).shape == (1, 2, 256, 3, 25)


def test_adjacency_starts_as_the_graph():
    net = MODELS.build(
        dict(type='CTRGCNBackbone', graph_cfg=dict(layout=STAR, mode='spatial'), base_channels=4)
    )
    expected = torch.tensor(Graph(STAR, mode='spatial').A, dtype=torch.float32)
    for block in net.gcn:
        assert block.gcn.A.equal(expected)
        assert block.gcn.alpha == 0
    with pytest.raises(ValueError, match='base_channels=6 .* multiple of 4'):
        MODELS.build(
            dict(
                type='CTRGCNBackbone', base_channels=6, graph_cfg=dict(layout=STAR, mode='spatial')
            )
        )


def test_it_learns():
    """Two kinds of noise are told apart after a few steps."""
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='STFRecognizer',
            backbone=dict(
                type='CTRGCNBackbone', base_channels=8, graph_cfg=dict(layout=STAR, mode='spatial')
            ),
            cls_head=dict(type='STFHead', num_classes=2, in_channels=32),
        )
    )
    model.init_weights()
    x = torch.randn(8, 1, 2, 16, 5, 3)
    x[::2] = x[::2].cumsum(3) / 4
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    data = samples([0, 1] * 4)
    values = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = total(model(x, data, mode='loss'))
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.2 * values[0]
    assert all(isinstance(p, nn.Parameter) and p.grad.isfinite().all() for p in model.parameters())
