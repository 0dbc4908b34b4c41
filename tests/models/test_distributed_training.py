"""Several gloo processes train as one does on the same batches, in float64.

Batch norm runs in evaluation mode: its statistics are those of each process.
"""

import time
from pathlib import Path

import pytest
import torch
from helpers.networks import (
    EXPLORE_LOSSES,
    FOCUS_LOSSES,
    LOSSES,
    STAR,
    backbone,
    batch,
    calibrate,
    ensemble_cfg,
    recognizer,
    total,
    wake,
)
from helpers.processes import torchrun
from mmaction.registry import MODELS
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper

# The last batch of an epoch is smaller; MMEngine's sampler repeats clips so that all
# processes have as many.
BATCHES = (8, 8, 4)
STGCN = dict(
    type='STFSTGCN',
    graph_cfg=dict(layout=STAR, mode='spatial'),
    in_channels=4,
    base_channels=12,
    num_stages=3,
    inflate_stages=[3],
    down_stages=[],
)

SCRIPT = '''
import sys
sys.path[:0] = [{here!r}, {tests!r}]
import conftest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.model.wrappers import MMFullyShardedDataParallel
from stf_mmaction.upstream import delay_exit_for_gloo
from test_distributed_training import CASES, network, steps
delay_exit_for_gloo()
dist.init_process_group('gloo')
rank, world = dist.get_rank(), dist.get_world_size()
for case in {cases!r}:
    net = network(case)
    if case.startswith('sharded'):
        wrapped = MMFullyShardedDataParallel(net, device_id=torch.device('cpu'))
    else:
        wrapped = MMDistributedDataParallel(
            net, broadcast_buffers=False, find_unused_parameters=False)
    try:
        losses, state = steps(wrapped, case, rank, world)
        dist.all_reduce(losses)
        out = dict(losses=losses / world, state=state)
    except RuntimeError as error:
        out = str(error)
    if rank == 0:
        torch.save(out, {out!r} + case)
'''


def fixed(model, channels=4):
    """In float64; running statistics are those of a batch."""
    wake(model)
    model = model.double()
    return calibrate(model, batch(4, channels=channels, dtype=torch.float64)[0]).eval()


def ensemble(warm_up=False, **cfg):
    model = fixed(MODELS.build(dict(ensemble_cfg(), **cfg)), 8 if 'streams' in cfg else 4)
    model.set_baseline(warm_up)
    return model


def warm_up_of_any_gcn():
    """The STF modules wait, and nobody but the network itself knows it."""
    model = fixed(recognizer(LOSSES, STGCN))
    model.set_baseline(True)
    return model


CASES = dict(
    focus=lambda: fixed(recognizer(FOCUS_LOSSES)),
    explore=lambda: fixed(recognizer(EXPLORE_LOSSES)),
    any_gcn=lambda: fixed(recognizer(dict(FOCUS_LOSSES, **EXPLORE_LOSSES), STGCN)),
    with_cp=lambda: fixed(recognizer(FOCUS_LOSSES, backbone(with_cp=True))),
    ensemble=ensemble,
    warm_up=lambda: ensemble(True),
    streams=lambda: ensemble(streams=('j', 'b')),
    streams_in_warm_up=lambda: ensemble(True, streams=('j', 'b')),
    accumulation=ensemble,
    accumulation_of_a_member=lambda: fixed(recognizer(FOCUS_LOSSES)),
    accumulation_in_warm_up=lambda: ensemble(True),
    all_losses=lambda: fixed(recognizer(LOSSES)),
    warm_up_of_any_gcn=warm_up_of_any_gcn,
    # FSDP, around the whole network.
    sharded_focus=lambda: fixed(recognizer(FOCUS_LOSSES)),
    sharded_ensemble=ensemble,
    sharded_warm_up=lambda: ensemble(True),
    # The warm-up ends after the first step.
    average=lambda: ensemble(True),
    average_of_a_member=lambda: fixed(recognizer(EXPLORE_LOSSES)),
)


# More of the same kinds.
SLOW = (
    'any_gcn',
    'streams_in_warm_up',
    'accumulation_of_a_member',
    'average_of_a_member',
    'sharded_focus',
    'sharded_warm_up',
    'explore',
)


def network(case):
    torch.manual_seed(0)
    return CASES[case]()


def steps(model, case, rank=0, world=1):
    """Train for a few steps by MMEngine's wrapper.

    Returns the loss of each step, and the weights with their moving average where there is one.
    """
    net = getattr(model, 'module', model)
    average = ExponentialMovingAverage(net, momentum=0.2) if 'average' in case else None
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=0.1)
    counts = 2 if 'accumulation' in case else 1  # the last batch makes a step of its own
    wrapper = OptimWrapper(optimizer, accumulative_counts=counts)
    wrapper.initialize_count_status(torch.nn.Identity(), 0, len(BATCHES))
    channels = 8 if case.startswith('streams') else 4
    losses = []
    for number, clips in enumerate(BATCHES):
        x, data = batch(clips, channels=channels, dtype=torch.float64)
        x = x * (1 + number / 4)
        share = slice(rank * clips // world, (rank + 1) * clips // world)
        # As train_step, whose preprocessor would make the inputs float32.
        with wrapper.optim_context(model):
            loss = total(model(x[share], data[share], mode='loss'))
        wrapper.update_params(loss)
        losses.append(loss.detach())
        if case == 'average' and number == 0:
            net.spread_leads()
            net.set_baseline(False)
        if average is not None:
            average.update_parameters(net)
    # That of FSDP is put together again, by all processes.
    state = {name.removeprefix('module.'): value for name, value in model.state_dict().items()}
    if average is not None:
        state.update({f'average.{key}': value for key, value in average.state_dict().items()})
    return torch.stack(losses), state


def launch(script, world, **env):
    return torchrun('--standalone', '--nproc_per_node', world, script, env=env)


@pytest.fixture(scope='module', params=[2, pytest.param(4, marks=pytest.mark.slow)])
def several(request, tmp_path_factory):
    """What several processes get of each case."""
    folder = tmp_path_factory.mktemp('several')
    here = Path(__file__).parent
    script = folder / 'run.py'
    # Those that are asked for, few of them without -m slow.
    items = [i for i in request.session.items if i.path == request.path]
    params = [getattr(item, 'callspec', None) and item.callspec.params or {} for item in items]
    cases = [case for case in CASES if any(case == asked.get('case') for asked in params)]
    paths = dict(here=str(here), tests=str(here.parent), out=f'{folder}/')
    script.write_text(SCRIPT.format(cases=cases, **paths))
    run = launch(script, request.param)
    assert run.returncode == 0, run.stderr[-3000:]
    assert 'strides do not match' not in run.stderr, run.stderr[-3000:]
    return {case: torch.load(folder / case) for case in cases}


@pytest.mark.parametrize(
    'case', [pytest.param(case, marks=pytest.mark.slow) if case in SLOW else case for case in CASES]
)
def test_weights_after_several_steps_are_those_of_one_process(case, several):
    model = network(case)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    losses, state = steps(model, case)
    assert not isinstance(several[case], str), several[case]
    torch.testing.assert_close(several[case]['losses'], losses, rtol=1e-10, atol=1e-12)
    moved = 0
    assert several[case]['state'].keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(
            several[case]['state'][name], value, rtol=1e-9, atol=1e-11, msg=f'{case}: {name}'
        )
        moved += name in before and not value.equal(before[name])
    assert moved > len(before) / 4


DIES = '''
import os, sys
sys.path[:0] = [{here!r}, {tests!r}]
import conftest
from mmengine.config import Config
from mmengine.hooks import Hook
from stf_mmaction.engine import cli
from helpers import small_runs

class Die(Hook):
    def after_train_iter(self, runner, *_, **__):
        if runner.iter == 3 and runner.rank == 1:
            open({out!r} + '/died', 'w').close()
            if os.environ['HOW'] == 'kill':
                os.kill(os.getpid(), 9)
            raise ValueError('this clip is bad')

def main():
    from stf_mmaction.upstream import use_cpu_launcher
    cfg = Config(dict(launcher='pytorch'))
    use_cpu_launcher(cfg)
    small_runs.run(__import__('pathlib').Path({out!r}), [Die()], launcher='pytorch',
                   model_wrapper_cfg=cfg.model_wrapper_cfg)

cli.run(main)
'''


@pytest.mark.parametrize('how', ['kill', pytest.param('raise', marks=pytest.mark.slow)])
def test_a_process_that_dies_ends_the_others(tmp_path, how):
    """In a second on a free machine, 60 on a busy one; torchrun says which one it was."""
    here = Path(__file__).parent
    script = tmp_path / 'run.py'
    script.write_text(DIES.format(here=str(here), tests=str(here.parent), out=str(tmp_path)))
    run = launch(script, 2, HOW=how)
    assert run.returncode, run.stdout
    assert time.time() - (tmp_path / 'died').stat().st_mtime < 60
    assert 'rank      : 1' in run.stderr
    if how == 'kill':
        assert 'Signal 9 (SIGKILL) received' in run.stderr
