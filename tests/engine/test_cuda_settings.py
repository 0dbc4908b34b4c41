"""What the tools set on CUDA, with CUDA made up."""

import argparse
import os
from types import SimpleNamespace

import pytest
import torch
from helpers.networks import EXPLORE_LOSSES, FOCUS_LOSSES, recognizer
from mmengine.config import Config

from stf_mmaction.engine import CUDAGraphHook
from stf_mmaction.engine.arguments import add_common_arguments
from stf_mmaction.engine.cli import (
    load_config,
    refuse_compile,
    refuse_sync_bn,
    set_up_cuda,
    use_amp,
)


@pytest.fixture
def gpu(monkeypatch):
    """A GPU that can do bfloat16 or not; what is set is undone."""

    def make(bf16=True):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda **_: bf16)

    before = torch.get_float32_matmul_precision()
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG', raising=False)
    yield make
    torch.set_float32_matmul_precision(before)
    os.environ.pop('CUBLAS_WORKSPACE_CONFIG', None)


def amp(**wrapper):
    cfg = Config(dict(optim_wrapper=wrapper))
    use_amp(cfg)
    return cfg.optim_wrapper.to_dict()


def test_amp_is_bfloat16_where_the_gpu_has_it(gpu):
    gpu()
    assert amp() == dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=dict(enabled=False))
    gpu(bf16=False)
    assert amp() == dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
    kept = amp(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=8.0)
    assert kept == dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=8.0)


def test_amp_says_what_it_needs(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(SystemExit, match='--amp needs a GPU and PyTorch sees none'):
        amp()
    with pytest.raises(SystemExit, match='does not work with ApexOptimWrapper'):
        amp(type='ApexOptimWrapper')


def test_tensor_cores_and_determinism(gpu):
    gpu()
    set_up_cuda(Config(dict()))
    assert torch.get_float32_matmul_precision() == 'high'
    assert 'CUBLAS_WORKSPACE_CONFIG' not in os.environ
    set_up_cuda(
        Config(dict(float32_matmul_precision='highest', randomness=dict(deterministic=True)))
    )
    assert torch.get_float32_matmul_precision() == 'highest'
    assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'
    with pytest.raises(SystemExit, match="float32_matmul_precision='tf32' is unknown"):
        set_up_cuda(Config(dict(float32_matmul_precision='tf32')))


def test_synchronised_batch_norm_has_no_second_derivative():
    with pytest.raises(ValueError, match='remove sync_bn from the config'):
        refuse_sync_bn(recognizer(FOCUS_LOSSES))
    refuse_sync_bn(recognizer(EXPLORE_LOSSES))


def test_compiling_a_whole_step_is_refused():
    with pytest.raises(ValueError, match='docs/gpus.md describes how to compile'):
        refuse_compile(recognizer(EXPLORE_LOSSES))
    refuse_compile(torch.nn.Linear(2, 2))


@pytest.mark.parametrize('present', [True, False])
def test_the_hook_replays_steps_on_a_gpu(present, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: present)
    model, said = recognizer(FOCUS_LOSSES), []
    logger = SimpleNamespace(info=said.append)
    runner = SimpleNamespace(model=model, logger=logger)
    CUDAGraphHook().before_train(runner)
    assert (model.graphed is not None) == bool(said) == present
    CUDAGraphHook().after_train(runner)
    assert model.graphed is None


@pytest.mark.parametrize('kind', ['True', 'False'])
def test_the_config_turns_replayed_steps_on(kind):
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    add_common_arguments(parser)
    args = ['configs/msg3d_demo_j.py', '--cfg-options', f'cuda_graph={kind}']
    hooks = [hook.type for hook in load_config(parser.parse_args(args)).custom_hooks]
    assert ('CUDAGraphHook' in hooks) == (kind == 'True')
