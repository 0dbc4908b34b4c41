"""The losses of a whole network against a slow reference by definition."""
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.analysis import get_model_complexity_info
from networks import (EXPLORE_LOSSES, FOCUS_LOSSES, LOSSES, STAR, backbone,
                      batch, recognizer, samples, settle, total)
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

WEIGHTS = dict(exploration=0.01, divergence=0.1, coherence=0.1,
               adjacency=0.01)


def slow_min_max(raw, present):
    out = torch.zeros_like(raw)
    for n in range(len(raw)):
        values = raw[n][present[n]]
        if len(values) and values.max() > values.min():
            scaled = (raw[n] - values.min()) / (values.max() - values.min())
            out[n] = scaled * present[n][:, None, None]
    return out


def slow_losses(model, x, labels):
    """Eq. (2) to (6) by autograd from p_y, one class and clip at a time."""
    head = model.cls_head
    clips = x.flatten(0, 1)
    present = clips.flatten(2).ne(0).any(2)
    features, embeddings = model.backbone.forward_stages(clips)
    logits = head.fc(features[-1].mean((1, 3, 4)))
    p = logits.softmax(1)
    order = logits.argsort(1, descending=True)

    def focus(feature, rank):
        chosen = p.gather(1, order[:, rank:rank + 1]).sum()
        grad, = torch.autograd.grad(chosen, feature, create_graph=True)
        a = grad.mean((1, 3, 4))
        raw = torch.stack([
            sum(a[n, c] * feature[n, :, c] for c in range(a.shape[1]))
            for n in range(len(a))
        ]).relu()
        return slow_min_max(raw, present)

    def norm(maps):
        return torch.stack([(m**2).sum()**0.5 for m in maps]).mean()

    def resize(maps, frames):
        flat = maps.flatten(0, 1).transpose(1, 2)
        flat = nn.functional.interpolate(
            flat, frames, mode='linear', align_corners=False)
        return flat.transpose(1, 2).unflatten(0, maps.shape[:2])

    first, second = focus(features[-1], 0), focus(features[-1], 1)
    mask = present[:, :, None, None]
    out = dict(loss_cls=nn.functional.cross_entropy(logits, labels))
    out['loss_divergence'] = -norm(first - second)
    out['loss_coherence'] = norm(focus(features[-2], 0) - first)
    out['loss_adjacency'] = sum(
        norm(resize(first, e.shape[2]).detach() - e * mask)
        for e in embeddings) / len(embeddings)
    masked = clips * (1 - resize(first, clips.shape[2]).unsqueeze(-1))
    for m in model.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.momentum = 0.  # as a second way to freeze
    scores = head.fc(model.backbone(masked).mean((1, 3, 4)))
    out['loss_exploration'] = scores.softmax(1).gather(
        1, order[:, :1]).mean()
    return {
        key: WEIGHTS.get(key[5:], 1) * value
        for key, value in out.items()
    }


@pytest.mark.parametrize('num_clips', [1, 2])
@pytest.mark.parametrize('training', [True, False])
def test_losses_and_gradients_are_those_of_the_definition(
        training, num_clips):
    torch.manual_seed(0)
    x, data = batch(num_clips=num_clips, dtype=torch.float64)
    model = settle(recognizer(LOSSES).double(), x).train(training)
    labels = torch.tensor([i % 4 for i in range(3) for _ in range(num_clips)])
    losses = model(x, data, mode='loss')
    expected = slow_losses(model, x, labels)
    parameters = dict(model.named_parameters())
    for key, value in expected.items():
        torch.testing.assert_close(losses[key], value, rtol=1e-9, atol=1e-12)
        ours, theirs = (torch.autograd.grad(
            loss, parameters.values(), retain_graph=True, allow_unused=True)
                        for loss in (losses[key], value))
        for name, a, b in zip(parameters, ours, theirs):
            assert (a is None) == (b is None), (key, name)
            if a is not None:
                torch.testing.assert_close(
                    a, b, rtol=1e-7, atol=1e-10, msg=f'{key} {name}')


@pytest.mark.parametrize('losses', [FOCUS_LOSSES, EXPLORE_LOSSES, LOSSES])
def test_every_parameter_reaches_the_loss(losses):
    model = recognizer(losses)
    total(model(*batch(), mode='loss')).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize('name', ['loss_divergence', 'loss_coherence',
                                  'loss_exploration'])
def test_gradient_differs_without_the_second_order(name):
    grads = []
    for second_order in (True, False):
        torch.manual_seed(0)
        model = recognizer({name: LOSSES[name],
                            'second_order': second_order}).double()
        losses = model(*batch(dtype=torch.float64), mode='loss')
        weight = model.backbone.blocks[2].tcn.reduce.weight
        grads.append(torch.autograd.grad(losses[name], weight)[0])
    assert (grads[0] - grads[1]).norm() > 1e-3 * grads[0].norm() > 0


def test_no_loss_is_the_stock_recognizer_exactly():
    torch.manual_seed(0)
    zero = {k: dict(v, loss_weight=0.) for k, v in LOSSES.items()}
    model = recognizer(zero).eval()
    cfg = dict(type='RecognizerGCN', backbone=backbone(),
               cls_head=dict(type='GCNHead', num_classes=4, in_channels=24))
    stock = MODELS.build(cfg).eval()
    stock.load_state_dict(model.state_dict())
    x, data = batch()
    ours, theirs = (m(x, data, mode='loss') for m in (model, stock))
    assert ours['loss_cls'].equal(theirs['loss_cls'])
    assert all(ours[k] == 0 for k in LOSSES)
    for a, b in zip(model(x, samples([0, 1, 2]), mode='predict'),
                    stock(x, samples([0, 1, 2]), mode='predict')):
        assert a.pred_score.equal(b.pred_score)


STOCK = [
    (dict(type='STGCN', graph_cfg=dict(layout=STAR, mode='stgcn_spatial')),
     ('gcn.8', 'gcn.9'), 256),
    (dict(type='STGCN', gcn_adaptive='init', gcn_with_res=True,
          tcn_type='mstcn', graph_cfg=dict(layout=STAR, mode='spatial')),
     ('gcn.8', 'gcn.9'), 256),
    (dict(type='AAGCN', graph_cfg=dict(layout=STAR, mode='spatial')),
     ('gcn.8', 'gcn.9'), 256),
]


@pytest.mark.parametrize('net,layers,channels', STOCK)
def test_stock_backbones(net, layers, channels):
    """Exploration and divergence need nothing, coherence two names."""
    head = {k: LOSSES[k] for k in
            ('loss_exploration', 'loss_divergence', 'loss_coherence')}
    model = MODELS.build(
        dict(
            type='STFRecognizer', backbone=dict(net, base_channels=64),
            focus_layers=layers,
            cls_head=dict(type='STFHead', num_classes=4,
                          in_channels=channels, **head)))
    x, data = batch(channels=3, frames=16)
    losses = model(x, data, mode='loss')
    total(losses).backward()
    assert set(head) < set(losses)
    assert all(p.grad is not None for p in model.parameters())


def test_coherence_of_a_stock_backbone_is_the_definition():
    torch.manual_seed(0)
    net = dict(type='STGCN', base_channels=8, num_stages=4,
               inflate_stages=[3], down_stages=[3], in_channels=3,
               graph_cfg=dict(layout=STAR, mode='spatial'))
    for layers in (('gcn.2', 'gcn.3'), ('gcn.1', 'gcn.2')):
        model = MODELS.build(
            dict(
                type='STFRecognizer', backbone=net, focus_layers=layers,
                cls_head=dict(
                    type='STFHead', num_classes=4, in_channels=16,
                    loss_coherence=dict(type='STFCoherenceLoss',
                                        loss_weight=1.)))).double()
        x, data = batch(channels=3, frames=8, dtype=torch.float64)
        seen = {}
        for name in layers:
            model.backbone.get_submodule(name).register_forward_hook(
                lambda m, i, o, name=name: seen.__setitem__(name, o))
        logits = model.cls_head(model.backbone(x.flatten(0, 1)))
        chosen = logits.softmax(1).amax(1).sum()
        present = x.flatten(0, 1).flatten(2).ne(0).any(2)
        maps = []
        for name in layers:
            grad, = torch.autograd.grad(chosen, seen[name],
                                        create_graph=True)
            a = grad.unflatten(0, (3, 2)).mean((1, 3, 4))
            feature = seen[name].unflatten(0, (3, 2))
            raw = (feature * a[:, None, :, None, None]).sum(2).relu()
            maps.append(slow_min_max(raw, present))
        from stf_mmaction.focus import resize_focus
        lower = resize_focus(maps[0], maps[1].shape[2])
        expected = (lower - maps[1]).flatten(1).norm(dim=1).mean()
        losses = model(x, data, mode='loss')
        torch.testing.assert_close(losses['loss_coherence'], expected)
        weight = model.backbone.gcn[1].gcn.conv.weight
        for a, b in zip(*(torch.autograd.grad(loss, weight)
                          for loss in (losses['loss_coherence'], expected))):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize('clips,num_clips,frames', [(1, 1, 7), (2, 3, 7),
                                                    (1, 2, 1), (2, 1, 2)])
def test_small_batches_and_short_clips(clips, num_clips, frames):
    model = recognizer(LOSSES)
    x, data = batch(clips, num_clips, frames=frames)
    losses = model(x, data, mode='loss')
    total(losses).backward()
    assert all(v.isfinite() for v in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters())
    out = model.eval()(x, data, mode='predict')
    assert len(out) == clips
    torch.testing.assert_close(out[0].pred_score.sum(), torch.tensor(1.))


def test_an_empty_clip_does_no_harm():
    model = recognizer(LOSSES)
    x, data = batch()
    x[0] = 0
    losses = model(x, data, mode='loss')
    total(losses).backward()
    assert all(v.isfinite() for v in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert model.focus(x.flatten(0, 1))['focus'][0].eq(0).all()


def test_masked_pass_leaves_running_statistics_alone():
    states = []
    for losses in (EXPLORE_LOSSES, {}):
        torch.manual_seed(0)
        model = recognizer(losses)
        model(*batch(), mode='loss')
        states.append({k: v for k, v in model.state_dict().items()
                       if 'running' in k or 'tracked' in k})
    for name, value in states[0].items():
        assert value.equal(states[1][name]), name


def test_losses_are_float32_under_autocast():
    torch.manual_seed(0)
    model = recognizer(LOSSES)
    plain = model(*batch(), mode='loss')
    with torch.autocast('cpu', torch.bfloat16):
        losses = model(*batch(), mode='loss')
    total(losses).backward()
    for key in LOSSES:
        assert losses[key].dtype == torch.float32
        torch.testing.assert_close(
            losses[key], plain[key], rtol=0.15, atol=0.01)
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_focus_for_inference():
    model = recognizer().eval()
    x = batch()[0].flatten(0, 1)
    result = model.focus(x, torch.tensor([[2], [0], [1]]))
    assert result['focus'].shape == (3, 1, 2, 7, 5)
    assert result['focus'][-1, 0, 1].eq(0).all()
    torch.testing.assert_close(result['scores'].sum(1), torch.ones(3))
    assert not result['focus'].requires_grad


class Scores(nn.Module):
    """What is exported: skeletons to scores."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model.cls_head(self.model.backbone(x))


@pytest.mark.filterwarnings('ignore')
def test_tracing_and_counting_tools_see_plain_operators():
    net = Scores(recognizer(LOSSES).eval())
    x = batch()[0][:, 0]
    traced = torch.jit.trace(net, x, check_trace=False)
    with torch.no_grad():
        torch.testing.assert_close(traced(x), net(x))
        seen = FlopCounterMode(display=False)
        with seen:
            net(x)
    counted = get_model_complexity_info(
        net, inputs=(x, ), show_table=False, show_arch=False)
    assert counted['flops'] == pytest.approx(
        seen.get_total_flops() / 2, rel=0.1)



@pytest.mark.parametrize('cfg,match', [
    (dict(net=dict(STOCK[0][0]), head=dict(
        loss_adjacency=LOSSES['loss_adjacency'])), 'needs STF modules'),
    (dict(net=backbone(stf_stages=()), head=dict(
        loss_adjacency=LOSSES['loss_adjacency'])), 'needs STF modules'),
    (dict(net=dict(STOCK[0][0]), head=dict(
        loss_coherence=LOSSES['loss_coherence'])), 'add focus_layers'),
    (dict(net=dict(STOCK[0][0]), focus_layers=('gcn.8', 'gcn.99')),
     'must name two modules of STGCN'),
    (dict(focus_layers=('blocks.1', 'blocks.2')), 'leave focus_layers'),
    (dict(head=LOSSES, classes=1), 'num_classes=1'),
    (dict(net=backbone(base_channels=12)), 'set cls_head.in_channels=48'),
    (dict(net=backbone(stf_stages=(1, 7))), r'names modules \[7\]'),
    (dict(net=backbone(base_channels=20)), 'multiple of 6'),
    (dict(net=backbone(num_gcn_scales=2)), 'num_gcn_scales=2'),
    (dict(net=backbone(num_g3d_scales=0)), 'num_g3d_scales=0'),
    (dict(net=backbone(adjacency_norm='row')), "'row' is unknown"),
    (dict(net=backbone(graph_cfg=dict(layout='ntu'))), "'ntu' is unknown"),
    (dict(net=backbone(graph_cfg=dict(layout=STAR, mode='spatial'))),
     'spatial'),
])
def test_impossible_settings(cfg, match):
    with pytest.raises(ValueError, match=match):
        recognizer(**cfg)


def test_wrong_inputs():
    model = recognizer(LOSSES)
    for change, match in ((dict(channels=3), '4 channels'),
                          (dict(joints=6), '5 joints'),
                          (dict(persons=1), '2 person'),
                          (dict(frames=0), 'no frame')):
        with pytest.raises(ValueError, match=match):
            model(*batch(**change), mode='loss')
    with pytest.raises(ValueError, match='label 4 .* 4 classes 0 to 3'):
        model(batch(1)[0], samples([4]), mode='loss')
    stock = MODELS.build(dict(
        type='RecognizerGCN', backbone=backbone(), cls_head=dict(
            type='STFHead', num_classes=4, in_channels=24, **LOSSES)))
    with pytest.raises(ValueError, match="need type='STFRecognizer'"):
        stock(*batch(), mode='loss')
