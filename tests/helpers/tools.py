"""Tools, run in this process, which saves their start, or in one of their own as users do."""

import contextlib
import importlib.util
import io
import os
import runpy
import subprocess
import sys
from unittest import mock

from helpers import ROOT

TOOLS = ROOT / 'tools'
DEMO = 'configs/stf_msg3d_demo_j.py'
DATA = 'tools/demo_data/ui_prmd_tiny.pkl'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
FEW = [f'{loader}.dataset.indices=12' for loader in LOADERS]
NO_WORKERS = [
    f'{loader}.{setting}'
    for loader in LOADERS
    for setting in ('num_workers=0', 'persistent_workers=False')
]
SHORT = (
    'train_cfg.max_epochs=2',
    'custom_hooks.0.warmup_epochs=1',
    'default_hooks.checkpoint.interval=1',
    'default_hooks.logger.interval=1',
)


def load(path):
    """A tool as a module."""
    spec = importlib.util.spec_from_file_location(f'tool_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(*command, env=()):
    """Run a command in the repository, in a process of its own."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT), **dict(env)),
    )


def tool(name, *arguments):
    """Run a tool in the repository, in this process; return what :func:`call` does."""
    out, err = io.StringIO(), io.StringIO()
    words = [f'tools/{name}', *map(str, arguments)]
    code = 0
    with (
        _chdir(ROOT),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch('sys.argv', words),
        mock.patch.dict('os.environ'),
    ):
        try:
            runpy.run_path(str(ROOT / words[0]), run_name='__main__')
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _chdir(folder):
    """Work in a folder, as contextlib.chdir does from Python 3.11 on."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
