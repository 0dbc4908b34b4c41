"""Which weights a network takes: all of them, a new head, or none."""

import copy
from functools import cache

import pytest
import torch
from helpers import tiny
from helpers.networks import STAR, wake
from helpers.oracle import build, published_state_dict
from mmaction.registry import MODELS

from stf_mmaction.engine.weights import fit_weights

KINDS = ('baseline', 'focus', 'ensemble')


@cache
def built(kind, classes, seed):
    torch.manual_seed(seed)
    model = MODELS.build(tiny.model_cfg(kind, classes))
    wake(model)
    return model


def network(kind, classes=3, seed=0):
    return copy.deepcopy(built(kind, classes, seed))


def loaded(model, state):
    """Load what fit_weights gives, and say which names changed."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = model.load_state_dict(state, strict=False)
    assert not result.unexpected_keys
    after = model.state_dict()
    return {name for name in after if not after[name].equal(before[name])}


@pytest.mark.parametrize('target', KINDS)
@pytest.mark.parametrize('source', KINDS)
@pytest.mark.parametrize('head', ['kept', 'other', 'none'])
def test_a_training_starts_from_every_source(source, target, head):
    state = network(source, 5 if head == 'other' else 3, seed=1).state_dict()
    if head == 'none':
        state = {name: value for name, value in state.items() if 'cls_head.' not in name}
    model = network(target)
    kept, said = fit_weights(model, dict(state_dict=state), 'one.pth', training=True)
    changed = loaded(model, kept)
    fresh = [text for text in said if 'are new' in text]
    assert any('backbone.data_bn' in name or 'mask' in name for name in changed)
    assert any('cls_head' in name for name in changed) == (head == 'kept')
    if head == 'kept':
        assert not fresh
        return
    (text,) = fresh
    has = '5 classes' if head == 'other' else 'no head'
    count = 4 if target == 'ensemble' else 2
    assert f'one.pth has {has}, the network 3 classes: {count} weights are new, ' in text
    # A test stays strict.
    match = 'for 5 classes, the config for 3|ensemble with the members|does not have|lacks'
    with pytest.raises(ValueError, match=match):
        fit_weights(network(target), dict(state_dict=state), 'one.pth')


@pytest.mark.parametrize('kind', KINDS)
def test_a_network_takes_its_own_weights(kind):
    source, model = network(kind, seed=1), network(kind)
    for state in (source.state_dict(), {f'module.{k}': v for k, v in source.state_dict().items()}):
        kept, said = fit_weights(model, state, 'own.pth')
        assert said == [] and kept.keys() == model.state_dict().keys()
    wake(model)
    model.load_state_dict(kept)
    x = torch.randn(2, 1, 1, 8, 5, 4)
    with torch.no_grad():
        assert model.eval()(x).equal(source.eval()(x))


def test_stf_modules_are_not_lost_in_a_test():
    """A baseline would answer something else with the weights of an STF network."""
    state = network('focus').state_dict()
    with pytest.raises(ValueError, match=r'one.pth holds \d+ entries that the network does not'):
        fit_weights(network('baseline'), state, 'one.pth')
    _, said = fit_weights(network('baseline'), state, 'one.pth', training=True)
    assert any('weights that the network lacks are left out' in text for text in said)
    # A fresh STF network is its baseline.
    assert fit_weights(network('focus'), network('baseline').state_dict(), 'one.pth')[1] == []


def test_weights_of_another_backbone_are_refused_in_training_too():
    state = network('baseline').state_dict()
    del state['backbone.data_bn.weight']
    with pytest.raises(ValueError, match='one.pth lacks 1 of .* backbone.data_bn.weight'):
        fit_weights(network('baseline'), state, 'one.pth', training=True)
    cfg = tiny.model_cfg('baseline', channels=3)
    with pytest.raises(ValueError, match='of shape .* the network has'):
        state = network('baseline').state_dict()
        fit_weights(MODELS.build(cfg), state, 'one.pth', training=True)


def test_a_bias_of_the_same_length_is_new_with_its_weight():
    state = network('baseline').state_dict()
    state['cls_head.fc.weight'] = state['cls_head.fc.weight'][:, :7]
    _, said = fit_weights(network('baseline'), state, 'one.pth', training=True)
    assert '2 weights are new, cls_head.fc.weight, cls_head.fc.bias' in said[0]


@pytest.mark.parametrize('case', ['ntu', 'mmaction2_ntu'])
def test_published_weights_are_converted_on_the_way(case):
    model = build(case)
    kept, said = fit_weights(model, published_state_dict(case), 'published.pt')
    assert 'published MS-G3D, which were converted' in said[0]
    for name, value in model.state_dict().items():
        torch.testing.assert_close(kept[name].to(value.dtype), value)
    state = published_state_dict(case)
    fc = next(name for name in state if name.endswith('fc.weight'))
    state[fc] = state[fc][:2]
    _, said = fit_weights(copy.deepcopy(model), state, 'published.pt', training=True)
    assert 'published.pt has 2 classes' in said[-1]
    other = dict(symmetric='column', column='symmetric')[model.backbone.adjacency_norm]
    model.backbone.adjacency_norm = other
    with pytest.raises(ValueError, match='set backbone.adjacency_norm='):
        fit_weights(model, published_state_dict(case), 'published.pt')
    stgcn = dict(
        type='STFRecognizer',
        backbone=dict(type='STGCN', graph_cfg=dict(layout=STAR), num_stages=1),
        cls_head=dict(type='STFHead', num_classes=3, in_channels=64),
    )
    with pytest.raises(ValueError, match='a STGCN: use MSG3DBackbone'):
        fit_weights(MODELS.build(stgcn), published_state_dict(case), 'published.pt')


@pytest.mark.parametrize('kind', ['STGCN', 'AAGCN'])
def test_the_zoo_of_mmaction2(kind):
    """Weights of a stock recognizer, for other classes and with STF modules."""

    def recognizer(type, net, classes):
        return MODELS.build(
            dict(
                type=type,
                backbone=dict(type=net, graph_cfg=dict(layout='coco'), num_stages=1),
                cls_head=dict(type='GCNHead', num_classes=classes, in_channels=64),
            )
        )

    stock = recognizer('RecognizerGCN', kind, 60)
    for net in (kind, f'STF{kind}'):
        model = recognizer('STFRecognizer', net, 3)
        kept, said = fit_weights(model, dict(state_dict=stock.state_dict()), 'zoo.pth', True)
        assert 'zoo.pth has 60 classes, the network 3 classes: 2 weights are new' in said[0]
        for name, value in stock.state_dict().items():
            if 'cls_head' not in name:
                assert kept[name].equal(value)


def small(kind, classes=3, persons=1):
    width = 32 if 'CTR' in kind else 16
    net = dict(type=kind, graph_cfg=dict(layout=STAR, mode='spatial'), num_person=persons)
    net.update(in_channels=4, base_channels=8)
    if 'CTR' not in kind:
        net.update(num_stages=3, inflate_stages=[2], down_stages=[3])
    head = dict(type='STFHead', num_classes=classes, in_channels=width)
    return MODELS.build(dict(type='STFRecognizer', backbone=net, cls_head=head))


def test_ctrgcn_gets_stf_modules_and_loses_them():
    stock = small('CTRGCNBackbone', 60).state_dict()
    kept, said = fit_weights(small('STFCTRGCN'), stock, 'zoo.pth', True)
    assert '60 classes, the network 3 classes: 2 weights are new' in said[0]
    assert all(kept[name].equal(value) for name, value in stock.items() if 'cls_head' not in name)
    _, said = fit_weights(small('CTRGCNBackbone'), small('STFCTRGCN').state_dict(), 'b.pth', True)
    assert 'weights that the network lacks are left out' in said[-1]


@pytest.mark.parametrize('training', [False, True])
def test_weights_of_another_network_or_number_of_persons(training):
    with pytest.raises(
        ValueError, match='x.pth lacks .* it is from another network; use the config'
    ):
        fit_weights(small('AAGCN'), small('STGCN').state_dict(), 'x.pth', training)
    one, two = (network_of_persons(count) for count in (1, 2))
    match = 'data_bn.weight of shape .* one for each person, joint and channel; set num_person'
    with pytest.raises(ValueError, match=match):
        fit_weights(one, two.state_dict(), 'x.pth', training)


def network_of_persons(count):
    return MODELS.build(tiny.model_cfg('baseline', persons=count))
