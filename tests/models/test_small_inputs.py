"""Few frames, one joint, one class: right values or a sentence."""

import pytest
import torch
from helpers.definition import slow_losses
from helpers.networks import (
    LOSSES,
    backbone,
    batch,
    ensemble_cfg,
    recognizer,
    recognizer_cfg,
    samples,
    total,
)
from mmaction.registry import MODELS
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

POINT = dict(num_node=1, inward=[], center=0)


@pytest.mark.parametrize('frames,joints', [(1, 5), (2, 5), (3, 5), (5, 1), (1, 1)])
def test_losses_and_focus_of_few_frames_and_joints(frames, joints):
    """In float64 against Eq. (2) to (6) by autograd."""
    torch.manual_seed(0)
    x, data = batch(frames=frames, joints=joints, dtype=torch.float64)
    net = backbone(**({} if joints > 1 else dict(graph_cfg=dict(layout=POINT))))
    model = recognizer(LOSSES, net).double()
    losses = model(x, data, mode='loss')
    total(losses).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
    model.zero_grad()
    labels = torch.tensor([int(sample.gt_label) for sample in data])
    for key, value in slow_losses(model, x, labels).items():
        torch.testing.assert_close(losses[key], value, msg=key)
    maps = model.eval().focus(x[:, 0])['focus']
    assert maps.shape == (3, 2, 2, frames, joints)
    assert ((maps >= 0) & (maps <= 1)).all()
    assert maps[-1, :, 1].eq(0).all()


@pytest.mark.parametrize('head', ['STFHead', 'GCNHead'])
def test_one_class_has_no_focus(head):
    x = batch()[0][:, 0]
    cfg = recognizer_cfg(classes=1)
    cfg['cls_head']['type'] = head
    ensemble = dict(type='STFEnsemble', members=[cfg])
    message = 'one class' if head == 'STFHead' else 'GCNHead cannot compute the focus'
    for model in (MODELS.build(cfg), MODELS.build(ensemble)):
        with pytest.raises(ValueError, match=message):
            model.focus(x)


def test_one_class_cannot_learn_where_to_look_but_can_be_trained():
    with pytest.raises(ValueError, match='num_classes=1'):
        MODELS.build(ensemble_cfg(classes=1))
    x, _ = batch()
    losses = recognizer(classes=1)(x, samples([0, 0, 0]), mode='loss')
    assert losses['loss_cls'] == 0


def test_fake_tensors_leave_nothing_behind():
    """Counters and exporters run a network on tensors without values."""
    model = recognizer().eval()
    x = batch(frames=29)[0][:, 0]
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        model.backbone(x)
    with torch.no_grad():
        features = model.backbone(x)
    assert not isinstance(features, FakeTensor)
    assert features.isfinite().all()
