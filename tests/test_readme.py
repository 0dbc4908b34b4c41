"""The commands of the README, run; its links and its example, checked."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from helpers.documents import Document
from helpers.tools import DATA, FEW, LOADERS, NO_WORKERS, ROOT, SHORT, call, tool
from mmengine.config import Config

README = Document('README.md')
COMMANDS = README.commands
OWN_VENV = Path(sys.prefix) == ROOT / '.venv'


def test_every_command_is_known():
    """A new command in the README wants a test below."""
    known = (
        'bash tools/demo.sh',
        'bash tools/run_tests.sh',
        'pip install',
        'python tools/train.py',
        'bash tools/dist_train.sh',
        'python tools/test.py',
        'python tools/visualize_focus.py',
        'python tools/get_flops.py',
        'python tools/fuse_scores.py',
        'python tools/export_onnx.py',
        'python tools/benchmark.py',
        'bash tools/reproduce.sh',
    )
    assert [c for c in COMMANDS if not c.startswith(known)] == []
    assert len(COMMANDS) > 8


@pytest.mark.skipif(not OWN_VENV, reason='makes .venv; run_tests.sh has it')
def test_the_demo():
    out = call('bash', 'tools/demo.sh')
    assert out.returncode == 0, out.stderr[-2000:]
    top1 = re.search(r'STF, their mean +(\d+) %', out.stdout)
    assert int(top1.group(1)) >= 90, out.stdout
    picture = ROOT / 'work_dirs/stf_msg3d_demo_j/focus.png'
    assert picture.read_bytes()[:4] == b'\x89PNG'


@pytest.mark.skipif(not OWN_VENV, reason='makes .venv; run_tests.sh has it')
def test_the_test_command_passes_arguments_on():
    out = call('bash', 'tools/run_tests.sh', '--collect-only', '-q', 'tests/losses')
    assert out.returncode == 0, out.stderr[-2000:]
    assert 'test_losses.py' in out.stdout and 'README' not in out.stdout


def test_the_results_are_those_of_the_report():
    gains = re.findall(r'[+-]\d+\.\d \[[^]]+\]', README.text)
    report = (ROOT / 'docs/evidence.md').read_text()
    assert len(gains) >= 9 and [gain for gain in gains if gain not in report] == []


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory):
    return tmp_path_factory.mktemp('readme')


def shortened(command, work_dir):
    """The command on twelve bundled clips, two epochs, in work_dir."""
    words = shlex.split(command)
    name = Path(words[1]).name
    if name == 'benchmark.py':  # the size of the table takes minutes
        words = [
            w.replace('configs/', 'tests/configs/').replace('ntu60_xsub_j', 'tiny_j') for w in words
        ]
        return [*words, '--batch', '1', '--frames', '8', '--rounds', '1']
    if name not in (
        'train.py',
        'test.py',
        'visualize_focus.py',
        'fuse_scores.py',
        'export_onnx.py',
    ):
        return words
    words = [
        str(work_dir / Path(w).name)
        if w.startswith('work_dirs/')
        or w in ('scores.pkl', 'focus.png', 'focus.npz', 'focus.html', 'classes.csv', 'model.onnx')
        else w
        for w in words
    ]
    # The runs here stop early; what they wrote stands for the last epoch.
    words = [w.replace('epoch_55.pth', 'epoch_2.pth') for w in words]
    if name == 'export_onnx.py':
        return [*words, '--shape', *'1 1 8 20 4'.split()]  # eight clips of 64 frames take long
    if name == 'fuse_scores.py':
        return words
    if '--cfg-options' not in words:
        words.append('--cfg-options')
        words += SHORT if name == 'train.py' else ()
    words += [*FEW, *NO_WORKERS]
    words += [f'{loader}.dataset.ann_file={DATA}' for loader in LOADERS]
    if name != 'visualize_focus.py':
        words[3:3] = ['--work-dir', str(work_dir)] if name == 'train.py' else []
    return words


PYTHON = [c for c in COMMANDS if c.startswith('python ')]


@pytest.fixture(scope='module')
def run_command(work_dir):
    """Runs a command of the README once, after those whose files it reads."""
    done = {}

    def run(command):
        if command not in done:
            if '--weights' in command:
                run(next(c for c in PYTHON if '--dump scores.pkl' in c))
            elif command != PYTHON[0]:
                run(PYTHON[0])
            _, path, *words = shortened(command, work_dir)
            done[command] = tool(path.removeprefix('tools/'), *words)
        return done[command]

    return run


@pytest.mark.parametrize('command', PYTHON, ids=[c.split()[1] for c in PYTHON])
def test_python_commands(command, run_command):
    out = run_command(command)
    assert out.returncode == 0, (command, out.stderr[-2000:])


def test_the_example_is_the_config():
    (example,) = README.python
    name = 'configs/stf_stgcnpp_ntu60_xsub_j.py'
    assert name in README.text

    def code(text):
        return [line.split('  #')[0] for line in text.splitlines() if line.strip()]

    assert code(example) == code((ROOT / name).read_text())
    assert Config.fromfile(ROOT / name).model.backbone.type == 'STGCN'


def test_links_lead_somewhere():
    assert README.broken_links() == []


def test_configs_named_exist():
    for name in re.findall(r'configs/[\w/]+\.py', README.text):
        assert (ROOT / name).is_file(), name
