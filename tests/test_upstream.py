"""Upstream's defects: mended where they are, left alone where not."""

import importlib.util
import os
import runpy
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import ROOT
from mmaction.utils import dependency
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import CheckpointLoader, Runner

from stf_mmaction import upstream
from stf_mmaction.files import read_checkpoint
from stf_mmaction.upstream import patches

DRN = 'mmaction.models.localizers.drn'


class Toy(BaseModel):
    """A linear layer, in MMEngine's terms."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def forward(self, x, mode='tensor'):
        return dict(loss=self.layer(x).square().mean())


def toy_runner(folder, epochs, **kwargs):
    data = [dict(x=torch.full((3,), float(i))) for i in range(4)]
    return Runner(
        model=Toy(),
        work_dir=str(folder),
        train_dataloader=dict(
            dataset=data,
            batch_size=2,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-3, momentum=0.9)),
        param_scheduler=dict(type='MultiStepLR', milestones=[1]),
        default_scope='mmaction',
        experiment_name=f'{folder.name}_{epochs}',
        **kwargs,
    )


def test_a_plain_install_can_be_imported_without_a_word():
    code = (
        'import stf_mmaction\n'
        'from mmaction.registry import HOOKS, MODELS\n'
        'from mmengine.config import Config\n'
        'assert MODELS.get("STFHead") and HOOKS.get("STFPhaseHook")\n'
        'Config.fromfile("configs/stf_msg3d_demo_j.py")\n'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


@pytest.fixture
def mmaction_at(tmp_path, monkeypatch):
    """A package folder that takes the place of the installed mmaction."""
    root = tmp_path / 'mmaction'
    (root / 'models/localizers/drn').mkdir(parents=True)
    spec = importlib.util.spec_from_file_location('mmaction', root / '__init__.py')
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: spec)
    for name in (DRN, f'{DRN}.drn'):
        # First set, so that what the test leaves behind is undone as well.
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    return root


def test_a_missing_localizer_is_replaced(mmaction_at):
    patches._supply_drn()
    with pytest.raises(ImportError, match='DRN localizer is not part of'):
        sys.modules[f'{DRN}.drn'].DRN(vocab_size=1)


def test_a_good_installation_is_left_alone(mmaction_at):
    (mmaction_at / 'models/localizers/drn/drn.py').touch()
    patches._supply_drn()
    assert DRN not in sys.modules and f'{DRN}.drn' not in sys.modules


NEEDED = 'apply_chunking_to_forward = find_pruneable_heads_and_indices = prune_linear_layer = None'


@pytest.mark.parametrize(
    'timm,transformers,kept',
    [
        ('DropPath = None', NEEDED, True),
        ('DropPath = None', 'class PreTrainedModel: pass', False),
        ('DropPath = None', 'raise RuntimeError("Failed to import")', False),
        ('raise ImportError', NEEDED, False),
    ],
    ids=['good', 'transformers is later', 'transformers is broken', 'no timm'],
)
def test_networks_for_text_are_left_out_where_they_break_the_import(
    tmp_path, monkeypatch, timm, transformers, kept
):
    for name, contents in (
        ('timm/models/layers', timm),
        ('transformers/modeling_utils', transformers),
    ):
        path = tmp_path / f'{name}.py'
        path.parent.mkdir(parents=True)
        path.write_text(contents)
    ours = {'timm', 'timm.models', 'timm.models.layers'}
    ours |= {'transformers', 'transformers.modeling_utils'}
    for name in ours | {n for n in sys.modules if n.split('.')[0] in ('timm', 'transformers')}:
        # First set, so that what the test leaves behind is undone as well.
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(dependency, 'WITH_MULTIMODAL', True)
    patches._spare_multimodal()
    assert dependency.WITH_MULTIMODAL == kept


@pytest.mark.parametrize(
    'package, command',
    [
        ('mmcv', 'pip install mmcv-lite==2.1.0'),
        ('mmaction', 'pip install mmaction2==1.2.0'),
    ],
)
def test_a_missing_package_is_named(monkeypatch, package, command):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == package else find(name)
    )
    with pytest.raises(ImportError, match=command):
        upstream.apply_patches()


def test_setup_leaves_mmcv_alone_and_declares_the_rest(monkeypatch):
    said = {}
    monkeypatch.setattr('setuptools.setup', said.update)
    runpy.run_path(str(ROOT / 'setup.py'))
    assert not [name for name in said['install_requires'] if 'mmcv' in name]
    assert {'importlib_metadata', 'setuptools<81', 'mmaction2==1.2.0'} <= set(
        said['install_requires']
    )
    pins = (ROOT / 'requirements/constraints.txt').read_text().splitlines()
    assert {*said['extras_require']['lite'], 'mmengine==0.10.7'} <= set(pins)


def test_a_run_is_resumed_from_its_own_checkpoint(tmp_path):
    first = toy_runner(tmp_path, 1)
    first.train()
    path = tmp_path / 'epoch_1.pth'
    saved = read_checkpoint(path)
    history = saved['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer)
    assert history.mean() == pytest.approx(history.data[0].mean())

    second = toy_runner(tmp_path, 2, resume=True, load_from=str(path))
    second.load_or_resume()
    assert (second.epoch, second.iter) == (1, 2)
    for one, two in zip(
        first.optim_wrapper.optimizer.state.values(), second.optim_wrapper.optimizer.state.values()
    ):
        torch.testing.assert_close(two['momentum_buffer'], one['momentum_buffer'])


def test_the_other_numpys_names_are_read(tmp_path):
    """NumPy 2 moved ``numpy.core`` to ``numpy._core``; files name either."""
    path = tmp_path / 'x.pth'
    value = [HistoryBuffer([1.0, 3.0], [1, 1]), np.float64(2.0), np.int64(4)]
    torch.save(dict(values=value), path, _use_new_zipfile_serialization=False)
    own, other = b'numpy._core.', b'numpy.core.'
    written = path.read_bytes()
    if own not in written:
        own, other = other, own
    assert own in written
    path.write_bytes(written.replace(own, other))
    history, real, whole = read_checkpoint(path)['values']
    assert (history.mean(), real, whole) == (2.0, 2.0, 4)


class Smuggled:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'call',
    [
        Smuggled(os.system, 'true'),
        Smuggled(eval, '1'),
        Smuggled(getattr, HistoryBuffer, '__init__'),
        Smuggled(getattr, HistoryBuffer, '__subclasses__'),
        Smuggled(getattr, HistoryBuffer, 'update'),
        Smuggled(getattr, dict, 'get'),
    ],
)
def test_a_checkpoint_cannot_run_code(tmp_path, call):
    torch.save(dict(state_dict=call), tmp_path / 'x.pth')
    with pytest.raises(ValueError, match='cannot be trusted'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'x.pth'))


@pytest.fixture
def one_process(monkeypatch):
    """The environment of a launcher that started one process."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    for name, value in dict(
        RANK='0',
        LOCAL_RANK='0',
        WORLD_SIZE='1',
        SLURM_PROCID='0',
        SLURM_LOCALID='0',
        SLURM_NTASKS='1',
        SLURM_NODELIST='here',
        OMPI_COMM_WORLD_LOCAL_RANK='0',
        OMPI_COMM_WORLD_RANK='0',
        OMPI_COMM_WORLD_SIZE='1',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=port,
        OMP_NUM_THREADS='1',
        MKL_NUM_THREADS='1',
    ).items():
        monkeypatch.setenv(name, value)
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs no GPU')
@pytest.mark.parametrize('launcher', ['pytorch', 'slurm', 'mpi'])
def test_processes_without_gpus_are_joined(one_process, launcher):
    set_device = torch.cuda.set_device
    cfg = Config(
        dict(
            launcher=launcher,
            find_unused_parameters=True,
            env_cfg=dict(dist_cfg=dict(backend='nccl', timeout=60)),
        )
    )
    upstream.use_cpu_launcher(cfg)
    assert torch.distributed.get_backend() == 'gloo'
    assert torch.cuda.set_device is set_device
    model = MODEL_WRAPPERS.build(
        cfg.model_wrapper_cfg, default_args=dict(device_ids=[0], module=Toy())
    )
    assert model.find_unused_parameters
    model(torch.ones(1, 3))['loss'].backward()
    assert model.module.layer.weight.grad.abs().sum() > 0


LEAVES = '''
import sys
import torch
from mmengine.config import Config
from stf_mmaction.upstream import use_cpu_launcher
use_cpu_launcher(Config(dict(launcher='pytorch')))
sys.setswitchinterval(60)  # gloo's threads wait for the interpreter
for _ in range(9):
    torch.distributed.broadcast(torch.ones(1), 0, async_op=True)
print('the end')
'''


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs no GPU')
def test_a_process_ends_while_gloo_is_busy(one_process):
    run = subprocess.run([sys.executable, '-c', LEAVES], text=True, capture_output=True, cwd=ROOT)
    assert (run.returncode, run.stdout) == (0, 'the end\n'), run.stderr


# Each case in a process of its own, all from one that has imported what they need.
FREES = """
import os, sys
from pathlib import Path
import torch
from stf_mmaction.upstream import tune_malloc
for case in ('plain', 'tuned', 'own'):
    if os.fork():
        os.wait()
        continue
    os.environ.update(MALLOC_TRIM_THRESHOLD_='131072') if case == 'own' else None
    assert case == 'plain' or tune_malloc() == (case == 'tuned')
    parts = [torch.ones(2**20) for _ in range(64)]  # 256 MiB
    del parts
    status = Path('/proc/self/status').read_text()
    print(int(status.split('VmRSS:')[1].split()[0]) // 2**10, flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(
    sys.platform != 'linux' or torch.cuda.is_available(), reason='of glibc, where there is no GPU'
)
def test_freed_memory_is_kept_unless_the_environment_says_otherwise():
    env = {k: v for k, v in os.environ.items() if not k.startswith(('MALLOC_', 'GLIBC_'))}
    out = subprocess.run(
        [sys.executable, '-c', FREES], text=True, check=True, capture_output=True, cwd=ROOT, env=env
    )
    plain, tuned, own = map(int, out.stdout.split())
    assert tuned > plain + 200 and own < plain + 50


def test_a_single_process_is_left_alone():
    cfg = Config(dict(launcher='none'))
    upstream.use_cpu_launcher(cfg)
    assert not torch.distributed.is_initialized()
    assert 'model_wrapper_cfg' not in cfg
