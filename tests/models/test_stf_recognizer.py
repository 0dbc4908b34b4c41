"""The losses of a whole network against a slow reference by definition."""

import pytest
import torch
from helpers.definition import slow_losses
from helpers.networks import (
    EXPLORE_LOSSES,
    FOCUS_LOSSES,
    LOSSES,
    STAR,
    backbone,
    batch,
    calibrate,
    recognizer,
    samples,
    total,
)
from mmaction.registry import MODELS
from mmengine.analysis import get_model_complexity_info
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

STOCK = dict(type='STGCN', graph_cfg=dict(layout=STAR, mode='stgcn_spatial'))


@pytest.mark.parametrize('num_clips', [1, 2])
@pytest.mark.parametrize('training', [True, False])
def test_losses_and_gradients_are_those_of_the_definition(training, num_clips):
    torch.manual_seed(0)
    x, data = batch(num_clips=num_clips, dtype=torch.float64)
    model = calibrate(recognizer(LOSSES).double(), x).train(training)
    labels = torch.tensor([i % 4 for i in range(3) for _ in range(num_clips)])
    losses = model(x, data, mode='loss')
    expected = slow_losses(model, x, labels)
    parameters = dict(model.named_parameters())
    for key, value in expected.items():
        torch.testing.assert_close(losses[key], value, rtol=1e-9, atol=1e-12)
        ours, theirs = (
            torch.autograd.grad(loss, parameters.values(), retain_graph=True, allow_unused=True)
            for loss in (losses[key], value)
        )
        for name, a, b in zip(parameters, ours, theirs):
            assert (a is None) == (b is None), (key, name)
            if a is not None:
                torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-10, msg=f'{key} {name}')


@pytest.mark.parametrize('losses', [FOCUS_LOSSES, EXPLORE_LOSSES, LOSSES])
def test_every_parameter_reaches_the_loss(losses):
    model = recognizer(losses)
    total(model(*batch(), mode='loss')).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize('name', ['loss_divergence', 'loss_coherence', 'loss_exploration'])
def test_gradient_differs_without_the_second_order(name):
    grads = []
    for second_order in (True, False):
        torch.manual_seed(0)
        model = recognizer({name: LOSSES[name], 'second_order': second_order}).double()
        losses = model(*batch(dtype=torch.float64), mode='loss')
        weight = model.backbone.blocks[2].tcn.reduce.weight
        grads.append(torch.autograd.grad(losses[name], weight)[0])
    assert (grads[0] - grads[1]).norm() > 1e-3 * grads[0].norm() > 0


def test_no_loss_is_the_stock_recognizer_exactly():
    torch.manual_seed(0)
    zero = {k: dict(v, loss_weight=0.0) for k, v in LOSSES.items()}
    model = recognizer(zero).eval()
    cfg = dict(
        type='RecognizerGCN',
        backbone=backbone(),
        cls_head=dict(type='GCNHead', num_classes=4, in_channels=24),
    )
    stock = MODELS.build(cfg).eval()
    stock.load_state_dict(model.state_dict())
    x, data = batch()
    ours, theirs = (m(x, data, mode='loss') for m in (model, stock))
    assert ours['loss_cls'].equal(theirs['loss_cls'])
    assert all(ours[k] == 0 for k in LOSSES)
    for a, b in zip(
        model(x, samples([0, 1, 2]), mode='predict'), stock(x, samples([0, 1, 2]), mode='predict')
    ):
        assert a.pred_score.equal(b.pred_score)


@pytest.mark.parametrize('clips,num_clips,frames', [(1, 1, 7), (2, 3, 7), (1, 2, 1), (2, 1, 2)])
def test_small_batches_and_short_clips(clips, num_clips, frames):
    model = recognizer(LOSSES)
    x, data = batch(clips, num_clips, frames=frames)
    losses = model(x, data, mode='loss')
    total(losses).backward()
    assert all(v.isfinite() for v in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters())
    out = model.eval()(x, data, mode='predict')
    assert len(out) == clips
    torch.testing.assert_close(out[0].pred_score.sum(), torch.tensor(1.0))


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
        states.append(
            {k: v for k, v in model.state_dict().items() if 'running' in k or 'tracked' in k}
        )
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
        torch.testing.assert_close(losses[key], plain[key], rtol=0.15, atol=0.01)
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
    counted = get_model_complexity_info(net, inputs=(x,), show_table=False, show_arch=False)
    assert counted['flops'] == pytest.approx(seen.get_total_flops() / 2, rel=0.1)


@pytest.mark.parametrize(
    'cfg,match',
    [
        (dict(net=STOCK, head=dict(loss_adjacency=LOSSES['loss_adjacency'])), 'needs STF modules'),
        (
            dict(net=backbone(stf_stages=()), head=dict(loss_adjacency=LOSSES['loss_adjacency'])),
            'needs STF modules',
        ),
        (dict(net=STOCK, focus_layers=('gcn.8', 'gcn.99')), 'must name two modules of STGCN'),
        (dict(focus_layers=('blocks.1', 'blocks.2')), 'leave focus_layers'),
        (dict(head=LOSSES, classes=1), 'num_classes=1'),
        (dict(net=backbone(base_channels=12)), 'set cls_head.in_channels=48'),
        (dict(net=backbone(stf_stages=(1, 7))), r'names modules \[7\]'),
        (dict(net=backbone(stf_stages=3)), 'stf_stages=3 is not a tuple of STF mod'),
        (dict(net=backbone(base_channels=20)), 'multiple of 6'),
        (dict(net=backbone(num_gcn_scales=2)), 'num_gcn_scales=2'),
        (dict(net=backbone(num_g3d_scales=0)), 'num_g3d_scales=0'),
        (dict(net=backbone(adjacency_norm='row')), "'row' is unknown"),
        (dict(net=backbone(graph_cfg=dict(layout='ntu'))), "'ntu' is unknown"),
        (dict(net=backbone(graph_cfg=dict(layout=STAR, mode='spatial'))), 'spatial'),
    ],
)
def test_impossible_settings(cfg, match):
    with pytest.raises(ValueError, match=match):
        recognizer(**cfg)


def test_wrong_inputs():
    model = recognizer(LOSSES)
    for change, match in (
        (dict(channels=3), '4 channels'),
        (dict(joints=6), '5 joints'),
        (dict(persons=1), '2 person'),
        (dict(frames=0), 'no frame'),
    ):
        with pytest.raises(ValueError, match=match):
            model(*batch(**change), mode='loss')
    with pytest.raises(ValueError, match='label 4 .* 4 classes 0 to 3'):
        model(batch(1)[0], samples([4]), mode='loss')
    stock = MODELS.build(
        dict(
            type='RecognizerGCN',
            backbone=backbone(),
            cls_head=dict(type='STFHead', num_classes=4, in_channels=24, **LOSSES),
        )
    )
    with pytest.raises(ValueError, match="require a recognizer of type='STFRecognizer'"):
        stock(*batch(), mode='loss')


@pytest.mark.parametrize('kind', [torch.float16, torch.bfloat16])
def test_coherence_of_a_network_that_is_sure_does_not_underflow(kind):
    """p_y (1 - p_y) is far below the smallest number of float16."""
    torch.manual_seed(0)
    model = recognizer(dict(loss_coherence=dict(type='STFCoherenceLoss')))
    x, data = batch(frames=16)
    with torch.no_grad():
        model.cls_head.fc.bias.copy_(torch.tensor([30.0, 0, 0, 0]))
    exact = model(x, data, mode='loss')['loss_coherence']
    assert exact > 0
    with torch.autocast('cpu', kind):
        half = model(x, data, mode='loss')['loss_coherence']
    torch.testing.assert_close(half.float(), exact, rtol=0.1, atol=0)
