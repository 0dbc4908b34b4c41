"""Two gloo processes give the gradient of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.networks import (
    EXPLORE_LOSSES,
    FOCUS_LOSSES,
    LOSSES,
    STAR,
    batch,
    calibrate,
    ensemble_cfg,
    recognizer,
    total,
    wake,
)
from mmaction.registry import MODELS

SCRIPT = '''
import sys
sys.path[:0] = [{here!r}, {tests!r}]
import conftest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from stf_mmaction.upstream import delay_exit_for_gloo
from test_distributed import CASES, gradients, network
delay_exit_for_gloo()
dist.init_process_group('gloo')
rank = dist.get_rank()
for case in CASES:
    net = MMDistributedDataParallel(network(case), broadcast_buffers=False)
    try:
        grads = gradients(net, slice(2 * rank, 2 * rank + 2))
        out = {{k[len('module.'):]: v for k, v in grads.items()}}
    except RuntimeError as error:
        out = str(error)
    if rank == 0:
        torch.save(out, {out!r} + case)
'''


def stf_losses():
    """All losses at once; batch norm as in evaluation, to compare."""
    model = recognizer(LOSSES).double()
    return calibrate(model, batch(4, dtype=torch.float64)[0]).eval()


def warm_up_of_an_ensemble():
    model = MODELS.build(ensemble_cfg()).double().eval()
    model.set_baseline(True)
    return model


def ensemble():
    """Both members, which take turns."""
    model = MODELS.build(ensemble_cfg())
    wake(model)
    return calibrate(model.double(), batch(4, dtype=torch.float64)[0]).eval()


def member(losses):
    """One member alone."""
    model = recognizer(losses).double()
    return calibrate(model, batch(4, dtype=torch.float64)[0]).eval()


def warm_up_of_one_network():
    """The STF modules wait, and nobody but the network itself knows it."""
    model = (
        recognizer(
            LOSSES,
            dict(
                type='STFSTGCN',
                graph_cfg=dict(layout=STAR, mode='spatial'),
                in_channels=4,
                base_channels=12,
                num_stages=3,
                inflate_stages=[3],
                down_stages=[],
            ),
        )
        .double()
        .eval()
    )
    model.set_baseline(True)
    return model


CASES = dict(
    stf_losses=stf_losses,
    focus=lambda: member(FOCUS_LOSSES),
    explore=lambda: member(EXPLORE_LOSSES),
    ensemble=ensemble,
    warm_up_of_an_ensemble=warm_up_of_an_ensemble,
    warm_up_of_one_network=warm_up_of_one_network,
)


def network(case):
    torch.manual_seed(0)
    return CASES[case]()


def gradients(model, part):
    """Of the second step, as DDP finds in it what the first one lacked."""
    x, data = batch(4, dtype=torch.float64)
    for _ in range(2):
        model.zero_grad()
        total(model(x[part], data[part], mode='loss')).backward()
    return {name: p.grad for name, p in model.named_parameters()}


@pytest.fixture(scope='module')
def two(tmp_path_factory):
    """What two processes say of each case: gradients, or an error."""
    folder = tmp_path_factory.mktemp('two')
    here = Path(__file__).parent
    script = folder / 'run.py'
    script.write_text(SCRIPT.format(here=str(here), tests=str(here.parent), out=f'{folder}/'))
    run = subprocess.run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--standalone',
            '--nproc_per_node',
            '2',
            str(script),
        ],
        capture_output=True,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(here.parents[1])),
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert 'strides do not match' not in run.stderr, run.stderr[-3000:]
    return {case: torch.load(folder / case) for case in CASES}


@pytest.mark.parametrize('case', CASES)
def test_the_gradient_is_that_of_one_process(case, two):
    one = gradients(network(case), slice(0, 4))
    assert not isinstance(two[case], str), two[case]
    assert two[case].keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[case][name], value, msg=name)
