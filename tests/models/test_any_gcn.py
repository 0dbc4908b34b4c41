"""STF losses on stock networks, and STF modules in them."""

import copy
from functools import partial

import pytest
import torch
from helpers.definition import compare, watched_stages
from helpers.networks import LOSSES, NO_MODULES, STAR, batch, ensemble_cfg, total, wake
from helpers.phase_runs import run
from helpers.small_runs import weights
from mmaction.models.backbones import AAGCN, STGCN
from mmaction.registry import MODELS
from mmengine.hooks import Hook

from stf_mmaction.models.backbones.ctrgcn import CTRGCNBackbone

# A chain of four blocks, the third of which is wider and slower.
CHAIN = dict(base_channels=8, num_stages=4, inflate_stages=[3], down_stages=[3])
SPATIAL = dict(layout=STAR, mode='spatial')
BACKBONES = {
    'stgcn': dict(type='STFSTGCN', graph_cfg=dict(layout=STAR, mode='stgcn_spatial'), **CHAIN),
    'stgcn_offset': dict(type='STFSTGCN', graph_cfg=SPATIAL, gcn_adaptive='offset', **CHAIN),
    'stgcn_fixed': dict(
        type='STFSTGCN', graph_cfg=SPATIAL, gcn_adaptive=None, gcn_conv_pos='post', **CHAIN
    ),
    'stgcnpp': dict(
        type='STFSTGCN',
        graph_cfg=SPATIAL,
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
        **dict(CHAIN, base_channels=12),
    ),
    'aagcn': dict(type='STFAAGCN', graph_cfg=SPATIAL, **CHAIN),
    '2sagcn': dict(type='STFAAGCN', graph_cfg=SPATIAL, gcn_attention=False, **CHAIN),
    'aagcn_fixed': dict(type='STFAAGCN', graph_cfg=SPATIAL, gcn_adaptive=False, **CHAIN),
    'ctrgcn': dict(type='STFCTRGCN', graph_cfg=SPATIAL, base_channels=4),
}
PLAIN = dict(STFSTGCN=STGCN, STFAAGCN=AAGCN, STFCTRGCN=CTRGCNBackbone)
everyone = pytest.mark.parametrize('name', BACKBONES)


def build(net, losses=None, **cfg):
    """A network in float64 whose weights all do something."""
    torch.manual_seed(0)
    backbone = MODELS.build(copy.deepcopy(net))
    width = getattr(backbone, 'out_channels', None) or 256
    model = MODELS.build(
        dict(
            type='STFRecognizer',
            backbone=copy.deepcopy(net),
            cls_head=dict(type='STFHead', num_classes=4, in_channels=width, **(losses or {})),
            **cfg,
        )
    )
    model.init_weights()
    wake(model)
    return model.double()


def data(clips=3, frames=8):
    return batch(clips, channels=3, frames=frames, dtype=torch.float64)


@pytest.mark.parametrize('name', [n for n in BACKBONES if n != 'ctrgcn'])
@pytest.mark.parametrize('layers', [('gcn.2', 'gcn.3'), ('gcn.1', 'gcn.2')])
def test_losses_of_stock_networks_are_those_of_the_definition(name, layers):
    net = dict(BACKBONES[name])
    net['type'] = PLAIN[net['type']].__name__
    width = 2 * net['base_channels']
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='STFRecognizer',
            backbone=net,
            focus_layers=layers,
            cls_head=dict(type='STFHead', num_classes=4, in_channels=width, **NO_MODULES),
        )
    )
    wake(model)
    model.double()
    x, samples = data()
    compare(model, x, samples, partial(watched_stages, layers=layers))


@everyone
def test_losses_with_stf_modules_are_those_of_the_definition(name):
    model = build(BACKBONES[name], LOSSES)
    assert model.backbone.num_stf_modules == len(model.backbone.gcn)
    compare(model, *data())


@everyone
def test_the_stock_network_is_inside(name):
    """Its checkpoint loads as it is, and fresh STF modules add nothing."""
    net = dict(BACKBONES[name])
    kind = PLAIN[net.pop('type')]
    torch.manual_seed(0)
    plain = kind(**net)
    plain.init_weights()
    wake(plain)
    own = MODELS.build(dict(BACKBONES[name]))
    own.init_weights()
    missing, unexpected = own.load_state_dict(plain.state_dict(), False)
    assert not unexpected
    assert missing and all('.stf_graph.' in key for key in missing)
    assert set(own.stf_parameters()) <= set(missing)
    plain.double(), own.double()
    x = data()[0][:, 0]
    expected = plain(x)
    torch.testing.assert_close(own(x), expected, rtol=1e-12, atol=1e-12)
    wake(own)
    assert not torch.allclose(own(x), expected)
    own.stf_enabled = False
    assert own(x).equal(expected)
    assert own.forward_stages(x).embeddings == ()
    # No stage at all is the stock network to the name of each parameter.
    bare = MODELS.build(dict(BACKBONES[name], stf_stages=()))
    assert list(bare.state_dict()) == list(plain.state_dict())
    assert bare.num_stf_modules == 0


def adjacency_of(unit):
    """A_k of a unit by its paper, (K, V, V), in, out."""
    kind = getattr(unit, 'adaptive', None)
    return {'importance': lambda: unit.A * unit.PA, 'offset': lambda: unit.A + unit.PA}.get(
        kind, lambda: unit.A
    )()


@pytest.mark.parametrize('name', [n for n in BACKBONES if 'stgcn' in n])
def test_eq_1_in_st_gcn(name):
    """X' = sum_k W_k X (A_k + G_k), one clip, frame and joint at a time."""
    unit = build(BACKBONES[name]).backbone.gcn[2].gcn
    x = torch.randn(2, unit.in_channels, 3, 5, dtype=torch.float64)
    graph, embedding = unit.stf_graph(x.permute(0, 2, 3, 1))
    assert ((0 < embedding) & (embedding < 1)).all()
    A, D = adjacency_of(unit), unit.out_channels
    if unit.conv_pos == 'pre':
        weight = unit.conv.weight.view(3, D, -1)
        bias = unit.conv.bias.view(3, D)
    else:
        weight = unit.conv.weight.view(D, 3, -1).transpose(0, 1)
        bias = None
    y = torch.zeros(2, D, 3, 5, dtype=torch.float64)
    for b in range(2):
        for k in range(3):
            for i in range(5):
                for j in range(5):
                    # Graphs of ours: out, in; of MMAction2's: in, out.
                    edge = A[k, j, i] + graph[b, k, i, j]
                    value = weight[k] @ x[b, :, :, j]
                    if bias is not None:
                        value = value + bias[k][:, None]
                    y[b, :, :, i] += edge * value
    if bias is None:
        y += unit.conv.bias[:, None, None]
    y = unit.bn(y)
    residual = unit.down(x) if unit.with_res else 0
    torch.testing.assert_close(unit(x), (y + residual).relu())


@pytest.mark.parametrize('name', ['2sagcn', 'aagcn_fixed'])
def test_eq_1_in_aagcn(name):
    net = dict(BACKBONES[name], gcn_attention=False)
    unit = build(net).backbone.gcn[2].gcn
    x = torch.randn(2, unit.in_c, 3, 5, dtype=torch.float64)
    graph, _ = unit.stf_graph(x.permute(0, 2, 3, 1))
    y = torch.zeros(2, unit.out_c, 3, 5, dtype=torch.float64)
    for b in range(2):
        for k in range(3):
            adjacency = unit.A[k] + graph[b, k].T
            if unit.adaptive:
                first, second = (conv[k](x[b : b + 1])[0] for conv in (unit.conv_a, unit.conv_b))
                seen = torch.einsum('ctv,ctw->vw', first, second)
                seen = (seen / (first.shape[0] * 3)).tanh()
                adjacency = adjacency + unit.alpha * seen
            moved = torch.einsum('ctv,vw->ctw', x[b], adjacency)
            y[b] += unit.conv_d[k](moved[None])[0]
    torch.testing.assert_close(unit(x), (unit.bn(y) + unit.down(x)).relu())


@everyone
def test_stages_are_chosen(name):
    model = build(dict(BACKBONES[name], stf_stages=(2, 4)), LOSSES)
    backbone = model.backbone
    assert backbone.num_stf_modules == 2
    assert {key.split('.')[1] for key in backbone.stf_parameters()} == {'1', '3'}
    stages = backbone.forward_stages(data()[0][:, 0])
    assert len(stages.features) == len(backbone.gcn)
    assert [e.shape[2:] for e in stages.embeddings] == [(8, 5), (8 if name == 'ctrgcn' else 4, 5)]
    total(model(*data(), mode='loss')).backward()
    assert all(p.grad is not None for p in model.parameters())


@everyone
def test_members_warm_up_as_the_stock_network(name):
    torch.manual_seed(0)
    net = BACKBONES[name]
    width = build(net).cls_head.in_channels
    cfg = ensemble_cfg(net=net)
    cfg['shared']['cls_head']['in_channels'] = width
    model = MODELS.build(cfg).double()
    wake(model)
    for baseline in (True, False):
        model.set_baseline(baseline)
        model.zero_grad()
        losses = model(*data(), mode='loss')
        total(losses).backward()
        assert all(p.grad is not None for p in model.parameters())
        assert ('focus.loss_adjacency' in losses) != baseline


def test_a_stock_network_with_stf_modules_in_a_run(tmp_path):
    """Warm-up and switch without an ensemble; idle modules do not decay."""
    net = dict(BACKBONES['stgcn'], in_channels=4)
    head = dict(type='STFHead', num_classes=4, in_channels=16, **LOSSES)
    seen, states = {}, []

    class Spy(Hook):
        def before_train_epoch(self, runner):
            states.append(weights(runner))

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            seen[runner.epoch] = set(outputs)

    model = dict(type='STFRecognizer', backbone=net, cls_head=head)
    runner = run(tmp_path, 3, model=model, hooks=[Spy()])
    states.append(weights(runner))
    assert not set(LOSSES) & (seen[0] | seen[1])
    assert set(LOSSES) < seen[2]
    for name, _ in runner.model.named_parameters():
        idle = '.stf_' in name
        assert states[2][name].equal(states[0][name]) == idle, name
        assert not states[3][name].equal(states[2][name]), name


def test_any_layout_and_length():
    for kind in ('STFSTGCN', 'STFAAGCN', 'STFCTRGCN'):
        net = MODELS.build(
            dict(
                type=kind,
                graph_cfg=dict(layout='kinect20', mode='spatial'),
                in_channels=4,
                base_channels=8,
                num_person=1,
            )
        )
        for frames in (1, 6, 13):
            out = net(torch.randn(2, 1, frames, 20, 4))
            assert out.shape == (2, 1, 32, -(-frames // 4), 20)


@pytest.mark.parametrize('name', ['stgcn', 'aagcn', 'ctrgcn'])
def test_wrong_settings_and_inputs(name):
    net = BACKBONES[name]
    with pytest.raises(ValueError, match=r'names modules \[11\]'):
        MODELS.build(dict(net, stf_stages=(1, 11)))
    one = dict(layout=STAR, mode='binary_adj')
    with pytest.raises(ValueError, match='with 1 adjacency matrices'):
        MODELS.build(dict(net, graph_cfg=one))
    with pytest.raises(ValueError, match="'ntu' is unknown"):
        MODELS.build(dict(net, graph_cfg=dict(SPATIAL, layout='ntu')))
    with pytest.raises(ValueError, match='loss_adjacency needs STF modules'):
        build(dict(net, stf_stages=()), LOSSES)
    with pytest.raises(ValueError, match='names its last two modules'):
        build(net, focus_layers=('gcn.0', 'gcn.1'))
    model = build(net, LOSSES)
    for change, match in (
        (dict(channels=4), '3 channels'),
        (dict(joints=6, channels=3), '5 joints'),
        (dict(frames=0, channels=3), 'no frame'),
        (dict(persons=1, channels=3), '2 person'),
    ):
        if name == 'stgcn' and 'person' in match:
            continue  # it normalises each person alike and takes any number
        with pytest.raises(ValueError, match=match):
            model(*batch(dtype=torch.float64, **change), mode='loss')
