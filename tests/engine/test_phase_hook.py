"""The warm-up in loops of both kinds, with averaged weights, and in the log."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch
from helpers import tiny
from helpers.networks import ensemble_cfg
from mmaction.registry import HOOKS, MODELS
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper

from stf_mmaction.engine.phase_hook import STFPhaseHook
from stf_mmaction.files import read_checkpoint


def run(folder, *hooks, iters=False, warmup=None, **options):
    data = tiny.write(folder / 'clips.pkl', tiny.clips())
    phase = dict(type='STFPhaseHook', **(warmup or dict(warmup_epochs=2)))
    cfg = tiny.config(data, folder / 'run', tiny.model_cfg('ensemble'), hooks=[phase, *hooks])
    cfg.train_dataloader.batch_size = 2  # two iterations an epoch
    if iters:
        loop = dict(type='IterBasedTrainLoop', max_iters=5, val_interval=10)
        cfg.train_cfg = loop
        cfg.default_hooks.checkpoint.update(by_epoch=False)
        cfg.log_processor.by_epoch = False
        cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    else:
        cfg.train_cfg.update(max_epochs=3, val_interval=10)
    cfg.merge_from_dict(options)
    tiny.train(cfg)
    return cfg, folder / 'run'


def same_members(state):
    """Whether both members have the same weights."""
    one = {
        n[len('members.focus.') :]: v for n, v in state.items() if n.startswith('members.focus.')
    }
    return all(value.equal(state[f'members.explore.{name}']) for name, value in one.items())


@HOOKS.register_module()
class PhaseSpy(Hook):
    """Keeps whether each iteration was one of the warm-up."""

    seen = []

    def after_train_iter(self, runner, *_, **__):
        self.seen.append(runner.model.baseline)


@pytest.fixture(scope='module', params=['epochs', 'iterations', 'EMA'])
def warmed(request, tmp_path_factory):
    """A run of two iterations of warm-up and more of STF, saved after each."""
    PhaseSpy.seen.clear()
    folder = tmp_path_factory.mktemp('warm')
    hooks = [dict(type='PhaseSpy')]
    if request.param == 'EMA':
        hooks.append(dict(type='EMAHook', momentum=0.1))
    cfg, work_dir = run(
        folder,
        *hooks,
        iters=request.param != 'epochs',
        warmup=dict(warmup_epochs=1) if request.param != 'EMA' else dict(warmup_iters=2),
    )
    return cfg, work_dir, list(PhaseSpy.seen), request.param


def test_the_stf_phase_begins_where_it_should(warmed):
    _, work_dir, seen, kind = warmed
    assert seen == [True, True] + [False] * (4 if kind == 'epochs' else 3)
    (log,) = work_dir.glob('*/*.log')
    place = 'epoch 2' if kind == 'epochs' else 'iteration 3'
    assert f'{place}: the warm-up is over, the STF losses start' in log.read_text()


def test_every_checkpoint_of_the_warm_up_is_the_baseline(warmed):
    cfg, work_dir, _, kind = warmed
    name = 'epoch' if kind == 'epochs' else 'iter'
    first = read_checkpoint(work_dir / f'{name}_1.pth')
    states = [first['state_dict']]
    if kind == 'EMA':
        states.append(
            {k[len('module.') :]: v for k, v in first['ema_state_dict'].items() if k != 'steps'}
        )
    assert all(map(same_members, states))
    assert not same_members(read_checkpoint(work_dir / f'{name}_3.pth')['state_dict'])
    metrics = tiny.evaluate(cfg, work_dir / f'{name}_1.pth')
    assert metrics['acc/focus_top1'] == metrics['acc/explore_top1'] == metrics['acc/top1']


def test_the_log_ends_the_lines_of_the_warm_up(warmed):
    _, work_dir, _, _ = warmed
    logs = [path.read_text() for path in sorted(work_dir.glob('*/vis_data/scalars.json'))]
    lines = [json.loads(line) for line in ''.join(logs).splitlines()]
    lines = [line for line in lines if 'loss' in line]
    first = [line for line in lines if 'focus.loss_cls' not in line]
    assert len(first) == 2 and all('loss_cls' in line and 'top1_acc' in line for line in first)
    for line in lines[2:]:
        assert 'focus.loss_cls' in line and 'lr' in line and 'time' in line
        assert 'loss_cls' not in line and 'top1_acc' not in line


def test_a_warm_up_that_never_ends_is_said(tmp_path):
    _, work_dir = run(tmp_path, warmup=dict(warmup_epochs=9), **{'train_cfg.max_epochs': 1})
    (log,) = work_dir.glob('*/*.log')
    assert 'takes 9 epochs, but the training only 1: the STF losses never start' in log.read_text()


@pytest.mark.parametrize('given', [{}, dict(warmup_epochs=1, warmup_iters=2)])
def test_one_length_is_needed(given):
    with pytest.raises(ValueError, match='give one of them'):
        HOOKS.build(dict(type='STFPhaseHook', **given))
    for odd in (-1, 1.5, '2', True):
        with pytest.raises(ValueError, match=f'warmup_iters={odd!r} must be 0 or more'):
            HOOKS.build(dict(type='STFPhaseHook', warmup_iters=odd))


class TwoWeights(torch.nn.Module):
    """The loss is 2 w in the warm-up, and 2 w + 3 v after it."""

    def __init__(self):
        super().__init__()
        self.w, self.v = (torch.nn.Parameter(torch.ones((), dtype=torch.float64)) for _ in 'wv')

    def set_baseline(self, baseline):
        self.baseline = baseline

    def unused_parameters(self):
        return [self.v] if self.baseline else []

    def loss(self):
        return 2 * self.w + (0 if self.baseline else 3) * self.v  # zeros, as DDP needs them


def test_steps_by_hand():
    """lr 0.1, momentum 0.5, decay 0.1: no decay of what waits, a fresh start of what learned.

    w:  1 - 0.1 (2 + 0.1)                               = 0.79
        0.79 - 0.1 (0.5 * 2.1 + 2 + 0.1 * 0.79)         = 0.4771
        0.4771 - 0.1 (2 + 0.1 * 0.4771), no momentum    = 0.272329
    v:  1, 1, 1 - 0.1 (3 + 0.1)                         = 0.69
    """
    model = TwoWeights()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.5, weight_decay=0.1)
    runner = SimpleNamespace(
        model=model,
        optim_wrapper=OptimWrapper(optimizer),
        iter=0,
        max_iters=3,
        logger=logging.getLogger('test'),
        message_hub=SimpleNamespace(log_scalars={}),
    )
    hook = HOOKS.build(dict(type='STFPhaseHook', warmup_iters=2))
    hook.before_train(runner)
    for expected in ((0.79, 1), (0.4771, 1), (0.272329, 0.69)):
        hook.before_train_iter(runner, runner.iter)
        runner.optim_wrapper.update_params(model.loss())
        hook.after_train_iter(runner, runner.iter)
        assert (model.w.item(), model.v.item()) == pytest.approx(expected, rel=1e-12)
        runner.iter += 1


@pytest.mark.parametrize('resumed,expected', [(True, 2.0**15), (False, 2.0**16)])
def test_a_run_resumes_with_its_own_loss_scales(resumed, expected):
    """Those of members, whose gradients are computed early; GradScaler keeps its own."""

    def runner():
        return SimpleNamespace(model=MODELS.build(ensemble_cfg()), _resume=resumed)

    hook, checkpoint = STFPhaseHook(warmup_epochs=0), {}
    weight = torch.nn.Parameter(torch.ones(2))
    old, new = runner(), runner()
    old.model.loss_scales['focus'].gradients((weight.half() * 3).sum(), [weight])  # overflows
    hook.before_save_checkpoint(old, checkpoint)
    assert checkpoint == dict(loss_scales=dict(focus=(2.0**15, 0)))
    hook.after_load_checkpoint(new, checkpoint)
    scale = new.model.loss_scales['focus']
    (gradient,) = scale.gradients((weight * 3).sum(), [weight])
    assert gradient.tolist() == [3, 3] and scale.state() == (expected, 1)
