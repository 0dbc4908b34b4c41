"""Members, their mean, and the phases of training."""

import copy

import pytest
import torch
from helpers.networks import (
    LOSSES,
    backbone,
    batch,
    ensemble_cfg,
    recognizer_cfg,
    samples,
    total,
    wake,
)
from helpers.phase_runs import Kill, run
from helpers.small_runs import weights
from mmaction.registry import HOOKS, MODELS
from mmengine.hooks import Hook

from stf_mmaction.models.recognizers.backward_now import LossScale


def build(**shared):
    torch.manual_seed(0)
    return MODELS.build(ensemble_cfg(**shared))


def test_members_learn_apart_and_predict_together():
    model = build()
    wake(model)
    losses = model(*batch(), mode='loss')
    keys = {k for k in losses if 'loss' in k}
    assert keys == {
        'focus.loss_cls',
        'focus.loss_divergence',
        'focus.loss_coherence',
        'focus.loss_adjacency',
        'explore.loss_cls',
        'explore.loss_exploration',
    }
    total(losses).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.eval()
    x, data = batch()
    out = model(x, data, mode='predict')
    each = [m(x, samples([0, 1, 2]), mode='predict') for m in model.members.values()]
    for i, sample in enumerate(out):
        mean = (each[0][i].pred_score + each[1][i].pred_score) / 2
        torch.testing.assert_close(sample.pred_score, mean)
        assert sample.pred_label == mean.argmax()
        assert sample.member_scores['focus'].equal(each[0][i].pred_score)
    assert model(x).shape == (3, 4)
    assert model.focus(x[:, 0])['focus'].shape == (3, 2, 2, 7, 5)


def test_members_that_take_turns_get_the_gradients_of_the_sum():
    """Also where the sum is scaled, as when gradients are accumulated."""
    model = build().double()
    wake(model)
    x, data = batch()
    x = x.double()
    losses = model(x, data, mode='loss')
    assert sum(v.requires_grad for v in losses.values()) == len(model.members)
    (total(losses) / 3).backward()
    got = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    each = {name: m(x, data, mode='loss') for name, m in model.members.items()}
    for name, own in each.items():
        for key, value in own.items():
            torch.testing.assert_close(losses[f'{name}.{key}'], value.detach())
    (sum(total(own) for own in each.values()) / 3).backward()
    torch.testing.assert_close(got, [p.grad for p in model.parameters()])


@pytest.mark.parametrize('kind', [torch.bfloat16, torch.float16])
def test_members_take_turns_under_autocast(kind):
    """Same gradients as together, with a loss scale of their own in float16."""
    model = build()
    wake(model)
    other = copy.deepcopy(model)
    x, data = batch(frames=16)
    with torch.autocast('cpu', kind):
        for _ in range(10):  # until the scale of float16 has come down
            model.zero_grad()
            total(model(x, data, mode='loss')).backward()
            if all(p.grad.isfinite().all() for p in model.parameters()):
                break
        each = sum(total(m(x, data, mode='loss')) for m in other.members.values())
    (each * 2**10).backward()
    got, want = (torch.cat([p.grad.flatten() for p in m.parameters()]) for m in (model, other))
    assert torch.cosine_similarity(got, want / 2**10, 0) > 0.99
    assert got.norm() == pytest.approx(want.norm().item() / 2**10, rel=0.05)


def test_the_loss_scale_of_float16_adapts():
    weight = torch.nn.Parameter(torch.ones(2))
    scale = LossScale()
    (good,) = scale.gradients((weight * 3).sum(), [weight])
    assert good.tolist() == [3, 3]
    (bad,) = scale.gradients((weight.half() * 3).sum(), [weight])
    assert bad.isinf().all() and scale._state[0] == 2**15


def test_warm_up_is_the_baseline_and_still_reaches_every_parameter():
    model = build()
    model.set_baseline(True)
    plain = MODELS.build(dict(recognizer_cfg(), backbone=backbone('MSG3DBackbone')))
    plain.load_state_dict({k: v for k, v in model.lead.state_dict().items() if '.stf_' not in k})
    ours, theirs = (m(*batch(), mode='loss') for m in (model, plain))
    assert ours.keys() == theirs.keys()
    assert ours['loss_cls'].equal(theirs['loss_cls'])
    total(ours).backward()
    assert all(p.grad is not None for p in model.parameters())
    idle = {id(p) for p in model.unused_parameters()}
    for parameter in model.parameters():
        if id(parameter) in idle:
            assert parameter.grad.eq(0).all()
    assert len(idle) == len(list(model.parameters())) - len(list(plain.parameters()))


def test_a_baseline_checkpoint_loads_into_all_members():
    torch.manual_seed(1)
    plain = MODELS.build(dict(recognizer_cfg(), backbone=backbone('MSG3DBackbone'))).eval()
    model = build().eval()
    state = plain.state_dict()
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all('.stf_' in name for name in missing)
    x, data = batch()
    expected = plain(x, samples([0, 1, 2]), mode='predict')
    for ours, theirs in zip(model(x, data, mode='predict'), expected):
        torch.testing.assert_close(ours.pred_score, theirs.pred_score)


@pytest.mark.parametrize(
    'change,match',
    [
        (dict(members=[]), 'has no network'),
        (dict(members=[dict(name='a'), dict(name='a')]), "called 'a'"),
        (dict(members=[dict(cls_head=dict(average_clips='score'))]), 'averages probabilities'),
    ],
)
def test_impossible_settings(change, match):
    with pytest.raises(ValueError, match=match):
        MODELS.build(dict(ensemble_cfg(), **change))


def test_a_killed_run_resumes_to_the_same_result(tmp_path):
    whole = weights(run(tmp_path / 'whole', 4))
    for epoch in (1, 2, 3):
        work_dir = tmp_path / f'killed{epoch}'
        with pytest.raises(KeyboardInterrupt):
            run(work_dir, 4, hooks=[Kill(epoch)])
        again = weights(run(work_dir, 4, resume=True))
        for name, value in whole.items():
            assert value.equal(again[name]), (epoch, name)


def test_warm_up_in_a_run(tmp_path):
    """It trains as the baseline alone does; idle weights do not decay."""
    members = [m.state_dict() for m in run(tmp_path / 'a', 2).model.members.values()]
    for name, value in members[0].items():
        assert value.equal(members[1][name]), name
    seen = {}

    class Spy(Hook):
        def before_train(self, runner):
            seen.update(weights(runner))

    alone = run(tmp_path / 'b', 2, model=recognizer_cfg(), hooks=[Spy()])
    for name, value in weights(alone).items():
        moved = not value.equal(seen[name])
        assert moved == ('.stf_' not in name), name


def test_momentum_starts_anew_when_the_stf_objectives_begin(tmp_path):
    seen = {}

    class Spy(Hook):
        def before_train_epoch(self, runner):
            seen[runner.epoch] = len(runner.optim_wrapper.optimizer.state)

    run(tmp_path / 'run', 4, hooks=[Spy()])
    assert seen[0] == 0 and seen[1] > 0 and seen[2] == 0 and seen[3] > 0


def test_the_hook_refuses_other_models(tmp_path):
    stock = dict(
        type='RecognizerGCN',
        backbone=backbone(),
        cls_head=dict(type='GCNHead', num_classes=4, in_channels=24),
    )
    with pytest.raises(ValueError, match='not RecognizerGCN'):
        run(tmp_path, 1, model=stock)
    with pytest.raises(ValueError, match='warmup_epochs=-1'):
        HOOKS.build(dict(type='STFPhaseHook', warmup_epochs=-1))


def test_a_frozen_backbone_stays_as_it_is():
    cfg = recognizer_cfg(frozen_backbone=True)
    model = MODELS.build(cfg).train()
    x, samples = batch()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    for _ in range(2):
        total(model(x, samples, mode='loss')).backward()
        optimizer.step()
    changed = {k for k, v in model.state_dict().items() if not v.equal(before[k])}
    assert changed == {'cls_head.fc.weight', 'cls_head.fc.bias'}
    with pytest.raises(ValueError, match='nothing for STF losses'):
        MODELS.build(recognizer_cfg(LOSSES, frozen_backbone=True))


def test_features_of_each_member():
    model = build().eval()
    x, data = batch()
    features, rest = model.extract_feat(x)
    assert list(features) == ['focus', 'explore'] and rest == {}
    for name, member in model.members.items():
        assert features[name].equal(member.backbone(x.flatten(0, 1)))
    scores, _ = model.extract_feat(x, stage='head', data_samples=data)
    mean = sum(score.softmax(1) for score in scores.values()) / 2
    torch.testing.assert_close(mean, model(x))
    model.set_baseline(True)
    assert list(model.extract_feat(x)[0]) == ['focus']
