"""Shared by all tests."""

import os
import sys
from pathlib import Path

# The suite is the same on every machine: it trains on the CPU. tools/gpu_check.sh sets the
# variable for the tests that compare a GPU with it. PyTorch reads both settings once.
if os.environ.get('STF_TEST_GPU') == '1':
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
else:
    os.environ['CUDA_VISIBLE_DEVICES'] = ''
import pytest
import torch
from mmengine.registry import init_default_scope

import stf_mmaction  # noqa: F401  (patches upstream and registers)

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from helpers import quick  # noqa: E402

# Small networks are fastest, and steady, on one thread.
torch.set_num_threads(1)
# As a Runner does; stock recognizers cannot be built without it.
init_default_scope('mmaction')
quick.apply()


@pytest.fixture(params=['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu'])
def device(request):
    """Each device that is available: a test that takes this runs on all of them."""
    return torch.device(request.param)


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """The folder ``data`` of tools/data/README.md, with a few clips of each kind."""
    from helpers.raw_files import write_raw

    monkeypatch.chdir(tmp_path)
    return write_raw(tmp_path)


# Minutes each; begun last, one of them would keep a single process busy at the end.
LONGEST = ('test_readme.py', 'test_reproduce.py', 'test_tools.py', 'test_distributed_training.py')


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True)
def settings_of_torch():
    """Undo what a tool that ran in this process has set; operators depend on it."""
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False
    torch.backends.cudnn.benchmark = False
    torch.set_float32_matmul_precision('highest')
