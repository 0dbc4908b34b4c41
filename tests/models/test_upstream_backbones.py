"""Backbones that know nothing of STF: MMAction2's, its projects', any."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import mmaction
import pytest
import torch
from helpers.foreign import PROJECT, model_of
from helpers.networks import NO_MODULES, batch, ensemble_cfg, samples, total, wake
from mmaction.models.utils import Graph
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn
from torch.utils.data import DataLoader

from stf_mmaction.datasets.layouts import LAYOUTS, get_layout
from stf_mmaction.engine import SkeletonCheckHook

SKELETON = Path(mmaction.__file__).parent / '.mim/configs/skeleton'
STOCK = {
    path.stem: path
    for folder in ('stgcn', '2s-agcn', 'stgcnpp')
    for path in sorted((SKELETON / folder).glob('*-joint-u100-*.py'))
}
EXACT = [
    name
    for name in STOCK
    if name.endswith('ntu60-xsub-keypoint-3d')
    or name == ('stgcnpp_8xb16-joint-u100-80e_ntu60-xsub-keypoint-2d')
]


def pair(name, **head):
    """The model of an installed config, narrow, and ours beside it."""
    stock = Config.fromfile(STOCK[name]).model
    stock.backbone.base_channels = 12
    stock.cls_head.update(in_channels=48, dropout=0.0)
    own = copy.deepcopy(stock)
    own.type = 'STFRecognizer'
    own.cls_head.update(type='STFHead', **head)
    torch.manual_seed(0)
    return MODELS.build(stock), MODELS.build(own)


@pytest.mark.parametrize('name', STOCK)
def test_installed_configs_take_the_losses(name):
    assert len(STOCK) == 8
    stock, own = pair(name, **NO_MODULES)
    own.load_state_dict(stock.state_dict())  # strictly
    assert own.focus_layers == ('gcn.8', 'gcn.9')
    assert own.layout == LAYOUTS['coco' if '2d' in name else 'nturgb+d']


@pytest.mark.parametrize('name', EXACT)
def test_weights_of_zero_are_the_stock_recognizer_exactly(name, tmp_path):
    assert len(EXACT) == 4
    zero = {k: dict(v, loss_weight=0.0) for k, v in NO_MODULES.items()}
    stock, own = pair(name, **zero)
    stock.init_weights()
    wake(stock)
    torch.save(stock.state_dict(), tmp_path / 'stock.pth')
    own.load_state_dict(torch.load(tmp_path / 'stock.pth'))  # as it is
    x, samples = batch(channels=3, frames=16, joints=own.layout.num_node, dtype=torch.float64)
    losses, gradients = [], []
    for model in (stock.double(), own.double()):
        losses.append(model(x, samples, mode='loss'))
        total(losses[-1]).backward()
        gradients.append([p.grad for p in model.parameters()])
    for key, value in losses[0].items():
        assert value.equal(losses[1][key]), key
    assert all(losses[1][key] == 0 for key in zero)
    for a, b in zip(*gradients):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-15)
    predicted = [model.eval()(x, copy.deepcopy(samples), mode='predict') for model in (stock, own)]
    for a, b in zip(*predicted):
        assert a.pred_score.equal(b.pred_score)


HAND = dict(num_node=3, inward=[(1, 0), (2, 1)], center=0, names=['wrist', 'thumb', 'tip'])


@pytest.mark.parametrize('kind', ['STGCN', 'AAGCN', 'Project'])
@pytest.mark.parametrize(
    'layout', ['kinect20', 'coco_wholebody', HAND, 'hand.json', 'openpose', None]
)
def test_all_layouts(kind, layout, tmp_path):
    """The graph is what MMAction2 makes of the same joints and bones."""
    if layout == 'hand.json':
        layout = str(tmp_path / layout)
        Path(layout).write_text(json.dumps(HAND))
    cfg = dict(mode='spatial', layout=layout)
    if layout is None:
        del cfg['layout']
    net = dict(type=kind, graph_cfg=cfg)
    if kind != 'Project':
        net.update(base_channels=4, num_stages=2, inflate_stages=[])
    raw = copy.deepcopy(net)
    model = model_of(net, dict(), 4 if kind != 'Project' else 6)
    assert net == raw
    expected = get_layout(layout or 'coco')
    assert model.layout == expected
    by_hand = Graph(
        dict(num_node=expected.num_node, center=expected.center, inward=list(expected.inward)),
        mode='spatial',
    )
    assert (model.backbone.graph.A == by_hand.A).all()
    shape = (2, 2, 4, expected.num_node, 3)
    assert model.backbone(torch.randn(shape).double()).shape[-1] == shape[3]


@pytest.mark.parametrize('kind', ['STGCN', 'AAGCN', 'Project'])
def test_unknown_layouts_end_in_a_sentence(kind):
    for layout, message in (
        ('ntu', "'ntu' is unknown: use one of"),
        (dict(num_node=3, center=0), r"lacks \['inward"),
        (7, 'layout 7 is neither a name nor a dict'),
    ):
        with pytest.raises(ValueError, match=message):
            model_of(dict(type=kind, graph_cfg=dict(layout=layout, mode='spatial')))


class Own(nn.Module):
    """Its skeletons have names of its own."""

    def __init__(self, graph_cfg):
        super().__init__()
        self.seen = graph_cfg


def test_names_of_others_are_theirs():
    """Only backbones that are built on ``Graph`` get a layout written out."""
    Own.__module__ = 'json'  # which does not import it, as this file does
    MODELS.register_module(module=Own, force=True)
    for layout in ('ntu', 'kinect20', dict(bones=3)):
        model = model_of(dict(type='Own', graph_cfg=dict(layout=layout)), {})
        assert model.backbone.seen == dict(layout=layout)


SMALL = dict(base_channels=8, num_stages=2, inflate_stages=[2])
NETS = dict(
    stgcn=dict(type='STGCN', graph_cfg=PROJECT['graph_cfg'], **SMALL),
    mvc=dict(type='STGCN', graph_cfg=PROJECT['graph_cfg'], data_bn_type='MVC', **SMALL),
    bare=dict(type='STGCN', graph_cfg=PROJECT['graph_cfg'], data_bn_type=None, **SMALL),
    aagcn=dict(type='AAGCN', graph_cfg=PROJECT['graph_cfg'], **SMALL),
    vc=dict(type='AAGCN', graph_cfg=PROJECT['graph_cfg'], data_bn_type='VC', **SMALL),
    project=PROJECT,
)


@pytest.mark.parametrize('name', NETS)
def test_wrong_inputs_end_in_a_sentence(name):
    model = model_of(NETS[name], {}, 6 if name == 'project' else 16)
    ensemble = ensemble_cfg(net=NETS[name])
    ensemble['shared']['cls_head']['in_channels'] = 6
    ensemble = MODELS.build(dict(ensemble, members=[{}])).double()
    any_number = name in ('stgcn', 'bare', 'vc')
    wrong = [dict(joints=6), dict(channels=4), dict(joints=3, channels=5), dict(frames=0)]
    for change in wrong + [dict(persons=1)] * (not any_number):
        x, own = batch(dtype=torch.float64, **dict(dict(channels=3), **change))
        match = (
            'no frame'
            if 'frames' in change
            else (f"{'any number of' if any_number else '2'} person.* 5 joints and 3 channels")
        )
        for call in (
            lambda: model(x, own, mode='loss'),
            lambda: model(x, own, mode='predict'),
            lambda: model(x),
            lambda: model.focus(x[:, 0]),
            lambda: ensemble.focus(x[:, 0]),
            lambda: training_begins(model, x),
        ):
            with pytest.raises(ValueError, match=match):
                call()
    for persons in (1, 2, 3) if any_number else (2,):
        x, own = batch(persons=persons, channels=3, dtype=torch.float64)
        training_begins(model, x)
        assert model(x, own, mode='loss')['loss_cls'].isfinite()


def training_begins(model, x):
    """What a Runner does before the first iteration."""

    class Clips(list):
        pass

    runner = SimpleNamespace(
        model=model,
        train_dataloader=DataLoader(Clips([dict(inputs=x[0])])),
        _train_loop=None,
        _val_loop=None,
    )
    SkeletonCheckHook().before_train(runner)


def test_numbers_that_do_not_go_together_are_not_checked():
    """Else a backbone that works would be refused."""
    model = model_of(PROJECT, {})
    model.backbone.in_channels = 64  # of something else
    x, own = batch(channels=3, dtype=torch.float64)
    assert model(x, samples([0, 1, 2]), mode='loss')['loss_cls'].isfinite()
