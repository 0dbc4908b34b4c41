"""Shared by all tests."""

import sys
from pathlib import Path

import torch
from mmengine.registry import init_default_scope

import stf_mmaction  # noqa: F401  (repairs upstream and registers)

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "files"), str(HERE / 'tools')]
# Small networks are fastest, and steady, on one thread.
torch.set_num_threads(1)
# As a Runner does; stock recognizers cannot be built without it.
init_default_scope('mmaction')
