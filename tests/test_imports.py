"""What importing the package does, and what it leaves alone."""

import os
import subprocess
import sys

from helpers import ROOT

# Hides packages from an interpreter, as if they were not installed.
HIDE = """
import sys
from importlib.abc import MetaPathFinder
class Hide(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('mmengine', 'mmaction', 'mmcv', 'matplotlib'):
            raise ModuleNotFoundError(name)
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name.startswith('mm') else find(name, *a)
sys.meta_path.insert(0, Hide())
"""


def python(code):
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_focus_and_losses_need_pytorch_alone():
    out = python(
        HIDE + 'import torch\n'
        'from stf_mmaction import focus, losses\n'
        'q = torch.ones(1, 1, 2, 2)\n'
        'print(losses.divergence_loss(q, 0 * q).item())\n'
        'print(sorted(m for m in sys.modules if m.split(".")[0] in ("mmengine", "mmaction")))\n'
        'try:\n'
        '    losses.STFDivergenceLoss\n'
        'except ModuleNotFoundError as error:\n'
        '    print(error)\n'
    )
    loss, imported, missing = out.splitlines()
    assert (loss, imported, missing.split('.')[0]) == ('-2.0', '[]', 'mmaction')


def test_patches_are_logged_and_can_be_left_out():
    code = (
        'import logging, sys\n'
        'logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")\n'
        'import stf_mmaction\n'
        'from mmengine.config.utils import MODULE2PACKAGE\n'
        'print("stf_mmaction" in MODULE2PACKAGE, "matplotlib" in sys.modules)\n'
    )
    out = python(code).splitlines()
    assert sum(line.startswith('patched: ') for line in out) == 6
    assert out[-1] == 'True False'  # matplotlib is loaded when something is drawn
    # Without the patches the registries cannot be filled on a plain wheel, so
    # that only what they would have done is looked at.
    out = python(
        'from stf_mmaction import upstream\n'
        'from mmengine.config.utils import MODULE2PACKAGE\n'
        'MODULE2PACKAGE.pop("stf_mmaction", None)\n'
        'import os; os.environ["STF_NO_PATCH"] = "1"\n'
        'upstream.apply_patches()\n'
        'print("stf_mmaction" in MODULE2PACKAGE)\n'
    )
    assert out == 'False\n'
