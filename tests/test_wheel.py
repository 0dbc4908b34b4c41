"""The wheel holds what a user without the repository needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers import ROOT


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """A folder with the contents of the wheel, as pip would lay them out."""
    folder = tmp_path_factory.mktemp('wheel')
    build = 'wheel -q --no-deps --no-build-isolation -w'.split()
    done = subprocess.run(
        [sys.executable, '-m', 'pip', *build, folder, ROOT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob('*.whl')
    zipfile.ZipFile(wheel).extractall(folder / 'site')
    return folder / 'site'


def test_an_inherited_config_trains_in_an_empty_folder(installed, tmp_path):
    data = installed / 'stf_mmaction/.mim/tools/demo_data/ui_prmd_tiny.pkl'
    (tmp_path / 'mine.py').write_text(
        "_base_ = ['stf_mmaction::stf/msg3d_demo_j.py']\n"
        f"ann_file = '{data}'\n"
        'train_dataloader = val_dataloader = test_dataloader = dict(\n'
        '    num_workers=0, persistent_workers=False, dataset=dict(ann_file=ann_file))\n'
        'model = dict(backbone=dict(base_channels=6), cls_head=dict(in_channels=24))\n'
        'train_cfg = dict(max_epochs=1)\n'
        'train_dataloader.update(dataset=dict(ann_file=ann_file, fraction=0.1))\n'
    )
    command = [sys.executable, installed / 'stf_mmaction/.mim/tools/train.py', 'mine.py']
    done = subprocess.run(
        [*map(str, command), '--no-validate'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(installed), OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / 'work_dirs/mine/epoch_1.pth').is_file()
    assert str(ROOT) not in done.stdout + done.stderr
    assert 'will not be registered' not in done.stdout + done.stderr


def test_every_tool_loads_in_an_empty_folder(installed, tmp_path):
    code = (
        'import runpy, sys\n'
        'from pathlib import Path\n'
        'from stf_mmaction.experiments.paper import config_of\n'
        'from stf_mmaction.locations import ROOT, TOOLS\n'
        "tools = sorted(TOOLS.rglob('*.py'))\n"
        'for tool in tools:\n'
        '    runpy.run_path(str(tool))\n'
        "print(len(tools), ROOT, config_of('msg3d_demo_j')[0])\n"
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(installed), OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    count, root, config = done.stdout.splitlines()[-1].split()
    assert int(count) == len(list((ROOT / 'tools').rglob('*.py')))
    assert (Path(root), Path(config).parent) == (
        tmp_path,
        installed / 'stf_mmaction/.mim/configs/stf',
    )
