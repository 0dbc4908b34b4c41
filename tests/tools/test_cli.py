"""The command line: MMAction2's arguments, errors in one sentence."""

import json
import os
import stat
import subprocess
from pathlib import Path

import mmaction
import pytest
import torch
from helpers import ROOT
from helpers.tools import TOOLS, load
from mmengine.config import Config

from stf_mmaction.engine import cli
from stf_mmaction.engine.picture_arguments import parse_picture_arguments

THEIRS = Path(mmaction.__file__).parent / '.mim/tools'
SCRIPTS = sorted(TOOLS.glob('*.sh'))


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls a tool of ours; the config that it would run is returned."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.chdir(tmp_path)

    def calls(name, *args):
        built = []

        class Nothing:
            train = test = staticmethod(lambda: None)

        module = load(TOOLS / name)
        monkeypatch.setattr(module, 'build_runner', lambda cfg: built.append(cfg) or Nothing)
        monkeypatch.setattr('sys.argv', [name, *map(str, args)])
        module.main()
        return built[0]

    return calls


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'small.py'
    path.write_text(
        'model = dict(type="Nothing")\n'
        'train_dataloader = test_dataloader = dict()\n'
        'optim_wrapper = dict(optimizer=dict(type="SGD"))\n'
        'randomness = dict(seed=1, deterministic=True)\n'
        'test_evaluator = dict(type="AccMetric")\n'
    )
    return path


@pytest.mark.parametrize(
    'name, given',
    [
        ('train.py', '{c}'),
        ('train.py', '{c} --resume'),
        (
            'train.py',
            '{c} --resume {c} --amp --no-validate --auto-scale-lr '
            '--seed 3 --diff-rank-seed --deterministic --work-dir w --launcher slurm '
            '--local-rank 1 --cfg-options a.b=1 c=[1,2]',
        ),
        ('train.py', '{c} --local_rank 2 --launcher mpi'),
        ('test.py', '{c} {c}'),
        (
            'test.py',
            '{c} {c} --work-dir w --dump d.pkl --show --show-dir s '
            '--interval 2 --wait-time 0.5 --launcher pytorch --local-rank 1 '
            '--cfg-options a.b=1',
        ),
    ],
)
def test_arguments_are_those_of_mmaction2(name, given, config, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setattr('sys.argv', [name, *given.format(c=config).split()])
    ours = vars(load(TOOLS / name).parse_args())
    theirs = vars(load(THEIRS / name).parse_args())
    # The tools take more than these, such as --focus.
    assert {key: ours.get(key) for key in theirs} == theirs


@pytest.mark.parametrize(
    'name, args, missing',
    [
        ('train.py', ['gone.py'], 'gone.py'),
        ('train.py', ['small.py', '--resume', 'gone.pth'], 'gone.pth'),
        ('test.py', ['gone.py', 'small.py'], 'gone.py'),
        ('test.py', ['small.py', 'gone.pth'], 'gone.pth'),
    ],
)
def test_a_missing_file_is_named(call, config, capsys, name, args, missing):
    with pytest.raises(SystemExit) as stop:
        call(name, *args)
    last = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2
    assert f'file {missing} does not exist' in last


def test_seed_overrides_the_config_and_nothing_else(call, config):
    cfg = call('train.py', config, '--seed', 0)
    assert cfg.randomness == dict(seed=0, deterministic=True)
    assert call('train.py', config).randomness == dict(seed=1, deterministic=True)
    cfg = call('train.py', config, '--diff-rank-seed')
    assert cfg.randomness == dict(seed=1, deterministic=True, diff_rank_seed=True)


def test_a_config_without_randomness_gets_a_random_seed(call, config):
    config.write_text('model = optim_wrapper = train_dataloader = dict()')
    assert call('train.py', config).randomness == dict(seed=None)


def test_no_workers_need_no_other_setting(call, config):
    """PyTorch refuses workers that persist, or fetch ahead, where there are none."""
    text = 'train_dataloader = dict(num_workers=2, persistent_workers=True, prefetch_factor=4)\n'
    config.write_text(config.read_text() + text)
    cfg = call('train.py', config, '--cfg-options', 'train_dataloader.num_workers=0')
    assert cfg.train_dataloader == dict(num_workers=0, persistent_workers=False)
    assert call('train.py', config).train_dataloader.persistent_workers


def test_train_arguments_reach_the_config(call, config, capsys):
    cfg = call(
        'train.py',
        config,
        '--no-validate',
        '--resume',
        '--cfg-options',
        'model.type=Other',
        'val_cfg.a=1',
    )
    assert cfg.work_dir == 'work_dirs/small'
    assert cfg.model.type == 'Other'
    assert cfg.val_cfg is None
    # Nothing to resume from yet: it starts from the beginning, and says so.
    assert cfg.resume is False and cfg.load_from is None
    assert 'work_dirs/small has no checkpoint' in capsys.readouterr().err
    state = dict(state_dict=dict(a=torch.ones(1)), optimizer=dict(a=1), message_hub=dict(a=1))
    torch.save(dict(state, meta=dict(epoch=1, iter=2)), 'last.pth')
    cfg = call('train.py', config, '--resume', 'last.pth', '--work-dir', 'w')
    assert (cfg.resume, cfg.load_from, cfg.work_dir) == (True, 'last.pth', 'w')


@pytest.mark.skipif(torch.cuda.is_available(), reason='for machines without a GPU')
def test_mixed_precision_without_a_gpu_ends_in_a_sentence(call, config):
    with pytest.raises(SystemExit, match='error: --amp needs a GPU and PyTorch sees none'):
        call('train.py', config, '--amp')


def test_scaling_the_rate_needs_a_base_batch_size(call, config):
    with pytest.raises(SystemExit, match='base_batch_size='):
        call('train.py', config, '--auto-scale-lr')
    cfg = call(
        'train.py', config, '--auto-scale-lr', '--cfg-options', 'auto_scale_lr.base_batch_size=32'
    )
    assert cfg.auto_scale_lr == dict(base_batch_size=32, enable=True)


def test_test_arguments_reach_the_config(call, config):
    cfg = call('test.py', config, config, '--dump', 'd.pkl', '--show-dir', 's', '--interval', 4)
    assert cfg.load_from == str(config)
    assert [metric['type'] for metric in cfg.test_evaluator] == ['AccMetric', 'DumpScores']
    (hook,) = [hook for hook in cfg.custom_hooks if hook['type'] == 'FocusVisualizationHook']
    assert (hook['out_dir'], hook['show'], hook['interval']) == ('s', False, 4)
    cfg = call('test.py', config, config)
    assert 'FocusVisualizationHook' not in str(cfg.custom_hooks)


@pytest.mark.parametrize('arg, value', [('--dump', 'd.txt'), ('--interval', '0')])
def test_a_wrong_value_is_named(call, config, capsys, arg, value):
    with pytest.raises(SystemExit) as stop:
        call('test.py', config, config, arg, value)
    assert stop.value.code == 2
    assert f'{arg} {value} must' in capsys.readouterr().err


def unknown_type():
    from mmaction.registry import MODELS

    MODELS.build(dict(type='NoSuchThing'))


def unknown_hook_value():
    from stf_mmaction.engine import STFPhaseHook

    STFPhaseHook(warmup_epochs=-1)


def broken_checkpoint():
    Path('x.pth').write_text('garbage')
    torch.load('x.pth')


def dict_over_a_name():
    Path('base.py').write_text("layout = 'coco'\n")
    Path('own.py').write_text("_base_ = 'base.py'\nlayout = dict(num_node=2)\n")
    Config.fromfile('own.py')


@pytest.mark.parametrize(
    'main, sentence',
    [
        (dict_over_a_name, 'layout=dict.*_delete_=True.* or give the path of a .json file'),
        (unknown_type, 'error: NoSuchThing is not in the'),
        (unknown_hook_value, 'error: warmup_epochs=-1 must be 0 or more'),
        (broken_checkpoint, 'error: the checkpoint cannot be read'),
        (lambda: open('gone.pkl'), 'error: .*gone.pkl'),
    ],
)
def test_a_user_error_is_one_sentence(main, sentence, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('STF_TRACEBACK', raising=False)
    with pytest.raises(SystemExit, match=sentence) as stop:
        cli.run(main)
    assert '\n' not in stop.value.code
    monkeypatch.setenv('STF_TRACEBACK', '1')
    with pytest.raises(Exception) as full:
        cli.run(main)
    assert not isinstance(full.value, SystemExit)


def test_a_defect_keeps_its_traceback(monkeypatch):
    monkeypatch.delenv('STF_TRACEBACK', raising=False)
    with pytest.raises(ValueError):
        cli.run(lambda: json.loads('one'))
    with pytest.raises(KeyError):
        cli.run(lambda: {}['one'])


@pytest.mark.parametrize(
    'text',
    [
        'gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:20388: Connection reset by peer.',
        'gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:4711',
        'NCCL error: remote process exited or there was a network error, NCCL version 2.21.5',
    ],
)
def test_a_process_that_lost_another_waits_and_says_so(text, monkeypatch):
    """torchrun blames whose end it sees first: not this one."""
    waited = []
    monkeypatch.setattr(cli.time, 'sleep', waited.append)

    def main():
        raise RuntimeError(text)

    with pytest.raises(SystemExit, match='error: another process of this run has ended'):
        cli.run(main)
    assert waited == [1]


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda path: path.name)
def test_a_script_parses(script):
    subprocess.run(['bash', '-n', script], check=True)


@pytest.mark.parametrize(
    'name, needed',
    [
        ('dist_train.sh', 2),
        ('dist_test.sh', 3),
        ('slurm_train.sh', 3),
        ('slurm_test.sh', 4),
    ],
)
def test_a_script_says_its_usage(name, needed):
    for count in range(needed):
        done = subprocess.run(
            ['bash', TOOLS / name, *'abcd'[:count]], capture_output=True, text=True
        )
        assert done.returncode == 2
        assert done.stderr.startswith('usage: ') and 'CONFIG' in done.stderr


def script_at(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def launched(tmp_path):
    """Runs a script with commands that only tell their arguments."""
    for name in ('python', 'srun'):
        script_at(tmp_path / 'bin' / name, '#!/bin/sh\nprintf "%s\\n" "$OMP_NUM_THREADS" "$@"\n')

    def run(name, *args, **env):
        clean = {
            key: value
            for key, value in os.environ.items()
            if key not in ('PORT', 'NNODES', 'OMP_NUM_THREADS')
        }
        clean.update(PATH=f'{tmp_path}/bin:{os.environ["PATH"]}', VIRTUAL_ENV=str(tmp_path))
        done = subprocess.run(
            ['bash', TOOLS / name, *args],
            env={**clean, **env},
            capture_output=True,
            text=True,
            check=True,
        )
        threads, *words = done.stdout.splitlines()
        return threads, words

    return run


def test_dist_scripts_use_torchrun(launched, tmp_path):
    config = tmp_path / 'a config.py'
    config.touch()
    threads, words = launched('dist_train.sh', config, '2', '--seed', '1')
    assert int(threads) >= 1
    assert words[:3] == ['-m', 'torch.distributed.run', '--standalone']
    tool = words.index(str(TOOLS / 'train.py'))
    assert words[tool + 1 :] == [str(config), '--seed', '1', '--launcher', 'pytorch']
    _, words = launched('dist_test.sh', config, 'w.pth', '4', PORT='1234', NNODES='2')
    assert words[words.index('--nproc_per_node') + 1] == '4'
    assert words[words.index('--master_port') + 1] == '1234'
    assert words[words.index('--nnodes') + 1] == '2'
    assert words[-4:] == [str(config), 'w.pth', '--launcher', 'pytorch']


def test_reproduce_starts_the_tool(launched):
    _, words = launched('reproduce.sh', 'ablation', '0', 'tiny', '--show')
    assert words == [str(TOOLS / 'reproduce.py'), 'ablation', '0', 'tiny', '--show']


def test_slurm_scripts_use_srun(launched):
    _, words = launched(
        'slurm_test.sh',
        'part',
        'job',
        'c.py',
        'w.pth',
        '--dump',
        'd.pkl',
        GPUS='2',
        SRUN_ARGS='--time 1',
    )
    assert words[:3] == ['-p', 'part', '--job-name=job']
    assert '--ntasks=2' in words and '--time' in words
    tool = words.index(str(TOOLS / 'test.py'))
    assert words[tool + 1 :] == ['c.py', 'w.pth', '--dump', 'd.pkl', '--launcher', 'slurm']


@pytest.fixture
def clone(tmp_path):
    """What setup_env.sh reads, and the few commands that it needs."""
    for name in ('setup.py', 'tools/setup_env.sh', 'requirements/constraints.txt'):
        copy = tmp_path / 'clone' / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((ROOT / name).read_text())
    commands = tmp_path / 'bin'
    commands.mkdir()
    for name in ('bash', 'sh', 'cat', 'cksum', 'dirname', 'mkdir', 'cp'):
        for folder in ('/bin', '/usr/bin'):
            if Path(folder, name).exists():
                (commands / name).symlink_to(f'{folder}/{name}')
                break

    def source(**env):
        return subprocess.run(
            ['bash', '-c', 'source clone/tools/setup_env.sh; echo ready'],
            cwd=tmp_path,
            env=dict(PATH=str(commands), **env),
            capture_output=True,
            text=True,
        )

    return source


def test_setup_without_a_fitting_python_says_so(clone, tmp_path):
    # Like pyenv's shims: on the path, but it does not run.
    script_at(tmp_path / 'bin/python3.12', '#!/bin/sh\nexit 127\n')
    done = clone()
    assert done.returncode == 1 and 'ready' not in done.stdout
    assert 'error: no Python 3.10, 3.11 or 3.12' in done.stderr


def test_setup_is_redone_until_it_worked_and_then_skipped(clone, tmp_path):
    script_at(
        tmp_path / 'bin/python3',
        '#!/bin/sh\n'
        'echo "$@" >> "$CALLS"\n'
        'case "$*" in\n'
        '*"import mmcv"*) exit ${MMCV:-1};;\n'
        '*"-m venv"*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python";;\n'
        '*"pip install"*"$BREAK"*) exit ${FAIL:-0};;\n'
        'esac\n',
    )
    calls = tmp_path / 'calls'

    def installs(**env):
        calls.write_text('')
        done = clone(CALLS=str(calls), **env)
        return done.returncode, [
            line.split()[-1] for line in calls.read_text().splitlines() if 'pip install' in line
        ]

    package = f'{tmp_path}/clone[test]'
    assert installs(BREAK='mmcv-lite', FAIL='1') == (1, ['torch', 'mmcv-lite'])
    assert installs() == (0, ['torch', 'mmcv-lite', package])
    assert installs() == (0, [])
    pins = tmp_path / 'clone/requirements/constraints.txt'
    pins.write_text(pins.read_text() + 'pytest<10\n')
    # A full mmcv is not overwritten.
    assert installs(MMCV='0') == (0, ['torch', package])


@pytest.mark.parametrize(
    'arguments, sentence',
    [
        (['--html', 'page.htm'], '--html page.htm must end in .html'),
        (['--explain', 'motion', '--compare', 'members'], 'leave --explain motion out'),
        (
            ['--compare', 'classes', '--versus', str(ROOT / 'setup.py'), str(ROOT / 'setup.py')],
            '--versus and --compare cannot be combined',
        ),
        (['--out', 'focus.bmp'], 'focus.bmp must end in .png'),
        (['--html', 'a.html', '--compare', 'classes'], '--html and --compare cannot be combined'),
        (['--average', '--clips', 'a'], '--average and --clips cannot be combined'),
        (['--confused', '--average', '--class', 'a'], '--confused and --class cannot be combined'),
        (['--confused'], '--confused chooses classes for --average'),
        (['--average', '--out', 'focus.gif'], '--average cannot be animated'),
        (
            ['--html', 'a.html', '--versus', str(ROOT / 'setup.py'), 'gone.pth'],
            '--versus: file gone.pth does not exist',
        ),
    ],
)
def test_arguments_of_a_page(arguments, sentence, monkeypatch, capsys):
    here = str(ROOT / 'setup.py')
    monkeypatch.setattr('sys.argv', ['visualize_focus.py', here, here, *arguments])
    with pytest.raises(SystemExit):
        parse_picture_arguments('')
    assert sentence in capsys.readouterr().err
