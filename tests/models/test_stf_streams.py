"""Members that read different streams of one clip."""

import copy

import pytest
import torch
from helpers.networks import backbone, batch, ensemble_cfg, recognizer_cfg, total, wake
from helpers.phase_runs import Kill, run
from helpers.small_runs import weights
from mmaction.registry import MODELS
from mmengine.runner import load_state_dict

from stf_mmaction.engine.weights import check_weights

TWO, FOUR = ('j', 'b'), ('j', 'b', 'jm', 'bm')


def of_streams(*streams):
    """An ensemble and clips whose streams are unlike each other."""
    torch.manual_seed(0)
    model = MODELS.build(dict(ensemble_cfg(), streams=streams))
    wake(model)
    x, samples = batch()
    seen = (x != 0).any(-1, True)
    x = torch.cat([x] + [x.flip(0).roll(i, 3) * seen for i in range(1, len(streams))], -1)
    return model, x, samples


@pytest.mark.parametrize('streams', [TWO, FOUR])
def test_members_of_a_stream_read_their_channels(streams):
    model, x, samples = of_streams(*streams)
    assert list(model.members) == [
        f'{member}_{stream}' for stream in streams for member in ('focus', 'explore')
    ]
    model.eval()
    with torch.no_grad():
        scores = model(x, mode='tensor')
        own = [
            member(x[..., 4 * (i // 2) :][..., :4], mode='tensor', stage='head').softmax(1)
            for i, member in enumerate(model.members.values())
        ]
        torch.testing.assert_close(scores, sum(own) / len(own))
        predicted = model(x, samples, mode='predict')
    assert set(predicted[0].member_scores) == set(model.members)
    torch.testing.assert_close(predicted[0].pred_score, scores[0])
    focus = model.focus(x[:, 0])
    assert focus['focus'].shape == (3, 2, 2, 7, 5)
    model.check_input((1, 2, 7, 5, 4 * len(streams)))
    with pytest.raises(ValueError, match='does not hold the streams'):
        model.check_input((1, 2, 7, 5, 7))


def test_four_streams_learn():
    """Each member as it does alone on its stream; all weights are reached."""
    model, x, samples = of_streams(*FOUR)
    alone = copy.deepcopy(model)
    losses = model.train()(x, samples, mode='loss')
    assert sum('loss' in key for key in losses) == 4 * 6
    for i, (name, member) in enumerate(alone.train().members.items()):
        own = member(x[..., 4 * (i // 2) :][..., :4], samples, mode='loss')
        for key, value in own.items():
            torch.testing.assert_close(losses[f'{name}.{key}'], value)
    total(losses).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_one_stream_does_not_fill_the_others():
    """Their checkpoint is refused; that of the ensemble itself is not."""
    model, x, _ = of_streams(*TWO)
    state = copy.deepcopy(model.state_dict())
    one = MODELS.build(dict(recognizer_cfg(), backbone=backbone('MSG3DBackbone')))
    for part in (one.state_dict(), {'cls_head.fc.bias': torch.zeros(4)}):
        with pytest.raises(ValueError, match=r"streams \('j', 'b'\)"):
            load_state_dict(model, part)  # MMEngine's, for load_from, resume
        with pytest.raises(ValueError, match='one network'):
            check_weights(model, part, 'one.pth')
    for name, value in model.state_dict().items():
        assert value.equal(state[name]), name
    other = of_streams(*TWO)[0]
    for parameter in other.parameters():
        torch.nn.init.zeros_(parameter)
    check_weights(other, state, 'both.pth')
    load_state_dict(other, state)
    assert other.eval()(x).equal(model.eval()(x))


def test_each_stream_has_a_warm_up_of_its_own():
    model, x, samples = of_streams(*TWO)
    model.set_baseline(True)
    losses = model.train()(x, samples, mode='loss')
    assert {k for k in losses if 'loss' in k} == {'focus_j.loss_cls', 'focus_b.loss_cls'}
    total(losses).backward()
    unused = {id(p) for p in model.unused_parameters()}
    for name, parameter in model.named_parameters():
        learns = name.startswith(('members.focus_j', 'members.focus_b')) and ('.stf_' not in name)
        assert (id(parameter) in unused) != learns, name
        assert bool(parameter.grad.abs().sum() > 0) <= learns, name
    model.spread_leads()
    members = {n: m.state_dict() for n, m in model.members.items()}
    torch.testing.assert_close(members['explore_j'], members['focus_j'])
    torch.testing.assert_close(members['explore_b'], members['focus_b'])
    key = 'cls_head.fc.weight'
    assert not members['focus_j'][key].equal(members['focus_b'][key])
    model.set_baseline(False)
    keys = {k for k in model(x, samples, mode='loss') if 'loss' in k}
    assert {'focus_b.loss_coherence', 'explore_j.loss_exploration'} < keys


def test_a_killed_run_of_two_streams_resumes_to_the_same_result(tmp_path):
    """Killed in the warm-up, and over the switch from there."""
    setting = dict(model=dict(ensemble_cfg(), streams=TWO), channels=8)
    whole = weights(run(tmp_path / 'whole', 3, **setting))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'killed', 3, hooks=[Kill(1)], **setting)
    again = weights(run(tmp_path / 'killed', 3, resume=True, **setting))
    for name, value in whole.items():
        assert value.equal(again[name]), name
