"""Two gloo processes give the gradient of one."""
import os
import subprocess
import sys
from pathlib import Path

import torch
from networks import LOSSES, batch, recognizer, settle, total

SCRIPT = '''
import sys
sys.path.insert(0, {tests!r})
import conftest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from test_distributed import gradients, network
dist.init_process_group('gloo')
rank = dist.get_rank()
net = MMDistributedDataParallel(network({baseline}), broadcast_buffers=False)
grads = gradients(net, slice(2 * rank, 2 * rank + 2))
if rank == 0:
    torch.save({{k[len('module.'):]: v for k, v in grads.items()}}, {out!r})
'''


def network(baseline):
    """All losses at once; batch norm as in evaluation, to compare."""
    torch.manual_seed(0)
    model = recognizer(LOSSES).double()
    model = settle(model, batch(4, dtype=torch.float64)[0]).eval()
    if baseline:
        from mmaction.registry import MODELS
        from networks import ensemble_cfg
        torch.manual_seed(0)
        model = MODELS.build(ensemble_cfg()).double().eval()
        model.set_baseline(True)
    return model


def gradients(model, part):
    x, data = batch(4, dtype=torch.float64)
    total(model(x[part], data[part], mode='loss')).backward()
    return {name: p.grad for name, p in model.named_parameters()}


def check(tmp_path, baseline):
    out = tmp_path / 'grads.pth'
    here = Path(__file__).parent
    script = tmp_path / 'run.py'
    script.write_text(
        f'import sys; sys.path.insert(0, {str(here)!r})\n' + SCRIPT.format(
            tests=str(here.parent), out=str(out), baseline=baseline))
    run = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone',
         '--nproc_per_node', '2', str(script)],
        capture_output=True, text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1',
                 PYTHONPATH=str(here.parents[1])))
    assert run.returncode == 0, run.stderr[-3000:]
    two, one = torch.load(out), gradients(network(baseline), slice(0, 4))
    assert two.keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, msg=name)


def test_stf_losses(tmp_path):
    check(tmp_path, False)


def test_warm_up_of_an_ensemble(tmp_path):
    """DDP waits for the gradient of every weight, also the idle ones."""
    check(tmp_path, True)
