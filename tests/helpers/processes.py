"""Processes of their own, forked from a server that has imported everything.

A new interpreter needs eight seconds of a core to import PyTorch and MMAction2. The server does
so once; what is forked from it has nothing of the test run and is otherwise a new process.
"""

import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

import torch.distributed.run

from helpers import ROOT, quick

SERVER = multiprocessing.get_context('forkserver')
SERVER.set_forkserver_preload(['stf_mmaction', 'mmaction.apis', 'torch.distributed.run'])


def _begin(work, args, files, cwd, env):
    """Run ``work`` with the streams, the folder and the environment of a new process."""
    for stream, name in zip((sys.stdout, sys.stderr), files):
        with open(name, 'wb') as file:
            os.dup2(file.fileno(), stream.fileno())
        stream.reconfigure(line_buffering=True)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    multiprocessing.set_start_method(None, force=True)  # Not that of the server.
    quick.apply()
    work(*args)


@contextlib.contextmanager
def started(work, *args, cwd=ROOT, env=()):
    """Start ``work(*args)`` in a process; give it, and the files with what it prints."""
    own = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT), **dict(env)}
    with mock.patch.dict('os.environ', own):  # What libraries read when they are imported.
        forkserver.ensure_running()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ('stdout', 'stderr')]
        process = SERVER.Process(target=_begin, args=(work, args, files, str(cwd), own))
        process.start()
        try:
            yield process, files
        finally:
            process.kill()
            process.join()


def forked(work, *args, **more):
    """Run ``work(*args)`` in a process; return what subprocess.run does."""
    with started(work, *args, **more) as (process, files):
        process.join()
        texts = (file.read_text() for file in files)
        return subprocess.CompletedProcess(args, process.exitcode, *texts)


def script(path, *words):
    """Run a script, as ``python path words`` does."""
    with mock.patch('sys.argv', [str(path), *map(str, words)]):
        runpy.run_path(str(path), run_name='__main__')


class Fork:
    """Stands for subprocess.Popen of ``python script words``: forked from this process."""

    def __init__(self, command, cwd, env, pass_fds):
        _, path, *words = command
        process = multiprocessing.get_context('fork').Process(
            target=self._run, args=(cwd, env, path, words)
        )
        process.start()
        self.pid, self.terminate = process.pid, process.terminate
        self._process = process

    @staticmethod
    def _run(cwd, env, path, words):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir(cwd)
        os.environ.update(env)
        script(path, *words)

    def poll(self):
        return self._process.exitcode

    def wait(self):
        self._process.join()

    returncode = property(poll)


def torchrun(*words, **more):
    """Run ``torchrun``, whose workers are forked, too."""
    words = ['--run-path', '--start-method', 'fork', *map(str, words)]
    return forked(torch.distributed.run.main, words, **more)
