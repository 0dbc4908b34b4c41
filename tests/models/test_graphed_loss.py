"""Steps that are replayed against steps that run, with a stand-in for the CUDA graph.

The stand-in runs the recorded function again; tests/models/test_on_gpu.py has the real one.
"""

import copy
import pickle
import warnings
from unittest import mock

import pytest
import torch
from helpers.networks import LOSSES, batch, ensemble_cfg, recognizer_cfg, samples, total, wake
from mmaction.models.heads import GCNHead
from mmaction.registry import MODELS

from stf_mmaction.models.recognizers import graphed_loss
from stf_mmaction.models.recognizers.graphed_loss import WARM_UP, record_steps

NETWORKS = pytest.mark.parametrize(
    'cfg',
    [lambda **kw: recognizer_cfg(LOSSES, **kw), ensemble_cfg],
    ids=['all losses', 'ensemble'],
)


@pytest.fixture
def recorded(monkeypatch):
    """Record on a CPU: the list of all recorded functions."""
    made = []

    def record(step):
        made.append(step)
        recording = step.__closure__[1].cell_contents

        def replay():
            kept = [
                t for t in (*recording._gradients, *recording._values.values()) if t is not None
            ]
            for tensor in kept:
                tensor.fill_(float('nan'))  # its memory is used for others
            step()

        return replay

    monkeypatch.setattr(graphed_loss, 'record', record)
    monkeypatch.setattr(
        graphed_loss, 'can_record', lambda network, _: graphed_loss.is_plain(network)
    )
    return made


def build(cfg, replays=False):
    torch.manual_seed(0)
    model = MODELS.build(cfg).double().train()
    wake(model)
    if replays:
        record_steps(model)
    return model


def steps(model, batches, change=lambda model, step: None):
    """Train for a step per batch; return the losses of each and the state at the end."""
    optimizer = torch.optim.SGD(model.parameters(), 0.05, 0.9)
    values = []
    for i, (x, own) in enumerate(batches):
        change(model, i)
        optimizer.zero_grad()
        losses = model(x, own, mode='loss')
        (total(losses) / 2).backward()
        optimizer.step()
        values.append({key: value.detach() for key, value in losses.items()})
    return values, model.state_dict()


def make_batches(count, last=2):
    torch.manual_seed(1)
    sizes = [3] * (count - 1) + [last]
    return [(torch.randn(n, 1, 2, 8, 5, 4).double(), samples(torch.arange(n) % 4)) for n in sizes]


@NETWORKS
def test_replayed_steps_are_steps(cfg, recorded):
    batches = make_batches(WARM_UP + 3) + make_batches(2, last=3)
    expected = steps(build(cfg()), batches)
    assert not recorded
    got = steps(build(cfg(), True), batches)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    # The small batch in between ran as usual and did not end the recording.
    assert len(recorded) == (2 if cfg is ensemble_cfg else 1)


def test_losses_of_two_batches_can_be_summed(recorded):
    first, second = build(recognizer_cfg(LOSSES)), build(recognizer_cfg(LOSSES), True)
    batches = make_batches(WARM_UP + 1, last=3)
    steps(first, batches)
    steps(second, batches)
    first.zero_grad()
    second.zero_grad()
    for model in (first, second):
        sum(total(model(x, own, mode='loss')) for x, own in batches[:2]).backward()
    got, expected = ([p.grad for p in model.parameters()] for model in (second, first))
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


def lower_weight(model, step):
    if step == WARM_UP + 2:
        model.cls_head.loss_divergence.loss_weight = 0.01


def leave_warm_up(model, step):
    model.set_baseline(step < WARM_UP + 2)


def move_weights(model, step):
    if step == WARM_UP + 2:
        model.cls_head.fc.weight.data = model.cls_head.fc.weight.data.clone()


def fix_statistics(model, step):
    if step == WARM_UP + 2:
        model.backbone.data_bn.eval()


def freeze(model, step):
    if step == WARM_UP + 2:
        model.cls_head.fc.weight.requires_grad_(False)


@pytest.mark.parametrize(
    'change', [lower_weight, leave_warm_up, move_weights, freeze, fix_statistics]
)
def test_what_a_recording_depends_on_ends_it(change, recorded):
    cfg = recognizer_cfg(LOSSES)
    batches = make_batches(2 * WARM_UP + 4, last=3)
    expected = steps(build(cfg), batches, change)
    got = steps(build(cfg, True), batches, change)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    assert len(recorded) == 2


def test_evaluation_and_other_devices_record_nothing(recorded, monkeypatch):
    model = build(recognizer_cfg(dict(loss_divergence=LOSSES['loss_divergence'])), True)
    x, own = make_batches(1, last=3)[0]
    for _ in range(WARM_UP + 2):
        with torch.no_grad():
            model(x, own, mode='loss')
        model.eval()(x, own, mode='loss')
        model.train()
    monkeypatch.undo()
    for _ in range(WARM_UP + 2):  # on a CPU
        model(x, own, mode='loss')
    assert not recorded


def test_nothing_is_recorded_in_float16():
    x, network = mock.Mock(is_cuda=True, device=torch.device('cpu')), torch.nn.Linear(1, 1)
    assert graphed_loss.can_record(network, x)
    assert not graphed_loss.can_record(network, torch.zeros(1))
    with torch.autocast('cpu', torch.bfloat16):
        assert graphed_loss.can_record(network, x)
    with torch.autocast('cpu', torch.float16):
        assert not graphed_loss.can_record(network, x)


def test_networks_that_communicate_or_are_compiled_are_not_recorded():
    model = build(recognizer_cfg(LOSSES))
    assert graphed_loss.is_plain(model)
    synced = torch.nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))
    assert not graphed_loss.is_plain(synced)
    assert not graphed_loss.is_plain(copy.deepcopy(model).requires_grad_(False))  # as in FSDP
    compiled = copy.deepcopy(model)
    compiled.backbone.compile()
    assert not graphed_loss.is_plain(compiled)
    model.backbone = torch.compile(model.backbone)
    assert not graphed_loss.is_plain(model)


def test_copies_and_pickles_leave_the_recording_out(recorded):
    model = build(recognizer_cfg(LOSSES), True)
    batches = make_batches(WARM_UP + 2, last=3)
    steps(model, batches)
    assert len(recorded) == 1
    twin = copy.deepcopy(model)
    again = pickle.loads(pickle.dumps(model))
    expected = steps(model, batches)
    torch.testing.assert_close(steps(twin, batches), expected)
    torch.testing.assert_close(steps(again, batches), expected)
    assert len(recorded) == 3  # each of its own weights


def test_which_networks_are_recorded():
    assert record_steps(build(recognizer_cfg(LOSSES))) == ['']
    assert record_steps(build(ensemble_cfg())) == ['members.focus', 'members.explore']
    cfg = recognizer_cfg()
    cfg['cls_head']['type'] = 'GCNHead'
    assert record_steps(build(cfg)) == []
    net = dict(type='STGCN', graph_cfg=dict(layout='coco', mode='stgcn_spatial'), base_channels=6)
    assert record_steps(build(recognizer_cfg(net=net))) == []


class Waits:
    """PyTorch's debug mode for waits, on a CPU."""

    mode = 0

    def __init__(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'get_sync_debug_mode', lambda: self.mode)
        monkeypatch.setattr(torch.cuda, 'set_sync_debug_mode', self.set)

    def set(self, mode):
        self.mode = mode

    def wait(self, *_):
        if self.mode == 'warn':
            warnings.warn('called a synchronizing CUDA operation', stacklevel=1)


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return Waits(monkeypatch)


def test_a_network_that_waits_is_not_recorded(recorded, waits, monkeypatch):
    said = []
    monkeypatch.setattr(graphed_loss, 'print_log', lambda text, **_: said.append(text))
    batches = make_batches(WARM_UP + 3, last=3)
    expected = steps(build(recognizer_cfg(LOSSES)), batches)
    assert not said
    model = build(recognizer_cfg(LOSSES), True)
    model.cls_head.loss_cls.register_forward_hook(waits.wait)
    got = steps(model, batches)
    torch.testing.assert_close(got, expected)
    assert not recorded and waits.mode == 0
    (text,) = said
    assert f'wait for the GPU at {__file__}' in text and 'cuda_graph=False in the config' in text


def test_the_mode_is_restored_after_an_error(recorded, waits):
    with pytest.raises(RuntimeError, match='^out of memory$'), graphed_loss.watched_waits():
        raise RuntimeError('out of memory')
    assert waits.mode == 0


@pytest.mark.parametrize('topk', [(1, 5), (1,), (2, 3)])
@pytest.mark.parametrize('smooth', [0.0, 0.1])
@pytest.mark.parametrize('classes', [3, 10])
def test_accuracies_are_those_of_the_stock_head(topk, smooth, classes):
    torch.manual_seed(2)
    cfg = dict(num_classes=classes, in_channels=8, topk=topk, label_smooth_eps=smooth)
    head = MODELS.build(dict(type='STFHead', **cfg))
    stock = GCNHead(**cfg)
    for clips in (1, 2, 16):
        scores, own = torch.randn(clips, classes), samples(torch.randint(classes, (clips,)))
        got, want = head.loss_by_feat(scores, own), stock.loss_by_feat(scores, own)
        torch.testing.assert_close(got, want)


def test_soft_labels_are_those_of_the_stock_head():
    cfg = dict(num_classes=4, in_channels=8)
    head, stock = MODELS.build(dict(type='STFHead', **cfg)), GCNHead(**cfg)
    x, own = batch()
    for sample in own:
        sample.gt_label = torch.rand(4).softmax(0)
    scores = torch.randn(len(own), 4)
    torch.testing.assert_close(head.loss_by_feat(scores, own), stock.loss_by_feat(scores, own))
